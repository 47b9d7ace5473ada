//! Changes of an entry that must not meet a renewal: while one waits or is carried out, no request of the
//! profile is begun, and it is admitted when the one under way has ended and what it brought is on the disk. Under
//! another name, or beside another secret, nobody would know where that belongs.

use std::collections::{BTreeMap, VecDeque};

use tokctl_proto::ProfileName;

use crate::core::Core;
use crate::effect::Effect;
use crate::event::RequestId;

#[derive(Debug, Default)]
pub(crate) struct Holds {
    profiles: BTreeMap<ProfileName, Hold>,
}

#[derive(Debug, Default)]
struct Hold {
    /// The one that is being carried out. It ends with `Event::Changed`, whether its client waits or not.
    admitted: Option<RequestId>,
    waiting: VecDeque<RequestId>,
}

impl Holds {
    pub(crate) fn holds(&self, profile: &ProfileName) -> bool {
        !self.profiles.is_empty() && self.profiles.contains_key(profile)
    }

    /// Drops a request that was not admitted yet, and says for which profile it waited.
    fn remove(&mut self, request: RequestId) -> Option<ProfileName> {
        self.profiles.iter_mut().find_map(|(profile, hold)| {
            let at = hold.waiting.iter().position(|waiting| *waiting == request)?;
            hold.waiting.remove(at);
            Some(profile.clone())
        })
    }

    /// Takes out everybody who was not admitted.
    pub(crate) fn drain(&mut self) -> Vec<RequestId> {
        let waiting = self.profiles.values_mut().flat_map(|hold| std::mem::take(&mut hold.waiting));
        waiting.collect()
    }
}

impl Core {
    /// Admits a change now or when nothing of its profile is under way.
    pub(crate) fn admit_alone(&mut self, request: RequestId, alone: Option<ProfileName>) {
        let Some(profile) = alone else {
            self.effects.push(Effect::Admitted { request });
            return;
        };
        self.holds.profiles.entry(profile.clone()).or_default().waiting.push_back(request);
        if self.is_flying(&profile) || self.unsaved_lane(&profile).is_some() {
            let text = format!("{profile}: waiting for a renewal that is under way");
            self.effects.push(Effect::Progress { request, text });
        }
        self.admit_next(&profile);
    }

    /// Admits the next change of a profile if nothing speaks against it.
    pub(crate) fn admit_next(&mut self, profile: &ProfileName) {
        let is_flying = self.is_flying(profile);
        let unsaved = self.unsaved_lane(profile);
        let Some(hold) = self.holds.profiles.get_mut(profile) else { return };
        if hold.admitted.is_some() {
            return;
        }
        if !hold.waiting.is_empty() {
            if is_flying {
                return;
            }
            if let Some(lane) = unsaved {
                self.save_now(&lane);
                return;
            }
        }
        hold.admitted = hold.waiting.pop_front();
        if let Some(request) = hold.admitted {
            self.effects.push(Effect::Admitted { request });
        } else {
            self.holds.profiles.remove(profile);
            self.touch_profile(profile);
        }
    }

    /// A change was carried out.
    pub(crate) fn release(&mut self, request: RequestId) {
        let held = self.holds.profiles.iter_mut().find(|(_, hold)| hold.admitted == Some(request));
        let Some((profile, hold)) = held else { return };
        hold.admitted = None;
        let profile = profile.clone();
        self.admit_next(&profile);
    }

    /// Drops a change that was not admitted yet; what it held back goes on.
    pub(crate) fn leave_hold(&mut self, request: RequestId) -> bool {
        let profile = self.holds.remove(request);
        if let Some(profile) = &profile {
            self.admit_next(profile);
        }
        profile.is_some()
    }

    /// The vault did not take a rotation once more: who waits for that is told.
    pub(crate) fn refuse_changes(&mut self, profile: &ProfileName) {
        let Some(lane) = self.unsaved_lane(profile) else { return };
        let Some(failure) = self.unsaved_failure(&lane) else { return };
        let hold = self.holds.profiles.get_mut(profile);
        for request in hold.map(|hold| std::mem::take(&mut hold.waiting)).unwrap_or_default() {
            self.fail(request, failure.clone());
        }
        self.admit_next(profile);
    }

    fn is_flying(&self, profile: &ProfileName) -> bool {
        self.flights.values().any(|flight| flight.key.profile == *profile)
    }

    /// Everything of a profile is worked out anew.
    pub(crate) fn touch_profile(&mut self, profile: &ProfileName) {
        for key in self.keys_of(profile) {
            self.touch_key(&key);
        }
    }
}
