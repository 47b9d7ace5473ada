//! What a caller gets, as things stand: a token, a wait, or a reason. Nothing is changed here.

use std::time::Duration;

use tokctl_proto::time::Spoken;
use tokctl_proto::{Failure, Kind, Now, ProfileName, TokenKey};

use crate::core::Core;
use crate::key::Key;
use crate::lane::{Lane, LaneId};
use crate::outcome::{Class, Trouble};
use crate::policy;
use crate::profile::Source;
use crate::waiters::Waiter;

/// Failed attempts that a waiter sits through before it is told. A blip is ridden out; a provider that is
/// down is reported in a few seconds, not at the caller's deadline.
const ATTEMPTS_MAX: u32 = 3;

/// What becomes of a waiter.
pub(crate) enum Verdict {
    Serve { met: bool, warning: Option<String> },
    Wait,
    Fail(Failure),
}

/// What has just happened to the waiter's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    None,
    /// The provider has just answered this waiter with a token.
    Token,
}

/// How the token at hand compares with what a waiter wants.
struct Offer {
    /// It may be handed out.
    live: bool,
    /// For how long; `None` without an end, and where there is no token.
    left: Option<Duration>,
    wanted: Duration,
    /// It lasts as long as is wanted.
    enough: bool,
    /// It is not the one that was to be replaced.
    new: bool,
    /// It came a moment ago, so it answers `--refresh` too.
    young: bool,
    /// Less than the wanted validity will do, if it must.
    content: bool,
    /// No token of this kind lasts as long as was asked for; this is how long they last.
    impossible: Option<Duration>,
}

impl Offer {
    fn new(waiter: &Waiter, state: &Key, now: Now) -> Self {
        let need = &waiter.need;
        let live = state.live(now);
        let default = policy::min_valid_default(state.times.and_then(|times| times.lifetime()));
        let usable = state.times.and_then(|times| times.usable());
        let impossible = usable.filter(|usable| need.min_valid.is_some_and(|min| min > *usable));
        let wanted = match need.min_valid {
            Some(_) if impossible.is_some() && need.best_effort => default,
            Some(asked) => asked,
            None => default,
        };
        Self {
            live: live.is_some(),
            left: live.and_then(|(_, left)| left),
            wanted,
            enough: live.is_some_and(|(_, left)| left.is_none_or(|left| left >= wanted)),
            new: need.newer_than.is_none_or(|count| state.obtained > count),
            young: state.young_until > now.boot,
            content: need.is_content(),
            impossible,
        }
    }

    fn serve(&self, warning: Option<String>) -> Verdict {
        Verdict::Serve { met: self.enough && self.impossible.is_none(), warning }
    }

    fn too_short(&self, name: &ProfileName, best: Option<Duration>) -> Failure {
        let (wanted, best) = (Spoken(self.wanted), Spoken(best.unwrap_or_default()));
        let message = format!("no token is valid for {wanted}: the longest is for {best}");
        Failure::new(Kind::MinValid, message)
            .of(name)
            .hint("ask for less with `--min-valid`, or take what there is with `--best-effort`")
    }
}

