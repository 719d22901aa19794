//! Doubly linked lists through the slots of another storage. Appending, removing any element and reading both ends are
//! O(1). A slot must be in the list that it is unlinked from.

/// The neighbours of a slot in one list.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Links {
    prev: Option<usize>,
    next: Option<usize>,
}

impl Links {
    pub(super) const fn next(&self) -> Option<usize> {
        self.next
    }
}

/// Storage whose slots have links.
pub(super) trait Linked {
    fn links(&mut self, slot: usize, which: usize) -> &mut Links;
}

/// The two ends of one list. `which` selects the links of a slot that belong to this list.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    which: usize,
    first: Option<usize>,
    last: Option<usize>,
}

impl List {
    pub(super) const fn new(which: usize) -> Self {
        Self { which, first: None, last: None }
    }

    pub(super) const fn first(&self) -> Option<usize> {
        self.first
    }

    pub(super) const fn last(&self) -> Option<usize> {
        self.last
    }

    pub(super) fn is_only(&self, slot: usize) -> bool {
        self.first == Some(slot) && self.last == Some(slot)
    }

    pub(super) fn push(&mut self, slots: &mut impl Linked, slot: usize) {
        *slots.links(slot, self.which) = Links { prev: self.last, next: None };
        match self.last.replace(slot) {
            Some(before) => slots.links(before, self.which).next = Some(slot),
            None => self.first = Some(slot),
        }
    }

    pub(super) fn unlink(&mut self, slots: &mut impl Linked, slot: usize) {
        let Links { prev, next } = std::mem::take(slots.links(slot, self.which));
        match prev {
            Some(prev) => slots.links(prev, self.which).next = next,
            None => self.first = next,
        }
        match next {
            Some(next) => slots.links(next, self.which).prev = prev,
            None => self.last = prev,
        }
    }
}
