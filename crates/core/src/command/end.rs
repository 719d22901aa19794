//! What the end of a command means for its job: a result, or the sentence that its caller reads.

use std::fmt;
use std::time::Duration;

use crate::limits::MAX_STDERR_LINE_BYTES;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody could see it: whoever watched over it was killed too.
    Unseen,
}

/// Why we ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// It took longer than this.
    TimedOut(Duration),
    /// It wrote more than so many bytes to stdout.
    TooLong(usize),
    /// The runner was told to stop, and waited as long as it may.
    Stopped,
}

/// What stands on stdout. Places are bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    /// One JSON object or list.
    Result,
    /// Nothing, or white space.
    Nothing,
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
    Half {
        /// Bytes that are there.
        bytes: usize,
    },
    /// More behind the first value.
    Several {
        /// Where.
        at: usize,
    },
}

/// A command's end, as it was seen.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// How it ended.
    pub exit: Exit,
    /// Why we ended it, if we did.
    pub killed: Option<Killed>,
    /// What stands on its stdout.
    pub stdout: Stdout,
    /// The last line that it wrote to stderr; empty when there is none.
    pub last_words: &'a str,
}

/// Whether what stands on stdout is the job's result.
///
/// # Errors
/// The sentence that says why it is not.
pub fn judged(ending: &Ending<'_>) -> Result<(), String> {
    let Ending { exit, killed, stdout, last_words } = *ending;
    if let Some(killed) = killed {
        return Err(killed.to_string());
    }
    if exit != Exit::Code(0) {
        return Err(with_last_words(format!("the command {exit}"), last_words));
    }
    stdout.judged()
}

/// Why a process that is kept gave no answer to a job.
#[must_use]
pub fn ended_kept(exit: Exit, killed: Option<Killed>, last_words: &str) -> String {
    match killed {
        Some(killed) => killed.to_string(),
        None => with_last_words(format!("the kept command {exit} before it answered"), last_words),
    }
}

/// Several processes in a row wrote to stdout before they had read the job.
#[must_use]
pub fn spoke_unasked() -> String {
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
pub fn refused(why: &str) -> String {
    format!("the result was refused: {}", cut(why))
}

/// What a kept process says in place of a result.
#[must_use]
pub fn said_error(line: &str) -> Option<String> {
    let why = line.strip_prefix("::error")?.trim();
    Some(if why.is_empty() { "the command said that it failed".to_owned() } else { cut(why).to_owned() })
}

impl Stdout {
    /// Whether it is a result.
    ///
    /// # Errors
    /// The sentence that says why it is none.
    pub fn judged(self) -> Result<(), String> {
        const WANTED: &str = "a result is one JSON object or list, and what is for people goes to stderr";
        match self {
            Self::Result => Ok(()),
            Self::Nothing => Err(format!("the command wrote nothing to stdout; {WANTED}")),
            Self::Scalar => {
                Err(format!("the command wrote a JSON value that is neither object nor list; {WANTED}"))
            }
            Self::Binary { at } => {
                Err(format!("the command wrote what is no text to stdout (at byte {at}); {WANTED}"))
            }
            Self::NotJson { at } => {
                Err(format!("the command wrote what is not JSON to stdout (at byte {at}); {WANTED}"))
            }
            Self::Half { bytes } => {
                Err(format!("the JSON that the command wrote to stdout breaks off after {bytes} bytes"))
            }
            Self::Several { at } => {
                Err(format!("the command wrote more than one value to stdout (at byte {at}); {WANTED}"))
            }
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(out, "exited with code {code}"),
            Self::Signal(number) => match name(number) {
                Some(name) => write!(out, "was killed by signal {number} ({name})"),
                None => write!(out, "was killed by signal {number}"),
            },
            Self::Unseen => out.write_str("was killed from outside, together with its guard"),
        }
    }
}

impl fmt::Display for Killed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(time) => {
                write!(out, "the command took longer than {} and was killed", Seconds(*time))
            }
            Self::TooLong(bytes) => {
                write!(out, "the command wrote more than {bytes} bytes to stdout and was killed")
            }
            Self::Stopped => out.write_str("the runner was stopped before the command ended, and killed it"),
        }
    }
}

/// `1.5 s`
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} s", self.0.as_secs_f64())
    }
}

/// As `kill -l` names them; the numbers are the same wherever we run.
const fn name(signal: i32) -> Option<&'static str> {
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

fn with_last_words(what: String, last_words: &str) -> String {
    let last_words = cut(last_words.trim());
    if last_words.is_empty() { what } else { format!("{what}: {last_words}") }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_STDERR_LINE_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Ending<'_> =
        Ending { exit: Exit::Code(0), killed: None, stdout: Stdout::Result, last_words: "" };

    #[test]
    fn a_command_that_exits_with_0_and_wrote_one_object_or_list_has_a_result() {
        assert_eq!(judged(&GOOD), Ok(()));
        assert_eq!(judged(&Ending { last_words: "a warning", ..GOOD }), Ok(()));
    }

    #[test]
    fn every_other_end_is_a_sentence() {
        let killed = |killed| Ending { killed: Some(killed), exit: Exit::Signal(9), ..GOOD };
        let wrote = |stdout| Ending { stdout, ..GOOD };
        for (ending, says) in [
            (
                Ending { exit: Exit::Code(3), last_words: " no memory\n", ..GOOD },
                "exited with code 3: no memory",
            ),
            (Ending { exit: Exit::Code(3), ..GOOD }, "exited with code 3"),
            (Ending { exit: Exit::Signal(11), ..GOOD }, "killed by signal 11 (SIGSEGV)"),
            (Ending { exit: Exit::Signal(40), ..GOOD }, "killed by signal 40"),
            (Ending { exit: Exit::Unseen, ..GOOD }, "killed from outside"),
            (killed(Killed::TimedOut(Duration::from_millis(1500))), "took longer than 1.5 s and was killed"),
            (killed(Killed::TooLong(10)), "more than 10 bytes to stdout and was killed"),
            (killed(Killed::Stopped), "the runner was stopped"),
            (wrote(Stdout::Nothing), "wrote nothing"),
            (wrote(Stdout::Scalar), "neither object nor list"),
            (wrote(Stdout::Binary { at: 7 }), "no text to stdout (at byte 7)"),
            (wrote(Stdout::NotJson { at: 0 }), "not JSON to stdout (at byte 0)"),
            (wrote(Stdout::Half { bytes: 5 }), "breaks off after 5 bytes"),
            (wrote(Stdout::Several { at: 3 }), "more than one value"),
        ] {
            let told = judged(&ending).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
    }

    #[test]
    fn last_words_are_cut_at_a_character() {
        let words = "\u{e9}".repeat(MAX_STDERR_LINE_BYTES);
        let told = judged(&Ending { exit: Exit::Code(1), last_words: &words, ..GOOD }).unwrap_err();
        assert!(told.len() < MAX_STDERR_LINE_BYTES + 100, "{}", told.len());
    }

    #[test]
    fn a_kept_process_says_that_it_failed_on_a_line_of_its_own() {
        assert_eq!(said_error("::error no such file").as_deref(), Some("no such file"));
        assert!(said_error("::error").is_some());
        assert_eq!(said_error("{\"error\": \"x\"}"), None);
        let ended = ended_kept(Exit::Code(1), None, "Traceback");
        assert_eq!(ended, "the kept command exited with code 1 before it answered: Traceback");
    }
}
