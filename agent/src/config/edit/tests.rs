//! Golden edits: comments and order survive, whatever is done to the profiles between them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const CLIENT: &[&str] = &["grant=client_credentials", "issuer=https://as.example/", "client_id=cc"];

/// `KEY=VALUE|VALUE`; `KEY` alone has no value.
fn assignments<'a>(typed: &[&'a str]) -> Vec<Assignment<'a>> {
    let read = |text: &&'a str| match text.split_once('=') {
        Some((key, values)) => {
            Assignment { key: key.into(), values: values.split('|').map(Into::into).collect() }
        }
        None => Assignment { key: (*text).into(), values: vec![] },
    };
    typed.iter().map(read).collect()
}

fn named(name: &str) -> ProfileName {
    ProfileName::parse(name).unwrap()
}

const LAID_OUT: &str = r#"# About this file.

# Settings of the agent.
[agent]
no_proxy = ["a.example"] # the old one

# --- production ---

# Acme, our biggest.
[profiles.acme] # see the wiki
# The grant first.
grant = "client_credentials"
issuer = "https://as.example/"   # EU
client_id = 'cc'
scope = [
  "a", # reading
  "b",
]
# issuer = "https://old.example/"

# --- staging ---

# Beta is small.
[profiles.beta]
grant = "api_key"

[profiles.gamma]
grant = "client_credentials"
token_endpoint = "https://as.example/t"
client_id = "cc"
[profiles.gamma.params]
organization = "acme" # ours
# The end.
"#;

/// The lines that an edit took away and those it put in.
fn difference(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(after));
    let same = |pair: &(&String, &String)| pair.0 == pair.1;
    let head = before.iter().zip(&after).take_while(same).count();
    let (before, after) = (&before[head..], &after[head..]);
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(same).count();
    (before[..before.len() - tail].to_vec(), after[..after.len() - tail].to_vec())
}

#[test]
fn a_new_file_has_a_header_and_the_profile() {
    let keys = [CLIENT, &["scope=b a", "params.organization=o", "client_auth=post"]].concat();
    for before in ["", "\n", " \n"] {
        let after = add_profile(before, &named("acme"), &assignments(&keys), false).unwrap();
        assert_eq!(
            after,
            HEADER.to_owned()
                + r#"
[profiles.acme]
grant = "client_credentials"
issuer = "https://as.example/"
client_id = "cc"
client_auth = "post"
scope = ["b", "a"]
params = { organization = "o" }
"#
        );
    }
}

#[test]
fn edits_leave_every_other_line_alone() {
    type Edit = fn(&str) -> Result<String, EditError>;
    let table: &[(Edit, &[&str], &[&str])] = &[
        (
            |text| set(text, &named("acme"), &assignments(&["issuer=https://new.example/"])),
            &["issuer = \"https://as.example/\"   # EU"],
            &["issuer = \"https://new.example/\"   # EU"],
        ),
        (|text| set(text, &named("acme"), &assignments(&["body=json"])), &[], &["body = \"json\""]),
        (
            |text| set(text, &named("acme"), &assignments(&["scope=c"])),
            &["scope = [", "  \"a\", # reading", "  \"b\",", "]"],
            &["scope = [\"c\"]"],
        ),
        (|text| set(text, &named("beta"), &[]), &[], &[]),
        (
            |text| set(text, &named("gamma"), &assignments(&["params.tenant=t"])),
            &[],
            &["tenant = \"t\""],
        ),
        (
            |text| set(text, &named("gamma"), &assignments(&["params.organization=x"])),
            &["organization = \"acme\" # ours"],
            &["organization = \"x\" # ours"],
        ),
        (
            |text| set(text, &named("gamma"), &assignments(&["params.organization"])),
            &["[profiles.gamma.params]", "organization = \"acme\" # ours"],
            &[],
        ),
        (
            |text| set_agent(text, &assignments(&["no_proxy=b.example"])),
            &["no_proxy = [\"a.example\"] # the old one"],
            &["no_proxy = [\"b.example\"] # the old one"],
        ),
        (
            |text| rename_profile(text, &named("acme"), &named("zeta")),
            &["[profiles.acme] # see the wiki"],
            &["[profiles.zeta] # see the wiki"],
        ),
        (
            |text| rename_profile(text, &named("gamma"), &named("a.b")),
            &[
                "[profiles.gamma]",
                "grant = \"client_credentials\"",
                "token_endpoint = \"https://as.example/t\"",
                "client_id = \"cc\"",
                "[profiles.gamma.params]",
            ],
            &[
                "[profiles.\"a.b\"]",
                "grant = \"client_credentials\"",
                "token_endpoint = \"https://as.example/t\"",
                "client_id = \"cc\"",
                "[profiles.\"a.b\".params]",
            ],
        ),
        (
            |text| remove_profile(text, &named("beta")),
            &["# Beta is small.", "[profiles.beta]", "grant = \"api_key\"", ""],
            &[],
        ),
        (
            |text| add_profile(text, &named("beta"), &assignments(&["grant=api_key"]), true),
            &[],
            &[],
        ),
        (
            |text| add_profile(text, &named("delta"), &assignments(&["grant=api_key"]), false),
            &[],
            &["", "[profiles.delta]", "grant = \"api_key\""],
        ),
    ];
    for (number, (edit, gone, come)) in table.iter().enumerate() {
        let after = edit(LAID_OUT).unwrap();
        let (was, is) = difference(LAID_OUT, &after);
        assert_eq!(
            (was, is),
            (
                gone.iter().map(|&line| line.into()).collect(),
                come.iter().map(|&line| line.into()).collect()
            ),
            "edit {number}:\n{after}"
        );
    }
}

