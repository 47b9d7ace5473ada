//! Whose token may be used at which URL. What `curl`, `probe`, helpers and libraries ask before a token goes anywhere.
//!
//! A place of `api_urls` is a scheme, a host, a port and a path, and holds what lies below that path: `/v1` holds `/v1`
//! and `/v1/x` and not `/v12`. Both paths are compared as a server may read them: dot segments gone, letters that need
//! no escape unescaped. A path that could be read in two ways is in no place.
//!
//! A token of a pool is a member's, so it may go where every member's may, and where the pool's own may.

use std::collections::BTreeSet;

use tokctl_core::no_such_profile;
use tokctl_proto::{Failure, Kind, ProfileName};
use url::Url;

use super::address;
use super::{Config, Grant, Profile};

/// How a profile's token is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    pub profile: &'a Profile,
    /// Empty where `query` is set.
    pub header: &'a str,
    pub query: Option<&'a str>,
    /// Where it may be used; none: everywhere.
    pub api_urls: Vec<&'a Url>,
}

/// How a profile's token is used, and that it may be used at `url`; without a profile, whose is used there, of those
/// that are asked about.
pub fn usage<'a>(
    config: &'a Config,
    profile: Option<&ProfileName>,
    url: Option<&str>,
    among: Option<&BTreeSet<ProfileName>>,
) -> Result<Usage<'a>, Failure> {
    let url = url.map(asked).transpose()?;
    let profile = match (profile, &url) {
        (Some(name), url) => {
            let known = || config.profiles.keys().map(ProfileName::as_str);
            let profile = config.profiles.get(name).ok_or_else(|| {
                let known: Vec<&str> = known().collect();
                no_such_profile(name, known)
            })?;
            if let Some(url) = url {
                allowed(config, profile, url)?;
            }
            profile
        }
        (None, Some(url)) => best(config, url, among)?,
        (None, None) => {
            return Err(Failure::new(Kind::Usage, "neither a profile nor a URL is named"));
        }
    };
    let api_urls = places(config, profile);
    if api_urls.is_empty() && constraints(config, profile).next().is_some() {
        let message = "the profiles of this pool have no place in common where a token may be used";
        return Err(Failure::new(Kind::UrlRefused, message)
            .hint("give them the same `api_urls`, or make a pool of each API")
            .of(&profile.name));
    }
    let user = match &profile.grant {
        Grant::Pool(pool) => {
            pool.members.first().and_then(|member| config.profiles.get(member)).unwrap_or(profile)
        }
        _ => profile,
    };
    let query = user.query.as_deref();
    let header = if query.is_some() { "" } else { user.header.as_str() };
    Ok(Usage { profile, header, query, api_urls })
}

/// A URL that somebody wants to call. Its fragment is never sent, so it does not count.
pub fn asked(text: &str) -> Result<Url, Failure> {
    let text = text.split('#').next().unwrap_or_default();
    address::called(text)
        .map_err(|broken| Failure::new(Kind::Usage, format!("the URL {}", broken.message)))
}

/// Refuses a URL outside of where the profile's token may be used.
pub fn allowed(config: &Config, profile: &Profile, url: &Url) -> Result<(), Failure> {
    let name = &profile.name;
    if constraints(config, profile).any(|one| fit(one, url).is_none()) {
        let message = format!("its token may not be used at {}", shown(url));
        let refused = Failure::new(Kind::UrlRefused, message).of(name);
        let fitting = constraints(config, profile).find(|one| fit(one, url).is_none());
        let at = fitting.map_or(name, |one| &one.name);
        return Err(refused.hint(format!(
            "`tokctl show {at}` says where it may be; `tokctl set {at} api_urls=URL\u{2026}` lists \
             the places anew"
        )));
    }
    let has_places = constraints(config, profile).next().is_some();
    if has_places || url.scheme() == "https" {
        return Ok(());
    }
    let refused = Failure::new(Kind::UrlRefused, "its token does not go over plain http").of(name);
    match (address::is_loopback(url), profile.allow_http_loopback) {
        (true, true) => Ok(()),
        (true, false) => {
            Err(refused
                .hint(format!("use https, or run `tokctl set {name} allow_http_loopback=true`")))
        }
        (false, _) => Err(refused.hint("use https")),
    }
}

