//! What comes back on a connection: well-formed answers (RFC 9112), one after the other, none of them the server's own
//! fault, or nothing at all.

/// How the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// In good order, so nothing is missing.
    Close,
    /// By a reset, which may swallow what was on its way; or it was left before it ended.
    Early,
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: &'a [u8],
}

/// Reads the bytes of a connection as answers, those that came whole.
///
/// # Panics
/// When they are no answers, or one is a 5xx.
#[must_use]
pub fn read(bytes: &[u8], end: ConnectionEnd) -> Vec<Response<'_>> {
    let read = responses(bytes, end);
    let mut responses =
        read.unwrap_or_else(|| panic!("no answers, ended by {end:?}: b\"{}\"", bytes.escape_ascii()));
    responses.reverse();
    let server_error = responses.iter().find(|response| response.status >= 500);
    assert!(server_error.is_none(), "our own fault: b\"{}\"", bytes.escape_ascii());
    responses
}

/// The last one first; `None` when these are no answers.
fn responses(bytes: &[u8], end: ConnectionEnd) -> Option<Vec<Response<'_>>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let Some((head, rest)) = split_head(bytes) else { return (end == ConnectionEnd::Early).then(Vec::new) };
    let Head { status, length } = Head::read(head)?;
    let has_body = !(status < 200 || status == 204 || status == 304);
    match length {
        Some(length) if has_body => {
            // To a HEAD, a length is told and no body sent; whose answer this is cannot be seen from here.
            let parsed_with_body =
                rest.split_at_checked(length).and_then(|parts| with_following(status, parts, end));
            let cut_off = end == ConnectionEnd::Early && rest.len() < length;
            parsed_with_body
                .or_else(|| with_following(status, (&[], rest), end))
                .or_else(|| cut_off.then(Vec::new))
        }
        None if has_body => None,
        Some(_) | None => with_following(status, (&[], rest), end),
    }
}

fn with_following<'a>(
    status: u16,
    (body, rest): (&'a [u8], &'a [u8]),
    end: ConnectionEnd,
) -> Option<Vec<Response<'a>>> {
    let mut responses = responses(rest, end)?;
    responses.push(Response { status, body });
    Some(responses)
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

    fn response_count(text: &str, end: ConnectionEnd) -> Option<usize> {
        responses(text.as_bytes(), end).map(|responses| responses.len())
    }

    #[test]
    fn invalid_responses_are_detected() {
        let pair = format!("{OK}{OK}");
        let after_head = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{OK}");
        let after_continue = format!("HTTP/1.1 100 Continue\r\n\r\n{OK}");
        for (text, responses) in [("", 0), (OK, 1), (&pair, 2), (&after_head, 2), (&after_continue, 2)] {
            assert_eq!(response_count(text, ConnectionEnd::Close), Some(responses), "{text}");
        }
        let bad_name = OK.replace("content-length", "content length");
        let no_length = OK.replace("content-length: 2\r\n", "");
        for text in ["H", "HTTP/1.1 200\r\n\r\n", &OK[..OK.len() - 1], &OK[1..], &bad_name, &no_length] {
            assert_eq!(response_count(text, ConnectionEnd::Close), None, "{text}");
        }
    }

    #[test]
    fn the_last_response_may_be_incomplete_after_an_early_end() {
        for cut in 1..OK.len() {
            let text = format!("{OK}{}", &OK[..cut]);
            assert!(
                response_count(&text, ConnectionEnd::Early).is_some_and(|responses| responses >= 1),
                "{text}"
            );
        }
        assert_eq!(read(OK.as_bytes(), ConnectionEnd::Close), [Response { status: 200, body: b"{}" }]);
    }
}
