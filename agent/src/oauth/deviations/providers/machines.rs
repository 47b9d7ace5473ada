//! Those that are asked for a token of the client's own.

use super::For::Client;
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row {
        provider: "ADP",
        grant: Client,
        settings: "client_auth = \"tls\"",
        asked: "client_id=c1&grant_type=client_credentials",
        replies: &[(
            200,
            r#"{"access_token":"8d1","token_type":"Bearer","expires_in":3600,"scope":"api"}"#,
            "8d1 Bearer 3600s scope=api",
        )],
    },
    Row {
        provider: "Agiloft",
        grant: Client,
        settings: "client_auth = \"post\"\nrename = { client_secret = \"md5_secret\" }",
        asked: "client_id=c1&grant_type=client_credentials&md5_secret=s3",
        replies: &[(200, r#"{"access_token":"t","expires_in":900}"#, "t Bearer 900s")],
    },
    Row {
        provider: "Azure AD, version 1: Dynamics, SharePoint",
        grant: Client,
        settings: "client_auth = \"post\"\nresource = \"https://acme.crm.dynamics.com/\"",
        asked: "client_id=c1&client_secret=s3&grant_type=client_credentials\
                &resource=https%3A%2F%2Facme.crm.dynamics.com%2F",
        replies: &[
            (
                200,
                r#"{"token_type":"Bearer","expires_in":"3599","ext_expires_in":"3599","expires_on":"1800003599","not_before":"1799999700","resource":"https://acme.crm.dynamics.com/","access_token":"eyJ0"}"#,
                "eyJ0 Bearer 3599s {\"expires_on\":\"1800003599\",\"ext_expires_in\":\"3599\",\"not_before\":\"1799999700\",\"resource\":\"https://acme.crm.dynamics.com/\"}",
            ),
            (
                401,
                r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app are expired.","error_codes":[7000222]}"#,
                "Permanent: the provider refused the client (invalid_client: \"AADSTS7000222: The provided client secret keys for app are expired.\")",
            ),
        ],
    },
    Row {
        provider: "Chartboost",
        grant: Client,
        settings: "client_auth = \"post\"\nbody = \"json\"\naudience = \"https://public.api.gateway.chartboost.com\"",
        asked: r#"{"audience":"https://public.api.gateway.chartboost.com","client_id":"c1","client_secret":"s3","grant_type":"client_credentials"}"#,
        replies: &[(
            200,
            r#"{"access_token":"eyJ0","scope":"read:analytics","expires_in":86400,"token_type":"Bearer"}"#,
            "eyJ0 Bearer 86400s scope=read:analytics",
        )],
    },
    Row {
        provider: "Dynatrace",
        grant: Client,
        settings: "client_auth = \"post\"\nresource = \"urn:dtaccount:7\"\nscope = \"account-idm-read\"",
        asked: "client_id=c1&client_secret=s3&grant_type=client_credentials&resource=urn%3Adtaccount%3A7\
                &scope=account-idm-read",
        replies: &[(
            200,
            r#"{"scope":"account-idm-read","token_type":"Bearer","expires_in":300,"access_token":"dt0","resource":"urn:dtaccount:7"}"#,
            "dt0 Bearer 300s scope=account-idm-read {\"resource\":\"urn:dtaccount:7\"}",
        )],
    },
    Row {
        provider: "eBay",
        grant: Client,
        settings: "client_auth = \"basic\"\nscope = \"https://api.ebay.com/oauth/api_scope\"",
        asked: "Authorization: Basic YzE6czM=\n\
                grant_type=client_credentials&scope=https%3A%2F%2Fapi.ebay.com%2Foauth%2Fapi_scope",
        replies: &[(
            200,
            r#"{"access_token":"v^1.1#i","expires_in":7200,"token_type":"Application Access Token"}"#,
            "v^1.1#i Application Access Token 7200s",
        )],
    },
    Row {
        provider: "Fiserv",
        grant: Client,
        settings: "client_auth = \"basic\"\nresponse = { expires_in_ms = \"expires_in\" }",
        asked: "Authorization: Basic YzE6czM=\ngrant_type=client_credentials",
        replies: &[(
            200,
            r#"{"access_token":"t","token_type":"BearerToken","expires_in":900000}"#,
            "t BearerToken 900s",
        )],
    },
    Row {
        provider: "Leapsome",
        grant: Client,
        settings: "client_auth = \"basic\"\nbody = \"get\"",
        asked: "GET ?grant_type=client_credentials\nAuthorization: Basic YzE6czM=\n",
        replies: &[(200, r#"{"access_token":"t","expires_in":3600}"#, "t Bearer 3600s")],
    },
    Row {
        provider: "Optimizely",
        grant: Client,
        settings: "client_auth = \"post\"\nscope = \"all\"\nrename = { scope = \"scopes\" }",
        asked: "client_id=c1&client_secret=s3&grant_type=client_credentials&scopes=all",
        replies: &[(
            200,
            r#"{"access_token":"2:hV","token_type":"bearer","expires_in":7200}"#,
            "2:hV bearer 7200s",
        )],
    },
    Row {
        provider: "Pax8",
        grant: Client,
        settings: "client_auth = \"post\"\nbody = \"json\"\naudience = \"https://api.pax8.com\"",
        asked: r#"{"audience":"https://api.pax8.com","client_id":"c1","client_secret":"s3","grant_type":"client_credentials"}"#,
        replies: &[(
            200,
            r#"{"access_token":"eyJ0","expires_in":86400,"token_type":"Bearer"}"#,
            "eyJ0 Bearer 86400s",
        )],
    },
    Row {
        provider: "SAP Ariba",
        grant: Client,
        settings: "client_auth = \"basic\"\ngrant_type = \"openapi_2lo\"",
        asked: "Authorization: Basic YzE6czM=\ngrant_type=openapi_2lo",
        replies: &[(
            200,
            r#"{"timeUpdated":1535394310571,"access_token":"24b1","refresh_token":"5e64","token_type":"bearer","scope":null,"expires_in":1440}"#,
            "24b1 bearer 1440s {\"timeUpdated\":1535394310571}",
        )],
    },
    Row {
        provider: "SAP SuccessFactors",
        grant: Client,
        settings: "client_auth = \"none\"\ngrant_type = \"urn:ietf:params:oauth:grant-type:saml2-bearer\"\n\
                   params = { company_id = \"acme\", assertion = \"{secret:pin}\" }",
        asked: "assertion=p1&client_id=c1&company_id=acme\
                &grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer",
        replies: &[(
            200,
            r#"{"access_token":"eyJ0","token_type":"Bearer","expires_in":85999}"#,
            "eyJ0 Bearer 85999s",
        )],
    },
    Row {
        provider: "Sentry",
        grant: Client,
        settings: "client_auth = \"post\"\nbody = \"json\"\nresponse = { token = \"token\", expires_at = \"expiresAt\" }",
        asked: r#"{"client_id":"c1","client_secret":"s3","grant_type":"client_credentials"}"#,
        replies: &[(
            201,
            r#"{"id":"38","token":"ed3","refreshToken":"r","expiresAt":"2027-01-15T16:00:00.000Z"}"#,
            "ed3 Bearer 28800s {\"id\":\"38\"}",
        )],
    },
    Row {
        provider: "Transporeon, Kno Commerce",
        grant: Client,
        settings: "client_auth = \"post\"\nbody = \"query\"",
        asked: "?client_id=c1&client_secret=s3&grant_type=client_credentials\n",
        replies: &[(200, r#"{"access_token":"t","expires_in":"1 hour"}"#, "t Bearer 3600s")],
    },
    Row {
        provider: "WeChat",
        grant: Client,
        settings: "client_auth = \"post\"\nbody = \"get\"\ngrant_type = \"client_credential\"\n\
                   rename = { client_id = \"appid\", client_secret = \"secret\" }\nresponse = { error = \"errcode\" }\n\
                   errors = { 40013 = \"invalid_client\", 40125 = \"invalid_client\", 45009 = \"slow_down\", -1 = \"temporarily_unavailable\" }",
        asked: "GET ?appid=c1&grant_type=client_credential&secret=s3\n",
        replies: &[
            (200, r#"{"access_token":"t","expires_in":7200}"#, "t Bearer 7200s"),
            (
                200,
                r#"{"errcode":40013,"errmsg":"invalid appid"}"#,
                "Permanent: the provider refused the client (40013: \"invalid appid\")",
            ),
            (
                200,
                r#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#,
                "Retry: the provider said to slow down (45009: \"reach max api daily quota limit\")",
            ),
            (
                200,
                r#"{"errcode":-1,"errmsg":"system error"}"#,
                "Retry: the provider has a failure of its own (-1: \"system error\")",
            ),
        ],
    },
    Row {
        provider: "Zendesk",
        grant: Client,
        settings: "client_auth = \"post\"\nparams = { expires_in = \"1800\" }\nscope = \"read\"",
        asked: "client_id=c1&client_secret=s3&expires_in=1800&grant_type=client_credentials&scope=read",
        replies: &[(
            200,
            r#"{"access_token":"gErp","token_type":"bearer","scope":"read","expires_in":1800}"#,
            "gErp bearer 1800s scope=read",
        )],
    },
    Row {
        provider: "ZoomInfo",
        grant: Client,
        settings: "client_auth = \"post\"\nbody = \"json\"\nresponse = { token = \"jwt\" }\n\
                   rename = { client_id = \"username\", client_secret = \"password\", grant_type = \"-\" }",
        asked: r#"{"password":"s3","username":"c1"}"#,
        replies: &[(200, r#"{"jwt":"eyJ0"}"#, "eyJ0 Bearer no end")],
    },
];
