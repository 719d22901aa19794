//! A real browser with the dashboard's page: the machine's own Chromium, driven by `tests/browser/browser.mjs`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Folder, Lines, Process};
use super::server::Server;
use super::wait;

/// After this it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// One browser with one page.
pub(crate) struct Browser {
    process: Process,
    said: Lines,
    heard: usize,
    // Removed after the process has ended.
    _profile: Folder,
}

/// Light or dark, as the system says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// A browser that shows the service's page, live.
    pub(crate) fn at(server: &Server, scheme: Scheme) -> Self {
        let mut browser = Self::start(scheme);
        browser.open(server);
        browser.until("document.querySelector('.connection.live')");
        browser
    }

    /// Opens the service's page, or opens it again.
    pub(crate) fn open(&mut self, server: &Server) {
        self.open_at(&server.url());
    }

    /// The same at any address.
    pub(crate) fn open_at(&mut self, url: &str) {
        self.tell(&json!({ "do": "open", "url": url }));
    }

    /// From now on the browser itself answers requests to that path: by method a list of answers, the last for good.
    pub(crate) fn fake(&mut self, path: &str, answers: Value) {
        self.tell(&json!({ "do": "fake", "path": path, "answers": answers }));
    }

    /// The requests that the browser answered itself.
    pub(crate) fn faked(&mut self) -> Vec<Value> {
        self.tell(&json!({ "do": "faked" })).as_array().expect("a list").clone()
    }

    /// A browser without a page.
    pub(crate) fn start(scheme: Scheme) -> Self {
        let profile = Folder::new();
        let wish = json!({ "profile": profile.path(), "scheme": scheme.name() });
        let mut command = Command::new("node");
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser"));
        command.args(["browser.mjs", &wish.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let (said, _) = Lines::follow(process.child().stdout.take().expect("asked for"));
        let mut browser = Self { process, said, heard: 0, _profile: profile };
        browser.hear("to start");
        browser
    }

    /// What the expression says in the page.
    pub(crate) fn eval(&mut self, js: &str) -> Value {
        self.tell(&json!({ "do": "eval", "js": js }))
    }

    /// Waits until the expression is true in the page.
    pub(crate) fn until(&mut self, js: &str) {
        self.tell(&json!({ "do": "until", "js": format!("!!({js})") }));
    }

    /// Waits until the page's text contains this.
    pub(crate) fn until_it_says(&mut self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", Value::from(text)));
    }

    /// Clicks the one element of that role and name.
    pub(crate) fn click(&mut self, role: &str, name: &str) {
        self.tell(&json!({ "do": "click", "role": role, "name": name }));
    }

    /// Writes into the one field with that label.
    pub(crate) fn fill(&mut self, label: &str, text: &str) {
        self.tell(&json!({ "do": "fill", "label": label, "text": text }));
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str) {
        self.tell(&json!({ "do": "press", "key": key }));
    }

    /// Serious and critical faults for people who see, hear or point otherwise.
    pub(crate) fn barriers(&mut self) -> Value {
        self.tell(&json!({ "do": "axe" }))
    }

    /// Errors on the console and requests to elsewhere.
    pub(crate) fn faults(&mut self) -> Vec<String> {
        serde_json::from_value(self.tell(&json!({ "do": "faults" }))).expect("a list of texts")
    }

    fn tell(&mut self, command: &Value) -> Value {
        let mut to = self.process.child().stdin.as_ref().expect("asked for");
        to.write_all(format!("{command}\n").as_bytes()).expect("the script reads");
        let answer = self.hear(&command.to_string());
        assert!(answer.get("failed").is_none(), "{command}: {}", answer["failed"]);
        answer["said"].clone()
    }

    fn hear(&mut self, what: &str) -> Value {
        let line = wait::until_some(what, || self.said.from(self.heard).into_iter().next());
        self.heard += 1;
        serde_json::from_str(&line).expect("our script prints JSON")
    }
}

impl Drop for Browser {
    /// It ends by itself once nobody tells it anything more, and takes its own children with it.
    fn drop(&mut self) {
        drop(self.process.child().stdin.take());
        let started = Instant::now();
        while matches!(self.process.child().try_wait(), Ok(None)) && started.elapsed() < ENDS_WITHIN {
            wait::pause(Duration::from_millis(10));
        }
    }
}
