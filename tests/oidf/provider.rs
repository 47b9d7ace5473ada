//! An OpenID provider on loopback that knows one client and does as the standards say, but for the one thing that its
//! script has it do wrong while it misbehaves.
//!
//! It plays what the OpenID Foundation's conformance suite plays for clients. What a request must hold, it insists
//! on: whoever proves itself wrongly, or brings another verifier than the challenge's, gets nothing. It answers one
//! request a connection, and one connection at a time.

mod proof;
mod serve;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tokctl_tests::ca::PrivateCa;
use tokctl_tests::http::tls;
use tokctl_tests::keys::{Algorithm, Key};
use tokctl_tests::provider::Received;

pub(crate) use proof::Client;

pub(crate) const CLIENT_ID: &str = "client";
/// Long enough to sign with (RFC 7518 section 3.2).
pub(crate) const CLIENT_SECRET: &str = "a secret of more than thirty-two bytes";
/// Where the browser is sent; nobody listens at it, since the test takes the browser's place.
const AUTHORIZATION: &str = "/authorize";

/// Parameters of a request or of an answer, in order.
pub(crate) type Params = Vec<(String, String)>;

/// Who is played.
pub(crate) struct Script {
    pub(crate) client: Client,
    /// Tokens are bound to a key (RFC 9449), requests are pushed (RFC 9126), as FAPI 2.0 has it.
    pub(crate) fapi: bool,
    /// Proofs hold a nonce (RFC 9449 sections 8 and 9).
    pub(crate) dpop_nonce: bool,
    /// Signs id_tokens in the beginning.
    pub(crate) signer: Key,
    /// Before the signer's in the set of keys.
    pub(crate) other_keys: Vec<Key>,
    pub(crate) jwks_path: &'static str,
    /// What is published of a key.
    pub(crate) published: fn(&mut Value),
    pub(crate) metadata: fn(&mut Value),
    pub(crate) signed: fn(&Key, &Value) -> String,
    pub(crate) wrong: Wrong,
}

/// What goes wrong while the provider misbehaves.
pub(crate) struct Wrong {
    pub(crate) metadata: fn(&mut Value),
    /// What the browser comes back with.
    pub(crate) comes_back: fn(&mut Params),
    /// The claims of a login's id_token.
    pub(crate) claims: fn(&mut Value),
    /// The claims of a renewal's id_token.
    pub(crate) renewed_claims: fn(&mut Value),
    pub(crate) signed: fn(&Key, &Value) -> String,
    /// The answer of the token endpoint.
    pub(crate) answer: fn(&mut Value),
    /// New keys each time that one signs.
    pub(crate) new_keys: bool,
}

impl Default for Wrong {
    fn default() -> Self {
        Self {
            metadata: |_| {},
            comes_back: |_| {},
            claims: |_| {},
            renewed_claims: |_| {},
            signed: by_the_book,
            answer: |_| {},
            new_keys: false,
        }
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            client: Client::Basic,
            fapi: false,
            dpop_nonce: false,
            signer: Key::generate(Algorithm::ES256),
            other_keys: Vec::new(),
            jwks_path: "/jwks",
            published: |_| {},
            metadata: |_| {},
            signed: by_the_book,
            wrong: Wrong::default(),
        }
    }
}

fn by_the_book(key: &Key, claims: &Value) -> String {
    key.sign(&key.header(), claims)
}

/// A running provider. It ends with its value.
pub(crate) struct Provider {
    shared: Arc<Shared>,
    listening: Vec<(SocketAddr, JoinHandle<()>)>,
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) received: Received,
    /// The client showed a certificate on the connection.
    pub(crate) certificate: bool,
}

struct Shared {
    issuer: String,
    /// Of another port, where certificates are asked for.
    mtls: Option<String>,
    script: Script,
    stopping: AtomicBool,
    state: Mutex<State>,
}

