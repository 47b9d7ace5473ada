//! A socket that knows some profiles alone, for a program that is started: `TOKCTL_SOCK` names it there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokctl_proto::request::SocketCreate;
use tokctl_proto::response::Item;
use tokctl_proto::{ProfileName, Request};

use crate::connection::Connection;
use crate::error::Error;
use crate::{Client, SILENCE_MAX};

/// Lasts as long as this value: the agent removes the socket when it is dropped, and when this process ends, however it
/// does. It guards against mistakes. A program of the same user can look for the agent's own socket.
#[derive(Debug)]
pub struct PrivateSocket {
    path: PathBuf,
    agent_uid: Option<u32>,
    /// Its request is under way until it is closed.
    _connection: Connection,
}

impl PrivateSocket {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The variables by which a program finds it, `None` for one that must not be set. `TOKCTL_HOME` may be anything.
    pub fn variables(&self) -> [(&'static str, Option<OsString>); 2] {
        let own = nix::unistd::geteuid().as_raw();
        let uid = match self.agent_uid {
            None => Some("any".into()),
            Some(uid) if uid == own => None,
            Some(uid) => Some(uid.to_string().into()),
        };
        [("TOKCTL_SOCK", Some(self.path.clone().into_os_string())), ("TOKCTL_SOCK_UID", uid)]
    }
}

impl Client {
    /// Has a private socket opened that hands out tokens of these profiles, at least one. Where `scope` names any, those
    /// are asked for at most, and are where its users ask for none.
    pub fn private_socket(
        mut self,
        only: &[ProfileName],
        scope: &[String],
    ) -> Result<PrivateSocket, Error> {
        let request = Request::SocketCreate(SocketCreate {
            path: None,
            only: only.iter().map(|name| name.as_str().into()).collect(),
            scope: scope.iter().map(|scope| scope.as_str().into()).collect(),
            allow_uid: None,
            expires_s: None,
        });
        self.reconnect()?;
        self.connection.begin(&request, Some(SILENCE_MAX))?;
        let path = self.connection.first(|item| match item {
            Item::Socket(socket) => Some(PathBuf::from(&*socket.path)),
            _ => None,
        })?;
        let agent_uid = self.places().agent_uid;
        Ok(PrivateSocket { path, agent_uid, _connection: self.connection })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use tokctl_proto::frame::{self, Frame, Preamble};
    use tokctl_proto::response::{Response, Socket};
    use tokctl_proto::{Failure, Kind, codec};

    use super::*;
    use crate::Connect;

    /// Asks an agent that answers so, and gives what it heard and the rest that it read, when the value was dropped.
    fn asked(answer: &Response<'_>) -> (Result<PathBuf, Error>, String) {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("agent.sock");
        let listener = UnixListener::bind(&at).unwrap();
        let mut bytes = Default::default();
        frame::append(1, answer, &mut bytes).unwrap();
        let agent = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = vec![0; 4096];
            let length = stream.read(&mut heard).unwrap();
            stream.write_all(&bytes).unwrap();
            // Nothing more until the value is dropped.
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            let (_, used) = Preamble::decode(&heard[..length]).unwrap().unwrap();
            let (frame, _) = Frame::split(&heard[used..length]).unwrap().unwrap();
            let request: Request<'_> = codec::decode(frame.body).unwrap();
            serde_json::to_string(&request).unwrap()
        });
        let client = Connect::to(&at).unwrap().open().unwrap();
        let acme = ProfileName::parse("acme").unwrap();
        let made = client.private_socket(&[acme], &["read".to_owned()]);
        let path = made.map(|socket| {
            let [(_, named), (_, uid)] = socket.variables();
            // The agent is ours, so nothing is to be said of its uid.
            assert_eq!((named.as_deref(), uid), (Some(socket.path().as_os_str()), None));
            socket.path().to_owned()
        });
        (path, agent.join().unwrap())
    }

    #[test]
    fn it_is_where_the_agent_says_and_is_held_until_it_is_dropped() {
        let (path, heard) = asked(&Response::Item(Item::Socket(Socket {
            path: "/run/only-1-1.sock".into(),
            only: vec!["acme".to_owned()],
            scope: Vec::new(),
            allow_uid: None,
            expires_at: None,
            connections: 0,
        })));
        assert_eq!(path.unwrap(), Path::new("/run/only-1-1.sock"));
        assert_eq!(
            heard,
            r#"{"socket_create":{"path":null,"only":["acme"],"scope":["read"],"allow_uid":null,"expires_s":null}}"#
        );
    }

    #[test]
    fn a_refusal_is_passed_on() {
        let failure = Failure::new(Kind::NoSuchProfile, "there is no profile of this name");
        let (path, _) = asked(&Response::Error((&failure).into()));
        let Err(Error::Agent(failure)) = path else { panic!("{path:?}") };
        assert_eq!(failure.kind, "no_such_profile");
    }
}