#[test]
fn a_file_keeps_its_line_ends_and_its_byte_order_mark() {
    let windows = LAID_OUT.replace('\n', "\r\n");
    for before in [LAID_OUT.to_owned(), windows.clone(), format!("\u{feff}{windows}")] {
        let restore = |text: &str| LineEnds::of(&before).restore(text);
        let body = assignments(&["body=json"]);
        let key = assignments(&["grant=api_key"]);
        type Edit<'a> = &'a dyn Fn(&str) -> Result<String, EditError>;
        let edits: [Edit<'_>; 4] = [
            &|text| set(text, &named("acme"), &body),
            &|text| add_profile(text, &named("delta"), &key, false),
            &|text| remove_profile(text, &named("beta")),
            &|text| rename_profile(text, &named("acme"), &named("zeta")),
        ];
        for edit in edits {
            assert_eq!(edit(&before).unwrap(), restore(&edit(LAID_OUT).unwrap()));
        }
        assert_eq!(set(&before, &named("acme"), &[]).unwrap(), before);
    }
}

#[test]
fn a_removed_profile_takes_its_own_comment_alone() {
    let after = remove_profile(LAID_OUT, &named("acme")).unwrap();
    assert!(!after.contains("our biggest") && !after.contains("[profiles.acme]"), "{after}");
    for kept in ["# About this file.", "# --- production ---", "# --- staging ---", "# Beta"] {
        assert!(after.contains(kept), "{kept} in\n{after}");
    }
}

#[test]
fn the_header_outlives_the_first_and_the_last_profile() {
    let one = add_profile("", &named("a"), &assignments(&["grant=api_key"]), false).unwrap();
    assert_eq!(remove_profile(&one, &named("a")).unwrap(), HEADER);
    let two = add_profile(&one, &named("b"), &assignments(&["grant=api_key"]), false).unwrap();
    let expected = add_profile("", &named("b"), &assignments(&["grant=api_key"]), false);
    assert_eq!(remove_profile(&two, &named("a")).unwrap(), expected.unwrap());
    assert_eq!(remove_profile(&two, &named("b")).unwrap(), one);
}

#[test]
fn profiles_are_edited_in_every_way_of_toml() {
    for text in [
        "[profiles]\na.grant = \"api_key\"\n",
        "[profiles]\na = { grant = \"api_key\" }\n",
        "profiles.a.grant = \"api_key\"\n",
        "profiles = { a = { grant = \"api_key\" } }\n",
        "[profiles.a]\ngrant = \"api_key\"",
    ] {
        let header = assignments(&["header=X: {token}"]);
        let key = assignments(&["grant=api_key"]);
        let set = set(text, &named("a"), &header).unwrap();
        assert_eq!(parse(&set).unwrap().profiles["a"].header, "X: {token}", "{set}");
        let renamed = rename_profile(&set, &named("a"), &named("b")).unwrap();
        let added = add_profile(&renamed, &named("c"), &key, false).unwrap();
        let replaced = add_profile(&added, &named("b"), &header, true);
        assert!(matches!(replaced, Err(EditError::Invalid { .. })), "{added}");
        let removed = remove_profile(&added, &named("b")).unwrap();
        let names: Vec<_> = parse(&removed).unwrap().profiles.into_keys().collect();
        assert_eq!(names, [named("c")], "{removed}");
    }
}

