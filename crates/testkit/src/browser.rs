//! A real browser that shows the dashboard: the machine's installed Chromium, driven by the script
//! `crates/pilotlight/tests/browser/browser.mjs`.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{ChildProcess, OutputLines};
use crate::server::TestServer;
use crate::shared::SharedFolder;
use crate::wait;

/// The folder of the scripts.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pilotlight/tests/browser");

/// A script that has not exited within this time is killed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// One page in its own browser context: it shares only the browser's processes with other tests.
pub struct Browser {
    process: ChildProcess,
    output: OutputLines,
    /// Number of output lines that were already read.
    lines_read: usize,
}

/// The colour scheme that the browser reports to the page.
#[derive(Clone, Copy, Debug)]
pub enum ColorScheme {
    /// `prefers-color-scheme: light`.
    Light,
    /// `prefers-color-scheme: dark`.
    Dark,
}

impl ColorScheme {
    /// The name of the scheme in CSS.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// Starts a browser, opens the service's dashboard, and waits until it gets live updates.
    pub fn showing(server: &TestServer, scheme: ColorScheme) -> Self {
        let mut browser = Self::start(scheme);
        browser.open(server);
        browser.wait_until("document.querySelector('.connection.live')");
        browser
    }

    /// Opens the service's dashboard, or reloads it.
    pub fn open(&mut self, server: &TestServer) {
        self.open_url(&server.url());
    }

    /// Opens any page.
    pub fn open_url(&mut self, url: &str) {
        self.command(&json!({ "do": "open", "url": url }));
    }

    /// From now on the browser itself answers requests to that path. `answers` has a list of responses for each method;
    /// the last response of a list also answers all further requests.
    pub fn fake(&mut self, path: &str, answers: Value) {
        self.command(&json!({ "do": "fake", "path": path, "answers": answers }));
    }

    /// The requests that were answered because of [`Browser::fake`].
    pub fn faked_requests(&mut self) -> Vec<Value> {
        self.command(&json!({ "do": "faked-requests" })).as_array().expect("a list").clone()
    }

    /// Starts a browser with an empty page.
    pub fn start(scheme: ColorScheme) -> Self {
        let options = json!({ "endpoint": shared_browser(), "scheme": scheme.name() });
        let mut command = Command::new("node");
        command.current_dir(SCRIPTS);
        command.args(["browser.mjs", &options.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = ChildProcess::start(&mut command);
        let (output, _) = OutputLines::read(process.child().stdout.take().expect("the pipe was requested"));
        let mut browser = Self { process, output, lines_read: 0 };
        browser.read_reply("to start");
        browser
    }

    /// Evaluates a JavaScript expression in the page and returns its value.
    pub fn eval(&mut self, js: &str) -> Value {
        self.command(&json!({ "do": "eval", "js": js }))
    }

    /// Waits until this JavaScript expression is true in the page.
    pub fn wait_until(&mut self, js: &str) {
        self.command(&json!({ "do": "until", "js": format!("!!({js})") }));
    }

    /// Waits until the page's text contains this.
    pub fn wait_for_text(&mut self, text: &str) {
        self.wait_until(&format!("document.body.innerText.includes({})", Value::from(text)));
    }

    /// Clicks the only element of that role and name.
    pub fn click(&mut self, role: &str, name: &str) {
        self.command(&json!({ "do": "click", "role": role, "name": name }));
    }

    /// Fills the only field with that label.
    pub fn fill(&mut self, label: &str, text: &str) {
        self.command(&json!({ "do": "fill", "label": label, "text": text }));
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str) {
        self.command(&json!({ "do": "press", "key": key }));
    }

    /// Serious and critical violations that the accessibility checker axe finds.
    pub fn accessibility_violations(&mut self) -> Value {
        self.command(&json!({ "do": "axe" }))
    }

    /// Errors on the browser's console, and requests of the page to other hosts.
    pub fn errors(&mut self) -> Vec<String> {
        serde_json::from_value(self.command(&json!({ "do": "errors" }))).expect("a list of texts")
    }

    fn command(&mut self, command: &Value) -> Value {
        let mut stdin = self.process.child().stdin.as_ref().expect("the pipe was requested");
        stdin.write_all(format!("{command}\n").as_bytes()).expect("the script reads");
        let reply = self.read_reply(&command.to_string());
        assert!(reply.get("failed").is_none(), "{command}: {}", reply["failed"]);
        reply["value"].clone()
    }

    fn read_reply(&mut self, what: &str) -> Value {
        let line = wait::wait_for(what, || self.output.from(self.lines_read).into_iter().next());
        self.lines_read += 1;
        serde_json::from_str(&line).expect("our script prints JSON")
    }
}

/// The address of the Chromium that all tests of a run share.
fn shared_browser() -> String {
    let (_, endpoint) = SharedFolder::find_or_start("chromium", |folder| {
        let endpoint = folder.path().join("endpoint");
        let mut command = Command::new("node");
        command.current_dir(SCRIPTS).args(["shared.mjs"]).arg(&endpoint);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder.path());
        folder.spawn(&command, "TERM");
        let written =
            wait::try_wait_for(|| fs::read_to_string(&endpoint).ok().filter(|text| !text.is_empty()));
        written.unwrap_or_else(|| panic!("Chromium does not start:\n{}", folder.log()))
    });
    endpoint
}

impl Drop for Browser {
    /// The script exits when its stdin is closed.
    fn drop(&mut self) {
        drop(self.process.child().stdin.take());
        let child = self.process.child();
        wait::try_wait_for_at_most(EXIT_TIMEOUT, || child.try_wait().ok().flatten());
    }
}
