//! One binary for every test that runs the real programs. A file that is not declared here fails tests/tidy.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod e2e {
    mod add;
    mod address;
    mod age;
    mod api_key;
    mod authlib;
    mod aws_web_identity;
    mod browser;
    mod ci_job;
    mod ci_templates;
    mod client_auth;
    mod client_secret_jwt;
    mod command;
    mod curl;
    mod device;
    mod dpop;
    mod dry_run;
    mod exec;
    mod export;
    mod federated;
    mod first_token;
    mod github_app;
    mod helper_git;
    mod helpers;
    mod hooks;
    mod id_token;
    mod impersonation;
    mod import;
    mod json_lines;
    mod jwt_bearer;
    mod liar;
    mod login;
    mod login_method;
    mod login_variants;
    mod made_key;
    mod mtls;
    mod one_agent;
    mod par;
    mod passphrase;
    mod private_key_jwt;
    mod probe;
    mod profiles;
    mod python;
    mod refresh_token;
    mod renewal;
    mod resource;
    mod revoke;
    mod revoke_as_client;
    mod self_signed;
    mod socket_recipes;
    mod sockets;
    mod steps;
    mod tls;
    mod token_exchange;
    mod watch;
}

mod fault {
    mod config;
    mod disk;
    mod frames;
    mod hostile;
    mod profile;
    mod provider;
    mod redirect;
    mod rotation;
    mod socket;
    mod sockets;
    mod time;
    mod users;
    mod vault;
    mod vault_setup;
}

mod oidf {
    mod absent;
    mod fapi;
    mod id_token;
    mod keys;
    mod login;
    mod provider;
    mod refresh;
    mod run;
    mod scene;
}

mod tidy {
    mod dependencies;
    mod forgotten;
    mod layers;
    mod output;
    mod words;
}
