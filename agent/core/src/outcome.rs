//! How an attempt to obtain a token ended. Everything that can go wrong is classified once, here.

use std::time::Duration;

use tokctl_proto::Failure;

use crate::refresh_token::Successor;
use crate::token::Token;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Tokens(Obtained),
    Failed(Trouble),
}

/// What a provider gave.
#[derive(Clone, Debug)]
pub struct Obtained {
    pub token: Token,
    pub successor: Option<Successor>,
    /// How far the provider's clock is ahead of ours, in seconds, by the Date of its answer
    /// (RFC 9110 section 6.6.1).
    pub clock_ahead_s: Option<i64>,
    /// Of the answer.
    pub status: u16,
}

/// What can be done about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Goes away by itself: network, overload, a provider's bad day.
    Retry,
    /// Stays until somebody changes a setting, a secret or the provider.
    Permanent,
    /// A person has to log in or bring a secret.
    LoginRequired,
}

/// What a failure is about, where that decides what is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    #[default]
    Other,
    /// The provider is down or cannot be reached: so it is for all its profiles.
    Provider,
    /// A success in which nobody can find a token.
    Unreadable,
    /// `invalid_client`: the client's secret is not the one.
    InvalidClient,
    /// `invalid_grant` to a refresh token.
    InvalidGrant,
    /// The token that was to be presented cannot be had: what is wrong is wrong with another profile.
    Subject,
    /// What this key asks for beyond what its profile says: a scope, an audience, a resource. Other keys of
    /// the profile have nothing to do with it.
    Key,
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reached {
    /// Not a byte of the request has left.
    #[default]
    Nobody,
    /// The request may have arrived, and there is no answer.
    Perhaps,
    /// The provider answered, with this status.
    Answered(u16),
}

/// A failed attempt.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub class: Class,
    pub failure: Failure,
    /// From Retry-After (RFC 9110 section 10.2.3), already capped; no attempt before it has passed.
    pub retry_after: Option<Duration>,
    pub cause: Cause,
    pub reached: Reached,
    /// The refresh token of an answer that is useless otherwise. It is saved all the same: the presented one
    /// may be spent.
    pub successor: Option<Box<Successor>>,
}

impl Trouble {
    pub fn new(class: Class, failure: Failure) -> Self {
        let (cause, reached) = (Cause::Other, Reached::Nobody);
        Self { class, failure, retry_after: None, cause, reached, successor: None }
    }

    /// Whether the provider may have taken the refresh token and given another, and nobody here has it: no answer
    /// came, or one of a gateway that did not wait for it (RFC 9110 sections 15.6.3 and 15.6.5), or a success
    /// that nobody can read.
    pub(crate) fn may_have_spent(&self) -> bool {
        match self.reached {
            Reached::Nobody => false,
            Reached::Perhaps | Reached::Answered(502 | 504) => true,
            Reached::Answered(_) => self.cause == Cause::Unreadable,
        }
    }

    pub fn because(self, cause: Cause) -> Self {
        Self { cause, ..self }
    }

    pub fn reached(self, reached: Reached) -> Self {
        Self { reached, ..self }
    }
}
