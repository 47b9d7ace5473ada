//! The logins of presets, played: where the browser goes, what is sent at its end and ever after, and what the reply
//! of the provider's documentation comes to.

use super::answer;
use super::presets::of;
use crate::oauth::reply::Purpose;

/// The three requests of a login, and what the replies to the last two come to.
struct Login {
    preset: &'static str,
    settings: &'static str,
    /// Where the browser goes; `None` where the device is asked.
    browsed: Option<&'static str>,
    with_code: &'static str,
    refreshed: &'static str,
    reply: &'static str,
    read: &'static str,
}

const LOGINS: &[Login] = &[
    Login {
        preset: "atlassian",
        settings: "client_id = \"c1\"\n",
        browsed: Some(
            "https://auth.atlassian.com/authorize?audience=api.atlassian.com&client_id=c1&prompt=consent\
             &scope=offline_access+read%3Ajira-work",
        ),
        with_code: "POST https://auth.atlassian.com/oauth/token\n\
             {\"client_id\":\"c1\",\"client_secret\":\"s3\",\"code\":\"c1\",\"code_verifier\":\"v1\",\
             \"grant_type\":\"authorization_code\",\"redirect_uri\":\"http://localhost:8642/\"}",
        refreshed: "POST https://auth.atlassian.com/oauth/token\n\
             {\"client_id\":\"c1\",\"client_secret\":\"s3\",\
             \"grant_type\":\"refresh_token\",\"refresh_token\":\"r1\"}",
        reply: r#"{"access_token":"eyJ0","expires_in":3600,"token_type":"Bearer","refresh_token":"r2","scope":"offline_access read:jira-work"}"#,
        read: "eyJ0 Bearer 3600s scope=offline_access read:jira-work refresh=r2",
    },
    Login {
        preset: "box",
        settings: "client_id = \"c1\"\n",
        browsed: Some("https://account.box.com/api/oauth2/authorize?client_id=c1"),
        with_code: "POST https://api.box.com/oauth2/token\n\
             client_id=c1&client_secret=s3&code=c1&code_verifier=v1&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8642%2F",
        refreshed: "POST https://api.box.com/oauth2/token\n\
             client_id=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"c3FI","expires_in":3600,"restricted_to":[],"token_type":"bearer","refresh_token":"c3FJ","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#,
        read: "c3FI bearer 3600s refresh=c3FJ {\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\",\"restricted_to\":[]}",
    },
    Login {
        preset: "discord",
        settings: "client_id = \"c1\"\n",
        browsed: Some("https://discord.com/oauth2/authorize?client_id=c1&scope=identify"),
        with_code: "POST https://discord.com/api/oauth2/token\nAuthorization: Basic YzE6czM=\n\
             code=c1&code_verifier=v1&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost%3A8642%2F",
        refreshed: "POST https://discord.com/api/oauth2/token\nAuthorization: Basic YzE6czM=\n\
             grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"6qrZ","token_type":"Bearer","expires_in":604800,"refresh_token":"D43f","scope":"identify"}"#,
        read: "6qrZ Bearer 604800s scope=identify refresh=D43f",
    },
    Login {
        preset: "dropbox",
        settings: "client_id = \"c1\"\n",
        browsed: Some(
            "https://www.dropbox.com/oauth2/authorize?client_id=c1&token_access_type=offline",
        ),
        with_code: "POST https://api.dropboxapi.com/oauth2/token\n\
             client_id=c1&code=c1&code_verifier=v1&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8642%2F",
        refreshed: "POST https://api.dropboxapi.com/oauth2/token\n\
             client_id=c1&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"sl.u.1","expires_in":14400,"token_type":"bearer","scope":"account_info.read","refresh_token":"nBiM","account_id":"dbid:1","uid":"12345"}"#,
        read: "sl.u.1 bearer 14400s scope=account_info.read refresh=nBiM {\"account_id\":\"dbid:1\",\"uid\":\"12345\"}",
    },
    Login {
        preset: "github",
        settings: "client_id = \"c1\"\nscope = \"repo gist\"\n",
        browsed: None,
        with_code: "POST https://github.com/login/oauth/access_token\n\
             client_id=c1&device_code=c1&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code",
        refreshed: "POST https://github.com/login/oauth/access_token\n\
             client_id=c1&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"gho_16C7","token_type":"bearer","scope":"repo,gist"}"#,
        read: "gho_16C7 bearer no end scope=repo gist",
    },
    Login {
        preset: "gitlab",
        settings: "client_id = \"c1\"\n",
        browsed: Some("https://acme.example/authorize?client_id=c1&scope=read_api"),
        with_code: "POST https://gitlab.com/oauth/token\n\
             client_id=c1&code=c1&code_verifier=v1&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A8642%2F",
        refreshed: "POST https://gitlab.com/oauth/token\n\
             client_id=c1&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"de67","token_type":"bearer","expires_in":7200,"refresh_token":"8257","created_at":1607635748}"#,
        read: "de67 bearer 7200s refresh=8257 {\"created_at\":1607635748}",
    },
    Login {
        preset: "google",
        settings: "client_id = \"c1\"\nscope = \"https://www.googleapis.com/auth/drive.readonly\"\nredirect_uri = \"http://127.0.0.1/\"\n",
        browsed: Some(
            "https://acme.example/authorize?access_type=offline&client_id=c1&prompt=consent\
             &scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdrive.readonly",
        ),
        with_code: "POST https://accounts.google.com/oauth/token\n\
             client_id=c1&client_secret=s3&code=c1&code_verifier=v1&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2F127.0.0.1%2F",
        refreshed: "POST https://accounts.google.com/oauth/token\n\
             client_id=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"1/fFAG","expires_in":3920,"token_type":"Bearer","scope":"https://www.googleapis.com/auth/drive.readonly","refresh_token":"1//xEo","refresh_token_expires_in":604799}"#,
        read: "1/fFAG Bearer 3920s scope=https://www.googleapis.com/auth/drive.readonly refresh=1//xEo for 604799s {\"refresh_token_expires_in\":604799}",
    },
    Login {
        preset: "linear",
        settings: "client_id = \"c1\"\nscope = \"read write\"\n",
        browsed: Some("https://linear.app/oauth/authorize?client_id=c1&scope=read%2Cwrite"),
        with_code: "POST https://api.linear.app/oauth/token\n\
             client_id=c1&code=c1&code_verifier=v1&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8642%2F",
        refreshed: "POST https://api.linear.app/oauth/token\n\
             client_id=c1&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"lin_oauth_1","token_type":"Bearer","expires_in":86399,"scope":"read write","refresh_token":"lin_refresh_2"}"#,
        read: "lin_oauth_1 Bearer 86399s scope=read write refresh=lin_refresh_2",
    },
    Login {
        preset: "microsoft",
        settings: "client_id = \"c1\"\n",
        browsed: Some(
            "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=c1\
             &scope=User.Read+offline_access",
        ),
        with_code: "POST https://login.microsoftonline.com/common/oauth2/v2.0/token\n\
             client_id=c1&code=c1&code_verifier=v1&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost",
        refreshed: "POST https://login.microsoftonline.com/common/oauth2/v2.0/token\n\
             client_id=c1&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"token_type":"Bearer","scope":"User.Read","expires_in":4371,"ext_expires_in":4371,"access_token":"eyJ0","refresh_token":"0.AX"}"#,
        read: "eyJ0 Bearer 4371s scope=User.Read refresh=0.AX {\"ext_expires_in\":4371}",
    },
    Login {
        preset: "notion",
        settings: "client_id = \"c1\"\n",
        browsed: Some("https://api.notion.com/v1/oauth/authorize?client_id=c1&owner=user"),
        with_code: "POST https://api.notion.com/v1/oauth/token\nAuthorization: Basic YzE6czM=\n\
             {\"code\":\"c1\",\"code_verifier\":\"v1\",\"grant_type\":\"authorization_code\",\
             \"redirect_uri\":\"http://localhost:8642/\"}",
        refreshed: "POST https://api.notion.com/v1/oauth/token\nAuthorization: Basic YzE6czM=\n\
             {\"grant_type\":\"refresh_token\",\"refresh_token\":\"r1\"}",
        reply: r#"{"access_token":"ntn_1","token_type":"bearer","refresh_token":"nrt_2","bot_id":"b","workspace_id":"w"}"#,
        read: "ntn_1 bearer no end refresh=nrt_2 {\"bot_id\":\"b\",\"workspace_id\":\"w\"}",
    },
    Login {
        preset: "reddit",
        settings: "client_id = \"c1\"\n",
        browsed: Some(
            "https://www.reddit.com/api/v1/authorize?client_id=c1&duration=permanent&scope=identity+read",
        ),
        with_code: "POST https://www.reddit.com/api/v1/access_token\nAuthorization: Basic YzE6czM=\n\
             code=c1&code_verifier=v1&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost%3A8642%2F",
        refreshed: "POST https://www.reddit.com/api/v1/access_token\nAuthorization: Basic YzE6czM=\n\
             grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"eyJ0","token_type":"bearer","expires_in":86400,"scope":"identity read","refresh_token":"r2"}"#,
        read: "eyJ0 bearer 86400s scope=identity read refresh=r2",
    },
    Login {
        preset: "salesforce",
        settings: "client_id = \"c1\"\n",
        browsed: Some(
            "https://login.salesforce.com/services/oauth2/authorize?client_id=c1&scope=api+refresh_token",
        ),
        with_code: "POST https://login.salesforce.com/services/oauth2/token\n\
             client_id=c1&code=c1&code_verifier=v1&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8642%2F",
        refreshed: "POST https://login.salesforce.com/services/oauth2/token\n\
             client_id=c1&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"00D!AQ","refresh_token":"5Aep","instance_url":"https://acme.my.salesforce.com","id":"https://login.salesforce.com/id/1/2","token_type":"Bearer","issued_at":"1558553873237","signature":"d/Sx","scope":"api refresh_token"}"#,
        read: "00D!AQ Bearer 3600s scope=api refresh_token refresh=5Aep {\"id\":\"https://login.salesforce.com/id/1/2\",\"instance_url\":\"https://acme.my.salesforce.com\",\"issued_at\":\"1558553873237\",\"signature\":\"d/Sx\"}",
    },
    Login {
        preset: "slack",
        settings: "client_id = \"c1\"\nscope = \"channels:read chat:write\"\n",
        browsed: Some(
            "https://slack.com/oauth/v2/authorize?client_id=c1&user_scope=channels%3Aread%2Cchat%3Awrite",
        ),
        with_code: "POST https://slack.com/api/oauth.v2.access\n\
             client_id=c1&code=c1&code_verifier=v1&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8642%2F",
        refreshed: "POST https://slack.com/api/oauth.v2.access\n\
             client_id=c1&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"ok":true,"app_id":"A0KRD7HC3","authed_user":{"id":"U1234","scope":"channels:read,chat:write","access_token":"xoxe.xoxp-1","token_type":"user","expires_in":43200,"refresh_token":"xoxe-1"},"team":{"id":"T9TK3CUKW"},"enterprise":null}"#,
        read: "xoxe.xoxp-1 user 43200s scope=channels:read chat:write refresh=xoxe-1 {\"app_id\":\"A0KRD7HC3\",\"enterprise\":null,\"ok\":true,\"team\":{\"id\":\"T9TK3CUKW\"}}",
    },
    Login {
        preset: "spotify",
        settings: "client_id = \"c1\"\n",
        browsed: Some("https://accounts.spotify.com/authorize?client_id=c1"),
        with_code: "POST https://accounts.spotify.com/api/token\n\
             client_id=c1&code=c1&code_verifier=v1&grant_type=authorization_code&redirect_uri=http%3A%2F%2F127.0.0.1%2F",
        refreshed: "POST https://accounts.spotify.com/api/token\n\
             client_id=c1&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"NgCX","token_type":"Bearer","scope":"user-read-private user-read-email","expires_in":3600,"refresh_token":"NgAa"}"#,
        read: "NgCX Bearer 3600s scope=user-read-private user-read-email refresh=NgAa",
    },
    Login {
        preset: "twitch",
        settings: "client_id = \"c1\"\ngrant = \"authorization_code\"\nscope = \"chat:edit\"\n",
        browsed: Some("https://id.twitch.tv/oauth2/authorize?client_id=c1&scope=chat%3Aedit"),
        with_code: "POST https://id.twitch.tv/oauth2/token\n\
             client_id=c1&client_secret=s3&code=c1&code_verifier=v1&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8642%2F",
        refreshed: "POST https://id.twitch.tv/oauth2/token\n\
             client_id=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1",
        reply: r#"{"access_token":"rfx2","expires_in":14124,"refresh_token":"5b93","scope":["channel:moderate","chat:edit"],"token_type":"bearer"}"#,
        read: "rfx2 bearer 14124s scope=channel:moderate chat:edit refresh=5b93",
    },
];

/// The presets that are played here.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    LOGINS.iter().map(|login| login.preset)
}

#[test]
fn logins_go_as_each_provider_documents_them() {
    for login in LOGINS {
        let Login { preset, settings, browsed, with_code, refreshed, reply, read } = login;
        let played = of(preset, settings);
        if let Some(browsed) = browsed {
            assert_eq!(played.browsed(), *browsed, "{preset}");
        }
        assert_eq!(played.asked_with_code(), *with_code, "{preset}");
        assert_eq!(played.asked(), *refreshed, "{preset}");
        for purpose in [Purpose::Login, Purpose::Refresh] {
            assert_eq!(played.reads_for(purpose, &answer(200, reply)), *read, "{preset}");
        }
    }
}
