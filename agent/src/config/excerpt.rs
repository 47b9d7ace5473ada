//! The settings that a request about a token is made of, as a text of their own: what is kept for the time
//! when the profile, its preset and `[agent]` are not what they were, or are gone.
//!
//! [`parse`](super::parse) reads it, so there is one reader of settings. It is made of what was read rather than of the
//! file's lines: those may come from several places.

use std::collections::BTreeMap;
use std::time::Duration;

use tokctl_proto::ProfileName;
use tokctl_proto::setting::is_login;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};
use url::Url;

use super::{Body, Client, ClientAuth, Jwt, KeyEncoding, Network, Provider, Subject};

/// The excerpt of the settings of a client that has this grant; `None` where its proof comes from elsewhere at the
/// time, which no settings of its own can bring back.
pub fn excerpt(name: &ProfileName, grant: &str, client: &Client) -> Option<String> {
    let subject = match (client.client_auth, &client.subject) {
        (Some(ClientAuth::Federated), Some(Subject::File(path))) => {
            Some(format!("file:{}", path.to_str()?))
        }
        (Some(ClientAuth::Federated), _) => return None,
        _ => None,
    };
    let mut lines = Lines::default();
    lines.text("grant", stand_in(grant, client));
    match &client.provider {
        Provider::Issuer { text, .. } => lines.text("issuer", text),
        Provider::TokenEndpoint(url) => lines.text("token_endpoint", url.as_str()),
    }
    let endpoints = &client.endpoints;
    if is_login(grant) {
        lines.endpoint("authorization_endpoint", endpoints.authorization.as_ref());
        lines.endpoint("device_authorization_endpoint", endpoints.device_authorization.as_ref());
    }
    lines.endpoint("revocation_endpoint", endpoints.revocation.as_ref());
    lines.optional("client_id", Some(&*client.client_id).filter(|id| !id.is_empty()));
    lines.optional("client_auth", client.client_auth.map(client_auth));
    lines.optional("subject", subject.as_deref());
    if client.body == Body::Json {
        lines.text("body", "json");
    }
    lines.table("headers", &client.quirks.headers);
    lines.table("rename", &client.quirks.rename);
    lines.jwt(&client.jwt);
    lines.network(&client.network);

    let mut document = DocumentMut::new();
    if !client.network.no_proxy.is_empty() {
        let hosts: Array = client.network.no_proxy.iter().collect();
        let mut agent = Table::new();
        agent.insert("no_proxy", Item::Value(hosts.into()));
        document.insert("agent", Item::Table(agent));
    }
    let mut profiles = Table::new();
    profiles.set_implicit(true);
    profiles.insert(name.as_str(), Item::Table(lines.0));
    document.insert("profiles", Item::Table(profiles));
    Some(document.to_string())
}

/// Nothing is obtained by it any more, but it has a say in how a client proves itself where the settings do not say.
/// An exchange needs somebody else's token, which a request about a token does not.
fn stand_in<'a>(grant: &'a str, client: &Client) -> &'a str {
    match grant {
        "token_exchange" if client.client_id.is_empty() => "jwt_bearer",
        "token_exchange" => "client_credentials",
        grant => grant,
    }
}

fn client_auth(auth: ClientAuth) -> &'static str {
    match auth {
        ClientAuth::Basic => "basic",
        ClientAuth::BasicRaw => "basic_raw",
        ClientAuth::Post => "post",
        ClientAuth::PrivateKeyJwt => "private_key_jwt",
        ClientAuth::ClientSecretJwt => "client_secret_jwt",
        ClientAuth::Tls => "tls",
        ClientAuth::Federated => "federated",
        ClientAuth::None => "none",
    }
}

/// The lines of a profile.
#[derive(Default)]
struct Lines(Table);

