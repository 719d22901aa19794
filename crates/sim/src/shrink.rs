//! Shrinks a list that fails a test: removes items while the rest still fails, perhaps in another way.

/// The shortest end of `items` that fails, without all items that are not needed to fail. `items` itself must fail.
#[must_use]
pub fn shrink<T: Clone>(items: &[T], fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    remove_unneeded(shortest_end(items, &fails).to_vec(), &fails)
}

fn shortest_end<'a, T>(items: &'a [T], fails: &impl Fn(&[T]) -> bool) -> &'a [T] {
    let ends = (0..usize::BITS).map(|power| 1_usize << power).take_while(|length| *length < items.len());
    ends.map(|length| &items[items.len() - length..]).find(|end| fails(end)).unwrap_or(items)
}

/// Removes halves, quarters, and so on down to single items, while the rest still fails.
fn remove_unneeded<T: Clone>(mut items: Vec<T>, fails: &impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut chunk = items.len().div_ceil(2);
    while chunk > 0 {
        let before = items.len();
        items = without_chunks(items, chunk, fails);
        let repeat = chunk == 1 && items.len() < before;
        chunk = if repeat { 1 } else { chunk / 2 };
    }
    items
}

fn without_chunks<T: Clone>(mut items: Vec<T>, chunk: usize, fails: &impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut from = 0;
    while from < items.len() {
        let to = items.len().min(from + chunk);
        let fewer = [&items[..from], &items[to..]].concat();
        if fails(&fewer) {
            items = fewer;
        } else {
            from = to;
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_are_not_needed_to_fail_are_removed() {
        let items: Vec<u32> = (0..5000).collect();
        let fails = |items: &[u32]| items.contains(&17) && items.contains(&4000) && items.contains(&4001);
        assert_eq!(shrink(&items, fails), [17, 4000, 4001]);
        assert_eq!(shrink(&items, |items| !items.is_empty()).len(), 1);
    }
}
