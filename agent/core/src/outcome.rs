//! How an attempt to obtain a token ended. Everything that can go wrong is classified once, here.

use std::time::Duration;

use tokctl_proto::Failure;

use crate::token::Token;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Tokens(Token),
    Failed(Trouble),
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

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub class: Class,
    pub failure: Failure,
    /// From Retry-After (RFC 9110 section 10.2.3), already capped; no attempt before it has passed.
    pub retry_after: Option<Duration>,
}

impl Trouble {
    pub fn new(class: Class, failure: Failure) -> Self {
        Self { class, failure, retry_after: None }
    }
}