struct State {
    misbehaves: bool,
    signer: Key,
    published: Vec<Value>,
    requests: Vec<Request>,
    /// Requests of logins that were left here, by their names.
    pushed: BTreeMap<String, Params>,
    /// What was asked for with each code that is not spent.
    codes: BTreeMap<String, Params>,
    /// Those that are not spent; each login has its own.
    refresh_tokens: BTreeSet<String>,
    access_tokens: BTreeSet<String>,
    /// `jti` of every assertion and proof.
    seen: BTreeSet<String>,
    /// The key that tokens are bound to.
    thumbprint: Option<String>,
    drawn: u64,
}

impl Provider {
    #[track_caller]
    pub(crate) fn start(script: Script) -> Self {
        Self::try_start(script, None).unwrap_or_else(|error| panic!("no provider: {error:#}"))
    }

    /// Over TLS, with a second port beside it that asks for certificates.
    #[track_caller]
    pub(crate) fn start_with_tls(script: Script, ca: &PrivateCa) -> Self {
        Self::try_start(script, Some(ca)).unwrap_or_else(|error| panic!("no provider: {error:#}"))
    }

    fn try_start(script: Script, ca: Option<&PrivateCa>) -> anyhow::Result<Self> {
        let bind = || TcpListener::bind(("127.0.0.1", 0));
        let plain = bind()?;
        let at = |scheme, listener: &TcpListener| -> io::Result<String> {
            Ok(format!("{scheme}://{}", listener.local_addr()?))
        };
        let mut listeners = Vec::new();
        let (issuer, mtls) = match ca {
            None => (at("http", &plain)?, None),
            Some(ca) => {
                let (asking, leaf) = (bind()?, ca.leaf(&["127.0.0.1"])?);
                let addresses = (at("https", &plain)?, Some(at("https", &asking)?));
                listeners.push((asking, Some(tls::server(&leaf, Some(&ca.file()))?)));
                addresses
            }
        };
        let own_tls = match ca {
            Some(ca) => Some(tls::server(&ca.leaf(&["127.0.0.1"])?, None)?),
            None => None,
        };
        listeners.push((plain, own_tls));
        let state = State {
            misbehaves: false,
            signer: script.signer.clone(),
            published: published(&script, &script.signer),
            requests: Vec::new(),
            pushed: BTreeMap::new(),
            codes: BTreeMap::new(),
            refresh_tokens: BTreeSet::new(),
            access_tokens: BTreeSet::new(),
            seen: BTreeSet::new(),
            thumbprint: None,
            drawn: 0,
        };
        let (stopping, state) = (AtomicBool::new(false), Mutex::new(state));
        let shared = Arc::new(Shared { issuer, mtls, script, stopping, state });
        let mut listening = Vec::new();
        for (listener, tls) in listeners {
            let (address, shared) = (listener.local_addr()?, Arc::clone(&shared));
            let thread = std::thread::spawn(move || serve::listen(&listener, tls, &shared));
            listening.push((address, thread));
        }
        Ok(Self { shared, listening })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    pub(crate) fn api(&self) -> String {
        format!("{}/api", self.shared.issuer)
    }

    pub(crate) fn misbehave(&self, misbehaves: bool) {
        self.shared.state().misbehaves = misbehaves;
    }

    /// New keys; those before are gone from the set.
    pub(crate) fn replace_keys(&self) {
        self.shared.replace_keys(&mut self.shared.state());
    }

    /// Takes back every access token.
    pub(crate) fn forget_access_tokens(&self) {
        self.shared.state().access_tokens.clear();
    }

    /// Every request at this path so far.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let state = self.shared.state();
        state.requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// How many there were.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.requests(path).len()
    }

