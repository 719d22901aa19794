//! Collects what happened until somebody asks, and writes it as the text that instances send each other. What would
//! be too much becomes "anything": whoever hears that looks again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::JobId;

use crate::records::StoreNotification;

/// More jobs or types than this at a time are told as anything.
const EACH_AT_MOST: usize = 2_000;

/// Bytes of one text; the database takes fewer than 8,000.
const TEXT_BYTES: usize = 7_900;

/// What happened and was not told yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tidings {
    ready: BTreeSet<JobType>,
    changed: BTreeSet<JobId>,
    is_anything: bool,
}

impl Tidings {
    /// Jobs of this type may be ready.
    pub(super) fn ready(&mut self, job_type: JobType) {
        self.ready.insert(job_type);
        self.keep_small();
    }

    /// Something of this job changed.
    pub(super) fn changed(&mut self, job: JobId) {
        self.changed.insert(job);
        self.keep_small();
    }

    /// Anything may have happened.
    pub(super) fn anything(&mut self) {
        self.is_anything = true;
        self.keep_small();
    }

    /// All of the others come to these.
    pub(super) fn add(&mut self, other: Self) {
        self.ready.extend(other.ready);
        self.changed.extend(other.changed);
        self.is_anything |= other.is_anything;
        self.keep_small();
    }

    fn keep_small(&mut self) {
        self.is_anything |= self.ready.len().max(self.changed.len()) > EACH_AT_MOST;
        if self.is_anything {
            self.ready.clear();
            self.changed.clear();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_anything && self.ready.is_empty() && self.changed.is_empty()
    }

    /// The next thing to tell, which is then told.
    pub(super) fn take(&mut self) -> Option<StoreNotification> {
        if std::mem::take(&mut self.is_anything) {
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

    /// As texts that each fit into one notification: who says it, then each thing with its kind and length, such as
    /// `r6:render`.
    pub(super) fn texts(&self, from: &Speaker) -> Vec<String> {
        let types = self.ready.iter().map(|it| item('r', it.as_str()));
        let jobs = self.changed.iter().map(|it| item('c', &it.to_string()));
        let anything = self.is_anything.then(|| item('a', ""));
        let mut texts: Vec<String> = Vec::new();
        for item in types.chain(jobs).chain(anything) {
            match texts.last_mut() {
                Some(text) if text.len() + item.len() <= TEXT_BYTES => text.push_str(&item),
                Some(_) | None => texts.push(format!("{}{item}", from.0)),
            }
        }
        texts
    }

    /// What another instance says; nothing when it is one's own text. What is not understood is from a newer program.
    pub(super) fn read(text: &str, own: &Speaker) -> Self {
        let mut tidings = Self::default();
        let said = text.split_at_checked(Speaker::BYTES);
        let Some((from, mut rest)) = said else { return Self { is_anything: true, ..tidings } };
        if from == own.0 {
            return tidings;
        }
        while !rest.is_empty() {
            rest = tidings.read_item(rest).unwrap_or_else(|| {
                tidings.anything();
                ""
            });
        }
        tidings
    }

    /// Takes the first item and returns what is behind it.
    fn read_item<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let (head, rest) = text.split_once(':')?;
        let (kind, length) = head.split_at_checked(1)?;
        let (what, rest) = rest.split_at_checked(length.parse().ok()?)?;
        match kind {
            "r" => self.ready(JobType::parse(what).ok()?),
            "c" => self.changed(what.parse().ok()?),
            _ => return None,
        }
        Some(rest)
    }
}

fn item(kind: char, what: &str) -> String {
    let mut text = String::with_capacity(what.len() + 6);
    write!(text, "{kind}{}:{what}", what.len()).expect("a text can be written");
    text
}

/// The name of one instance among those on a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Speaker(String);

impl Speaker {
    /// Bytes of the name.
    const BYTES: usize = 16;

    /// A name that nobody else has.
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

    fn some() -> Tidings {
        let mut tidings = Tidings::default();
        tidings.ready(job_type("a type: 3:\n"));
        tidings.ready(job_type("render"));
        tidings.changed(id(1));
        tidings.changed(id(1));
        tidings
    }

    #[test]
    fn what_is_written_is_read_by_others_and_not_by_oneself() {
        let own = Speaker::new(7);
        let texts = some().texts(&own);
        assert_eq!(texts.len(), 1);
        assert_eq!(Tidings::read(&texts[0], &Speaker::new(8)), some());
        assert!(Tidings::read(&texts[0], &own).is_empty());
    }

    #[test]
    fn many_tidings_become_several_texts_that_fit() {
        let mut tidings = Tidings::default();
        (0..1_000).for_each(|number| tidings.changed(id(number)));
        (0..30).for_each(|number| tidings.ready(job_type(&format!("{}{number}", "x".repeat(250)))));
        let texts = tidings.texts(&Speaker::new(7));
        assert!(texts.iter().all(|text| text.len() < 8_000));
        let mut read = Tidings::default();
        texts.iter().for_each(|text| read.add(Tidings::read(text, &Speaker::new(8))));
        assert_eq!(read, tidings);
    }

    #[test]
    fn too_many_tidings_become_anything() {
        let mut tidings = some();
        (0..=2_000).for_each(|number| tidings.changed(id(number)));
        assert_eq!(tidings.texts(&Speaker::new(7)), ["0000000000000007a0:"]);
        assert_eq!(tidings.take(), Some(StoreNotification::Resync));
        assert_eq!(tidings.take(), None);
    }

    #[test]
    fn what_is_not_understood_is_anything() {
        for text in
            ["", "short", "0000000000000001z3:abc", "0000000000000001r9:abc", "0000000000000001c3:abc"]
        {
            assert_eq!(
                Tidings::read(text, &Speaker::new(8)).take(),
                Some(StoreNotification::Resync),
                "{text}"
            );
        }
    }

    #[test]
    fn types_are_told_before_jobs() {
        let mut tidings = some();
        assert_eq!(
            tidings.take(),
            Some(StoreNotification::Ready(vec![job_type("a type: 3:\n"), job_type("render")]))
        );
        assert_eq!(tidings.take(), Some(StoreNotification::Changed(vec![id(1)])));
        assert!(tidings.is_empty());
    }
}
