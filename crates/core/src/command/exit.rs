//! What the end of a command means for its job: a result, or the sentence that its caller reads.

use std::fmt;
use std::time::Duration;

use crate::limits::MAX_STDERR_LINE_BYTES;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessExit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody could see it: whoever watched over it was killed too.
    Unknown,
}

/// Why we ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillReason {
    /// It took longer than this.
    TimedOut(Duration),
    /// It wrote more than so many bytes to stdout.
    OutputTooLarge(usize),
    /// The runner was told to stop, and waited as long as it may.
    Stopped,
}

/// What stands on stdout. Places are bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdoutContent {
    /// One JSON object or list.
    Result,
    /// Nothing, or white space.
    Empty,
    /// One JSON value that is neither.
    Scalar,
    /// What is no text (UTF-8).
    Binary {
        /// Where.
        at: usize,
    },
    /// What is not JSON.
    NotJson {
        /// Where.
        at: usize,
    },
    /// JSON that breaks off.
    Truncated {
        /// Bytes that are there.
        bytes: usize,
    },
    /// More behind the first value.
    MultipleValues {
        /// Where.
        at: usize,
    },
}

/// A command's end, as it was seen.
#[derive(Debug, Clone, Copy)]
pub struct CommandExit<'a> {
    /// How it ended.
    pub exit: ProcessExit,
    /// Why we ended it, if we did.
    pub kill_reason: Option<KillReason>,
    /// What stands on its stdout.
    pub stdout: StdoutContent,
    /// The last line that it wrote to stderr; empty when there is none.
    pub last_stderr_line: &'a str,
}

/// Whether what stands on stdout is the job's result.
///
/// # Errors
/// The sentence that says why it is not.
pub fn command_result(ending: &CommandExit<'_>) -> Result<(), String> {
    let CommandExit { exit, kill_reason, stdout, last_stderr_line } = *ending;
    if let Some(kill_reason) = kill_reason {
        return Err(kill_reason.to_string());
    }
    if exit != ProcessExit::Code(0) {
        return Err(with_stderr_line(format!("the command {exit}"), last_stderr_line));
    }
    stdout.into_result()
}

/// Why a process that is kept gave no answer to a job.
#[must_use]
pub fn warm_process_ended(
    exit: ProcessExit,
    kill_reason: Option<KillReason>,
    last_stderr_line: &str,
) -> String {
    match kill_reason {
        Some(kill_reason) => kill_reason.to_string(),
        None => with_stderr_line(format!("the kept command {exit} before it answered"), last_stderr_line),
    }
}

/// Several processes in a row wrote to stdout before they had read the job.
#[must_use]
pub fn unsolicited_output() -> String {
    "the kept command writes to stdout before it has read its job, so that nobody knows which line is the answer; what is \
     for people goes to stderr"
        .to_owned()
}

/// A command that cannot be started.
#[must_use]
pub fn cannot_start(why: &str) -> String {
    format!("the command cannot be started: {why}")
}

/// A result that the service refused.
#[must_use]
pub fn result_rejected(why: &str) -> String {
    format!("the result was refused: {}", truncate(why))
}

/// What a kept process says in place of a result.
#[must_use]
pub fn reported_error(line: &str) -> Option<String> {
    let why = line.strip_prefix("::error")?.trim();
    Some(if why.is_empty() { "the command said that it failed".to_owned() } else { truncate(why).to_owned() })
}

impl StdoutContent {
    /// Whether it is a result.
    ///
    /// # Errors
    /// The sentence that says why it is none.
    pub fn into_result(self) -> Result<(), String> {
        const WANTED: &str = "a result is one JSON object or list, and what is for people goes to stderr";
        match self {
            Self::Result => Ok(()),
            Self::Empty => Err(format!("the command wrote nothing to stdout; {WANTED}")),
            Self::Scalar => {
                Err(format!("the command wrote a JSON value that is neither object nor list; {WANTED}"))
            }
            Self::Binary { at } => {
                Err(format!("the command wrote what is no text to stdout (at byte {at}); {WANTED}"))
            }
            Self::NotJson { at } => {
                Err(format!("the command wrote what is not JSON to stdout (at byte {at}); {WANTED}"))
            }
            Self::Truncated { bytes } => {
                Err(format!("the JSON that the command wrote to stdout breaks off after {bytes} bytes"))
            }
            Self::MultipleValues { at } => {
                Err(format!("the command wrote more than one value to stdout (at byte {at}); {WANTED}"))
            }
        }
    }
}

