//! How a token is used, and where.

use tokctl_proto::{ProfileName, response};

use crate::error::Error;

/// How a profile's token is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The one that was asked for, or that was found.
    pub profile: ProfileName,
    /// A header line with `{token}` or `{basic}` in it; empty where `query` is set. Of a pool as its first member says:
    /// a token knows its own, [`crate::Token::header`].
    pub header: String,
    /// The parameter of the URL's query that holds the token, in place of a header.
    pub query: Option<String>,
    /// Where it may be used, with all that lies below; none: wherever its owner sends it.
    pub api_urls: Vec<String>,
}

impl Usage {
    pub(crate) fn read(usage: response::Usage<'_>) -> Result<Self, Error> {
        Ok(Self {
            profile: ProfileName::parse(&usage.profile).map_err(|_| Error::Unexpected)?,
            header: usage.header.into_owned(),
            query: usage.query.map(std::borrow::Cow::into_owned),
            api_urls: usage.api_urls,
        })
    }
}
