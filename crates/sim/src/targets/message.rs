//! Target: any bytes as the body of an offer. The expected result comes from docs/protocols/warm-start.md and an
//! independent JSON parser.

use bytes::Bytes;
use pilotlight_core::limits::{DEPLOYMENT_BYTES, ID_BYTES, RUN_BYTES};
use pilotlight_server::parsing::Run;
use pilotlight_server::parsing::{self, OfferBody};

use super::error_text;
use super::json::{self, Kind, Node, ParseError};

/// Tests the bytes as the body of an offer.
///
/// # Panics
/// When the result differs from that of the protocol and JSON, or an error text contains anything of the body.
pub fn message(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let offer_body = parsing::offer_body(&body);
    if let Ok(OfferBody::Run(run)) = &offer_body {
        check_slice(&body, run);
        check_by_serde(data, run);
    }
    match json::read(data) {
        Ok(offer) if std::str::from_utf8(data).is_ok() => check_outcome(&offer_body, &Expected::of(&offer)),
        Ok(_) | Err(ParseError::NotJson) => {
            assert!(offer_body.is_err(), "a body that is not JSON is accepted: {offer_body:?}");
        }
        Err(ParseError::TooDeep) => {}
    }
    if let Err(error) = offer_body {
        error_text::check(error);
    }
}

/// The message must be a part of the body's own memory, and a JSON text by itself.
fn check_slice(body: &Bytes, run: &Run) {
    let (body, message) = (body.as_ptr_range(), run.message.as_ptr_range());
    assert!(body.start <= message.start && message.end <= body.end, "the message was copied");
    assert!(std::str::from_utf8(&run.message).is_ok(), "the message is not UTF-8");
    assert!(json::read(&run.message) != Err(ParseError::NotJson), "the message is not JSON");
}

/// Compares the run with the result of serde's parser, unless serde rejects the body: it rejects deep nesting, huge
/// numbers and half surrogate pairs.
fn check_by_serde(data: &[u8], run: &Run) {
    let Ok(tree) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let message = &tree["dequeuedMessage"];
    assert_eq!(
        serde_json::from_slice(&run.message).ok().as_ref(),
        Some(message),
        "the message has another value"
    );
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let key = &run.key;
    assert_eq!(text(&message["deployment"]["friendlyId"]).as_deref(), Some(key.deployment.as_str()));
    assert_eq!(text(&message["backgroundWorker"]["version"]).as_deref(), Some(key.version.as_str()));
    let id = text(&message["run"]["friendlyId"]).unwrap_or_else(|| "unknown".into());
    assert_eq!(id, run.id.as_str());
}

/// The expected result for a body.
#[derive(Debug, PartialEq)]
enum Expected<'a> {
    Run { id: String, deployment: String, version: String, cpu: f64, memory: f64, message: &'a [u8] },
    Undeployed,
    Rejected,
}

fn check_outcome(
    offer_body: &Result<OfferBody, pilotlight_server::parsing::ApiError>,
    expected: &Expected<'_>,
) {
    let got = match offer_body {
        Ok(OfferBody::Run(run)) => Expected::Run {
            id: run.id.to_string(),
            deployment: run.key.deployment.to_string(),
            version: run.key.version.to_string(),
            cpu: run.key.cpu.value(),
            memory: run.key.memory.value(),
            message: &run.message,
        },
        Ok(OfferBody::Undeployed) => Expected::Undeployed,
        Err(_) => Expected::Rejected,
    };
    assert_eq!(&got, expected, "the result differs from the protocol's");
}

impl<'a> Expected<'a> {
    fn of(offer: &Node<'a>) -> Self {
        Self::unless_rejected(offer).unwrap_or(Self::Rejected)
    }

    /// `None` when the offer must be rejected: a field has another type, occurs twice, or is not a valid id or amount.
    fn unless_rejected(offer: &Node<'a>) -> Option<Self> {
        let message = field(offer, "dequeuedMessage")??;
        let deployment = text_in(field(message, "deployment")?, "friendlyId")?;
        let version = text_in(field(message, "backgroundWorker")?, "version")?.unwrap_or_default();
        let run = field(message, "run")?;
        let id = text_in(run, "friendlyId")?.unwrap_or_else(|| "unknown".into());
        let machine = run.map_or(Some(None), |run| field(run, "machine"))?;
        let (cpu, memory) = (amount(machine, "cpu")?, amount(machine, "memory")?);
        names_are_text(offer)?;
        if message.text.len() > RUN_BYTES {
            return None;
        }
        let Some(deployment) = deployment else { return Some(Self::Undeployed) };
        let ids_are_valid =
            is_id(&deployment, DEPLOYMENT_BYTES) && is_id(&version, ID_BYTES) && is_id(&id, ID_BYTES);
        let amounts_are_valid = cpu >= 0.0 && memory >= 0.0;
        (ids_are_valid && amounts_are_valid).then_some(Self::Run {
            id,
            deployment,
            version,
            cpu,
            memory,
            message: message.text,
        })
    }
}

fn is_id(text: &str, limit: usize) -> bool {
    !text.trim().is_empty() && text.len() <= limit
}

/// A field of an object. `None` when the value is not an object or has the field twice; `Some(None)` when the field is
/// missing or null.
fn field<'n, 'a>(object: &'n Node<'a>, name: &str) -> Option<Option<&'n Node<'a>>> {
    let Kind::Object(fields) = &object.kind else { return None };
    names_are_text(object)?;
    let mut found = fields.iter().filter(|(known, _)| known.string().as_deref() == Some(name));
    let first = found.next().map(|(_, value)| value);
    found.next().is_none().then(|| first.filter(|value| value.kind != Kind::Null))
}

fn names_are_text(object: &Node<'_>) -> Option<()> {
    let Kind::Object(fields) = &object.kind else { return None };
    fields.iter().all(|(name, _)| name.string().is_some()).then_some(())
}

fn text_in(object: Option<&Node<'_>>, name: &str) -> Option<Option<String>> {
    let Some(object) = object else { return Some(None) };
    match field(object, name)? {
        Some(value) => value.string().map(Some),
        None => Some(None),
    }
}

/// The value of an amount; 0 when it is missing. `None` for `null` and for numbers beyond the range of doubles, which
/// must be rejected.
fn amount(machine: Option<&Node<'_>>, name: &str) -> Option<f64> {
    let Some(machine) = machine else { return Some(0.0) };
    field(machine, name)?;
    let Kind::Object(fields) = &machine.kind else { return None };
    match fields.iter().find(|(known, _)| known.string().as_deref() == Some(name)) {
        None => Some(0.0),
        Some((_, value)) => value.number().filter(|number| number.is_finite()).map(|number| number + 0.0),
    }
}
