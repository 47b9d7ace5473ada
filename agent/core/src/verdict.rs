//! What a caller gets, as things stand: a token, a wait, or a reason. Nothing is changed here.

use std::time::Duration;

use tokctl_proto::time::Spoken;
use tokctl_proto::{BootMs, Failure, Kind, Now, ProfileName, TokenKey};

use crate::core::Core;
use crate::key::Key;
use crate::lane::{LaneId, is_plain};
use crate::outcome::{Class, Trouble};
use crate::policy;
use crate::profile::{Profile, Source};
use crate::waiters::{Need, Waiter, Wants};

/// Failed attempts that a waiter sits through before it is told. A blip is ridden out; a provider that is
/// down is reported in a few seconds, not at the caller's deadline.
const ATTEMPTS_MAX: u32 = 3;

/// What becomes of a waiter.
pub(crate) enum Verdict {
    Serve {
        met: bool,
        warning: Option<String>,
    },
    Wait,
    /// A login is under way that may change it.
    AwaitLogin,
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
    fn new(need: &Need, state: &Key, now: Now) -> Self {
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
            young: state.is_newest && state.spaced_until > now.boot,
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

/// Whether a key's token is good enough for a caller who does not ask for a new one.
pub(crate) fn is_enough(need: &Need, state: &Key, now: Now) -> bool {
    let offer = Offer::new(need, state, now);
    offer.enough && offer.impossible.is_none()
}

impl Core {
    pub(crate) fn verdict(&self, waiter: &Waiter, news: News) -> Verdict {
        let name = &waiter.key.profile;
        let Some((profile, state)) = self.profiles.get(name).zip(self.keys.get(&waiter.key)) else {
            return Verdict::Fail(self.no_such_profile(name));
        };
        let offer = Offer::new(&waiter.need, state, self.now);
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
            // Good as it is, but its successor has not come: whoever reads this has time to see to it.
            return offer.serve(self.trouble_of(&waiter.key).map(|failure| failure.message));
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
        match self.verdict_of_lane(waiter, state, profile, &offer) {
            Verdict::Fail(failure) if self.awaits_login(name, &failure) => Verdict::AwaitLogin,
            verdict => verdict,
        }
    }

    /// What the lane of a waiter speaks for: its provider may be resting, or not be asked at all.
    fn verdict_of_lane(
        &self,
        waiter: &Waiter,
        state: &Key,
        profile: &Profile,
        offer: &Offer,
    ) -> Verdict {
        if let Some(refused) = state.refusal(self.now.boot) {
            let failure = refused.failure.clone().of(&waiter.key.profile);
            return self.verdict_refused(offer, failure);
        }
        let id = LaneId::of(&profile.source, &waiter.key);
        let lane = self.lanes.get(&id);
        if lane.is_some_and(|lane| lane.in_flight.is_some()) {
            return Verdict::Wait;
        }
        if let Some(unsaved) = lane.and_then(|lane| lane.unsaved.as_ref()) {
            return self.verdict_unsaved(waiter, offer, &unsaved.why);
        }
        if self.is_loaded(id.profile()) {
            if profile.source.is_shared()
                && let Some(failure) = self.refuse_to_present(&id, waiter.wants == Wants::Renewal)
            {
                return self.verdict_refused(offer, failure);
            }
            if self.is_in_doubt(&id) && offer.live && offer.content && offer.new {
                return offer.serve(Some("the answer to the last renewal was lost".to_owned()));
            }
        }
        if let Some((until, trouble)) = self.rest(&waiter.key.profile, &id) {
            let is_lost = self.is_in_doubt(&id);
            return self.verdict_in_trouble(waiter, offer, until, trouble, is_lost);
        }
        match state.spaced_until > self.now.boot {
            true => self.verdict_in_spacing(waiter, offer, state.spaced_until),
            false => Verdict::Wait,
        }
    }

    /// The provider will not be asked, whatever is waited for.
    fn verdict_refused(&self, offer: &Offer, failure: Failure) -> Verdict {
        match offer.live && offer.content && offer.new {
            true => offer.serve(Some(failure.message)),
            false => Verdict::Fail(failure),
        }
    }

    /// The last rotation is in memory alone: until it is saved, no other is begun.
    fn verdict_unsaved(&self, waiter: &Waiter, offer: &Offer, why: &str) -> Verdict {
        let message = format!("the renewed refresh token could not be saved: {why}");
        if offer.live && offer.content {
            return offer.serve(Some(message));
        }
        let failure = Failure::new(Kind::Machine, message).of(&waiter.key.profile);
        Verdict::Fail(failure.hint("nothing more is renewed until the vault can be written"))
    }

    /// The last attempt failed, and the next is not due yet.
    fn verdict_in_trouble(
        &self,
        waiter: &Waiter,
        offer: &Offer,
        until: BootMs,
        trouble: &Trouble,
        is_lost: bool,
    ) -> Verdict {
        if offer.live && offer.content && offer.new {
            return offer.serve(Some(trouble.failure.message.clone()));
        }
        let failure = trouble.failure.clone().of(&waiter.key.profile);
        if trouble.class != Class::Retry {
            return Verdict::Fail(failure);
        }
        // At the deadline itself there is no time left for an answer.
        // What is wrong with this machine is not got over in a few seconds.
        let is_ours = failure.kind == Kind::Machine;
        let is_patient = waiter.attempts < ATTEMPTS_MAX && !is_lost && !is_ours;
        match is_patient && until < waiter.deadline {
            true => Verdict::Wait,
            false => {
                let failure = self.say_when(&waiter.key.profile, failure, until, is_lost);
                Verdict::Fail(failure.retry_at(self.now.wall.plus(self.until(until))))
            }
        }
    }

    /// A person does not see `retry_at`.
    fn say_when(
        &self,
        name: &ProfileName,
        failure: Failure,
        until: BootMs,
        is_lost: bool,
    ) -> Failure {
        let wait = Spoken(self.until(until).max(Duration::from_secs(1)));
        match failure.hint {
            None => failure.hint(format!(
                "the provider is left alone for {wait} more; `tokctl why {name}` tells what was tried"
            )),
            Some(_) if is_lost => failure.hint(format!(
                "it is presented once more when a token is needed, in {wait} at the earliest; \
                 `tokctl why {name}` tells more"
            )),
            Some(_) => failure,
        }
    }

    /// Until when the provider is not asked for this lane, and why: whichever lasts longer of what the lane and
    /// what its origin went through is what stands in the way.
    pub(crate) fn rest(&self, name: &ProfileName, id: &LaneId) -> Option<(BootMs, &Trouble)> {
        let lane = self.lanes.get(id).filter(|lane| lane.not_before > self.now.boot);
        let own = lane.and_then(|lane| Some((lane.not_before, lane.trouble.as_deref()?)));
        let shared = self.profiles.get(name).and_then(|profile| self.origin_rest(&profile.origin));
        own.into_iter().chain(shared).max_by_key(|(until, _)| *until)
    }

    /// The provider gave a token a moment ago.
    fn verdict_in_spacing(&self, waiter: &Waiter, offer: &Offer, until: BootMs) -> Verdict {
        let wait = self.until(until);
        match () {
            () if offer.enough && offer.young => offer.serve(Some(format!(
                "this token is new; the provider can be asked again in {}",
                Spoken(wait.max(Duration::from_secs(1)))
            ))),
            () if until < waiter.deadline => Verdict::Wait,
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
    let reason = match () {
        () if refresh => "a stored key cannot be renewed",
        () if !is_plain(key) => "a stored key has no scope, audience or resource to choose",
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