impl Core {
    pub(crate) fn verdict(&self, waiter: &Waiter, news: News) -> Verdict {
        let name = &waiter.key.profile;
        let Some((profile, state)) = self.profiles.get(name).zip(self.keys.get(&waiter.key)) else {
            return Verdict::Fail(self.no_such_profile(name));
        };
        let offer = Offer::new(waiter, state, self.now);
        if profile.source == Source::Stored {
            let demanded = waiter.need.newer_than.is_some();
            return match refuse_for_stored(&waiter.key, demanded) {
                // It was not a stored key when it was asked for.
                Some(failure) => Verdict::Fail(failure),
                None if !offer.live => Verdict::Fail(secret_required(name, state)),
                None if offer.enough || offer.content => offer.serve(None),
                None => Verdict::Fail(offer.too_short(name, offer.left)),
            };
        }
        if offer.enough && offer.new {
            return offer.serve(None);
        }
        if offer.impossible.is_some() && !offer.content {
            return Verdict::Fail(offer.too_short(name, offer.impossible));
        }
        if news == News::Token {
            return match () {
                () if !offer.live => Verdict::Fail(dead_on_arrival(name)),
                () if offer.content => offer.serve(None),
                () => Verdict::Fail(offer.too_short(name, offer.left)),
            };
        }
        let lane = self.lanes.get(&LaneId::of(profile.source, &waiter.key));
        let resting =
            lane.filter(|lane| lane.in_flight.is_none() && lane.not_before > self.now.boot);
        match resting {
            None => Verdict::Wait,
            Some(lane) => match &lane.trouble {
                Some(trouble) => self.verdict_in_trouble(waiter, &offer, lane, trouble),
                None => self.verdict_in_spacing(waiter, &offer, lane),
            },
        }
    }

    /// The last attempt failed, and the next is not due yet.
    fn verdict_in_trouble(
        &self,
        waiter: &Waiter,
        offer: &Offer,
        lane: &Lane,
        trouble: &Trouble,
    ) -> Verdict {
        if offer.live && offer.content && offer.new {
            return offer.serve(Some(trouble.failure.message.clone()));
        }
        let failure = trouble.failure.clone().of(&waiter.key.profile);
        if trouble.class != Class::Retry {
            return Verdict::Fail(failure);
        }
        // At the deadline itself there is no time left for an answer.
        match waiter.attempts < ATTEMPTS_MAX && lane.not_before < waiter.deadline {
            true => Verdict::Wait,
            false => {
                let wait = lane.not_before.since(self.now.boot);
                Verdict::Fail(failure.retry_at(self.now.wall.plus(wait)))
            }
        }
    }

    /// The lane was asked a moment ago, successfully.
    fn verdict_in_spacing(&self, waiter: &Waiter, offer: &Offer, lane: &Lane) -> Verdict {
        let wait = lane.not_before.since(self.now.boot);
        match () {
            () if offer.enough && offer.young => offer.serve(Some(format!(
                "this token is new; the provider can be asked again in {}",
                Spoken(wait.max(Duration::from_secs(1)))
            ))),
            () if lane.not_before < waiter.deadline => Verdict::Wait,
            () if offer.live && offer.content && offer.new => offer.serve(None),
            () => {
                let at = self.now.wall.plus(wait);
                Verdict::Fail(too_late(&waiter.key.profile).retry_at(at))
            }
        }
    }
}

/// Why a stored key cannot be had like this.
pub(crate) fn refuse_for_stored(key: &TokenKey, refresh: bool) -> Option<Failure> {
    let plain = key.scope.is_empty() && key.audience.is_empty() && key.resource.is_empty();
    let reason = match () {
        () if refresh => "a stored key cannot be renewed",
        () if !plain => "a stored key has no scope, audience or resource to choose",
        () => return None,
    };
    let name = &key.profile;
    let hint = format!("run `tokctl set-secret {name}` to store another");
    Some(Failure::new(Kind::Usage, reason).of(name).hint(hint))
}

fn secret_required(name: &ProfileName, state: &Key) -> Failure {
    let message = match state.token {
        Some(_) => "the stored key has expired",
        None => "no key is stored",
    };
    Failure::new(Kind::SecretRequired, message)
        .of(name)
        .hint(format!("run `tokctl set-secret {name}`"))
}

fn dead_on_arrival(name: &ProfileName) -> Failure {
    Failure::new(Kind::MinValid, "the provider's token had expired on arrival").of(name)
}

/// The caller's time is up, or will be before a token can come.
pub(crate) fn too_late(name: &ProfileName) -> Failure {
    Failure::new(Kind::Timeout, "no token within the time allowed")
        .of(name)
        .hint("allow more with `--timeout`")
}