impl fmt::Display for ProcessExit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(out, "exited with code {code}"),
            Self::Signal(number) => match signal_name(number) {
                Some(name) => write!(out, "was killed by signal {number} ({name})"),
                None => write!(out, "was killed by signal {number}"),
            },
            Self::Unknown => out.write_str("was killed from outside, together with its guard"),
        }
    }
}

impl fmt::Display for KillReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(time) => {
                write!(out, "the command took longer than {} and was killed", InSeconds(*time))
            }
            Self::OutputTooLarge(bytes) => {
                write!(out, "the command wrote more than {bytes} bytes to stdout and was killed")
            }
            Self::Stopped => out.write_str("the runner was stopped before the command ended, and killed it"),
        }
    }
}

/// `1.5 s`
struct InSeconds(Duration);

impl fmt::Display for InSeconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} s", self.0.as_secs_f64())
    }
}

/// As `kill -l` names them; the numbers are the same wherever we run.
const fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

fn with_stderr_line(what: String, last_stderr_line: &str) -> String {
    let last_stderr_line = truncate(last_stderr_line.trim());
    if last_stderr_line.is_empty() { what } else { format!("{what}: {last_stderr_line}") }
}

fn truncate(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_STDERR_LINE_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUCCESS: CommandExit<'_> = CommandExit {
        exit: ProcessExit::Code(0),
        kill_reason: None,
        stdout: StdoutContent::Result,
        last_stderr_line: "",
    };

    #[test]
    fn exit_code_0_with_one_object_or_list_is_a_result() {
        assert_eq!(command_result(&SUCCESS), Ok(()));
        assert_eq!(command_result(&CommandExit { last_stderr_line: "a warning", ..SUCCESS }), Ok(()));
    }

    #[test]
    fn every_other_exit_is_an_error_message() {
        let killed_by = |kill_reason| CommandExit {
            kill_reason: Some(kill_reason),
            exit: ProcessExit::Signal(9),
            ..SUCCESS
        };
        let wrote = |stdout| CommandExit { stdout, ..SUCCESS };
        for (ending, expected) in [
            (
                CommandExit { exit: ProcessExit::Code(3), last_stderr_line: " no memory\n", ..SUCCESS },
                "exited with code 3: no memory",
            ),
            (CommandExit { exit: ProcessExit::Code(3), ..SUCCESS }, "exited with code 3"),
            (CommandExit { exit: ProcessExit::Signal(11), ..SUCCESS }, "killed by signal 11 (SIGSEGV)"),
            (CommandExit { exit: ProcessExit::Signal(40), ..SUCCESS }, "killed by signal 40"),
            (CommandExit { exit: ProcessExit::Unknown, ..SUCCESS }, "killed from outside"),
            (
                killed_by(KillReason::TimedOut(Duration::from_millis(1500))),
                "took longer than 1.5 s and was killed",
            ),
            (killed_by(KillReason::OutputTooLarge(10)), "more than 10 bytes to stdout and was killed"),
            (killed_by(KillReason::Stopped), "the runner was stopped"),
            (wrote(StdoutContent::Empty), "wrote nothing"),
            (wrote(StdoutContent::Scalar), "neither object nor list"),
            (wrote(StdoutContent::Binary { at: 7 }), "no text to stdout (at byte 7)"),
            (wrote(StdoutContent::NotJson { at: 0 }), "not JSON to stdout (at byte 0)"),
            (wrote(StdoutContent::Truncated { bytes: 5 }), "breaks off after 5 bytes"),
            (wrote(StdoutContent::MultipleValues { at: 3 }), "more than one value"),
        ] {
            let error = command_result(&ending).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn last_stderr_line_is_cut_at_a_character_boundary() {
        let words = "\u{e9}".repeat(MAX_STDERR_LINE_BYTES);
        let error =
            command_result(&CommandExit { exit: ProcessExit::Code(1), last_stderr_line: &words, ..SUCCESS })
                .unwrap_err();
        assert!(error.len() < MAX_STDERR_LINE_BYTES + 100, "{}", error.len());
    }

    #[test]
    fn a_warm_process_reports_failure_on_an_error_line() {
        assert_eq!(reported_error("::error no such file").as_deref(), Some("no such file"));
        assert!(reported_error("::error").is_some());
        assert_eq!(reported_error("{\"error\": \"x\"}"), None);
        let ended = warm_process_ended(ProcessExit::Code(1), None, "Traceback");
        assert_eq!(ended, "the kept command exited with code 1 before it answered: Traceback");
    }
}
