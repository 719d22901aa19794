//! A terminal of its own, by tmux: what a person would see.

use std::process::{Command, Stdio};

use super::process::Folder;
use super::wait;

/// A terminal with a shell.
pub(crate) struct Terminal {
    folder: Folder,
}

impl Terminal {
    /// With these in its environment.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let terminal = Self { folder: Folder::new() };
        let mut begin = terminal.tmux();
        begin.envs(settings.iter().copied());
        // Beyond the file's own, nothing is configured.
        begin.args(["-f", "/dev/null", "new-session", "-d", "-x", "130", "-y", "40", "PS1='$ ' sh"]);
        assert!(begin.status().expect("tmux starts").success());
        terminal
    }

    /// Types a line.
    pub(crate) fn types(&self, line: &str) {
        let typed = self.tmux().args(["send-keys", "-l", line]).status();
        assert!(typed.expect("tmux is there").success());
        self.presses("Enter");
    }

    /// Presses a key by its name.
    pub(crate) fn presses(&self, key: &str) {
        assert!(self.tmux().args(["send-keys", key]).status().expect("tmux is there").success());
    }

    /// What is on it, with colours as escape sequences.
    pub(crate) fn shows(&self) -> String {
        let shown = self.tmux().args(["capture-pane", "-p", "-e"]).output().expect("tmux is there");
        String::from_utf8_lossy(&shown.stdout).into_owned()
    }

    /// Waits until this is on it, and returns all that is.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let found = wait::within_the_deadline(|| Some(self.shows()).filter(|shown| is_so(shown)));
        found.unwrap_or_else(|| panic!("{what} is not on the terminal:\n{}", self.shows()))
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        tmux.env("TMUX_TMPDIR", self.folder.path()).env("LANG", "C.UTF-8").env("TERM", "xterm-256color");
        tmux.stdin(Stdio::null()).arg("-u");
        tmux
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.tmux().arg("kill-server").stderr(Stdio::null()).status();
    }
}
