//! Sockets that are made, found and taken away.

use std::fs::Permissions;
use std::os::unix::net::UnixListener;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

#[tokio::test]
async fn a_socket_is_its_users_alone_and_goes_with_its_agent() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run/agent.sock");
    let socket = Socket::bind(&path, false).unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert!(is_listened_on(&path) && socket.is_in_place());
    drop(socket);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("agent.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let socket = Socket::bind(&path, false).unwrap();
    assert!(socket.is_in_place());
}

#[tokio::test]
async fn what_is_not_a_stale_socket_of_ours_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let [file, live, link, foreign] =
        ["file", "live", "link", "foreign"].map(|name| home.path().join(name));
    fs::write(&file, "notes").unwrap();
    let _listening = UnixListener::bind(&live).unwrap();
    std::os::unix::fs::symlink(&live, &link).unwrap();
    let mut cases = vec![
        (&file, Kind::Machine, "is no socket"),
        (&live, Kind::Machine, "another program listens"),
        (&link, Kind::Machine, "is no socket"),
    ];
    if nix::unistd::geteuid().is_root() {
        drop(UnixListener::bind(&foreign).unwrap());
        std::os::unix::fs::chown(&foreign, Some(1), Some(1)).unwrap();
        cases.push((&foreign, Kind::WrongUser, "belongs to uid 1"));
    }
    for (path, kind, says) in cases {
        let failure = Socket::bind(path, false).unwrap_err();
        assert_eq!(failure.kind, kind);
        assert!(failure.message.contains(says), "{failure:?}");
        assert!(path.symlink_metadata().is_ok(), "{says}: it is gone");
    }
    assert_eq!(fs::read(&file).unwrap(), b"notes");
}

#[tokio::test]
async fn a_directory_that_a_person_named_is_refused_where_others_can_enter_it() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o1777)).unwrap();
    let path = home.path().join("agent.sock");
    assert_eq!(Socket::bind(&path, true).unwrap_err().kind, Kind::Machine);
    assert!(!path.exists());
    assert_eq!(mode(home.path()), 0o777);
}

#[tokio::test]
async fn a_socket_that_was_taken_away_is_made_anew() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run/agent.sock");
    let mut socket = Socket::bind(&path, false).unwrap();
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    assert!(!socket.is_in_place());
    socket.make_anew().unwrap();
    assert!(socket.is_in_place() && is_listened_on(&path));
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

#[tokio::test]
async fn another_program_that_took_the_place_keeps_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("agent.sock");
    let mut socket = Socket::bind(&path, false).unwrap();
    // Bound beside it first: a freed inode number could be given out again.
    let other = home.path().join("other.sock");
    let _listening = UnixListener::bind(&other).unwrap();
    fs::rename(&other, &path).unwrap();
    assert!(!socket.is_in_place());
    assert!(socket.make_anew().is_err());
    drop(socket);
    assert!(is_listened_on(&path));
}

#[tokio::test]
async fn a_further_socket_is_its_users_alone_unless_it_is_for_another_too() {
    let home = tempfile::tempdir().unwrap();
    for (directory, for_others, made) in [
        (0o700, false, Some(0o600)),
        (0o500, false, None),
        (0o711, false, None),
        (0o755, false, None),
        (0o700, true, Some(0o666)),
        (0o711, true, Some(0o666)),
        (0o755, true, Some(0o666)),
        (0o775, true, None),
        (0o777, true, None),
        (0o1777, true, None),
    ] {
        if directory == 0o500 && nix::unistd::geteuid().is_root() {
            continue;
        }
        fs::set_permissions(home.path(), Permissions::from_mode(directory)).unwrap();
        let path = home.path().join("acme.sock");
        let socket = further_socket(&path, for_others);
        let found = socket.is_ok().then(|| mode(&path));
        assert_eq!(found, made, "{directory:o} {for_others}");
        drop(socket);
        assert!(!path.exists());
        assert_eq!(home.path().metadata().unwrap().mode() & 0o7777, directory);
    }
    fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn no_directory_is_made_for_a_further_socket() {
    let home = tempfile::tempdir().unwrap();
    let failure = further_socket(&home.path().join("box/acme.sock"), false).unwrap_err();
    assert_eq!(failure.kind, Kind::Machine);
    assert!(failure.hint.is_some_and(|hint| hint.contains("mkdir")));
    assert!(!home.path().join("box").exists());
}

#[test]
fn the_path_of_a_further_socket_is_absolute_and_short_enough() {
    let at = |length: usize| format!("/{}", "x".repeat(length - 1));
    for (text, is_path) in [
        ("/home/ada/box/acme.sock".to_owned(), true),
        ("/home/ada/box//acme.sock/".to_owned(), true),
        ("box/acme.sock".to_owned(), false),
        (String::new(), false),
        ("/".to_owned(), false),
        ("/home/ada/..".to_owned(), false),
        ("/home/a\nda/s".to_owned(), false),
        (at(107), true),
        (at(108), false),
    ] {
        assert_eq!(named_path(&text).is_ok(), is_path, "{text}");
    }
    assert_eq!(named_path("/a//b/").unwrap(), Path::new("/a/b"));
}

#[test]
fn a_program_that_listens_and_does_not_accept_is_seen_without_waiting() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("deaf.sock");
    let _deaf = UnixListener::bind(&path).unwrap();
    // More than any backlog; each that is taken stays open until the end.
    let (sender, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for _ in 0..8_192 {
            if !is_listened_on(&path) {
                return;
            }
        }
        sender.send(()).unwrap();
    });
    told.recv_timeout(std::time::Duration::from_secs(60)).expect("it waits, or sees nobody");
}
