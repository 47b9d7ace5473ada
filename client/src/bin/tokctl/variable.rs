//! `[VAR=]<profile>`: which variable of an environment a profile's token goes to.
//!
//! Without a variable it is the profile's name in capitals with `_TOKEN` behind it. AWS credentials are of use in their own three
//! variables alone, so that is where they go unless a variable was named; that one then gets the JSON that `tokctl get`
//! prints. A variable that decides what is run, loaded or trusted is refused, whatever is to be in it: whoever can
//! choose a token's text could choose a program by it.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokctl_client::proto::secret::SecretStr;
use tokctl_client::proto::token::is_token;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{ProfileName, Secret, Token};

/// A profile, and the variable that was named for its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) profile: ProfileName,
    named: Option<String>,
}

/// A variable as it is to be.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// None where it must not be set: a session token of other credentials would spoil those that have none.
    pub(crate) value: Option<Secret>,
}

impl Assignment {
    /// Reads `[VAR=]<profile>` as it was typed.
    pub(crate) fn parse(typed: &str) -> Result<Self, String> {
        let (named, profile) = match typed.split_once('=') {
            Some((name, profile)) => (Some(name), profile),
            None => (None, typed),
        };
        let profile = ProfileName::parse(profile).map_err(|error| error.to_string())?;
        if named.is_some_and(|name| !is_name(name)) {
            return Err(
                "a variable is letters, digits and `_`, and begins with no digit".to_owned()
            );
        }
        let assignment = Self { profile, named: named.map(str::to_owned) };
        let (name, profile) = (assignment.name(), &assignment.profile);
        match refusal(&name) {
            Some(why) => Err(format!("`{name}` {why}; name another, as in `MY_TOKEN={profile}`")),
            None => Ok(assignment),
        }
    }

    /// The variable of a token that is one text.
    pub(crate) fn name(&self) -> String {
        self.named.clone().unwrap_or_else(|| name_of(&self.profile))
    }

    /// What to set for this token.
    pub(crate) fn variables(&self, token: &Token) -> Result<Vec<Variable>, Failure> {
        let aws = match self.named {
            Some(_) => None,
            None => AwsCredentials::read(token),
        };
        let Some(aws) = aws else {
            let value = Some(token.access_token.clone());
            return Ok(vec![Variable { name: self.name(), value }]);
        };
        let parts =
            [Some(&aws.access_key_id), Some(&aws.secret_access_key), aws.session_token.as_ref()];
        if parts.into_iter().flatten().any(|part| !is_token(part.expose())) {
            let message = "its AWS credentials have characters in them that none have";
            return Err(Failure::new(Kind::ProviderFailed, message).of(&self.profile));
        }
        let variable = |name: &str, value: Option<&SecretStr<'_>>| Variable {
            name: name.to_owned(),
            value: value.map(SecretStr::to_secret),
        };
        Ok(vec![
            variable("AWS_ACCESS_KEY_ID", parts[0]),
            variable("AWS_SECRET_ACCESS_KEY", parts[1]),
            variable("AWS_SESSION_TOKEN", parts[2]),
        ])
    }
}

/// Sees that no variable was named for two profiles, before a token is asked for.
pub(crate) fn check_names(assignments: &[Assignment]) -> Result<(), Failure> {
    check(assignments.iter().map(|assignment| (&assignment.profile, assignment.name())))
}

/// As [`check_names`], when it is known which profiles are AWS credentials.
pub(crate) fn check_variables<'a>(
    variables: impl IntoIterator<Item = (&'a ProfileName, &'a Variable)>,
) -> Result<(), Failure> {
    check(variables.into_iter().map(|(profile, variable)| (profile, variable.name.clone())))
}

fn check<'a>(pairs: impl Iterator<Item = (&'a ProfileName, String)>) -> Result<(), Failure> {
    let mut owners = BTreeMap::new();
    for (profile, name) in pairs {
        match owners.insert(name.clone(), profile) {
            Some(other) if other != profile => {
                let message =
                    format!("{name} is for the token of one profile, not of {other} and {profile}");
                let hint = format!("name another variable, as in `MY_TOKEN={profile}`");
                return Err(Failure::new(Kind::Usage, message).hint(hint));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What AWS programs read from a `credential_process`, and what a profile of AWS has as its token.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AwsCredentials<'a> {
    version: u32,
    #[serde(borrow)]
    access_key_id: SecretStr<'a>,
    #[serde(borrow)]
    secret_access_key: SecretStr<'a>,
    #[serde(default, borrow)]
    session_token: Option<SecretStr<'a>>,
}

impl<'a> AwsCredentials<'a> {
    /// `None` where the token is something else.
    fn read(token: &'a Token) -> Option<Self> {
        let read: Self = serde_json::from_str(token.access_token.expose()).ok()?;
        (read.version == 1).then_some(read)
    }
}

/// The parts of a token that are secret by themselves.
pub(crate) fn secret_parts(token: &Token) -> Vec<Secret> {
    let aws =
        AwsCredentials::read(token).map(|aws| [Some(aws.secret_access_key), aws.session_token]);
    let parts = aws.into_iter().flatten().flatten().map(|part| part.to_secret());
    std::iter::once(token.access_token.clone()).chain(parts).collect()
}

/// `GITHUB_TOKEN` for `github`.
fn name_of(profile: &ProfileName) -> String {
    let capital = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte.to_ascii_uppercase()),
        false => '_',
    };
    let name: String = profile.as_str().bytes().map(capital).collect();
    let digit = if name.starts_with(|first: char| first.is_ascii_digit()) { "_" } else { "" };
    format!("{digit}{name}_TOKEN")
}

/// Whether every shell takes it for the name of a variable.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty()
        && text.bytes().all(fits)
        && !text.starts_with(|first: char| first.is_ascii_digit())
}

