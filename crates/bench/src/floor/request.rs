//! Finds the few fields that the floor needs in a request's bytes, by substring searches only.

use memchr::memmem;

use crate::scan::{after, between, content_length};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    Poll { deployment: &'a [u8] },
    Offer { deployment: &'a [u8], run: &'a [u8] },
}

/// The request in `bytes`; `None` while it is incomplete.
pub(super) fn find(bytes: &[u8]) -> Option<Request<'_>> {
    let head_end = memmem::find(bytes, b"\r\n\r\n")? + 4;
    let (head, body) = bytes.split_at(head_end);
    if head.starts_with(b"GET") {
        let deployment = between(head, b"x-trigger-deployment-id: ", b'\r')?;
        return Some(Request::Poll { deployment });
    }
    let body = body.get(..content_length(head)?)?;
    let run = after(body, b"\"dequeuedMessage\":")?;
    let run = &run[..run.len() - 1];
    let deployment = between(after(run, b"\"deployment\":{")?, b"\"friendlyId\":\"", b'"')?;
    Some(Request::Offer { deployment, run })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &[u8] = b"POST /warm-start HTTP/1.1\r\nhost: a\r\ncontent-length: 70\r\n\r\n\
        {\"dequeuedMessage\":{\"deployment\":{\"id\":\"c\",\"friendlyId\":\"d_1\"},\"x\":1}}";

    #[test]
    fn a_poll_has_its_deployment() {
        let bytes = b"GET /warm-start HTTP/1.1\r\nx-trigger-deployment-id: d_1\r\nhost: a\r\n\r\n";
        assert_eq!(find(bytes), Some(Request::Poll { deployment: b"d_1" }));
    }

    #[test]
    fn an_offer_has_its_deployment_and_the_bytes_of_its_run() {
        let run = b"{\"deployment\":{\"id\":\"c\",\"friendlyId\":\"d_1\"},\"x\":1}";
        assert_eq!(find(OFFER), Some(Request::Offer { deployment: b"d_1", run }));
    }

    #[test]
    fn an_incomplete_request_is_none() {
        for length in 0..OFFER.len() {
            assert_eq!(find(&OFFER[..length]), None, "{length} bytes");
        }
    }
}