/// The profile whose places fit best: the longest path. A pool goes before its members, which it stands for.
fn best<'a>(
    config: &'a Config,
    url: &Url,
    among: Option<&BTreeSet<ProfileName>>,
) -> Result<&'a Profile, Failure> {
    let asked = || {
        let profiles = config.profiles.values();
        profiles.filter(|one| among.is_none_or(|among| among.contains(&one.name)))
    };
    let length = |profile: &&'a Profile| {
        let fits: Option<Vec<usize>> =
            constraints(config, profile).map(|one| fit(one, url)).collect();
        fits?.into_iter().max()
    };
    let longest = asked().filter_map(|profile| length(&profile)).max();
    let mut found: Vec<&Profile> = Vec::new();
    if longest.is_some() {
        found.extend(asked().filter(|profile| length(profile) == longest));
    }
    let stood_for: BTreeSet<&ProfileName> = found.iter().flat_map(|one| members(one)).collect();
    found.retain(|one| !stood_for.contains(&one.name));
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Failure::new(
            Kind::NoSuchProfile,
            format!("no profile's `api_urls` hold {}", shown(url)),
        )
        .hint(format!(
            "run `tokctl set <profile> api_urls={}/` for the one that is meant",
            url.origin().ascii_serialization()
        ))),
        [one, other, ..] => Err(Failure::new(
            Kind::Usage,
            format!("`{}` and `{}` are both for {}", one.name, other.name, shown(url)),
        )
        .hint("name the profile, or give one of them a longer path in `api_urls`")),
    }
}

fn members(profile: &Profile) -> &[ProfileName] {
    match &profile.grant {
        Grant::Pool(pool) => &pool.members,
        _ => &[],
    }
}

/// The profiles whose places all have to fit: those that name any, of the profile and of its members.
fn constraints<'a>(config: &'a Config, profile: &'a Profile) -> impl Iterator<Item = &'a Profile> {
    let members = members(profile).iter().filter_map(|member| config.profiles.get(member));
    std::iter::once(profile).chain(members).filter(|one| !one.api_urls.is_empty())
}

/// The places that all agree in.
fn places<'a>(config: &'a Config, profile: &'a Profile) -> Vec<&'a Url> {
    let mut found: Vec<&Url> = Vec::new();
    for url in constraints(config, profile).flat_map(|one| &one.api_urls) {
        let is_common = constraints(config, profile).all(|one| fit(one, url).is_some());
        if is_common && !found.contains(&url) {
            found.push(url);
        }
    }
    found
}

/// The length of the longest path among the profile's places that hold the URL.
fn fit(profile: &Profile, url: &Url) -> Option<usize> {
    profile.api_urls.iter().filter_map(|place| holds(place, url)).max()
}

/// Whether the place holds the URL: the length of its path, if it does.
fn holds(place: &Url, url: &Url) -> Option<usize> {
    let origin = |url: &Url| {
        (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default())
    };
    if origin(place) != origin(url) {
        return None;
    }
    let (above, path) = (plain_path(place.path())?, plain_path(url.path())?);
    let above = above.trim_end_matches('/');
    let rest = path.strip_prefix(above)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(above.len())
}

/// A path with what needs no escape unescaped (RFC 3986 section 6.2.2.2) and other escapes in upper case. The parser of
/// URLs has resolved dot segments already, escaped ones too; `None` where an escaped slash may still hide one.
fn plain_path(path: &str) -> Option<String> {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok())?;
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                plain.push(char::from(byte));
            }
            byte => plain.push_str(&format!("%{byte:02X}")),
        }
        rest = &after[2..];
    }
    plain.push_str(rest);
    let slashes = plain.replace("%2F", "/").replace("%5C", "/");
    let hidden = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    (!slashes.split('/').any(hidden)).then_some(plain)
}

/// A URL without what may be secret in it.
fn shown(url: &Url) -> String {
    let whole = format!("{}{}", url.origin().ascii_serialization(), url.path());
    tokctl_proto::escape::shown(&whole).to_string()
}

#[cfg(test)]
mod tests;