/// Variables by which the loader, a shell, an interpreter or a well-known program decides what to run or load.
const RUNS: &str = "\
    PATH HOME SHELL TMPDIR CDPATH FPATH MANPATH BASH_ENV ENV ZDOTDIR BASHOPTS SHELLOPTS \
    PROMPT_COMMAND PS0 PS1 PS2 PS3 PS4 EDITOR VISUAL PAGER MANPAGER BROWSER LESSOPEN LESSCLOSE \
    GCONV_PATH GLIBC_TUNABLES LOCPATH NLSPATH HOSTALIASES RES_OPTIONS MALLOC_CONF TERMINFO \
    NODE_OPTIONS NODE_PATH NODE_REPL_EXTERNAL_MODULE NPM_CONFIG_SCRIPT_SHELL \
    NPM_CONFIG_NODE_OPTIONS PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONINSPECT \
    PYTHONBREAKPOINT PYTHONEXECUTABLE PYTHONWARNINGS PIP_INDEX_URL PIP_EXTRA_INDEX_URL \
    PERL5LIB PERL5OPT PERL5DB PERLLIB RUBYLIB RUBYOPT GEM_HOME GEM_PATH BUNDLE_GEMFILE \
    JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS JAVA_HOME CLASSPATH MAVEN_OPTS \
    GRADLE_OPTS DOTNET_STARTUP_HOOKS COR_PROFILER COR_PROFILER_PATH CORECLR_PROFILER \
    CORECLR_PROFILER_PATH LUA_PATH LUA_CPATH LUA_INIT PHPRC PHP_INI_SCAN_DIR R_PROFILE \
    R_ENVIRON GIT_ASKPASS GIT_EDITOR GIT_EXEC_PATH GIT_EXTERNAL_DIFF GIT_PAGER \
    GIT_PROXY_COMMAND GIT_SEQUENCE_EDITOR GIT_SSH GIT_SSH_COMMAND GIT_TEMPLATE_DIR GIT_DIR \
    GIT_WORK_TREE SSH_ASKPASS SSH_AUTH_SOCK SUDO_ASKPASS CC CXX LD MAKEFLAGS GOFLAGS GOPROXY \
    RUSTC RUSTFLAGS RUSTC_WRAPPER CARGO_HOME DOCKER_HOST KUBECONFIG";

/// As [`RUNS`], for every name that begins so.
const RUNS_PREFIXES: &[&str] = &["LD_", "DYLD_", "GIT_CONFIG", "BASH_FUNC_"];

/// Variables by which programs find out whom to trust and which way to go.
const TRUSTS: &str = "\
    HTTP_PROXY HTTPS_PROXY ALL_PROXY FTP_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR \
    CURL_CA_BUNDLE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED \
    SSLKEYLOGFILE OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES CURL_HOME WGETRC NETRC \
    GIT_SSL_CAINFO GIT_SSL_NO_VERIFY AWS_CA_BUNDLE AWS_ENDPOINT_URL AWS_CONFIG_FILE \
    AWS_SHARED_CREDENTIALS_FILE";

/// Variables that shells keep for themselves; setting them fails or changes how they read.
const SHELLS: &str = "\
    IFS UID EUID GID EGID PPID PWD OLDPWD OPTIND RANDOM STATUS _";

