//! `pilotlight submit`: submits a job and prints its id, or with `--wait` its result. A cached result is printed at
//! once.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use anyhow::{Context, ensure};
use pilotlight_client::{SubmitParams, idempotency_key};
use pilotlight_core::ids::JobType;
use pilotlight_wire::requests::{SubmitOptions as WireOptions, SubmitRequest};
use serde_json::value::RawValue;

use super::connect::{ConnectOptions, block_on};
use super::exit_code::Code;
use super::failure::Failure;
use super::submit_and_wait::{self, OutputFormat, SubmitMode};
use super::submit_options::{SubmitOptions, WaitOptions};

/// Most bytes of parameters: more than any service accepts. The limit keeps a wrong file from filling the memory.
const PARAMETERS_BYTES: u64 = 64 * 1024 * 1024;

pub(super) const ABOUT: &str = "\
Submit a job. If an equal job was computed before, its cached result is used.

Without --wait, the job's id is printed to stdout, and its status to stderr. With --wait, the result (its output_data) is \
printed to stdout as JSON, byte for byte as the runner wrote it; the job's console output goes to stderr, with a progress bar \
if stderr is a terminal. If the job fails, the exit code is 1.

Ctrl-C ends the command, but the job continues; a message says how to wait for it again. With --cancel-on-interrupt, Ctrl-C \
cancels the job instead. If the service restarts meanwhile, the command reconnects.";

pub(super) const EXAMPLES: &str = "\
Examples:
  pilotlight submit word_count '{\"text\": \"to be or not to be\"}'
  pilotlight submit word_count @parameters.json --wait | jq .words
  jq -n '{text: \"to be\"}' | pilotlight submit word_count - --wait --timeout 5m
  id=$(pilotlight submit render '{\"scene\": 7}' --priority 5 --delay 10m)";

/// Options of `pilotlight submit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The job's type.
    #[arg(value_name = "TYPE", value_parser = job_type)]
    job_type: String,
    /// The job's parameters: a JSON object or list, @ and the name of a file that contains it, or - for stdin.
    #[arg(value_name = "JSON|@FILE|-", default_value = "{}")]
    input: String,
    /// Compute the job even if a result is cached; the new result replaces the cached one.
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    options: SubmitOptions,
    #[command(flatten)]
    wait_options: WaitOptions,
    /// Print the service's whole answer as JSON: job_id, status, message, and result or error.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectOptions,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.connect.client()?;
    let input =
        parameters(&args.input).map_err(|error| Failure::report(Code::Usage, format_args!("{error:#}")))?;
    let fresh = args.fresh.then_some(true);
    let job = SubmitRequest {
        job_type: &args.job_type,
        input_params: &input,
        options: WireOptions { fresh, ..args.options.wire() },
    };
    // With this key, a request that the client repeats after a restart of the service counts as the same caller.
    let key = args.options.idempotency_key.clone().map_or_else(idempotency_key, Ok)?;
    let request =
        client.submit(&job, SubmitParams { idempotency_key: Some(&key), ..SubmitParams::default() });
    let mode =
        SubmitMode { wait_options: &args.wait_options, format: OutputFormat::from_json_flag(args.json) };
    block_on(submit_and_wait::submit(&client, request, mode))
}

fn job_type(text: &str) -> Result<String, String> {
    JobType::parse(text).map(|_| text.to_owned()).map_err(|why| why.to_string())
}

fn parameters(input_arg: &str) -> anyhow::Result<Box<RawValue>> {
    let (text, place) = match input_arg.strip_prefix('@') {
        Some(file) => (in_file(Path::new(file))?, file),
        None if input_arg == "-" => (text_of(stdin().lock()).context("failed to read stdin")?, "stdin"),
        None => (input_arg.to_owned(), "the command line"),
    };
    read(&text).with_context(|| format!("the parameters from {place} are invalid"))
}

fn read(text: &str) -> anyhow::Result<Box<RawValue>> {
    // serde's own message could quote the parameters, which may be secret.
    let wrong = |error: serde_json::Error| {
        anyhow::anyhow!("they are not JSON at line {} column {}", error.line(), error.column())
    };
    let value: Box<RawValue> = serde_json::from_str(text).map_err(wrong)?;
    ensure!(value.get().starts_with(['{', '[']), "they are neither an object nor a list");
    Ok(value)
}

fn in_file(file: &Path) -> anyhow::Result<String> {
    let failed = || format!("failed to read {}", file.display());
    text_of(File::open(file).with_context(failed)?).with_context(failed)
}

fn text_of(from: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    let length = from.take(PARAMETERS_BYTES + 1).read_to_string(&mut text)?;
    ensure!(length as u64 <= PARAMETERS_BYTES, "it is larger than {PARAMETERS_BYTES} bytes");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_an_object_or_a_list_and_are_sent_unchanged() {
        for text in ["{}", "[]", "{ \"a\": 1.0 }", "[{\"a\": \"\\u00e9\"}]"] {
            assert_eq!(parameters(text).unwrap().get(), text);
        }
        for wrong in ["", "1", "\"{}\"", "{", "{}{}", "null", "{a: 1}", "@/no/such/file"] {
            assert!(parameters(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_parse_error_does_not_contain_the_parameters() {
        let error = format!("{:#}", parameters("{\"secret\": hunter2}").unwrap_err());
        assert!(error.contains("line 1 column 12") && !error.contains("hunter2"), "{error}");
    }
}
