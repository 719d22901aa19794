//! The message that a supervisor offers: a complete `dequeuedMessage` of about 1.4 KB, as Trigger.dev sends it.
//!
//! Offers differ only in their run number, which has a fixed width and fixed positions. So a supervisor patches bytes
//! instead of building JSON, and a runner checks with one comparison that the run arrived byte for byte. The fields are
//! those of the warm-start protocol: `docs/protocols/warm-start.md`.

use std::ops::Range;

/// The deployment version and machine of every offer and every poll of the bench.
pub(crate) const DEPLOYMENT_VERSION: &str = "20240101.1";
pub(crate) const MACHINE_CPU: &str = "0.5";
pub(crate) const MACHINE_MEMORY: &str = "0.5";

const NUMBER_MARK: &str = "%RUN-NUMBER%";
const DEPLOYMENT_MARK: &str = "%DEPLOYMENT%";
const BODY_START: &str = r#"{"dequeuedMessage":"#;
const BODY_END: &str = "}";

const MESSAGE: &str = concat!(
    r#"{"version":"1","#,
    r#""snapshot":{"id":"cm4x7k2p90001v8t3q5w1r6z8","friendlyId":"snapshot_k3v9x2m7q1t8w4z6r5c1p","executionStatus":"PENDING_EXECUTING","#,
    r#""description":"Run was dequeued for execution","createdAt":"2024-01-01T12:00:00.123Z"},"#,
    r#""dequeuedAt":"2024-01-01T12:00:00.125Z","workerQueueLength":12,"#,
    r#""image":"registry.example.com/trigger/proj_bqkfzlmwtrnxavcsyhgd:20240101.1.prod@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","#,
    r#""completedWaitpoints":[],"#,
    r#""backgroundWorker":{"id":"cm4x6h1n80002v8t3d9f2s7k1","friendlyId":"worker_t7w2m9k4x1c8r5v3q6z1p","version":"20240101.1","runtime":"node"},"#,
    r#""deployment":{"id":"cm4x6h1q10003v8t3x4b8n5m2","friendlyId":"%DEPLOYMENT%","imagePlatform":"linux/amd64"},"#,
    r#""run":{"id":"cm4x7k2pd%RUN-NUMBER%q5w1","friendlyId":"run_m7q1t8w4z%RUN-NUMBER%","isTest":false,"isReplay":false,"#,
    r#""machine":{"name":"small-1x","cpu":0.5,"memory":0.5,"centsPerMs":0.0000338},"attemptNumber":1,"masterQueue":"main","#,
    r#""traceContext":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","tracestate":""},"annotations":{}},"#,
    r#""environment":{"id":"cm4w2c8f70004v8t3h6j1l9p5","type":"PRODUCTION"},"#,
    r#""organization":{"id":"cm4w2c8e20005v8t3y7u3i2o8","hasPrivateLink":false},"#,
    r#""project":{"id":"cm4w2c8f00006v8t3a1s4d7g9"},"#,
    r#""placementTags":[]}"#,
);

/// The number of an offered run; never used twice in one execution of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunNumber(pub(crate) u64);

impl RunNumber {
    const WIDTH: usize = NUMBER_MARK.len();

    /// The number in decimal with leading zeros.
    fn digits(self) -> [u8; Self::WIDTH] {
        let mut rest = self.0;
        let mut digits = [b'0'; Self::WIDTH];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).expect("a remainder of ten is below ten");
            rest /= 10;
        }
        digits
    }

    fn parse(digits: &[u8]) -> Option<Self> {
        let number = digits
            .iter()
            .try_fold(0_u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')));
        number.map(Self)
    }
}

/// The friendly id of a pool's deployment; the pools of the bench differ only in this id.
pub(crate) fn deployment_of(pool: usize) -> String {
    format!("deployment_x1c8r5t3w6z9k4m2{pool:05}")
}

/// The message of one pool, and the positions of the run number in it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    bytes: Vec<u8>,
    numbers: Vec<Range<usize>>,
}

impl Message {
    pub(crate) fn new(pool: usize) -> Self {
        Self::from_text(&MESSAGE.replace(DEPLOYMENT_MARK, &deployment_of(pool)))
    }

    /// The complete HTTP request that offers this message.
    pub(crate) fn offer_request(&self, head: impl FnOnce(usize) -> String) -> Self {
        let message = String::from_utf8_lossy(&self.bytes);
        let body = format!("{BODY_START}{message}{BODY_END}");
        Self::from_text(&(head(body.len()) + &body))
    }

    fn from_text(text: &str) -> Self {
        let marks = text.match_indices(NUMBER_MARK);
        let numbers = marks.map(|(at, mark)| at..at + mark.len()).collect();
        Self { bytes: text.as_bytes().to_vec(), numbers }
    }

    /// The bytes with this run number in every position.
    pub(crate) fn numbered(&mut self, number: RunNumber) -> &[u8] {
        let digits = number.digits();
        for range in &self.numbers {
            self.bytes[range.clone()].copy_from_slice(&digits);
        }
        &self.bytes
    }

    /// The run number of `received`, if it is this message byte for byte.
    pub(crate) fn recognise(&mut self, received: &[u8]) -> Option<RunNumber> {
        let range = self.numbers.first()?.clone();
        let number = RunNumber::parse(received.get(range)?)?;
        (self.numbered(number) == received).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_json_of_a_realistic_size() {
        let mut message = Message::new(3);
        let bytes = message.numbered(RunNumber(42));
        assert!((1_000..1_600).contains(&bytes.len()), "{} bytes", bytes.len());
        let json: serde_json::Value = serde_json::from_slice(bytes).expect("the message is JSON");
        assert_eq!(json["deployment"]["friendlyId"], deployment_of(3));
        assert_eq!(json["run"]["friendlyId"], "run_m7q1t8w4z000000000042");
        assert_eq!(json["run"]["machine"]["cpu"].to_string(), MACHINE_CPU);
        assert_eq!(json["backgroundWorker"]["version"], DEPLOYMENT_VERSION);
    }

    #[test]
    fn a_run_is_recognised_only_byte_for_byte_and_in_its_own_pool() {
        let sent = Message::new(1).numbered(RunNumber(7)).to_vec();
        assert_eq!(Message::new(1).recognise(&sent), Some(RunNumber(7)));
        assert_eq!(Message::new(2).recognise(&sent), None);
        assert_eq!(Message::new(1).recognise(&sent[1..]), None);
        let mut changed = sent.clone();
        *changed.last_mut().expect("a message has bytes") = b' ';
        assert_eq!(Message::new(1).recognise(&changed), None);
    }

    #[test]
    fn an_offer_is_the_head_and_the_wrapped_message() {
        let mut request = Message::new(0).offer_request(|length| format!("{length}\r\n\r\n"));
        let text = String::from_utf8_lossy(request.numbered(RunNumber(9))).into_owned();
        let (length, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert_eq!(length, body.len().to_string());
        let json: serde_json::Value = serde_json::from_str(body).expect("the body is JSON");
        assert_eq!(json["dequeuedMessage"]["run"]["id"], "cm4x7k2pd000000000009q5w1");
    }
}
