//! Parses the bytes that a client received on a connection. They must be well-formed HTTP responses (RFC 9112), without
//! a 5xx status, or nothing at all.

/// How the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was closed cleanly, so no byte is missing.
    Close,
    /// It was reset, which may drop bytes in flight; or the client stopped reading before the end.
    Early,
}

/// One response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The response's status.
    pub status: u16,
    /// The response's body.
    pub body: &'a [u8],
}

/// Parses the bytes of a connection as responses, and returns the complete ones.
///
/// # Panics
/// When the bytes are not responses, or one is a 5xx.
#[must_use]
pub fn read(bytes: &[u8], end: End) -> Vec<Answer<'_>> {
    let read = answers(bytes, end);
    let mut answers = read.unwrap_or_else(|| {
        panic!("not well-formed responses, ended by {end:?}: b\"{}\"", bytes.escape_ascii())
    });
    answers.reverse();
    let server_error = answers.iter().find(|answer| answer.status >= 500);
    assert!(server_error.is_none(), "a server error: b\"{}\"", bytes.escape_ascii());
    answers
}

/// Parses responses, in reverse order; `None` when the bytes are not responses.
fn answers(bytes: &[u8], end: End) -> Option<Vec<Answer<'_>>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let Some((head, rest)) = split_head(bytes) else { return (end == End::Early).then(Vec::new) };
    let Head { status, length } = Head::read(head)?;
    let has_body = !(status < 200 || status == 204 || status == 304);
    match length {
        Some(length) if has_body => {
            // The response to a HEAD request has a length but no body. The method of the request is not known here.
            let with_body =
                rest.split_at_checked(length).and_then(|parts| with_following(status, parts, end));
            let cut_off = end == End::Early && rest.len() < length;
            with_body.or_else(|| with_following(status, (&[], rest), end)).or_else(|| cut_off.then(Vec::new))
        }
        None if has_body => None,
        Some(_) | None => with_following(status, (&[], rest), end),
    }
}

/// A response and the responses after it.
fn with_following<'a>(status: u16, (body, rest): (&'a [u8], &'a [u8]), end: End) -> Option<Vec<Answer<'a>>> {
    let mut answers = answers(rest, end)?;
    answers.push(Answer { status, body });
    Some(answers)
}

fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((&bytes[..end], &bytes[end + 4..]))
}

struct Head {
    status: u16,
    length: Option<usize>,
}

impl Head {
    fn read(head: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?;
        let mut lines = head.split("\r\n");
        let status = status(lines.next()?)?;
        let fields = lines.map(field).collect::<Option<Vec<_>>>()?;
        let mut lengths = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = lengths.next().map(|(_, value)| value.parse()).transpose().ok()?;
        lengths.next().is_none().then_some(Self { status, length })
    }
}

fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    let (code, reason) = rest.split_once(' ')?;
    let is_valid = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) && is_visible(reason);
    is_valid.then(|| code.parse().ok())?
}

fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_valid = !name.is_empty() && name.bytes().all(is_token) && is_visible(value);
    is_valid.then_some((name, value.trim()))
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    fn count(text: &str, end: End) -> Option<usize> {
        answers(text.as_bytes(), end).map(|answers| answers.len())
    }

    #[test]
    fn well_formed_responses_are_recognized() {
        let pair = format!("{OK}{OK}");
        let after_head = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{OK}");
        let after_continue = format!("HTTP/1.1 100 Continue\r\n\r\n{OK}");
        for (text, answers) in [("", 0), (OK, 1), (&pair, 2), (&after_head, 2), (&after_continue, 2)] {
            assert_eq!(count(text, End::Close), Some(answers), "{text}");
        }
        let bad_name = OK.replace("content-length", "content length");
        let no_length = OK.replace("content-length: 2\r\n", "");
        for text in ["H", "HTTP/1.1 200\r\n\r\n", &OK[..OK.len() - 1], &OK[1..], &bad_name, &no_length] {
            assert_eq!(count(text, End::Close), None, "{text}");
        }
    }

    #[test]
    fn a_connection_that_ended_early_may_have_an_incomplete_response() {
        for cut in 1..OK.len() {
            let text = format!("{OK}{}", &OK[..cut]);
            assert!(count(&text, End::Early).is_some_and(|answers| answers >= 1), "{text}");
        }
        assert_eq!(read(OK.as_bytes(), End::Close), [Answer { status: 200, body: b"{}" }]);
    }
}
