//! Handing over a token that is bound to a key (RFC 9449): with a proof for the one request that it is wanted for, or not
//! at all. A token without its proof is of no use to anybody, and the key stays here.

use std::io;

use tokctl_core::Served;
use tokctl_proto::response::Done;
use tokctl_proto::{Failure, Kind, ProfileName, Secret};

use super::Performer;
use crate::oauth::client_auth::secret_required;
use crate::oauth::grant::unfit_key;
use crate::oauth::jose::PrivateKey;
use crate::oauth::jose::dpop::{DPOP_KEY, Proof};
use crate::oauth::reply::BOUND_TYPE;
use crate::shell::bound_key;
use crate::shell::command::ProofFor;
use crate::shell::driver::{Pending, TokenForm};
use crate::shell::live::Live;
use crate::shell::rows;
use crate::shell::worker::Worker;
use crate::{clock, entropy};

/// Whether a token is of no use without a proof.
pub(super) fn is_bound(served: &Served) -> bool {
    served.token.token_type == BOUND_TYPE
}

impl Performer {
    /// Answers with the token and a proof, for which the key is read from the entry.
    pub(super) fn reply_bound(&self, pending: Pending, served: Served, live: &Live) {
        let Pending { reply, form, .. } = pending;
        let TokenForm::Token3(Some(wanted)) = form else {
            return reply.failed(&without_proof(&served.profile));
        };
        let live = live.clone();
        self.means.jobs.run(
            move |worker| {
                let proof = prove(worker, &served, &wanted)?;
                Ok((served, proof))
            },
            move |made| match made {
                Ok((served, proof)) => {
                    reply.done(Done::Token3(rows::token3(&served, &live, Some(&proof))));
                }
                Err(failure) => reply.failed(&failure),
            },
        );
    }
}

/// Why a token alone is not handed over, and what to type.
fn without_proof(profile: &ProfileName) -> Failure {
    Failure::new(
        Kind::SenderConstrained,
        "the token is bound to a key that stays here, so it is of no use without a proof",
    )
    .of(profile)
    .hint(format!(
        "run `tokctl get {profile} --dpop --method GET --url URL` for the one request that it is for"
    ))
}

/// A proof for one request, with the key that the entry holds.
pub(in crate::shell) fn prove(
    worker: &Worker,
    served: &Served,
    wanted: &ProofFor,
) -> Result<Secret, Failure> {
    // The key is that of whose token it is.
    let name = served.member.as_ref().unwrap_or(&served.profile);
    let text = bound_key::of(worker, name)?;
    let text = text.ok_or_else(|| secret_required(name, "", DPOP_KEY))?;
    let unfit = |error| unfit_key(name, "", DPOP_KEY, &error);
    let key = PrivateKey::asymmetric(&text).map_err(unfit)?;
    let mut unique = [0; 16];
    let machine = |error: io::Error| Failure::new(Kind::Machine, error.to_string()).of(name);
    entropy::fill(&mut unique).map_err(machine)?;
    let proof = Proof {
        method: &wanted.method,
        url: &wanted.url,
        token: Some(&served.token.access_token),
        nonce: wanted.nonce.as_deref(),
        unique,
    };
    proof.sign(clock::now().wall, &key).map_err(unfit)
}