const POOLED: &str = r#"
[profiles.search]
pool = [
  "acct1", # the first
  'acct2',
]
[profiles.acct1]
grant = "api_key"
[profiles.acct2]
grant = "api_key"
[profiles.only]
pool = "acct2" # alone
"#;

#[test]
fn a_renamed_member_is_renamed_in_its_pools() {
    let after = rename_profile(POOLED, &named("acct2"), &named("b.c")).unwrap();
    let expected = POOLED
        .replace("  'acct2',", "  \"b.c\",")
        .replace("pool = \"acct2\"", "pool = \"b.c\"")
        .replace("[profiles.acct2]", "[profiles.\"b.c\"]");
    assert_eq!(after, expected);
    let after = rename_profile(POOLED, &named("search"), &named("find")).unwrap();
    assert_eq!(after, POOLED.replace("search", "find"));
}

#[test]
fn a_member_is_not_removed_from_under_its_pool() {
    for (name, pool, others) in [
        ("acct1", "search", vec!["acct2".to_owned()]),
        ("acct2", "search", vec!["acct1".to_owned()]),
    ] {
        let refused = remove_profile(POOLED, &named(name));
        let error = EditError::Member { name: named(name), pool: pool.into(), others };
        assert_eq!(refused, Err(error));
    }
    let without = remove_profile(POOLED, &named("search")).unwrap();
    let without = remove_profile(&without, &named("acct1")).unwrap();
    let refused = remove_profile(&without, &named("acct2"));
    let error = EditError::Member { name: named("acct2"), pool: "only".into(), others: vec![] };
    assert_eq!(refused, Err(error));
    let taken_out = set(POOLED, &named("search"), &assignments(&["pool=acct2"])).unwrap();
    assert!(remove_profile(&taken_out, &named("acct1")).is_ok());
}

#[test]
fn a_pool_is_added_as_any_profile() {
    let keys = assignments(&["pool=acct1|acct2", "rate_limit=60/min"]);
    let after = add_profile(POOLED, &named("new"), &keys, false).unwrap();
    let added = "\n[profiles.new]\npool = [\"acct1\", \"acct2\"]\nrate_limit = \"60/min\"\n";
    assert_eq!(after, format!("{POOLED}{added}"));
    let unknown = assignments(&["pool=acct3"]);
    let refused = add_profile(POOLED, &named("new"), &unknown, false);
    assert_eq!(
        refused,
        Err(EditError::Invalid {
            message: "`pool` names `acct3`, which is no profile".into(),
            hint: Some("did you mean `acct1`?".into()),
        })
    );
}

#[test]
fn what_cannot_be_done_is_told_apart() {
    let name = named("acme");
    let key = assignments(&["grant=api_key"]);
    let known = ["acme", "beta", "gamma"].map(str::to_owned).to_vec();
    for (outcome, error) in [
        (add_profile(LAID_OUT, &name, &key, false), EditError::Exists { name: name.clone() }),
        (
            rename_profile(LAID_OUT, &named("beta"), &name),
            EditError::NameTaken { name: name.clone() },
        ),
        (rename_profile(LAID_OUT, &name, &name), EditError::NameTaken { name: name.clone() }),
        (
            set(LAID_OUT, &named("acem"), &key),
            EditError::NoSuchProfile { name: named("acem"), known: known.clone() },
        ),
        (
            remove_profile(LAID_OUT, &named("acem")),
            EditError::NoSuchProfile { name: named("acem"), known },
        ),
        (
            rename_profile("", &name, &named("b")),
            EditError::NoSuchProfile { name: name.clone(), known: vec![] },
        ),
        (
            add_profile("", &name, &assignments(&["grant=client_credentials"]), false),
            EditError::Invalid {
                message: "the profile has no `issuer` and no `token_endpoint`".into(),
                hint: None,
            },
        ),
    ] {
        assert_eq!(outcome, Err(error));
    }
}

#[test]
fn a_text_that_is_wrong_already_keeps_its_line_and_can_be_mended() {
    let text = "[profiles.a]\ngrant = \"api_kye\"\n[profiles.b]\ngrant = \"api_key\"\n";
    let Err(EditError::File(error)) = remove_profile(text, &named("b")) else { panic!("edited") };
    assert_eq!(error.line, 2);
    assert!(set(text, &named("a"), &assignments(&["grant=api_key"])).is_ok());
    let key = assignments(&["grant=api_key"]);
    let proxy = assignments(&["proxy=http://p:1"]);
    for edited in [
        set("[profiles\n", &named("a"), &key),
        set("profiles = 1\n", &named("a"), &key),
        set("[profiles]\na = 1\n", &named("a"), &key),
        set_agent("[profiles\n", &proxy),
        set_agent("agent = 1\n", &proxy),
        set_agent("[profiles]\na = 1\n", &proxy),
    ] {
        assert!(matches!(edited, Err(EditError::File(_))), "{edited:?}");
    }
}

