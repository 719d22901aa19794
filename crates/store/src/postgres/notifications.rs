//! Collects notifications until they are taken, and encodes them as the payloads that instances send each other. Too
//! many notifications become one resync: its receivers read everything again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::JobId;

use crate::records::StoreNotification;

/// The maximum number of jobs, and of job types; more than this become a resync.
const MAX_ENTRIES: usize = 2_000;

/// Bytes of one payload; PostgreSQL's limit is below 8,000.
const MAX_PAYLOAD_BYTES: usize = 7_900;

/// Changes that are not yet sent to other instances, or not yet taken by this one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notifications {
    ready: BTreeSet<JobType>,
    changed: BTreeSet<JobId>,
    needs_resync: bool,
}

impl Notifications {
    /// Jobs of this type may be ready.
    pub(super) fn add_ready_type(&mut self, job_type: JobType) {
        self.ready.insert(job_type);
        self.enforce_cap();
    }

    /// This job changed.
    pub(super) fn add_changed_job(&mut self, job: JobId) {
        self.changed.insert(job);
        self.enforce_cap();
    }

    /// Any job may have changed.
    pub(super) fn request_resync(&mut self) {
        self.needs_resync = true;
        self.enforce_cap();
    }

    /// Adds the other notifications.
    pub(super) fn merge(&mut self, other: Self) {
        self.ready.extend(other.ready);
        self.changed.extend(other.changed);
        self.needs_resync |= other.needs_resync;
        self.enforce_cap();
    }

    fn enforce_cap(&mut self) {
        self.needs_resync |= self.ready.len().max(self.changed.len()) > MAX_ENTRIES;
        if self.needs_resync {
            self.ready.clear();
            self.changed.clear();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.needs_resync && self.ready.is_empty() && self.changed.is_empty()
    }

    /// Removes and returns the next notification.
    pub(super) fn take_next(&mut self) -> Option<StoreNotification> {
        if std::mem::take(&mut self.needs_resync) {
            return Some(StoreNotification::Resync);
        }
        if !self.ready.is_empty() {
            return Some(StoreNotification::Ready(std::mem::take(&mut self.ready).into_iter().collect()));
        }
        if !self.changed.is_empty() {
            return Some(StoreNotification::Changed(std::mem::take(&mut self.changed).into_iter().collect()));
        }
        None
    }

    /// Encodes as payloads that each fit into one `NOTIFY`: the sender's instance id, then each item as kind, length
    /// and text, such as `r6:render`. Kinds: `r` a job type that may be ready, `c` a changed job, `a` a resync.
    pub(super) fn encode(&self, from: &InstanceId) -> Vec<String> {
        let types = self.ready.iter().map(|it| encode_item('r', it.as_str()));
        let jobs = self.changed.iter().map(|it| encode_item('c', &it.to_string()));
        let resync = self.needs_resync.then(|| encode_item('a', ""));
        let mut texts: Vec<String> = Vec::new();
        for item in types.chain(jobs).chain(resync) {
            match texts.last_mut() {
                Some(text) if text.len() + item.len() <= MAX_PAYLOAD_BYTES => text.push_str(&item),
                Some(_) | None => texts.push(format!("{}{item}", from.0)),
            }
        }
        texts
    }

    /// Decodes a payload; nothing when this instance sent it. An unknown item, such as one of a newer program, is a
    /// resync.
    pub(super) fn decode(text: &str, own: &InstanceId) -> Self {
        let mut notifications = Self::default();
        let parts = text.split_at_checked(InstanceId::BYTES);
        let Some((from, mut rest)) = parts else { return Self { needs_resync: true, ..notifications } };
        if from == own.0 {
            return notifications;
        }
        while !rest.is_empty() {
            rest = notifications.decode_item(rest).unwrap_or_else(|| {
                notifications.request_resync();
                ""
            });
        }
        notifications
    }

    /// Adds the first item of the text and returns the rest; `None` when the item is unknown or malformed.
    fn decode_item<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let (head, rest) = text.split_once(':')?;
        let (kind, length) = head.split_at_checked(1)?;
        let (what, rest) = rest.split_at_checked(length.parse().ok()?)?;
        match kind {
            "r" => self.add_ready_type(JobType::parse(what).ok()?),
            "c" => self.add_changed_job(what.parse().ok()?),
            _ => return None,
        }
        Some(rest)
    }
}

fn encode_item(kind: char, what: &str) -> String {
    let mut text = String::with_capacity(what.len() + 6);
    write!(text, "{kind}{}:{what}", what.len()).expect("writing to a String never fails");
    text
}

/// The id of one instance among those on a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InstanceId(String);

impl InstanceId {
    /// Length of an id in bytes.
    const BYTES: usize = 16;

    /// An id made of a random number, as hexadecimal digits.
    pub(super) fn new(random: u64) -> Self {
        Self(format!("{random:016x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job_type(name: &str) -> JobType {
        JobType::parse(name).unwrap()
    }

    fn id(number: u64) -> JobId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        JobId::from_bytes(bytes)
    }

    fn sample() -> Notifications {
        let mut notifications = Notifications::default();
        notifications.add_ready_type(job_type("a type: 3:\n"));
        notifications.add_ready_type(job_type("render"));
        notifications.add_changed_job(id(1));
        notifications.add_changed_job(id(1));
        notifications
    }

    #[test]
    fn notifications_are_decoded_by_others_and_ignored_by_their_sender() {
        let own = InstanceId::new(7);
        let texts = sample().encode(&own);
        assert_eq!(texts.len(), 1);
        assert_eq!(Notifications::decode(&texts[0], &InstanceId::new(8)), sample());
        assert!(Notifications::decode(&texts[0], &own).is_empty());
    }

    #[test]
    fn many_entries_are_split_into_payloads_that_fit() {
        let mut notifications = Notifications::default();
        (0..1_000).for_each(|number| notifications.add_changed_job(id(number)));
        (0..30).for_each(|number| {
            notifications.add_ready_type(job_type(&format!("{}{number}", "x".repeat(250))))
        });
        let texts = notifications.encode(&InstanceId::new(7));
        assert!(texts.iter().all(|text| text.len() < 8_000));
        let mut read = Notifications::default();
        texts.iter().for_each(|text| read.merge(Notifications::decode(text, &InstanceId::new(8))));
        assert_eq!(read, notifications);
    }

    #[test]
    fn too_many_entries_become_a_resync() {
        let mut notifications = sample();
        (0..=2_000).for_each(|number| notifications.add_changed_job(id(number)));
        assert_eq!(notifications.encode(&InstanceId::new(7)), ["0000000000000007a0:"]);
        assert_eq!(notifications.take_next(), Some(StoreNotification::Resync));
        assert_eq!(notifications.take_next(), None);
    }

    #[test]
    fn a_malformed_payload_requests_a_resync() {
        for text in
            ["", "short", "0000000000000001z3:abc", "0000000000000001r9:abc", "0000000000000001c3:abc"]
        {
            assert_eq!(
                Notifications::decode(text, &InstanceId::new(8)).take_next(),
                Some(StoreNotification::Resync),
                "{text}"
            );
        }
    }

    #[test]
    fn ready_types_come_before_changed_jobs() {
        let mut notifications = sample();
        assert_eq!(
            notifications.take_next(),
            Some(StoreNotification::Ready(vec![job_type("a type: 3:\n"), job_type("render")]))
        );
        assert_eq!(notifications.take_next(), Some(StoreNotification::Changed(vec![id(1)])));
        assert!(notifications.is_empty());
    }
}
