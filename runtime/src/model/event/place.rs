//! Where something runs.

use crate::model::id::{HookId, InstanceName, ServiceName, StepName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where something runs in a lifecycle: a host step, or a hook of a phase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The step.
    pub step: StepName,
    /// The hook; null for a host step.
    pub hook: Option<HookId>,
    /// The service it belongs to.
    pub service: Option<ServiceName>,
    /// The instance it runs on.
    pub instance: Option<InstanceName>,
    /// In which part it runs.
    pub role: Role,
}

impl Place {
    /// The same place in another part.
    #[must_use]
    pub fn in_role(&self, role: Role) -> Self {
        Self { role, ..self.clone() }
    }

    /// A host step's place.
    #[must_use]
    pub fn step(step: StepName) -> Self {
        Self { step, hook: None, service: None, instance: None, role: Role::Main }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.step)?;
        if let Some(hook) = &self.hook {
            write!(f, "/{hook}")?;
        }
        if let Some(instance) = &self.instance {
            write!(f, "@{instance}")?;
        }
        f.write_str(self.role.suffix())
    }
}

/// In which part something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// As itself.
    Main,
    /// As the revert of a hook that succeeded before the run was aborted.
    Revert,
    /// As what says whether a hook took: a part of the hook's attempt.
    Verify,
}

impl Role {
    /// What tells its place from that of the hook itself, for people.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Revert => " (revert)",
            Self::Verify => " (verify)",
        }
    }
}
