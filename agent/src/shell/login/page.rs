//! What the browser shows at the end of a login. Constant, so that nothing of a request comes back in
//! it; without script; and kept by nobody.

/// One of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Nothing that is expected came with the request.
    Stray,
    Done,
    Denied,
    Failed,
}

impl Page {
    /// The whole HTTP response.
    pub(super) fn response(self) -> Vec<u8> {
        let (status, title, text) = match self {
            Self::Stray => (
                "400 Bad Request",
                "Nothing is expected here",
                "This address belongs to a login that has ended, or to none.",
            ),
            Self::Done => (
                "200 OK",
                "You are logged in",
                "tokctl has what it needs. You can close this window and go back to the terminal.",
            ),
            Self::Denied => (
                "200 OK",
                "The login was denied",
                "Nothing was stored. You can close this window; the terminal says more.",
            ),
            Self::Failed => (
                "200 OK",
                "The login did not work",
                "You can close this window; the terminal says what went wrong.",
            ),
        };
        let body = BODY.replace("{title}", title).replace("{text}", text);
        format!("HTTP/1.1 {status}\r\n{HEADERS}Content-Length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    }
}

const HEADERS: &str = "\
Content-Type: text/html; charset=utf-8\r\n\
Cache-Control: no-store\r\n\
Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
Referrer-Policy: no-referrer\r\n\
X-Content-Type-Options: nosniff\r\n\
Connection: close\r\n";

const BODY: &str = "\
<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>{title} - tokctl</title>
<style>
body { font: 1.125rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto 0; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; font-weight: 600; }
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
</body>
</html>
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_how_long_it_is_and_holds_nothing_that_runs() {
        for (page, status) in [
            (Page::Stray, "400"),
            (Page::Done, "200"),
            (Page::Denied, "200"),
            (Page::Failed, "200"),
        ] {
            let response = String::from_utf8(page.response()).unwrap();
            let (head, body) = response.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
            for promised in ["Cache-Control: no-store", "default-src 'none'", "no-referrer"] {
                assert!(head.contains(promised), "{promised}");
            }
            for absent in ["<script", "http:", "https:", "{", "src=", "href="] {
                assert!(!body.split_once("</style>").unwrap().1.contains(absent), "{absent}");
            }
        }
    }
}
