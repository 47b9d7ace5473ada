//! Jenkins: nothing but Groovy sets variables of a pipeline, so they go through a file.

use super::{Vendor, is_set, sourced};

pub(super) const VENDOR: Vendor = Vendor {
    name: "jenkins",
    title: "Jenkins",
    is_here: |variable| is_set(variable, "JENKINS_URL"),
    unmasked: Some(
        "only what `withCredentials` or `MaskPasswordsBuildWrapper` were told before is masked",
    ),
    since: "the scripts after this one that read the file: `. FILE`",
    since_output: None,
    steps: sourced::steps,
};
