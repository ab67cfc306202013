//! Order: which hooks belong to a phase, on which instances, one after the other.

use crate::manifest::HookDecl;
use crate::model::id::{InstanceName, StepName};
use crate::model::policy::Scope;

/// A service's instance as the platform named it: `--instance NAME=DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: InstanceName,
    /// Its directory on the host.
    pub dir: String,
}

/// The phase's hooks in the order of their declaration.
#[must_use]
pub fn of_phase<'a>(hooks: &'a [HookDecl], phase: &StepName, default: Option<&StepName>) -> Vec<&'a HookDecl> {
    hooks.iter().filter(|hook| hook.phase.as_ref().map(|at| &at.value).or(default) == Some(phase)).collect()
}

/// Pairs each hook with each instance it runs on: on the first only, or on all of them, the whole list on one instance after the other.
/// Without any there is exactly one, unnamed.
pub fn on_instances<'a, H: Copy>(hooks: &[H], scope: Scope, instances: &'a [Instance]) -> Vec<(H, Option<&'a Instance>)> {
    let instances: Vec<Option<&Instance>> = match (scope, instances) {
        (_, []) => vec![None],
        (Scope::One, [first, ..]) => vec![Some(first)],
        (Scope::All, all) => all.iter().map(Some).collect(),
    };
    instances.iter().flat_map(|instance| hooks.iter().map(move |hook| (*hook, *instance))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instances() -> Vec<Instance> {
        ["a", "b"].into_iter().map(|name| Instance { name: InstanceName::new(name).unwrap(), dir: format!("/srv/{name}") }).collect()
    }

    fn pairs(scope: Scope, instances: &[Instance]) -> Vec<(u8, Option<&str>)> {
        on_instances(&[1, 2], scope, instances).into_iter().map(|(hook, instance)| (hook, instance.map(|i| i.name.as_str()))).collect()
    }

    #[test]
    fn scope_one_is_the_first_instance() {
        assert_eq!(pairs(Scope::One, &instances()), [(1, Some("a")), (2, Some("a"))]);
    }

    #[test]
    fn scope_all_is_each_instance_in_the_given_order() {
        assert_eq!(pairs(Scope::All, &instances()), [(1, Some("a")), (2, Some("a")), (1, Some("b")), (2, Some("b"))]);
    }

    #[test]
    fn without_instances_there_is_exactly_one_unnamed() {
        assert_eq!(pairs(Scope::All, &[]), [(1, None), (2, None)]);
        assert_eq!(pairs(Scope::One, &[]), [(1, None), (2, None)]);
    }
}