impl Lines {
    fn value(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key, Item::Value(value.into()));
    }

    fn text(&mut self, key: &str, text: &str) {
        self.value(key, text);
    }

    fn optional(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    fn endpoint(&mut self, key: &str, endpoint: Option<&Url>) {
        self.optional(key, endpoint.map(Url::as_str));
    }

    fn duration(&mut self, key: &str, duration: Option<Duration>) {
        if let Some(duration) = duration {
            self.value(key, format!("{}s", duration.as_secs()));
        }
    }

    fn table(&mut self, key: &str, entries: &BTreeMap<String, String>) {
        if !entries.is_empty() {
            let pairs = entries.iter().map(|(name, text)| (name.as_str(), text.as_str()));
            self.value(key, pairs.collect::<InlineTable>());
        }
    }

    /// What a client's assertion is made of; `iss` and `sub` are the client's id (RFC 7523 section 3).
    fn jwt(&mut self, jwt: &Jwt) {
        self.optional("alg", jwt.alg.map(|alg| alg.name()));
        self.optional("kid", jwt.kid.as_deref());
        self.optional("assertion_audience", jwt.audience.as_deref());
        self.duration("assertion_lifetime", jwt.lifetime);
        self.duration("assertion_backdate", jwt.backdate);
        match jwt.key_encoding {
            KeyEncoding::Text => {}
            KeyEncoding::Hex => self.text("key_encoding", "hex"),
            KeyEncoding::Base64 => self.text("key_encoding", "base64"),
        }
    }

    fn network(&mut self, network: &Network) {
        let ca_file = network.ca_file.as_ref().map(|path| path.to_string_lossy());
        self.optional("ca_file", ca_file.as_deref());
        self.optional("proxy", network.proxy.as_deref());
        if network.allow_http_loopback {
            self.value("allow_http_loopback", true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Endpoints};

    fn name() -> ProfileName {
        ProfileName::parse("acme.eu").unwrap()
    }

    fn read(text: &str) -> (&'static str, Client) {
        let config = config::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let grant = &config.profiles[&name()].grant;
        (grant.name(), grant.client().unwrap().clone())
    }

    /// What the excerpt must bring back.
    fn needed(client: &Client) -> Client {
        let mut needed = Client {
            provider: client.provider.clone(),
            client_id: client.client_id.clone(),
            client_auth: client.client_auth,
            body: client.body,
            network: client.network.clone(),
            ..Client::plain(Url::parse("https://acme.example/").unwrap())
        };
        let endpoints = client.endpoints.clone();
        needed.endpoints = Endpoints {
            introspection: None,
            pushed_authorization_request: None,
            refresh: None,
            ..endpoints
        };
        needed.quirks.headers = client.quirks.headers.clone();
        needed.quirks.rename = client.quirks.rename.clone();
        needed.jwt = Jwt { iss: None, sub: None, claims: BTreeMap::new(), ..client.jwt.clone() };
        needed
    }

    const WHO: &str = "issuer = \"https://acme.example/x\"\nclient_id = \"c \\\"1\"\n";

    #[test]
    fn what_a_request_is_made_of_reads_back() {
        for settings in [
            format!("grant = \"authorization_code\"\n{WHO}scope = \"a b\"\n"),
            "grant = \"device_code\"\ntoken_endpoint = \"https://acme.example/t\"\nclient_id = \"c\"\n\
             device_authorization_endpoint = \"https://acme.example/d\"\n"
                .to_owned(),
            format!(
                "grant = \"refresh_token\"\n{WHO}rotation = \"grace\"\nclient_auth = \"none\"\n"
            ),
            "grant = \"client_credentials\"\ntoken_endpoint = \"http://127.0.0.1:9/t?x=1\"\n\
             client_id = \"c\"\nallow_http_loopback = true\nbody = \"json\"\n\
             revocation_endpoint = \"https://r.example/\"\nparams = { a = \"b\" }\n\
             headers = { X-Key = \"{secret:pin}\" }\nrename = { client_id = \"key\" }\n\
             ca_file = \"/ca.pem\"\nproxy = \"http://p.example:3128\"\nclient_auth = \"post\"\n"
                .to_owned(),
            format!(
                "grant = \"jwt_bearer\"\n{WHO}client_auth = \"private_key_jwt\"\nalg = \"PS256\"\n\
                 kid = \"k1\"\niss = \"me\"\nsub = \"you\"\nclaims = {{ a = \"1\" }}\n\
                 assertion_audience = \"aud\"\nassertion_lifetime = \"1m\"\n\
                 assertion_backdate = \"10s\"\nkey_encoding = \"hex\"\n"
            ),
            "grant = \"jwt_bearer\"\ntoken_endpoint = \"https://acme.example/t\"\n".to_owned(),
            format!(
                "grant = \"token_exchange\"\n{WHO}subject = \"file:/token\"\nclient_auth = \"basic\"\n"
            ),
        ] {
            for agent in
                ["", "[agent]\nno_proxy = [\"a.example\", \".b\"]\nproxy = \"http://q:1\"\n"]
            {
                let (grant, before) = read(&format!("{agent}[profiles.\"acme.eu\"]\n{settings}"));
                let text = excerpt(&name(), grant, &before).unwrap();
                let (stand_in, after) = read(&text);
                assert_eq!(after, needed(&before), "{text}");
                assert!(stand_in == grant || grant == "token_exchange", "{text}");
            }
        }
    }

    #[test]
    fn a_proof_from_elsewhere_is_not_brought_back() {
        let (grant, client) = read(&format!(
            "[profiles.\"acme.eu\"]\ngrant = \"token_exchange\"\n{WHO}subject = \"gitlab\"\n\
             client_auth = \"federated\"\n"
        ));
        assert_eq!(excerpt(&name(), grant, &client), None);
        // What stands in a file is there later too.
        let (grant, client) = read(&format!(
            "[profiles.\"acme.eu\"]\ngrant = \"client_credentials\"\n{WHO}\
             subject = \"file:/token\"\nclient_auth = \"federated\"\n"
        ));
        let (_, after) = read(&excerpt(&name(), grant, &client).unwrap());
        assert_eq!((after.client_auth, after.subject), (client.client_auth, client.subject));
    }
}
