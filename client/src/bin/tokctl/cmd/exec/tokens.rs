//! The tokens of a run, one for each profile that is named anywhere in it.

use std::collections::BTreeMap;

use tokctl_client::{GetOptions, ProfileName, Secret, Token};

use super::Plan;
use crate::exit::Stop;
use crate::session::Session;
use crate::variable::{Assignment, Variable, check_variables, secret_parts};

pub(super) struct Tokens(BTreeMap<ProfileName, Token>);

impl Tokens {
    /// Asks for all of them, in the order in which they are named.
    pub(super) fn get(plan: &Plan, session: &Session) -> Result<Self, Stop> {
        let named = plan.assignments.iter().map(|assignment| &assignment.profile);
        let profiles = named.chain(plan.places.iter().flat_map(|place| place.profiles()));
        let mut client = session.client()?;
        let mut tokens = BTreeMap::new();
        for profile in profiles {
            if tokens.contains_key(profile) {
                continue;
            }
            let token = client.get_with(profile, &options(plan), &mut session.conversation())?;
            if let Some(warning) = &token.warning {
                session.output.warn(&format!("{profile}: {warning}"));
            }
            tokens.insert(profile.clone(), token);
        }
        Ok(Self(tokens))
    }

    /// The variables of all assignments; an error where two profiles want one of them.
    pub(super) fn variables(&self, assignments: &[Assignment]) -> Result<Vec<Variable>, Stop> {
        let mut variables = Vec::new();
        for assignment in assignments {
            let token = self.of(&assignment.profile);
            for variable in assignment.variables(token).map_err(Stop::from).map_err(super::ours)? {
                variables.push((&assignment.profile, variable));
            }
        }
        check_variables(variables.iter().map(|(profile, variable)| (*profile, variable)))?;
        Ok(variables.into_iter().map(|(_, variable)| variable).collect())
    }

    pub(super) fn of(&self, profile: &ProfileName) -> &Token {
        self.0.get(profile).expect("every profile of the plan got its token at the start")
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&ProfileName, &Token)> {
        self.0.iter()
    }

    /// Another token of a profile; gives the one before.
    pub(super) fn replace(&mut self, profile: &ProfileName, token: Token) -> Option<Token> {
        self.0.insert(profile.clone(), token)
    }

    /// What must not be seen.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.0.values().flat_map(secret_parts).collect()
    }
}

/// Of a pool the member is named where its token is to be followed: the next one's would be another, and one more use.
pub(super) fn options(plan: &Plan) -> GetOptions {
    let name_member = plan.follows_renewals();
    GetOptions { min_valid: plan.min_valid, name_member, ..GetOptions::default() }
}
