//! What goes over the socket, and what a kept client makes of it.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokctl_client::proto::frame::{Frame, Preamble};
use tokctl_client::proto::request::{List, Lock, Unlock};
use tokctl_client::proto::response::{Ask, Done};
use tokctl_client::proto::{Request, codec, version};
use tokctl_client::{
    Agent, Client, Error, GetOptions, Handler, ProfileName, RefreshOptions, Reply, Report, Secret,
};

use crate::script::{Script, TOKEN};

#[test]
fn preamble_and_request_leave_in_one_write() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().canonicalize().unwrap().join("home");
    std::fs::create_dir(&home).unwrap();
    let linked = directory.path().join("link");
    std::os::unix::fs::symlink(&home, &linked).unwrap();
    let socket = directory.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tokctl"))
        .args(["get", "acme"])
        .env("TOKCTL_HOME", &linked)
        .env("TOKCTL_SOCK", &socket)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = vec![0; 4096];
    let length = stream.read(&mut bytes).unwrap();
    let bytes = &bytes[..length];

    let (preamble, used) = Preamble::decode(bytes).unwrap().expect("all of it in the first read");
    assert_eq!((preamble.lowest, preamble.highest), (version::LOWEST, version::HIGHEST));
    assert_eq!(preamble.home, Some(linked), "as it was given: the agent follows the link");
    let (frame, whole) = Frame::split(&bytes[used..]).unwrap().expect("in the same read");
    assert_eq!(used + whole, bytes.len());
    let Request::Get(get) = codec::decode(frame.body).unwrap() else { panic!("no get") };
    assert_eq!(get.profile, "acme");

    drop((stream, listener));
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn a_kept_client_asks_again_on_its_connection_and_on_a_new_one_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let get = r#"> {"get":{"profile":"acme"}}"#;
    let refusal = r#"< {"error":{"exit":5,"kind":"login_required","profile":"acme","message":"no","hint":null,"retry_at":null}}"#;
    let script =
        [get, TOKEN, get, refusal, get, TOKEN, "close", get, TOKEN, "> {\"lock\":{}}", "close"];
    let agent = Script::listen(&socket, &script.join("\n"));
    let acme = ProfileName::parse("acme").unwrap();
    let mut client = Client::connect_to(&socket).unwrap();
    let mut ask = || client.get(&acme, &GetOptions::default());
    assert_eq!(ask().unwrap().access_token.expose(), "eyJ0");
    assert!(matches!(ask(), Err(Error::Agent(failure)) if failure.kind == "login_required"));
    assert!(ask().is_ok());
    assert!(ask().is_ok());
    assert!(matches!(client.request(&Request::Lock(Lock {}), &mut ()), Err(Error::Closed)));
    drop(client);
    assert_eq!(agent.finish(), [""; 0]);
}

#[test]
fn a_program_books_uses_of_a_pool_and_reports_what_the_api_said() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let script = r#"
        > {"get2":{"profile":"search","uses":5,"wait_ms":2000}}
        < {"done":{"token2":{"access_token":"eyJ0","token_type":"Bearer","expires_at":null,"expires_in":null,"scope":"","profile":"search","header":"Authorization: Bearer {token}","min_valid_met":true,"warning":null,"extra":"","member":"acct2"}}}
        > {"report":{"profile":"search","member":"acct2","status":401,"retry_after_s":90,"token":"eyJ0"}}
        close
        > {"report":{"profile":"search","member":"acct2","status":401,"retry_after_s":90,"token":"eyJ0"}}
        < {"done":{"said":{"text":"dropped"}}}
        > {"refresh":{"profile":"search","scope":["a"]}}
        < {"done":{"said":{"text":"renewed"}}}
        > {"refresh":{"profile":"search"}}
        close
    "#;
    let agent = Script::listen(&socket, script);
    let search = ProfileName::parse("search").unwrap();
    let mut client = Client::connect_to(&socket).unwrap();
    let wait = Some(Duration::from_secs(2));
    let options = GetOptions { uses: Some(5), wait, ..GetOptions::default() };
    let token = client.get(&search, &options).unwrap();
    assert_eq!(token.member.as_deref(), Some("acct2"));

    let member = ProfileName::parse(&token.member.unwrap()).unwrap();
    let report = Report::new(401)
        .member(member)
        .token(token.access_token)
        .retry_after(Duration::from_secs(90));
    assert_eq!(client.report(&search, &report).unwrap(), "dropped");

    let options = RefreshOptions { scope: vec!["a".to_owned()], ..RefreshOptions::default() };
    assert_eq!(client.refresh(&search, &options, &mut ()).unwrap(), "renewed");
    // What renews is not sent twice.
    let lost = client.refresh(&search, &RefreshOptions::default(), &mut ());
    assert!(matches!(lost, Err(Error::Closed)));
    drop(client);
    assert_eq!(agent.finish(), [""; 0]);
}

