//! A terminal that tmux emulates: tests read its screen as a person would see it.

use std::process::{Command, Stdio};

use crate::temp_dir::TempDir;
use crate::wait;

/// A terminal with a shell.
pub struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Starts a shell with these variables in its environment.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        let terminal = Self { folder: TempDir::new() };
        let mut start = terminal.tmux();
        start.envs(variables.iter().copied());
        // An empty configuration file: the user's configuration of tmux must not change the result.
        start.args(["-f", "/dev/null", "new-session", "-d", "-x", "130", "-y", "40", "PS1='$ ' sh"]);
        assert!(start.status().expect("tmux starts").success());
        terminal
    }

    /// Types a line.
    pub fn type_line(&self, line: &str) {
        let typed = self.tmux().args(["send-keys", "-l", line]).status();
        assert!(typed.expect("tmux runs").success());
        self.press("Enter");
    }

    /// Presses a key by its name.
    pub fn press(&self, key: &str) {
        assert!(self.tmux().args(["send-keys", key]).status().expect("tmux runs").success());
    }

    /// The screen's text, with colours as escape sequences.
    pub fn screen(&self) -> String {
        let capture = self.tmux().args(["capture-pane", "-p", "-e"]).output().expect("tmux runs");
        String::from_utf8_lossy(&capture.stdout).into_owned()
    }

    /// Waits until the condition holds for the screen's text, and returns the text.
    pub fn wait_for_screen(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let found = wait::try_wait_for(|| Some(self.screen()).filter(|screen| condition(screen)));
        found.unwrap_or_else(|| panic!("the terminal does not show {what}:\n{}", self.screen()))
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
        // The tmux server may have exited already.
        _ = self.tmux().arg("kill-server").stderr(Stdio::null()).status();
    }
}
