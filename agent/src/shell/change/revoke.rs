//! `revoke`: exactly one access token, at the provider and here. The refresh token stays where there is one, and with it
//! the next access token can be had.

use tokctl_proto::{Failure, TokenKey};

use super::logout::{self, Plan};
use super::{Changed, profile};
use crate::shell::obtain::Means;
use crate::shell::revoke::bury::Which;
use crate::shell::worker::Worker;

pub(super) async fn revoke(means: Means, key: TokenKey) -> Changed {
    let name = key.profile.clone();
    let of = name.clone();
    let plan = means.jobs.ask(move |worker| plan(worker, &of)).await;
    let ended = match plan {
        Ok(plan) => logout::end(&means, plan, Which::One(key), false).await,
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(ended) => {
            let said = match (ended.had_tokens, ended.revoked.is_empty()) {
                (false, _) => format!("{name} holds no such token: nothing was revoked"),
                (true, true) => format!("forgot the access token of {name}"),
                (true, false) => format!("revoked the access token of {name}"),
            };
            ended.changed(name, said)
        }
        Err(failure) => Changed::failed(failure),
    }
}

fn plan(worker: &mut Worker, name: &tokctl_proto::ProfileName) -> Result<Plan, Failure> {
    worker.open()?;
    let profile = profile(worker, name)?;
    logout::refuse_without_login(&profile)?;
    let entry = logout::read(worker, name)?;
    Ok(Plan { profile: profile.into(), entry })
}