/// Why a variable gets no token; `None` where it may have one. Capitals do not matter: some programs read both forms.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let is_in = |list: &str| list.split_whitespace().any(|known| known == name);
    if is_in(RUNS) || RUNS_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Some("decides what programs run or load")
    } else if is_in(TRUSTS) {
        Some("decides whom programs trust")
    } else if is_in(SHELLS) {
        Some("is the shell's own")
    } else if name.starts_with("TOKCTL_") {
        Some("is tokctl's own")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokctl_client::proto::response;

    fn parsed(typed: &str) -> Result<(String, String), String> {
        Assignment::parse(typed).map(|read| (read.name(), read.profile.to_string()))
    }

    fn token(text: &str) -> Token {
        Token::from(response::Token {
            access_token: text.into(),
            token_type: "Bearer".into(),
            expires_at: None,
            expires_in: None,
            scope: "".into(),
            profile: "acme".into(),
            header: "".into(),
            min_valid_met: true,
            warning: None,
            extra: "".into(),
        })
    }

    fn set(typed: &str, text: &str) -> Vec<(String, Option<String>)> {
        let variables = Assignment::parse(typed).unwrap().variables(&token(text)).unwrap();
        let value = |value: Secret| value.expose().to_owned();
        variables.into_iter().map(|one| (one.name, one.value.map(value))).collect()
    }

    #[test]
    fn a_variable_is_named_or_is_the_profiles_name_in_capitals() {
        for (typed, name, profile) in [
            ("github", "GITHUB_TOKEN", "github"),
            ("acme-prod_2.eu", "ACME_PROD_2_EU_TOKEN", "acme-prod_2.eu"),
            ("0auth", "_0AUTH_TOKEN", "0auth"),
            ("GH=github", "GH", "github"),
            ("_x9=acme", "_x9", "acme"),
        ] {
            assert_eq!(parsed(typed), Ok((name.to_owned(), profile.to_owned())), "{typed}");
        }
        for typed in [
            "", "=acme", "A=", "A=B=acme", "Acme", "9A=acme", "A B=acme", "A-B=acme", "Ä=acme",
            "A=../x",
        ] {
            assert!(parsed(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn a_variable_that_decides_what_runs_or_whom_to_trust_is_refused() {
        for typed in [
            "PATH=acme",
            "path=acme",
            "LD_PRELOAD=acme",
            "LD_ANYTHING=acme",
            "DYLD_INSERT_LIBRARIES=acme",
            "NODE_OPTIONS=acme",
            "BASH_ENV=acme",
            "GIT_CONFIG_COUNT=acme",
            "PYTHONPATH=acme",
            "https_proxy=acme",
            "SSL_CERT_FILE=acme",
            "IFS=acme",
            "TOKCTL_SOCK=acme",
            // By its name alone.
            "ld",
        ] {
            let refused = parsed(typed).unwrap_err();
            assert!(refused.contains("name another, as in `MY_TOKEN="), "{typed}: {refused}");
        }
        for typed in [
            "GITHUB_TOKEN=acme",
            "GIT_TOKEN=acme",
            "NODE_AUTH_TOKEN=acme",
            "MY_PATH=acme",
            "TOKEN=ld",
        ] {
            assert!(parsed(typed).is_ok(), "{typed}");
        }
    }

    #[test]
    fn a_variable_is_for_one_profile() {
        let read = |typed: &[&str]| -> Vec<_> {
            typed.iter().map(|typed| Assignment::parse(typed).unwrap()).collect()
        };
        for (typed, fits) in [
            (&["acme", "github", "A=acme"][..], true),
            (&["acme", "acme"], true),
            (&["A=acme", "A=github"], false),
            (&["a-b", "a.b"], false),
            (&["ACME_TOKEN=other", "acme"], false),
        ] {
            assert_eq!(check_names(&read(typed)).is_ok(), fits, "{typed:?}");
        }
        let variables: Vec<_> = ["aws1", "aws2"]
            .map(|profile| {
                let assignment = Assignment::parse(profile).unwrap();
                let credentials = token(r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s"}"#);
                (assignment.profile.clone(), assignment.variables(&credentials).unwrap().remove(0))
            })
            .into();
        let refused = check_variables(variables.iter().map(|(profile, one)| (profile, one)));
        assert_eq!(refused.unwrap_err().kind, Kind::Usage);
    }

    #[test]
    fn credentials_of_aws_go_to_their_three_variables_unless_one_is_named() {
        let some = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let text =
            r#"{"Version":1,"AccessKeyId":"ASIA","SecretAccessKey":"s/+=","SessionToken":"t"}"#;
        let three = [
            some("AWS_ACCESS_KEY_ID", "ASIA"),
            some("AWS_SECRET_ACCESS_KEY", "s/+="),
            some("AWS_SESSION_TOKEN", "t"),
        ];
        assert_eq!(set("aws", text), three);
        assert_eq!(set("CREDENTIALS=aws", text), [some("CREDENTIALS", text)]);
        let lasting = r#"{"Version":1,"AccessKeyId":"AKIA","SecretAccessKey":"s"}"#;
        assert_eq!(set("aws", lasting)[2], ("AWS_SESSION_TOKEN".to_owned(), None));
        for other in ["eyJ0", "{}", r#"{"Version":2,"AccessKeyId":"A","SecretAccessKey":"s"}"#] {
            assert_eq!(set("aws", other), [some("AWS_TOKEN", other)]);
        }
        assert_eq!(secret_parts(&token(text)).len(), 3);
        assert_eq!(secret_parts(&token("eyJ0")).len(), 1);
    }

    #[test]
    fn no_part_of_aws_credentials_is_let_out_with_a_line_end_in_it() {
        let text = r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s\nLD_PRELOAD=x"}"#;
        let refused = Assignment::parse("aws").unwrap().variables(&token(text)).unwrap_err();
        assert_eq!(refused.kind, Kind::ProviderFailed);
    }
}
