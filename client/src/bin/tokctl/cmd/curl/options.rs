//! The options of curl, so that whoever reads a command line of it knows what is an option's value and what is a URL.
//!
//! Of 7.88, and what later releases have added since. `--help all` of the curl that is there is compared in a test.

/// Whether an option takes a value, by its long name.
pub(super) fn takes_value(long: &str) -> Option<bool> {
    let has = |names: &str| names.split_ascii_whitespace().any(|name| name == long);
    match (has(VALUED), has(FLAGS)) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

/// The long name of an option that is a letter.
pub(super) fn long(short: char) -> Option<&'static str> {
    SHORT.iter().find(|(letter, _)| *letter == short).map(|(_, name)| *name)
}

const SHORT: &[(char, &str)] = &[
    ('#', "progress-bar"),
    ('0', "http1.0"),
    ('1', "tlsv1"),
    ('2', "sslv2"),
    ('3', "sslv3"),
    ('4', "ipv4"),
    ('6', "ipv6"),
    (':', "next"),
    ('B', "use-ascii"),
    ('G', "get"),
    ('I', "head"),
    ('J', "remote-header-name"),
    ('L', "location"),
    ('M', "manual"),
    ('N', "buffer"),
    ('O', "remote-name"),
    ('R', "remote-time"),
    ('S', "show-error"),
    ('V', "version"),
    ('Z', "parallel"),
    ('a', "append"),
    ('f', "fail"),
    ('g', "globoff"),
    ('i', "include"),
    ('j', "junk-session-cookies"),
    ('k', "insecure"),
    ('l', "list-only"),
    ('n', "netrc"),
    ('p', "proxytunnel"),
    ('q', "disable"),
    ('s', "silent"),
    ('v', "verbose"),
    ('A', "user-agent"),
    ('C', "continue-at"),
    ('D', "dump-header"),
    ('E', "cert"),
    ('F', "form"),
    ('H', "header"),
    ('K', "config"),
    ('P', "ftp-port"),
    ('Q', "quote"),
    ('T', "upload-file"),
    ('U', "proxy-user"),
    ('X', "request"),
    ('Y', "speed-limit"),
    ('b', "cookie"),
    ('c', "cookie-jar"),
    ('d', "data"),
    ('e', "referer"),
    ('h', "help"),
    ('m', "max-time"),
    ('o', "output"),
    ('r', "range"),
    ('t', "telnet-option"),
    ('u', "user"),
    ('w', "write-out"),
    ('x', "proxy"),
    ('y', "speed-time"),
    ('z', "time-cond"),
];

const FLAGS: &str = "\
    alpn anyauth append basic buffer ca-native cert-status clobber compressed compressed-ssh \
    create-dirs crlf digest disable disable-eprt disable-epsv disallow-username-in-url \
    doh-cert-status doh-insecure dump-ca-embed eprt epsv fail fail-early fail-with-body \
    false-start follow form-escape ftp-create-dirs ftp-pasv ftp-pret ftp-skip-pasv-ip \
    ftp-ssl-ccc ftp-ssl-control get globoff haproxy-protocol head http0.9 http1.0 http1.1 \
    http2 http2-prior-knowledge http3 http3-only ignore-content-length include insecure ipv4 \
    ipv6 junk-session-cookies keepalive list-only location location-trusted \
    mail-rcpt-allowfails manual metalink mptcp negotiate netrc netrc-optional next npn ntlm \
    ntlm-wb out-null parallel parallel-immediate path-as-is post301 post302 post303 \
    progress-bar progress-meter proxy-anyauth proxy-basic proxy-ca-native proxy-digest \
    proxy-http2 proxy-insecure proxy-negotiate proxy-ntlm proxy-ssl-allow-beast \
    proxy-ssl-auto-client-cert proxy-tlsv1 proxytunnel raw remote-header-name remote-name \
    remote-name-all remote-time remove-on-error retry-all-errors retry-connrefused sasl-ir \
    sessionid show-error silent skip-existing socks5-basic socks5-gssapi socks5-gssapi-nec ssl \
    ssl-allow-beast ssl-auto-client-cert ssl-no-revoke ssl-reqd ssl-revoke-best-effort sslv2 \
    sslv3 styled-output suppress-connect-headers tcp-fastopen tcp-nodelay tftp-no-options \
    tls-earlydata tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 tr-encoding trace-ids trace-time \
    use-ascii verbose version xattr";

const VALUED: &str = "\
    abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config \
    connect-timeout connect-to continue-at cookie cookie-jar create-file-mode crlfile curves \
    data data-ascii data-binary data-raw data-urlencode delegation dns-interface dns-ipv4-addr \
    dns-ipv6-addr dns-servers doh-url dump-header ech egd-file engine etag-compare etag-save \
    expect100-timeout form form-string ftp-account ftp-alternative-to-user ftp-method ftp-port \
    ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip header help hostpubmd5 \
    hostpubsha256 hsts interface ip-tos ipfs-gateway json keepalive-cnt keepalive-time key \
    key-type knownhosts krb libcurl limit-rate local-port login-options mail-auth mail-from \
    mail-rcpt max-filesize max-redirs max-time netrc-file noproxy oauth2-bearer output \
    output-dir parallel-max parallel-max-host pass pinnedpubkey preproxy proto proto-default \
    proto-redir proxy proxy-cacert proxy-capath proxy-cert proxy-cert-type proxy-ciphers \
    proxy-crlfile proxy-header proxy-key proxy-key-type proxy-pass proxy-pinnedpubkey \
    proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype proxy-tlspassword proxy-tlsuser \
    proxy-user proxy1.0 pubkey quote random-file range rate referer request request-target \
    resolve retry retry-delay retry-max-time sasl-authzid service-name sigalgs socks4 socks4a \
    socks5 socks5-gssapi-service socks5-hostname speed-limit speed-time ssl-sessions stderr \
    telnet-option tftp-blksize time-cond tls-max tls13-ciphers tlsauthtype tlspassword tlsuser \
    trace trace-ascii trace-config unix-socket upload-file upload-flags url url-query user \
    user-agent variable vlan-priority write-out";

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_curl_that_is_here_means_the_same_by_its_options() {
        let run = Command::new("curl").args(["--help", "all"]).output().unwrap();
        let mut seen = 0;
        for line in String::from_utf8(run.stdout).unwrap().lines() {
            let (short, rest) = match line.trim_start().split_once(", --") {
                Some((short, rest)) if short.len() == 2 => (short.chars().nth(1), rest),
                _ => match line.trim_start().strip_prefix("--") {
                    Some(rest) => (None, rest),
                    None => continue,
                },
            };
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            // A flag that is on by itself is listed by its opposite.
            let known = name.strip_prefix("no-").unwrap_or(name);
            // What a curl of tomorrow adds is refused, which is safe; what is taken for something else is not.
            let Some(takes) = takes_value(known) else { continue };
            assert_eq!(takes, rest.starts_with(['<', '[']), "{line}");
            if let Some(short) = short {
                assert_eq!(long(short), Some(known), "{line}");
            }
            seen += 1;
        }
        assert!(seen > 200, "{seen}");
    }
}
