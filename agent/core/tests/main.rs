//! The promises of the core: told one by one in `story`, in any order and at any time in `sim`.

#[cfg(test)]
mod story {
    mod alone;
    mod cast;
    mod clock;
    mod config;
    mod doubt;
    mod forget;
    mod get;
    mod keep;
    mod lock;
    mod login;
    mod narrow;
    mod outage;
    mod pool;
    mod renew;
    mod report;
    mod restart;
    mod rotation;
    mod subject;
    mod teller;
    mod watch;
}

#[cfg(test)]
mod sim {
    mod callers;
    mod checker;
    mod crash;
    mod crowd;
    mod dice;
    mod entry;
    mod family;
    mod flights;
    mod ledger;
    mod perform;
    mod persons;
    mod provider;
    mod rotation;
    mod scenario;
    mod served;
    mod subjects;
    mod sweep;
    mod uses;
    mod vault;
    mod watcher;
    mod world;
}
