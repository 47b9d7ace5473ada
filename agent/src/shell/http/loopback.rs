//! Who listens on a port of this machine: asked before anything is sent in the clear.
//!
//! Any user can bind the port of a provider that is down and be sent the next secret. So the
//! listener's uid, as the kernel shows it in /proc/net/tcp and tcp6, has to be our own or root's,
//! and the request goes to the very address that was checked. What remains is the instant between
//! check and connection, in which the listener would have to vanish and another take its place.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

use crate::oauth::origin;
use crate::shell::http::error::Fault;

const ROOT: u32 = 0;
/// The state of a listening socket in /proc/net/tcp (TCP_LISTEN).
const LISTENING: &str = "0A";

/// The address that a plain-http request may be sent to.
pub(super) fn checked_address(url: &Url, allow_http_loopback: bool) -> Result<SocketAddr, Fault> {
    if !origin::is_private(url, allow_http_loopback) {
        return Err(Fault::PlainHttp { is_loopback: origin::is_loopback(url) });
    }
    let addresses = addresses(url);
    let listeners = listeners().map_err(Fault::LoopbackTable)?;
    let us = nix::unistd::geteuid().as_raw();
    for address in addresses {
        match verdict(owners(&listeners, address), us) {
            Verdict::Ours => return Ok(address),
            Verdict::Foreign(uid) => return Err(Fault::LoopbackOwner { uid }),
            Verdict::Nobody => {}
        }
    }
    Err(Fault::Refused)
}

/// `localhost` is both loopback addresses, whatever /etc/hosts says.
fn addresses(url: &Url) -> Vec<SocketAddr> {
    let hosts = match url.host() {
        Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
        Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
        Some(Host::Domain(_)) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        None => Vec::new(),
    };
    let port = url.port_or_known_default().unwrap_or_default();
    hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect()
}

/// A listening socket and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    uid: u32,
}

/// What listens over IPv4 and over IPv6. A machine without IPv6 has no table for it.
fn listeners() -> io::Result<Vec<Listener>> {
    let mut listeners = read_table("/proc/net/tcp")?;
    match read_table("/proc/net/tcp6") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        more => listeners.extend(more?),
    }
    Ok(listeners)
}

fn read_table(path: &str) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for line in BufReader::new(File::open(path)?).lines() {
        listeners.extend(listener(&line?));
    }
    Ok(listeners)
}

/// Reads one line; the heading and what does not listen is none.
fn listener(line: &str) -> Option<Listener> {
    let mut columns = line.split_ascii_whitespace();
    let local = columns.nth(1)?;
    let state = columns.nth(1)?;
    let uid = columns.nth(3)?;
    if state != LISTENING {
        return None;
    }
    let (host, port) = local.split_once(':')?;
    let address = SocketAddr::new(address(host)?, u16::from_str_radix(port, 16).ok()?);
    Some(Listener { address, uid: uid.parse().ok()? })
}