/// Gives the same reply to every question.
struct Replies(Vec<Reply>, usize);

impl Handler for Replies {
    fn interactive(&self) -> bool {
        true
    }

    fn ask(&mut self, _ask: &Ask<'_>, _agent: Agent<'_>) -> Result<Reply, Error> {
        self.1 += 1;
        Ok(self.0.remove(0))
    }
}

#[test]
fn a_question_is_answered_given_up_or_settled() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let script = r#"
        > {"unlock":{"interactive":true}}
        < {"ask":{"prompt":"passphrase","hidden":true}}
        > {"answer":{"text":"wrong"}}
        < {"progress":{"text":"that is not it","warning":false}}
        < {"ask":{"prompt":"passphrase","hidden":true}}
        > {"answer":{"text":"right"}}
        < {"done":{"said":{"text":"open"}}}
        > {"unlock":{"interactive":true}}
        < {"ask":{"prompt":"passphrase","hidden":true}}
        > {"cancel":{}}
        < {"error":{"exit":130,"kind":"cancelled","profile":null,"message":"cancelled","hint":null,"retry_at":null}}
        > {"unlock":{"interactive":true}}
        < {"ask":{"prompt":"passphrase","hidden":true}}
        < {"done":{"said":{"text":"open"}}}
    "#;
    let agent = Script::listen(&socket, script);
    let mut client = Client::connect_to(&socket).unwrap();
    let request = Request::Unlock(Unlock { passphrase: None, interactive: true });
    let answers = ["wrong", "right"].map(|text| Reply::Answer(Secret::new(text.into())));
    let mut handler = Replies(Vec::from(answers), 0);
    assert!(matches!(client.request(&request, &mut handler), Ok(Done::Said(_))));
    let mut handler = Replies(vec![Reply::Cancel], 0);
    let refused = client.request(&request, &mut handler).map(|_| ());
    assert!(matches!(refused, Err(Error::Agent(failure)) if failure.kind == "cancelled"));
    let mut handler = Replies(vec![Reply::Settled], 0);
    assert!(matches!(client.request(&request, &mut handler), Ok(Done::Said(_))));
    drop(client);
    assert_eq!(agent.finish(), [""; 0]);
}

#[test]
fn a_large_answer_is_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let token = "x".repeat(60_000);
    let script = format!(
        "> {{\"get\":{{\"profile\":\"acme\"}}}}\n{}\n> {{\"get\":{{\"profile\":\"acme\"}}}}\n{TOKEN}",
        TOKEN.replace("eyJ0", &token)
    );
    let agent = Script::listen(&socket, &script);
    let acme = ProfileName::parse("acme").unwrap();
    let mut client = Client::connect_to(&socket).unwrap();
    for expected in [&*token, "eyJ0"] {
        let got = client.get(&acme, &GetOptions::default()).unwrap();
        assert_eq!(got.access_token.expose(), expected);
    }
    drop(client);
    assert_eq!(agent.finish(), [""; 0]);
}

#[test]
fn what_changes_nothing_is_asked_again_of_an_agent_that_went_away_before_it_said_anything() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let script = r#"
        > {"list":{}}
        close
        > {"list":{}}
        < {"item":{"profile":{"profile":"acme","grant":"api_key","provider":"","stored":true}}}
        < {"done":{"said":{"text":""}}}
        > {"list":{}}
        < {"item":{"profile":{"profile":"acme","grant":"api_key","provider":"","stored":true}}}
        close
        > {"lock":{}}
        close"#;
    let agent = Script::listen(&socket, script);
    let mut client = Client::connect_to(&socket).unwrap();
    let list = Request::List(List {});
    assert!(matches!(client.request(&list, &mut ()), Ok(Done::Said(_))));
    // A row that was handed on would be handed on twice.
    assert!(matches!(client.request(&list, &mut ()), Err(Error::Closed)));
    assert!(matches!(client.request(&Request::Lock(Lock {}), &mut ()), Err(Error::Closed)));
    drop(client);
    assert_eq!(agent.finish(), [""; 0]);
}
