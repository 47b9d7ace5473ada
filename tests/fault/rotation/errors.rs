//! A disk that fails at one call of a refresh, or at all from one on.

use tokctl_tests::rotation::errors::Errors;
use tokctl_tests::{machine, trace};

/// Each so-many-eth; `cargo xtask sweep` takes every one.
const EVERY: u64 = 19;

#[test]
fn a_failing_disk_costs_no_refresh_token() {
    if !trace::CAN_FAIL_CALLS {
        return machine::not_run("calls are made to fail by the registers of x86_64 Linux");
    }
    if !trace::is_allowed() {
        return machine::not_run("ptrace is not allowed");
    }
    let errors = Errors::run(EVERY);
    assert!(errors.broken.is_empty(), "{errors}\n{:#?}", errors.broken);
    assert!(errors.said > 0 && errors.served > 0, "nothing was tried: {errors}");
}