/// The kernel prints an address as words of this machine's byte order.
fn address(hex: &str) -> Option<IpAddr> {
    if !hex.is_ascii() {
        return None;
    }
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let octets: [u8; 16] = words.as_flattened().try_into().expect("four words of four");
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// The owners of every socket that a connection to `address` could reach: the kernel prefers the
/// most exact one, but whoever else is bound there takes over as soon as that is gone.
fn owners(listeners: &[Listener], address: SocketAddr) -> impl Iterator<Item = u32> {
    listeners
        .iter()
        .filter(move |listener| listener.address.port() == address.port())
        .filter(move |listener| is_reached(listener.address.ip(), address.ip()))
        .map(|listener| listener.uid)
}

fn is_reached(bound: IpAddr, target: IpAddr) -> bool {
    match (bound, target) {
        (IpAddr::V4(bound), IpAddr::V4(target)) => bound.is_unspecified() || bound == target,
        // A socket bound to `::` takes IPv4 too unless it asked not to, which the table does not
        // show.
        (IpAddr::V6(bound), IpAddr::V4(target)) => {
            bound.is_unspecified() || bound.to_ipv4_mapped() == Some(target)
        }
        (IpAddr::V6(bound), IpAddr::V6(target)) => bound.is_unspecified() || bound == target,
        (IpAddr::V4(_), IpAddr::V6(_)) => false,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Nobody,
    Ours,
    Foreign(u32),
}

/// One stranger among the owners is enough to refuse.
fn verdict(owners: impl Iterator<Item = u32>, us: u32) -> Verdict {
    owners.fold(Verdict::Nobody, |verdict, uid| match verdict {
        Verdict::Foreign(_) => verdict,
        _ if uid == us || uid == ROOT => Verdict::Ours,
        _ => Verdict::Foreign(uid),
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// In the kernel's format on x86-64: root on 127.0.0.1:9400, uid 1001 on 0.0.0.0:9401, uid 1000 on
    /// 127.0.0.1:9402, and a connection of uid 1001 to port 9400.
    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:24B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1078 1 0000000075410782 100 0 0 10 0
   1: 00000000:24B9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 2211 1 0000000000000000 100 0 0 10 0
   2: 0100007F:24BA 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 2212 1 0000000000000000 100 0 0 10 0
   3: 0100007F:D6A2 0100007F:24B8 01 00000000:00000000 00:00000000 00000000  1001        0 2213 1 0000000000000000 20 4 30 10 -1
";
    /// uid 1000 on [::1]:9403, uid 1002 on [::]:9404, uid 1003 on [::ffff:127.0.0.1]:9405.
    const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:24BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 3301 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000000000000:24BC 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1002        0 3302 1 0000000000000000 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:24BD 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1003        0 3303 1 0000000000000000 100 0 0 10 0
";

    #[cfg(target_endian = "little")]
    #[test]
    fn the_owner_of_every_socket_in_reach_is_seen() {
        let listeners: Vec<_> = TCP.lines().chain(TCP6.lines()).filter_map(listener).collect();
        assert_eq!(listeners.len(), 6);
        for (address, verdict_of_1000) in [
            ("127.0.0.1:9400", Verdict::Ours),
            ("127.0.0.2:9400", Verdict::Nobody),
            ("[::1]:9400", Verdict::Nobody),
            ("127.0.0.1:9401", Verdict::Foreign(1001)),
            ("127.0.0.1:9402", Verdict::Ours),
            ("127.0.0.1:9403", Verdict::Nobody),
            ("[::1]:9403", Verdict::Ours),
            ("127.0.0.1:9404", Verdict::Foreign(1002)),
            ("[::1]:9404", Verdict::Foreign(1002)),
            ("127.0.0.1:9405", Verdict::Foreign(1003)),
            ("127.0.0.1:54946", Verdict::Nobody),
        ] {
            let owners = owners(&listeners, address.parse().unwrap());
            assert_eq!(verdict(owners, 1000), verdict_of_1000, "{address}");
        }
    }

    #[test]
    fn one_stranger_is_enough() {
        for (owners, expected) in [
            (&[][..], Verdict::Nobody),
            (&[1000][..], Verdict::Ours),
            (&[0][..], Verdict::Ours),
            (&[0, 1000][..], Verdict::Ours),
            (&[1000, 1001, 0][..], Verdict::Foreign(1001)),
            (&[1001, 1002][..], Verdict::Foreign(1001)),
        ] {
            assert_eq!(verdict(owners.iter().copied(), 1000), expected, "{owners:?}");
        }
    }

    #[test]
    fn lines_that_are_no_listener_are_passed_over() {
        for line in [
            "",
            "0:",
            "0: x:y 0 0A",
            "0: 0100007F 0 0A 0 0 0 1000",
            "0: 010000:24B8 0 0A 0 0 0 1000",
            "0: 0100007F:24B8 0 0A 0 0 0 -1",
            "0: 0100007\u{e4}:24B8 0 0A 0 0 0 1",
            "0: 0100007F:24B8 0 01 0 0 0 1000",
        ] {
            assert_eq!(listener(line), None, "{line}");
        }
    }

    #[test]
    fn our_own_listener_is_found_under_every_name() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost"] {
            let url = Url::parse(&format!("http://{host}:{port}/t")).unwrap();
            assert_eq!(
                checked_address(&url, true).unwrap(),
                socket.local_addr().unwrap(),
                "{host}"
            );
            assert!(matches!(
                checked_address(&url, false),
                Err(Fault::PlainHttp { is_loopback: true })
            ));
        }
        drop(socket);
        let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
        assert!(matches!(checked_address(&url, true), Err(Fault::Refused)));
    }

    #[test]
    fn plain_http_leaves_this_machine_never() {
        for host in ["acme.example", "169.254.169.254", "localhost.example", "[fe80::1]"] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert!(matches!(
                checked_address(&url, true),
                Err(Fault::PlainHttp { is_loopback: false })
            ));
        }
    }
}
