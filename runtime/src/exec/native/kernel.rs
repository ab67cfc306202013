//! What the running kernel can enforce, found once, as a value: tests can pretend to be on an older one.

use landlock::{AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr};

/// The promises of `sandbox = "strict"`, and whether this kernel keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kernel {
    /// Files outside the grants can't be opened (Landlock, Linux 5.13).
    pub files: bool,
    /// Nor truncated (Landlock ABI 3, Linux 6.2).
    pub truncation: bool,
    /// TCP ports can't be used (Landlock ABI 4, Linux 6.7).
    pub tcp: bool,
}

impl Kernel {
    /// Asks the kernel.
    pub(super) fn detect() -> Self {
        Self {
            files: strict().handle_access(AccessFs::Execute).is_ok(),
            truncation: strict().handle_access(AccessFs::Truncate).is_ok(),
            tcp: strict().handle_access(AccessNet::ConnectTcp).is_ok(),
        }
    }

    /// The promises that it can't keep, in words.
    pub(super) fn missing(self) -> Vec<&'static str> {
        let promises = [
            (self.files, "the confinement of files (Landlock, Linux 5.13)"),
            (self.truncation, "the protection of files against truncation (Landlock ABI 3, Linux 6.2)"),
            (self.tcp, "the denial of TCP (Landlock ABI 4, Linux 6.7)"),
        ];
        promises.into_iter().filter(|(kept, _)| !kept).map(|(_, words)| words).collect()
    }
}

fn strict() -> Ruleset {
    Ruleset::default().set_compatibility(CompatLevel::HardRequirement)
}
