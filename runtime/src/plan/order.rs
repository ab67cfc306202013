//! Order: which hooks belong to a phase, on which instances, one after the other.

use crate::manifest::HookDecl;
use crate::model::id::{InstanceName, ServiceName, StepName};
use crate::model::policy::Scope;
use std::fmt;

/// An instance as the platform named it: `--instance [SERVICE/]NAME=DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The service it is an instance of; absent: of any.
    pub service: Option<ServiceName>,
    /// Its name.
    pub name: InstanceName,
    /// Its directory on the host.
    pub dir: String,
}

/// `SERVICE/NAME`, or `NAME`.
impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            Some(service) => write!(f, "{service}/{}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

impl Instance {
    /// Whether a hook of this service runs on it.
    #[must_use]
    pub fn is_of(&self, service: Option<&ServiceName>) -> bool {
        self.service.is_none() || self.service.as_ref() == service
    }
}

/// The phase's hooks in the order of their declaration.
#[must_use]
pub fn of_phase<'a>(hooks: &'a [HookDecl], phase: &StepName, default: Option<&StepName>) -> Vec<&'a HookDecl> {
    hooks.iter().filter(|hook| hook.phase.as_ref().map(|at| &at.value).or(default) == Some(phase)).collect()
}

/// Pairs each hook with each instance of its service that it runs on: on the first only, or on all of them, the whole list on one instance after
/// the other, in the order given; the services in the order of their first hooks. Where a service has none there is exactly one, unnamed.
#[must_use]
pub fn on_instances<'a, 'b>(hooks: &[&'b HookDecl], scope: Scope, instances: &'a [Instance]) -> Vec<(&'b HookDecl, Option<&'a Instance>)> {
    let places: Vec<Vec<Option<usize>>> = hooks.iter().map(|hook| places(hook, scope, instances)).collect();
    let runs_at = |place: Option<usize>| -> Vec<usize> { (0..hooks.len()).filter(|index| places[*index].contains(&place)).collect() };
    let all = std::iter::once(None).chain((0..instances.len()).map(Some));
    let mut lists: Vec<(Option<usize>, Vec<usize>)> = all.map(|place| (place, runs_at(place))).collect();
    lists.sort_by_key(|(_, list)| list.first().copied());
    lists
        .into_iter()
        .flat_map(|(place, list)| list.into_iter().map(move |index| (hooks[index], place.map(|place| &instances[place]))))
        .collect()
}

/// The instances that a hook runs on, by their place in the list; `None` is the unnamed one.
fn places(hook: &HookDecl, scope: Scope, instances: &[Instance]) -> Vec<Option<usize>> {
    let service = hook.service.as_ref().map(|service| &service.value);
    let own = (0..instances.len()).filter(|index| instances[*index].is_of(service)).map(Some);
    let own: Vec<_> = if scope == Scope::One { own.take(1).collect() } else { own.collect() };
    if own.is_empty() { vec![None] } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Located;
    use crate::model::id::HookId;

    fn instance(name: &str) -> Instance {
        let (service, name) = name.split_once('/').map_or((None, name), |(service, name)| (Some(ServiceName::new(service).unwrap()), name));
        Instance { service, name: InstanceName::new(name).unwrap(), dir: format!("/srv/{name}") }
    }

    fn pairs(hooks: &[&str], scope: Scope, instances: &[&str]) -> Vec<String> {
        let read = |text: &&str| {
            let (service, id) = text.split_once('/').map_or((None, *text), |(service, id)| (Some(service), id));
            let mut hook = HookDecl::native(HookId::new(id).unwrap(), StepName::new("p").unwrap(), ["x"]);
            hook.service = service.map(|service| Located::nowhere(ServiceName::new(service).unwrap()));
            hook
        };
        let hooks: Vec<HookDecl> = hooks.iter().map(read).collect();
        let instances: Vec<Instance> = instances.iter().map(|name| instance(name)).collect();
        let pairs = on_instances(&hooks.iter().collect::<Vec<_>>(), scope, &instances);
        pairs.iter().map(|(hook, instance)| format!("{}@{}", hook.id.value, instance.map_or("-", |i| i.name.as_str()))).collect()
    }

    #[test]
    fn s5_27_scope_one_is_the_first_instance() {
        assert_eq!(pairs(&["1", "2"], Scope::One, &["a", "b"]), ["1@a", "2@a"]);
        assert_eq!(pairs(&["w/1", "v/2"], Scope::One, &["w/a", "w/b", "v/c"]), ["1@a", "2@c"], "of each service");
    }

    #[test]
    fn s5_28_s5_32_scope_all_is_each_instance_in_the_given_order() {
        assert_eq!(pairs(&["1", "2"], Scope::All, &["a", "b"]), ["1@a", "2@a", "1@b", "2@b"]);
        assert_eq!(pairs(&["w/1", "w/2"], Scope::All, &["w/b", "v/c", "w/a"]), ["1@b", "2@b", "1@a", "2@a"], "of its own service");
    }

    #[test]
    fn without_instances_there_is_exactly_one_unnamed() {
        assert_eq!(pairs(&["1", "w/2"], Scope::All, &[]), ["1@-", "2@-"]);
        assert_eq!(pairs(&["1", "w/2"], Scope::One, &["v/a"]), ["1@-", "2@-"], "nor where only others have some");
    }

    #[test]
    fn s5_45_services_come_in_the_order_of_their_first_hooks() {
        assert_eq!(pairs(&["w/1", "v/2"], Scope::All, &["v/c", "w/a", "w/b"]), ["1@a", "1@b", "2@c"]);
        assert_eq!(pairs(&["w/1", "v/2", "w/3"], Scope::All, &[]), ["1@-", "2@-", "3@-"], "hooks keep their own order");
    }
}