    /// What a person comes to who is sent to this address and says yes: the address that the browser is sent back to.
    #[track_caller]
    pub(crate) fn authorize(&self, address: &str) -> String {
        let mut state = self.shared.state();
        let expected = format!("{}{AUTHORIZATION}?", self.shared.issuer);
        let query = address.strip_prefix(&expected);
        let query = query.unwrap_or_else(|| panic!("not the authorization endpoint: {address}"));
        let mut params: Params = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if self.shared.script.fapi {
            let names: Vec<&str> = params.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["client_id", "request_uri"], "all else was to be pushed");
            let name = required(&params, "request_uri");
            // Kept, for a person who goes there again.
            let pushed = state.pushed.get(name).cloned();
            params = pushed.unwrap_or_else(|| panic!("nothing was left here as {name}"));
        }
        assert_request_is_good(&params);
        let code = state.draw("code");
        let mut back: Params = vec![
            ("code".to_owned(), code.clone()),
            ("state".to_owned(), required(&params, "state").to_owned()),
            ("iss".to_owned(), self.shared.issuer.clone()),
        ];
        if state.misbehaves {
            (self.shared.script.wrong.comes_back)(&mut back);
        }
        let redirect_uri = required(&params, "redirect_uri").to_owned();
        state.codes.insert(code, params);
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&back).finish();
        format!("{redirect_uri}?{query}")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for (address, thread) in self.listening.drain(..) {
            // Wakes the listener from accept; where that fails it has ended already.
            drop(TcpStream::connect(address));
            drop(thread.join());
        }
    }
}

impl Shared {
    /// A test that panicked while it held the lock has failed already; its threads may go on.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn replace_keys(&self, state: &mut State) {
        state.signer = Key::generate(state.signer.algorithm());
        state.published = published(&self.script, &state.signer);
    }

    /// OpenID Connect Discovery section 3.
    fn metadata(&self, misbehaves: bool) -> Value {
        let (issuer, script) = (&self.issuer, &self.script);
        let mut metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}{AUTHORIZATION}"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}{}", script.jwks_path),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "token_endpoint_auth_methods_supported": [script.client.method()],
            "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
        });
        if script.fapi {
            let pushed = format!("{issuer}/par");
            metadata["pushed_authorization_request_endpoint"] = pushed.into();
            metadata["require_pushed_authorization_requests"] = true.into();
            metadata["dpop_signing_alg_values_supported"] = json!(["ES256"]);
        }
        if let Some(mtls) = &self.mtls {
            let aliases = json!({ "token_endpoint": format!("{mtls}/token") });
            metadata["mtls_endpoint_aliases"] = aliases;
        }
        (script.metadata)(&mut metadata);
        if misbehaves {
            (script.wrong.metadata)(&mut metadata);
        }
        metadata
    }
}

impl State {
    /// A word that this provider has not said before.
    fn draw(&mut self, what: &str) -> String {
        self.drawn += 1;
        format!("{what}-{}", self.drawn)
    }
}

fn published(script: &Script, signer: &Key) -> Vec<Value> {
    // The signer's last: whoever takes the first of several is found out.
    let keys = script.other_keys.iter().chain([signer]);
    let publish = |key: &Key| {
        let mut jwk = key.public_jwk().clone();
        (script.published)(&mut jwk);
        jwk
    };
    keys.map(publish).collect()
}

/// A parameter that there is once.
#[track_caller]
fn required<'a>(params: &'a Params, name: &str) -> &'a str {
    let mut named = params.iter().filter(|(key, _)| key == name);
    match (named.next(), named.next()) {
        (Some((_, value)), None) if !value.is_empty() => value,
        _ => panic!("not one `{name}` in {params:?}"),
    }
}

/// What the suite expects of every authorization request, pushed or not.
#[track_caller]
fn assert_request_is_good(params: &Params) {
    for (name, expected) in
        [("client_id", CLIENT_ID), ("response_type", "code"), ("code_challenge_method", "S256")]
    {
        assert_eq!(required(params, name), expected, "{name}");
    }
    // 256 bits, base64url (RFC 7636 section 4.2).
    assert_eq!(required(params, "code_challenge").len(), 43);
    assert!(required(params, "scope").split(' ').any(|scope| scope == "openid"));
    assert!(required(params, "redirect_uri").starts_with("http://127.0.0.1:"));
    for name in ["state", "nonce"] {
        let value = required(params, name);
        assert!((22..=128).contains(&value.len()), "{name}: {value}");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        assert!(value.bytes().all(is_plain), "{name}: {value}");
    }
}
