//! Target: any bytes as the headers of a poll, one `name: value` per line. The expected result comes from
//! docs/protocols/warm-start.md.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use pilotlight_core::limits::{DEPLOYMENT_BYTES, ID_BYTES};
use pilotlight_server::parsing;

use super::error_text;

/// Tests the bytes as the headers of a poll.
///
/// # Panics
/// When the result differs from the protocol's, or an error text contains anything of the request.
pub fn headers(data: &[u8]) {
    let lines = lines(data);
    let map: HeaderMap = lines.iter().cloned().collect();
    let got = parsing::poll_params(&map);
    let expected = Expected::of(&lines);
    match got {
        Ok((key, runner)) => {
            let got = Expected {
                deployment: key.deployment.to_string(),
                version: key.version.to_string(),
                runner: runner.id.to_string(),
                worker: runner.worker.to_string(),
                cpu: key.cpu.value(),
                memory: key.memory.value(),
            };
            assert_eq!(Some(got), expected, "the result differs from the protocol's");
        }
        Err(error) => {
            assert_eq!(expected, None, "headers that the protocol allows are rejected: {error:?}");
            error_text::check(error);
        }
    }
}

/// The headers that an HTTP parser accepts.
fn lines(data: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    data.split(|byte| *byte == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value.trim_ascii()).ok()?))
}

/// The poll that the headers describe.
#[derive(Debug, PartialEq)]
struct Expected {
    deployment: String,
    version: String,
    runner: String,
    worker: String,
    cpu: f64,
    memory: f64,
}

impl Expected {
    /// `None` when the headers must be rejected.
    fn of(lines: &[(HeaderName, HeaderValue)]) -> Option<Self> {
        let id =
            |name, limit| text(lines, name)?.filter(|text| !text.trim().is_empty() && text.len() <= limit);
        Some(Self {
            deployment: id("x-trigger-deployment-id", DEPLOYMENT_BYTES)?,
            version: id("x-trigger-deployment-version", ID_BYTES)?,
            runner: id("x-trigger-workload-controller-id", ID_BYTES)?,
            worker: match text(lines, "x-trigger-worker-instance-name")? {
                None => "unknown".into(),
                Some(_) => id("x-trigger-worker-instance-name", ID_BYTES)?,
            },
            cpu: amount(lines, "x-trigger-machine-cpu")?,
            memory: amount(lines, "x-trigger-machine-memory")?,
        })
    }
}

/// The text of a header. `None` when the header occurs twice or is not visible ASCII; `Some(None)` when it is missing.
fn text(lines: &[(HeaderName, HeaderValue)], name: &str) -> Option<Option<String>> {
    let values: Vec<_> = lines.iter().filter(|(known, _)| known.as_str() == name).collect();
    match values.as_slice() {
        [] => Some(None),
        [(_, value)] => {
            let visible = value.as_bytes().iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
            visible.then(|| String::from_utf8(value.as_bytes().to_vec()).ok())
        }
        [_, _, ..] => None,
    }
}

fn amount(lines: &[(HeaderName, HeaderValue)], name: &str) -> Option<f64> {
    let Some(text) = text(lines, name)? else { return Some(0.0) };
    let number: f64 = text.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number + 0.0)
}
