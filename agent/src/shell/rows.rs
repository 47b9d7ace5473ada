//! What the core knows, in the shapes of the wire.

use std::borrow::Cow;

use tokctl_core::{Attempted, MemberStatus, ProfileStatus, Served};
use tokctl_proto::error::WireFailure;
use tokctl_proto::response::{
    self, AttemptRow, Member, StatusRow, StatusRow2, Token, Token2, Token3,
};
use tokctl_proto::{Kind, ProfileName, Secret, SecretStr, WallMs};

use super::live::Live;
use crate::config::{self, HEADER_DEFAULT, Profile};

/// How a token is used that is bound to a key.
const HEADER_BOUND: &str = "Authorization: DPoP {token}";

/// The state of an entry that has no profile.
const ORPHAN: &str = "orphan";

pub(super) fn token<'a>(served: &'a Served, live: &'a Live) -> Token<'a> {
    let Token2 {
        access_token,
        token_type,
        expires_at,
        expires_in,
        scope,
        profile,
        header,
        min_valid_met,
        warning,
        extra,
        member: _,
    } = token2(served, live);
    Token {
        access_token,
        token_type,
        expires_at,
        expires_in,
        scope,
        profile,
        header,
        min_valid_met,
        warning,
        extra,
    }
}

/// The profile is the one that was asked for; how the token is used is the member's to say, since it
/// is the member's token.
pub(super) fn token2<'a>(served: &'a Served, live: &'a Live) -> Token2<'a> {
    let whose = served.member.as_ref().unwrap_or(&served.profile);
    let settings = live.config.profiles.get(whose);
    Token2 {
        access_token: SecretStr::from(&served.token.access_token),
        token_type: served.token.token_type.as_str().into(),
        expires_at: unix_s(served.token.expires_at),
        expires_in: served.expires_in_s,
        scope: scope(served, settings),
        profile: served.profile.as_str().into(),
        header: match settings {
            // It goes into the URL, which `usage` tells.
            Some(Profile { query: Some(_), .. }) => "".into(),
            Some(profile) => profile.header.as_str().into(),
            None => HEADER_DEFAULT.into(),
        },
        min_valid_met: served.min_valid_met,
        warning: served.warning.as_deref().map(Into::into),
        extra: SecretStr::from(&served.token.extra),
        member: served.member.as_ref().map(|member| member.as_str().into()),
    }
}

/// A provider that names no scope has granted what was asked for (RFC 6749 section 5.1).
fn scope<'a>(served: &'a Served, settings: Option<&Profile>) -> Cow<'a, str> {
    if let Some(granted) = &served.token.scope {
        return granted.into();
    }
    let own = || Some(&settings?.grant.client()?.scope);
    let asked = if served.asked.is_empty() { own() } else { Some(&served.asked) };
    let asked: Vec<&str> = asked.into_iter().flatten().map(String::as_str).collect();
    asked.join(" ").into()
}

/// The same with a proof for one request. A token that is bound to a key has a scheme of its own, unless the profile
/// says how it is used (RFC 9449 section 7.1).
pub(super) fn token3<'a>(
    served: &'a Served,
    live: &'a Live,
    dpop: Option<&'a Secret>,
) -> Token3<'a> {
    let Token2 {
        access_token,
        token_type,
        expires_at,
        expires_in,
        scope,
        profile,
        header,
        min_valid_met,
        warning,
        extra,
        member,
    } = token2(served, live);
    let header = match dpop.is_some() && header == HEADER_DEFAULT {
        true => bound_header(HEADER_DEFAULT).into(),
        false => header,
    };
    Token3 {
        access_token,
        token_type,
        expires_at,
        expires_in,
        scope,
        profile,
        header,
        min_valid_met,
        warning,
        extra,
        member,
        dpop: dpop.map(SecretStr::from),
    }
}

/// The header of a token that is bound to a key.
pub(super) fn bound_header(header: &str) -> &str {
    match header == HEADER_DEFAULT {
        true => HEADER_BOUND,
        false => header,
    }
}

/// `None` stands for an entry that has no profile.
pub(super) fn status<'a>(
    name: &'a ProfileName,
    status: Option<&'a ProfileStatus>,
) -> StatusRow<'a> {
    let error = status.and_then(|status| status.error.as_ref());
    StatusRow {
        profile: name.as_str().into(),
        state: status.map_or(ORPHAN, |status| status.state.name()).into(),
        expires_at: unix_s(status.and_then(|status| status.expires_at)),
        next_at: unix_s(status.and_then(|status| status.next_at)),
        error: error.map(|error| error.message.as_str().into()),
        unsaved: status.is_some_and(|status| status.unsaved),
    }
}

pub(super) fn usage<'a>(usage: &config::Usage<'a>) -> response::Usage<'a> {
    response::Usage {
        profile: usage.profile.name.as_str().into(),
        header: usage.header.into(),
        query: usage.query.map(Into::into),
        api_urls: usage.api_urls.iter().map(|url| url.as_str().to_owned()).collect(),
    }
}

pub(super) fn status2(status: &ProfileStatus) -> StatusRow2<'_> {
    StatusRow2 {
        profile: status.profile.as_str().into(),
        state: status.state.name().into(),
        issued_at: unix_s(status.issued_at),
        expires_at: unix_s(status.expires_at),
        next_at: unix_s(status.next_at),
        last_used_at: unix_s(status.last_used),
        error: status.error.as_ref().map(WireFailure::from),
        exit: status.exit,
        unsaved: status.unsaved,
        warnings: status.warnings.clone(),
        members: status.members.iter().map(member).collect(),
    }
}

/// An entry that has no profile. Nobody can ask for its token, so nothing is wrong with it.
pub(super) fn orphan2(name: &ProfileName) -> StatusRow2<'_> {
    StatusRow2 {
        profile: name.as_str().into(),
        state: ORPHAN.into(),
        issued_at: None,
        expires_at: None,
        next_at: None,
        last_used_at: None,
        error: None,
        exit: 0,
        unsaved: false,
        warnings: Vec::new(),
        members: Vec::new(),
    }
}

pub(super) fn attempt(attempted: &Attempted) -> AttemptRow<'_> {
    AttemptRow {
        at_ms: attempted.at.0,
        took_ms: u64::try_from(attempted.took.as_millis()).unwrap_or(u64::MAX),
        what: attempted.what.as_str().into(),
        origin: attempted.origin.as_str().into(),
        status: attempted.status,
        result: attempted.result.as_str().into(),
        kind: attempted.kind.map(|kind: Kind| kind.name().into()),
    }
}

fn member(member: &MemberStatus) -> Member {
    Member {
        profile: member.profile.to_string(),
        free: member.free,
        free_at: unix_s(member.free_at),
        uses_left: member.uses_left,
    }
}

fn unix_s(at: Option<WallMs>) -> Option<i64> {
    at.map(WallMs::unix_s)
}
