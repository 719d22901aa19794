//! Finds the head and the body of an HTTP response with one cheap scan.
//!
//! It understands only what the servers that the bench measures send: a status, a `content-length` and a body.

use anyhow::{Context, Result, bail};
use memchr::{memchr_iter, memmem};

const NO_CONTENT: u16 = 204;

/// The parsed head; the body is everything from `body_at` on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) body_at: usize,
}

/// The head of the response in `bytes`; `None` while the response is incomplete.
///
/// # Errors
/// The bytes are not an HTTP/1.1 response, have no `content-length`, or are more than one response, although only one
/// request was sent.
pub(super) fn find(bytes: &[u8]) -> Result<Option<Head>> {
    let Some(head_end) = memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = bytes.split_at(head_end + 4);
    let status = status(head)?;
    let length = if status == NO_CONTENT { Some(0) } else { content_length(head) };
    let length = length.context("no content-length in the response")?;
    if body.len() > length {
        bail!("{} bytes after the response", body.len() - length);
    }
    let complete = body.len() == length;
    Ok(complete.then_some(Head { status, body_at: head.len() }))
}

fn status(head: &[u8]) -> Result<u16> {
    let digits = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    number(digits.context("not an HTTP/1.1 response")?)
        .and_then(|status| u16::try_from(status).ok())
        .context("the status is not a number")
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    memchr_iter(b'\n', head).find_map(|line_end| {
        let line = &head[line_end + 1..];
        let is_length = line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME);
        is_length.then(|| number(line[NAME.len()..].trim_ascii_start()))?
    })
}

/// The decimal number that `bytes` start with.
fn number(bytes: &[u8]) -> Option<usize> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&bytes[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_found_once_its_last_byte_is_there() {
        let bytes = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\n{}";
        for length in 0..bytes.len() {
            assert_eq!(
                find(&bytes[..length]).expect("an incomplete response is not an error"),
                None,
                "{length} bytes"
            );
        }
        let head = find(bytes).expect("a good response");
        assert_eq!(head, Some(Head { status: 200, body_at: bytes.len() - 2 }));
    }

    #[test]
    fn bytes_that_are_not_exactly_one_response_with_a_content_length_are_refused() {
        let refused: [&[u8]; 3] = [
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{}",
            b"HTTP/2 200\r\ncontent-length: 0\r\n\r\n",
        ];
        for bytes in refused {
            assert!(find(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
