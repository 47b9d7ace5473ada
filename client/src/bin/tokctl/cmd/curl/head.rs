//! What an API answered, as far as it concerns the token: read from what curl's `--dump-header` leaves.

use std::time::Duration;

/// The last answer of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// In seconds alone: of a date, the agent's own idea of a pause is as good.
    pub(super) retry_after: Option<Duration>,
    pub(super) dpop_nonce: Option<String>,
}

impl Head {
    /// `None` while there is none that is whole, and while another follows.
    pub(super) fn last(dumped: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(dumped);
        let whole = text.rfind("\r\n\r\n")? + 4;
        let mut block = "";
        let mut rest = &text[..whole];
        while let Some((head, after)) = rest.split_once("\r\n\r\n") {
            // Trailers of a chunked body are dumped too.
            if head.starts_with("HTTP/") {
                block = head;
            }
            rest = after;
        }
        // What follows is not whole yet, so it is not the last.
        if !text[whole..].is_empty() {
            return None;
        }
        let mut lines = block.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let field = |name: &str| {
            block.lines().skip(1).find_map(|line| {
                let (one, value) = line.split_once(':')?;
                one.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        (status >= 200).then(|| Self {
            status,
            retry_after: field("retry-after")
                .and_then(|value| value.parse().ok())
                .map(Duration::from_secs),
            dpop_nonce: field("dpop-nonce").map(str::to_owned),
        })
    }

    /// Whether another token or a pause may help.
    pub(super) fn may_be_repeated(&self) -> bool {
        matches!(self.status, 401 | 429)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_counts_when_it_is_whole() {
        for (dumped, status, wait) in [
            ("", None, None),
            ("HTTP/1.1 401 Unauthorized\r\n", None, None),
            ("HTTP/1.1 401 Unauthorized\r\n\r\n", Some(401), None),
            ("HTTP/2 429 \r\nRetry-After: 7\r\nx: y\r\n\r\n", Some(429), Some(7)),
            ("HTTP/2 429 \r\nRetry-After: Fri, 31 Dec\r\n\r\n", Some(429), None),
            ("HTTP/1.1 100 Continue\r\n\r\n", None, None),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Some(200), None),
            ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 401", None, None),
            ("HTTP/1.1 302 Found\r\n\r\nHTTP/1.1 401 No\r\n\r\n", Some(401), None),
            ("HTTP/1.1 200 OK\r\nTrailer: x\r\n\r\nx: y\r\n\r\n", Some(200), None),
            ("nonsense\r\n\r\n", None, None),
        ] {
            let head = Head::last(dumped.as_bytes());
            let found = head.as_ref().map(|head| head.status);
            let waits = head.and_then(|head| head.retry_after).map(|wait| wait.as_secs());
            assert_eq!((found, waits), (status, wait), "{dumped:?}");
        }
    }
}
