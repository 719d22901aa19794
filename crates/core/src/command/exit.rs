//! Decides what the end of a command means for its job: a result, or the error message that the job's caller reads.

use std::fmt;
use std::time::Duration;

use crate::limits::MAX_STDERR_LINE_BYTES;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessExit {
    /// The process exited with this code.
    Code(i32),
    /// A signal with this number killed the process.
    Signal(i32),
    /// Unknown: the supervising process was killed too.
    Unknown,
}

/// Why the runner killed the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillReason {
    /// It took longer than this time.
    TimedOut(Duration),
    /// It wrote more than this many bytes to stdout.
    OutputTooLarge(usize),
    /// The runner was asked to stop, and the time for its running jobs is over.
    Stopped,
}

/// What the process wrote to stdout. Positions are bytes from the start of stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdoutContent {
    /// One JSON object or list.
    Result,
    /// Nothing, or only white space.
    Empty,
    /// One JSON value that is neither an object nor a list.
    Scalar,
    /// Bytes that are not UTF-8 text.
    Binary {
        /// Position of the first invalid byte.
        at: usize,
    },
    /// Text that is not JSON.
    NotJson {
        /// Position of the first invalid byte.
        at: usize,
    },
    /// The beginning of a JSON value, without its end.
    Truncated {
        /// Number of bytes of the incomplete value.
        bytes: usize,
    },
    /// More than one value.
    MultipleValues {
        /// Position of the second value.
        at: usize,
    },
}

/// Everything known about a process that has ended.
#[derive(Debug, Clone, Copy)]
pub struct CommandExit<'a> {
    /// How the process ended.
    pub exit: ProcessExit,
    /// Why the runner killed it; `None` when the runner did not kill it.
    pub kill_reason: Option<KillReason>,
    /// What the process wrote to stdout.
    pub stdout: StdoutContent,
    /// The last line that the process wrote to stderr; empty when it wrote none.
    pub last_stderr_line: &'a str,
}

/// Whether the content of stdout is the job's result.
///
/// # Errors
/// The error message of the job.
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

/// The error message of a job whose warm process ended without an answer.
#[must_use]
pub fn warm_process_ended(
    exit: ProcessExit,
    kill_reason: Option<KillReason>,
    last_stderr_line: &str,
) -> String {
    match kill_reason {
        Some(kill_reason) => kill_reason.to_string(),
        None => with_stderr_line(format!("the warm process {exit} before it answered"), last_stderr_line),
    }
}

/// The error message of a job when several warm processes in a row wrote to stdout before they had read the job.
#[must_use]
pub fn unsolicited_output() -> String {
    "the command writes to stdout before it has read its job, so that the runner cannot tell which line is the answer; \
     write log output to stderr"
        .to_owned()
}

/// The error message of a job whose command cannot be started.
#[must_use]
pub fn cannot_start(why: &str) -> String {
    format!("the command cannot be started: {why}")
}

/// The error message of a job whose result the service refused.
#[must_use]
pub fn result_rejected(why: &str) -> String {
    format!("the result was refused: {}", truncate(why))
}

/// The error message when a warm process answers with an error line; `None` when the line is not an error line.
#[must_use]
pub fn reported_error(line: &str) -> Option<String> {
    let why = line.strip_prefix("::error")?.trim();
    Some(if why.is_empty() {
        "the command reported an error without a message".to_owned()
    } else {
        truncate(why).to_owned()
    })
}

impl StdoutContent {
    /// Whether the content is a result.
    ///
    /// # Errors
    /// The error message of the job.
    pub fn into_result(self) -> Result<(), String> {
        const WANTED: &str = "a result is one JSON object or list, and log output goes to stderr";
        match self {
            Self::Result => Ok(()),
            Self::Empty => Err(format!("the command wrote nothing to stdout; {WANTED}")),
            Self::Scalar => {
                Err(format!("the command wrote a JSON value that is neither object nor list; {WANTED}"))
            }
            Self::Binary { at } => {
                Err(format!("the command wrote bytes that are not UTF-8 to stdout (at byte {at}); {WANTED}"))
            }
            Self::NotJson { at } => {
                Err(format!("the command wrote text that is not JSON to stdout (at byte {at}); {WANTED}"))
            }
            Self::Truncated { bytes } => {
                Err(format!("the command wrote incomplete JSON to stdout: it ends after {bytes} bytes"))
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
            Self::Unknown => out.write_str("was killed together with its supervising process"),
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

/// Formats a duration such as `1.5 s`.
struct InSeconds(Duration);

impl fmt::Display for InSeconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} s", self.0.as_secs_f64())
    }
}

/// The signal names of `kill -l`. The numbers are the same on all platforms that the runner supports.
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
            (CommandExit { exit: ProcessExit::Unknown, ..SUCCESS }, "killed together with"),
            (
                killed_by(KillReason::TimedOut(Duration::from_millis(1500))),
                "took longer than 1.5 s and was killed",
            ),
            (killed_by(KillReason::OutputTooLarge(10)), "more than 10 bytes to stdout and was killed"),
            (killed_by(KillReason::Stopped), "the runner was stopped"),
            (wrote(StdoutContent::Empty), "wrote nothing"),
            (wrote(StdoutContent::Scalar), "neither object nor list"),
            (wrote(StdoutContent::Binary { at: 7 }), "not UTF-8 to stdout (at byte 7)"),
            (wrote(StdoutContent::NotJson { at: 0 }), "not JSON to stdout (at byte 0)"),
            (wrote(StdoutContent::Truncated { bytes: 5 }), "ends after 5 bytes"),
            (wrote(StdoutContent::MultipleValues { at: 3 }), "more than one value"),
        ] {
            let error = command_result(&ending).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn last_stderr_line_is_cut_at_a_character_boundary() {
        let line = "\u{e9}".repeat(MAX_STDERR_LINE_BYTES);
        let error =
            command_result(&CommandExit { exit: ProcessExit::Code(1), last_stderr_line: &line, ..SUCCESS })
                .unwrap_err();
        assert!(error.len() < MAX_STDERR_LINE_BYTES + 100, "{}", error.len());
    }

    #[test]
    fn a_warm_process_reports_failure_on_an_error_line() {
        assert_eq!(reported_error("::error no such file").as_deref(), Some("no such file"));
        assert!(reported_error("::error").is_some());
        assert_eq!(reported_error("{\"error\": \"x\"}"), None);
        let ended = warm_process_ended(ProcessExit::Code(1), None, "Traceback");
        assert_eq!(ended, "the warm process exited with code 1 before it answered: Traceback");
    }
}
