//! Those that are shown a refresh token, or a token in its place.

use std::time::Duration;

use tokctl_core::{Policy, policy};

use super::For::Holder;
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row {
        provider: "Apollo, Adobe Workfront, Braintree, Cal.com",
        grant: Holder,
        settings: "client_auth = \"post\"\nbody = \"json\"",
        asked: r#"{"client_id":"c1","client_secret":"s3","grant_type":"refresh_token","refresh_token":"r1"}"#,
        replies: &[(
            200,
            r#"{"access_token":"t","token_type":"bearer","expires_in":1800,"refresh_token":"r2"}"#,
            "t bearer 1800s refresh=r2",
        )],
    },
    Row {
        provider: "Clover",
        grant: Holder,
        settings: "client_auth = \"none\"\nbody = \"json\"\nrename = { grant_type = \"-\" }\n\
                   response = { expires_at = \"access_token_expiration\" }",
        asked: r#"{"client_id":"c1","refresh_token":"r1"}"#,
        replies: &[(
            200,
            r#"{"access_token":"t","access_token_expiration":1800001800,"refresh_token":"clvroauth-2","refresh_token_expiration":1831536000}"#,
            "t Bearer 1800s refresh=clvroauth-2 for 31536000s {\"refresh_token_expiration\":1831536000}",
        )],
    },
    Row {
        provider: "Douban, Weibo",
        grant: Holder,
        settings: "client_auth = \"post\"",
        asked: "client_id=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1",
        replies: &[(
            200,
            r#"{"access_token":"2.00","expires_in":157679999,"remind_in":"157679999","uid":"16"}"#,
            "2.00 Bearer 157679999s {\"remind_in\":\"157679999\",\"uid\":\"16\"}",
        )],
    },
    Row {
        provider: "Exact Online",
        grant: Holder,
        settings: "client_auth = \"post\"\nrefresh_ahead_max = \"30s\"\nrefresh_token_idle = \"30d\"",
        asked: "client_id=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1",
        replies: &[(
            200,
            r#"{"access_token":"gAAA","token_type":"bearer","expires_in":"600","refresh_token":"stampNL001.2"}"#,
            "gAAA bearer 600s refresh=stampNL001.2",
        )],
    },
    Row {
        provider: "Facebook",
        grant: Holder,
        settings: "client_auth = \"post\"\nbody = \"get\"\ngrant_type = \"fb_exchange_token\"\n\
                   rename = { refresh_token = \"fb_exchange_token\" }\nresponse = { refresh_token = \"access_token\" }\n\
                   errors = { 190 = \"invalid_grant\", 4 = \"slow_down\" }",
        asked: "GET ?client_id=c1&client_secret=s3&fb_exchange_token=r1&grant_type=fb_exchange_token\n",
        replies: &[
            (
                200,
                r#"{"access_token":"EAAB","token_type":"bearer","expires_in":5183944}"#,
                "EAAB bearer 5183944s refresh=EAAB",
            ),
            // As it was.
            (
                200,
                "access_token=EAAB&expires=5183944",
                "EAAB Bearer no end refresh=EAAB {\"expires\":\"5183944\"}",
            ),
            (
                400,
                r#"{"error":{"message":"Error validating access token: Session has expired","type":"OAuthException","code":190}}"#,
                "LoginRequired: the provider refused the refresh token (OAuthException: \"Error validating access token: Session has expired\")",
            ),
        ],
    },
    Row {
        provider: "Figma",
        grant: Holder,
        settings: "client_auth = \"basic\"\nscope_separator = \",\"\n\
                   refresh_endpoint = \"https://api.figma.com/v1/oauth/refresh\"",
        asked: "https://api.figma.com/v1/oauth/refresh\nAuthorization: Basic YzE6czM=\n\
                grant_type=refresh_token&refresh_token=r1",
        replies: &[(
            200,
            r#"{"access_token":"figu_1","token_type":"bearer","expires_in":7776000}"#,
            "figu_1 bearer 7776000s",
        )],
    },
    Row {
        provider: "Fitbit",
        grant: Holder,
        settings: "client_auth = \"basic\"",
        asked: "Authorization: Basic YzE6czM=\ngrant_type=refresh_token&refresh_token=r1",
        replies: &[
            (
                200,
                r#"{"access_token":"eyJ0","expires_in":28800,"refresh_token":"c643","scope":"activity sleep","token_type":"Bearer","user_id":"GGNJL9"}"#,
                "eyJ0 Bearer 28800s scope=activity sleep refresh=c643 {\"user_id\":\"GGNJL9\"}",
            ),
            (
                400,
                r#"{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid: r1"}],"success":false}"#,
                "LoginRequired: the provider refused the refresh token (invalid_grant: \"Refresh token invalid: r1\")",
            ),
        ],
    },
    Row {
        provider: "GitHub App, as a person",
        grant: Holder,
        settings: "client_auth = \"post\"",
        asked: "client_id=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1",
        replies: &[
            (
                200,
                r#"{"access_token":"ghu_1","expires_in":28800,"refresh_token":"ghr_2","refresh_token_expires_in":15897600,"scope":"","token_type":"bearer"}"#,
                "ghu_1 bearer 28800s refresh=ghr_2 for 15897600s {\"refresh_token_expires_in\":15897600}",
            ),
            (
                200,
                r#"{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."}"#,
                "LoginRequired: the provider refused the refresh token (bad_refresh_token: \"The refresh token passed is incorrect or expired.\")",
            ),
        ],
    },
    Row {
        provider: "Gong",
        grant: Holder,
        settings: "client_auth = \"basic\"",
        asked: "Authorization: Basic YzE6czM=\ngrant_type=refresh_token&refresh_token=r1",
        replies: &[(
            200,
            r#"{"access_token":"eyJ0","expires_in":86400,"scope":"api:calls:read:basic","token_type":"bearer","refresh_token":"r2","api_base_url_for_customer":"https://acme.api.gong.io"}"#,
            "eyJ0 bearer 86400s scope=api:calls:read:basic refresh=r2 {\"api_base_url_for_customer\":\"https://acme.api.gong.io\"}",
        )],
    },
    Row {
        provider: "Instagram, Threads",
        grant: Holder,
        settings: "client_auth = \"none\"\nbody = \"get\"\ngrant_type = \"ig_refresh_token\"\n\
                   rename = { refresh_token = \"access_token\", client_id = \"-\" }\nresponse = { refresh_token = \"access_token\" }",
        asked: "GET ?access_token=r1&grant_type=ig_refresh_token\n",
        replies: &[(
            200,
            r#"{"access_token":"c3ox","token_type":"bearer","expires_in":5183944}"#,
            "c3ox bearer 5183944s refresh=c3ox",
        )],
    },
    Row {
        provider: "Mailchimp",
        grant: Holder,
        settings: "client_auth = \"post\"\nassume_ttl = \"30d\"",
        asked: "client_id=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1",
        replies: &[(
            200,
            r#"{"access_token":"5c6c","expires_in":0,"scope":null}"#,
            "5c6c Bearer 2592000s",
        )],
    },
    Row {
        provider: "Plentymarkets",
        grant: Holder,
        settings: "client_auth = \"none\"\nrename = { grant_type = \"-\", client_id = \"-\" }\n\
                   response = { token = \"accessToken\", token_type = \"tokenType\", expires_in = \"expiresIn\", refresh_token = \"refreshToken\" }",
        asked: "refresh_token=r1",
        replies: &[(
            200,
            r#"{"tokenType":"Bearer","expiresIn":86400,"accessToken":"eyJ0","refreshToken":"def5"}"#,
            "eyJ0 Bearer 86400s refresh=def5",
        )],
    },
    Row {
        provider: "QuickBooks",
        grant: Holder,
        settings: "client_auth = \"basic\"",
        asked: "Authorization: Basic YzE6czM=\ngrant_type=refresh_token&refresh_token=r1",
        replies: &[(
            200,
            r#"{"token_type":"bearer","expires_in":3600,"refresh_token":"AB2","x_refresh_token_expires_in":8726400,"access_token":"eyJ0"}"#,
            "eyJ0 bearer 3600s refresh=AB2 for 8726400s {\"x_refresh_token_expires_in\":8726400}",
        )],
    },
    Row {
        provider: "Setmore",
        grant: Holder,
        settings: "client_auth = \"none\"\nbody = \"get\"\n\
                   rename = { refresh_token = \"refreshToken\", grant_type = \"-\", client_id = \"-\" }\n\
                   response = { token = \"data.token.access_token\", token_type = \"data.token.token_type\", expires_in = \"data.token.expires_in\" }",
        asked: "GET ?refreshToken=r1\n",
        replies: &[(
            200,
            r#"{"response":true,"msg":"Token generated","data":{"token":{"access_token":"b71","token_type":"bearer","expires_in":604800}}}"#,
            "b71 bearer 604800s {\"data\":{\"token\":{}},\"msg\":\"Token generated\",\"response\":true}",
        )],
    },
    Row {
        provider: "Shopify",
        grant: Holder,
        settings: "client_auth = \"post\"\nparams = { expiring = \"1\" }\nheader = \"X-Shopify-Access-Token: {token}\"",
        asked: "client_id=c1&client_secret=s3&expiring=1&grant_type=refresh_token&refresh_token=r1",
        replies: &[(
            200,
            r#"{"access_token":"shpat_1","scope":"write_products,read_orders","expires_in":3600,"refresh_token":"shprt_2","refresh_token_expires_in":7776000}"#,
            "shpat_1 Bearer 3600s scope=write_products read_orders refresh=shprt_2 for 7776000s {\"refresh_token_expires_in\":7776000}",
        )],
    },
    Row {
        provider: "TikTok",
        grant: Holder,
        settings: "client_auth = \"post\"\nscope_separator = \",\"\nrename = { client_id = \"client_key\" }",
        asked: "client_key=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1",
        replies: &[
            (
                200,
                r#"{"access_token":"act.1","expires_in":86400,"open_id":"af","refresh_expires_in":31536000,"refresh_token":"rft.2","scope":"user.info.basic,video.list","token_type":"Bearer"}"#,
                "act.1 Bearer 86400s scope=user.info.basic video.list refresh=rft.2 for 31536000s {\"open_id\":\"af\",\"refresh_expires_in\":31536000}",
            ),
            (
                200,
                r#"{"error":"invalid_grant","error_description":"Refresh token is invalid or expired.","log_id":"2022"}"#,
                "LoginRequired: the provider refused the refresh token (invalid_grant: \"Refresh token is invalid or expired.\")",
            ),
        ],
    },
    Row {
        provider: "Trustpilot, HeyGen, Shopline, Coros, Dropbox Sign",
        grant: Holder,
        settings: "client_auth = \"basic\"\nrefresh_endpoint = \"https://acme.example/refresh\"",
        asked: "https://acme.example/refresh\nAuthorization: Basic YzE6czM=\n\
                grant_type=refresh_token&refresh_token=r1",
        replies: &[(
            200,
            r#"{"access_token":"t","expires_in":"359999","refresh_token":"r2","refresh_token_expires_in":"2591999"}"#,
            "t Bearer 359999s refresh=r2 for 2591999s {\"refresh_token_expires_in\":\"2591999\"}",
        )],
    },
    Row {
        provider: "Withings",
        grant: Holder,
        settings: "client_auth = \"post\"\nparams = { action = \"requesttoken\" }\nscope_separator = \",\"\n\
                   errors = { 601 = \"slow_down\", 503 = \"invalid_grant\", 401 = \"invalid_grant\" }\n\
                   response = { error = \"status\", token = \"body.access_token\", refresh_token = \"body.refresh_token\", expires_in = \"body.expires_in\", scope = \"body.scope\", token_type = \"body.token_type\" }",
        asked: "action=requesttoken&client_id=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1",
        replies: &[
            (
                200,
                r#"{"status":0,"body":{"userid":"363","access_token":"a07","refresh_token":"f5e","expires_in":10800,"scope":"user.info,user.metrics","token_type":"Bearer"}}"#,
                "a07 Bearer 10800s scope=user.info user.metrics refresh=f5e {\"body\":{\"userid\":\"363\"}}",
            ),
            (
                200,
                r#"{"status":503,"body":{},"error":"Invalid Params: invalid refresh_token"}"#,
                "LoginRequired: the provider refused the refresh token (503: \"Invalid Params: invalid refresh_token\")",
            ),
            (
                200,
                r#"{"status":601,"body":{},"error":"Too Many Requests"}"#,
                "Retry: the provider said to slow down (601: \"Too Many Requests\")",
            ),
        ],
    },
    Row {
        provider: "Workday",
        grant: Holder,
        settings: "client_auth = \"basic\"",
        asked: "Authorization: Basic YzE6czM=\ngrant_type=refresh_token&refresh_token=r1",
        replies: &[(
            200,
            r#"{"access_token":"2cn","token_type":"Bearer","refresh_token":"r1"}"#,
            "2cn Bearer no end refresh=r1",
        )],
    },
    Row {
        provider: "Workable, Pennylane",
        grant: Holder,
        settings: "client_auth = \"post\"\nscope_separator = \"+\"\nscope = \"r_jobs w_jobs\"",
        asked: "client_id=c1&client_secret=s3&grant_type=refresh_token&refresh_token=r1&scope=r_jobs%2Bw_jobs",
        replies: &[(
            200,
            r#"{"access_token":"t","token_type":"bearer","expires_in":7200,"refresh_token":"r2"}"#,
            "t bearer 7200s refresh=r2",
        )],
    },
];

#[test]
fn exact_online_is_not_asked_before_it_takes_the_question() {
    let exact = ROWS.iter().find(|row| row.provider == "Exact Online").unwrap();
    let policy = exact.played().profile().policy;
    let (lifetime, window) = (Duration::from_secs(600), Duration::from_secs(30));
    let lead = policy::lead(lifetime, &policy);
    assert!(lead.mul_f64(1.0 + policy::JITTER) <= window, "{lead:?}");
    assert!(policy::lead(lifetime, &Policy { refresh_ahead_max: None, ..policy }) > window);
}
