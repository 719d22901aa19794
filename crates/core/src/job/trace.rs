//! The trace of a job, derived from the job's id: no data is stored for it, and it is the same after a restart and in
//! every instance.

use super::id::{JobId, LeaseId};
use crate::trace_context::{SpanId, TraceId};

impl JobId {
    /// The same id with the sampled flag of the job's trace, which is the id's last bit.
    #[must_use]
    pub const fn with_sampled(self, is_sampled: bool) -> Self {
        let mut bytes = *self.as_bytes();
        bytes[15] = (bytes[15] & !1) | is_sampled as u8;
        Self::from_bytes(bytes)
    }

    /// Whether the job's trace is sampled. Spans of a trace that is not sampled are not exported.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.as_bytes()[15] & 1 == 1
    }

    /// The id of the job's trace: the bytes of the job's id. `None` for an id of zeros only.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        TraceId::new(*self.as_bytes())
    }

    /// The id of the span of the attempt with this lease. Each attempt of a job has another one.
    #[must_use]
    pub fn attempt_span_id(&self, lease: LeaseId) -> Option<SpanId> {
        let [.., a, b, c, d, e, f, g, h] = *self.as_bytes();
        let random = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        SpanId::new(random.wrapping_add(lease.number()).to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn the_sampled_flag_is_the_last_bit_of_the_id() {
        for random in [0, 0xff] {
            let id = JobId::new(Timestamp::from_millis(1), [random; 10]);
            for is_sampled in [true, false] {
                let with = id.with_sampled(is_sampled);
                assert_eq!(with.is_sampled(), is_sampled);
                assert_eq!(with.as_bytes()[..15], id.as_bytes()[..15]);
                assert_eq!(with.as_bytes()[15] | 1, id.as_bytes()[15] | 1);
            }
        }
    }

    #[test]
    fn each_attempt_has_a_span_of_its_own_in_the_trace_of_the_job() {
        let id = JobId::new(Timestamp::from_millis(0x0192_f0c1_5a3e), [0xff; 10]);
        assert_eq!(id.trace_id().unwrap().to_string(), id.to_string().replace('-', ""));
        let span = |lease| id.attempt_span_id(LeaseId::new(lease)).unwrap().to_string();
        assert_eq!((span(0).as_str(), span(1).as_str()), ("bfffffffffffffff", "c000000000000000"));
        assert_ne!(span(1), span(2));
    }
}
