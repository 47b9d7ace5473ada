use super::*;

fn parse(line: &str) -> Result<Line, Failure> {
    let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    Line::parse(&words)
}

#[test]
fn urls_are_told_from_values_as_curl_does() {
    for (line, urls) in [
        ("https://a/", "https://a/"),
        ("-s https://a/ -o https://file/", "https://a/"),
        ("-sSXPOST https://a/", "https://a/"),
        ("-X POST https://a/", "https://a/"),
        ("-sSo f https://a/ https://b/", "https://a/ https://b/"),
        ("-of https://a/", "https://a/"),
        ("--url https://a/ --max-time 3 https://b/", "https://a/ https://b/"),
        ("--url-query x=https://q/ https://a/", "https://a/"),
        ("-d https://body/ https://a/", "https://a/"),
        ("-- https://a/ -s", "https://a/ -s"),
        ("--no-buffer --compressed https://a/", "https://a/"),
        ("https://a/ --next https://b/ -: -I https://c/", "https://a/ https://b/ https://c/"),
        ("-", "-"),
    ] {
        let read = parse(line).unwrap();
        assert_eq!(read.urls().collect::<Vec<_>>().join(" "), urls, "{line}");
    }
}

#[test]
fn what_is_not_understood_or_not_safe_is_refused() {
    for line in [
        "-s",
        "https://a/ --next -s",
        "--urk https://a/",
        "--verb https://a/",
        "--max-time=3 https://a/",
        "--expand-url https://a/",
        "-ß https://a/",
        "-K f https://a/",
        "-sKf https://a/",
        "--config f https://a/",
        "--url @f",
        "-u a:b https://a/",
        "-n https://a/",
        "--location-trusted https://a/",
        "--request-target /x https://a/",
        "-H Host:b https://a/",
        "--trace f https://a/",
        "-v --stderr f https://a/",
        "https://{a,b}/",
        "https://a/{v1,../x}",
        "https://a/[1-3]",
        "--resolve a:80:1.2.3.4 http://127.0.0.1/",
        "-s: https://a/",
        "-X",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
    for line in ["https://a/?p=[1-3]", "-g https://a/[1]", "https://[::1]/", "-L https://a/"] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn a_request_is_one_with_one_url_and_has_the_method_curl_chooses() {
    for (line, method) in [
        ("https://a/", Some("GET")),
        ("-I https://a/", Some("HEAD")),
        ("-d x https://a/", Some("POST")),
        ("-Gd x https://a/", Some("GET")),
        ("-F a=b https://a/", Some("POST")),
        ("-T f https://a/", Some("PUT")),
        ("-d x -X PATCH https://a/", Some("PATCH")),
        ("--json {} https://a/", Some("POST")),
        ("https://a/ https://b/", None),
        ("https://a/ --next https://b/", None),
        ("https://a/?p=[1-3]", None),
        ("-g https://a/?p=[1-3]", Some("GET")),
        ("-Z https://a/", None),
    ] {
        let read = parse(line).unwrap();
        assert_eq!(read.single().map(|(_, method)| method).as_deref(), method, "{line}");
    }
}

#[test]
fn stdin_and_pipes_are_not_read_twice() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    for (line, is_spent) in [
        ("-d x https://a/".to_owned(), false),
        ("-d @- https://a/".to_owned(), true),
        ("--data-binary @/dev/stdin https://a/".to_owned(), true),
        (format!("--data-binary @{path} https://a/"), false),
        ("--data-binary @/dev/null https://a/".to_owned(), true),
        ("--data-raw @- https://a/".to_owned(), false),
        ("--data-urlencode x@- https://a/".to_owned(), true),
        ("--data-urlencode x=@- https://a/".to_owned(), false),
        ("--json @- https://a/".to_owned(), true),
        ("-F f=@- https://a/".to_owned(), true),
        ("-F f=<- https://a/".to_owned(), true),
        (format!("-F f=@{path};type=text/plain https://a/"), false),
        ("-F f=x https://a/".to_owned(), false),
        ("-T - https://a/".to_owned(), true),
        (format!("-T {path} https://a/"), false),
        ("-H @- https://a/".to_owned(), true),
        ("-b - https://a/".to_owned(), true),
        ("-b a=b https://a/".to_owned(), false),
        ("-o - https://a/".to_owned(), false),
    ] {
        assert_eq!(parse(&line).unwrap().parts[0].is_spent, is_spent, "{line}");
    }
}
