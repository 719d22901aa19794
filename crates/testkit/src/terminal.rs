//! A terminal, by tmux: what a person would see.

use std::process::{Command, Stdio};

use crate::temp_dir::TempDir;
use crate::wait;

/// A terminal with a shell.
pub struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Starts a shell with these variables in its environment.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let terminal = Self { folder: TempDir::new() };
        let mut begin = terminal.tmux();
        begin.envs(settings.iter().copied());
        // Beyond the file's own, nothing is configured.
        begin.args(["-f", "/dev/null", "new-session", "-d", "-x", "130", "-y", "40", "PS1='$ ' sh"]);
        assert!(begin.status().expect("tmux starts").success());
        terminal
    }

    /// Types a line.
    pub fn type_line(&self, line: &str) {
        let typed = self.tmux().args(["send-keys", "-l", line]).status();
        assert!(typed.expect("tmux is there").success());
        self.press("Enter");
    }

    /// Presses a key by its name.
    pub fn press(&self, key: &str) {
        assert!(self.tmux().args(["send-keys", key]).status().expect("tmux is there").success());
    }

    /// The screen's text, with colours as escape sequences.
    pub fn screen(&self) -> String {
        let shown = self.tmux().args(["capture-pane", "-p", "-e"]).output().expect("tmux is there");
        String::from_utf8_lossy(&shown.stdout).into_owned()
    }

    /// Waits until the condition holds for the screen's text, and returns the text.
    pub fn wait_for_screen(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let found = wait::try_wait_for(|| Some(self.screen()).filter(|shown| condition(shown)));
        found.unwrap_or_else(|| panic!("{what} is not on the terminal:\n{}", self.screen()))
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