#[test]
fn the_agents_table_is_made_when_it_is_needed() {
    let none = assignments(&["proxy"]);
    assert_eq!(set_agent("# x\n", &none).unwrap(), "# x\n");
    let proxy = assignments(&["proxy=http://p:1"]);
    assert_eq!(set_agent("# x\n", &proxy).unwrap(), "# x\n\n[agent]\nproxy = \"http://p:1\"\n");
    assert_eq!(
        set_agent("", &proxy).unwrap(),
        format!("{HEADER}\n[agent]\nproxy = \"http://p:1\"\n")
    );
}

#[test]
fn a_profile_is_shown_in_lines() {
    assert_eq!(profile_toml(LAID_OUT, &named("nobody")), None);
    assert_eq!(
        profile_toml(LAID_OUT, &named("gamma")).unwrap(),
        "grant = \"client_credentials\"\ntoken_endpoint = \"https://as.example/t\"\n\
         client_id = \"cc\"\nparams = { organization = \"acme\" }\n"
    );
    let acme = profile_toml(LAID_OUT, &named("acme")).unwrap();
    assert!(acme.contains("scope = [\"a\", \"b\"]\n"), "{acme}");
}

#[derive(Clone, Debug)]
enum Op {
    Add(usize, bool, bool),
    Set(usize, usize),
    Remove(usize),
    Rename(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4_usize, any::<bool>(), any::<bool>()).prop_map(|(a, b, c)| Op::Add(a, b, c)),
        (0..4_usize, 0..SETS.len()).prop_map(|(a, b)| Op::Set(a, b)),
        (0..4_usize).prop_map(Op::Remove),
        (0..4_usize, 0..4_usize).prop_map(|(a, b)| Op::Rename(a, b)),
    ]
}

const NAMES: [&str; 4] = ["acme", "beta", "x.y", "gamma"];
const SETS: [&[&str]; 10] = [
    &["scope=a b"],
    &["scope"],
    &["params.a=1", "params.b=\"2\"\n"],
    &["params.a"],
    &["params"],
    &["api_urls=https://a.example|https://b.example"],
    &["grant=api_key", "issuer", "token_endpoint", "client_id", "scope", "params"],
    &["issuer=http://evil.example"],
    &["grant", "issuer", "token_endpoint", "client_id", "scope", "params", "pool=beta|x.y"],
    &["grant", "issuer", "token_endpoint", "client_id", "scope", "params", "pool=gamma"],
];

fn perform(text: &str, op: &Op) -> Result<String, EditError> {
    let name = |index: usize| named(NAMES[index]);
    match *op {
        Op::Add(index, client, replace) => {
            let keys = if client { CLIENT } else { &["grant=api_key"] };
            add_profile(text, &name(index), &assignments(keys), replace)
        }
        Op::Set(index, keys) => set(text, &name(index), &assignments(SETS[keys])),
        Op::Remove(index) => remove_profile(text, &name(index)),
        Op::Rename(from, to) => rename_profile(text, &name(from), &name(to)),
    }
}

fn expected(names: &mut BTreeSet<&'static str>, op: &Op) {
    match *op {
        Op::Add(index, ..) => {
            names.insert(NAMES[index]);
        }
        Op::Set(..) => {}
        Op::Remove(index) => {
            names.remove(NAMES[index]);
        }
        Op::Rename(from, to) => {
            names.remove(NAMES[from]);
            names.insert(NAMES[to]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_edits_keep_the_file_valid(laid_out: bool, ops in prop::collection::vec(op(), 1..24)) {
        let mut text = if laid_out { LAID_OUT.to_owned() } else { String::new() };
        let mut names: BTreeSet<_> = if laid_out { ["acme", "beta", "gamma"].into() } else { BTreeSet::new() };
        for op in &ops {
            if let Ok(after) = perform(&text, op) {
                text = after;
                expected(&mut names, op);
            }
            let config = parse(&text).unwrap();
            let found: BTreeSet<_> = config.profiles.keys().map(ProfileName::as_str).collect();
            prop_assert_eq!(&found, &names);
            if laid_out {
                prop_assert!(text.contains("# About this file.") && text.contains("# The end."));
            }
        }
    }
}
