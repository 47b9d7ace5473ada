//! The promises of the core: told one by one in `story`, in any order and at any time in `sim`.

#[cfg(test)]
mod story {
    mod clock;
    mod config;
    mod get;
    mod lock;
    mod outage;
    mod renew;
    mod restart;
    mod teller;
}

#[cfg(test)]
mod sim {
    mod checker;
    mod dice;
    mod provider;
    mod scenario;
    mod vault;
    mod world;
}
