//! The program that executes the jobs of the scene: it computes a table of primes at its start, and answers from it.
//!
//! It is written in Python if Python is installed, otherwise in shell and awk. Its results contain its process id, and
//! it logs each execution to a file, so that the scene can count them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

/// The job type of the scene.
pub(super) const JOB_TYPE: &str = "prime";

/// Pairs (n, nth prime).
const PRIMES: [(u32, u32); 2] = [(10_000, 104_729), (12_345, 132_241)];

/// A job and its correct result.
#[derive(Debug, Clone)]
pub(super) struct PrimeJob {
    pub(super) parameters: String,
    pub(super) prime: u32,
}

/// The job that is executed cold, warm and cached; and the job that many callers submit at once.
pub(super) fn prime_jobs() -> [PrimeJob; 2] {
    PRIMES.map(|(nth, prime)| PrimeJob { parameters: format!(r#"{{"nth":{nth}}}"#), prime })
}

const PYTHON: &str = r#"import json, os, sys

size = 200_000
sieve = bytearray([1]) * size
for n in range(2, 448):
    if sieve[n]:
        sieve[n * n :: n] = bytes(len(range(n * n, size, n)))
primes = [n for n in range(2, size) if sieve[n]]

for line in sys.stdin:
    nth = json.loads(line)["nth"]
    with open(sys.argv[1], "a") as tally:
        tally.write("asked\n")
    print(json.dumps({"prime": primes[nth - 1], "process": os.getpid()}), flush=True)
"#;

const SHELL: &str = r#"tally=$1
set -- $(awk 'BEGIN {
  size = 200000
  for (n = 2; n < size; n++) {
    if (n in composite) continue
    print n
    for (m = n * n; m < size; m += n) composite[m]
  }
}')
while read -r line || [ "$line" ]; do
  nth=${line#*:}
  nth=${nth%\}*}
  echo asked >> "$tally"
  eval "prime=\${$nth}"
  echo "{\"prime\": $prime, \"process\": $$}"
done
"#;

/// The program, written to a file.
pub(super) struct Program {
    /// The interpreter that executes the program.
    pub(super) interpreter: &'static str,
    file: PathBuf,
    execution_log: PathBuf,
}

impl Program {
    /// Writes the program into this folder, in a language that is installed. `None` if neither language is.
    pub(super) fn write(folder: &Path) -> io::Result<Option<Self>> {
        if is_available("python3", "import json") {
            Self::python(folder).map(Some)
        } else if is_available("sh", "awk 'BEGIN { exit 0 }'") {
            Self::shell(folder).map(Some)
        } else {
            Ok(None)
        }
    }

    fn python(folder: &Path) -> io::Result<Self> {
        Self::write_program("python3", PYTHON, folder)
    }

    fn shell(folder: &Path) -> io::Result<Self> {
        Self::write_program("sh", SHELL, folder)
    }

    fn write_program(interpreter: &'static str, text: &str, folder: &Path) -> io::Result<Self> {
        let (file, execution_log) = (folder.join("primes"), folder.join("tally"));
        fs::write(&file, text)?;
        fs::write(&execution_log, "")?;
        Ok(Self { interpreter, file, execution_log })
    }

    /// The program as `type=command` for `pilotlight runner --type`.
    pub(super) fn type_argument(&self) -> io::Result<String> {
        let arguments = [Path::new(self.interpreter), &self.file, &self.execution_log];
        let arguments = arguments.map(|word| word.to_str().ok_or(io::ErrorKind::InvalidFilename));
        let arguments = arguments.into_iter().collect::<Result<Vec<_>, _>>()?;
        let command = shlex::try_join(arguments).map_err(io::Error::other)?;
        Ok(format!("{JOB_TYPE}={command}"))
    }

    /// How often the program executed a job so far.
    pub(super) fn executions(&self) -> io::Result<usize> {
        Ok(fs::read_to_string(&self.execution_log)?.lines().count())
    }
}

fn is_available(interpreter: &str, text: &str) -> bool {
    let mut command = Command::new(interpreter);
    command.args(["-c", text]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|ended| ended.success())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::{Value, json};

    use super::super::TempFolder;
    use super::*;

    fn answers(program: &Program) -> Vec<Value> {
        let line = program.type_argument().unwrap();
        let arguments = shlex::split(line.split_once('=').unwrap().1).unwrap();
        let mut command = Command::new(&arguments[0]);
        command.args(&arguments[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = prime_jobs().map(|prime_job| prime_job.parameters).join("\n");
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let id = child.id();
        let stdout = child.wait_with_output().unwrap().stdout;
        let answers: Vec<Value> = String::from_utf8(stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(answers.iter().all(|answer| answer["process"] == json!(id)));
        answers
    }

    #[test]
    fn every_language_gives_the_right_answers_and_counts_them() {
        let (folder, right) = (TempFolder::new().unwrap(), prime_jobs().map(|prime_job| prime_job.prime));
        for write in [Program::shell, |folder: &Path| Program::write(folder).map(Option::unwrap)] {
            let program = write(folder.path()).unwrap();
            let primes: Vec<_> = answers(&program).iter().map(|answer| answer["prime"].clone()).collect();
            assert_eq!(primes, right, "{}", program.interpreter);
            assert_eq!(program.executions().unwrap(), 2);
        }
    }

    #[test]
    fn an_interpreter_works_or_is_not_there() {
        assert!(is_available("sh", "exit 0"));
        assert!(!is_available("sh", "exit 1") && !is_available("no-such-interpreter", "exit 0"));
    }
}
