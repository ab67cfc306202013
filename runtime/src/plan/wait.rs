//! What a hook waits for, and whether it may be elsewhere than on this machine.

use super::resolve::Resolver;
use crate::manifest::{HookDecl, WAIT_TIMEOUT};
use crate::model::grant::{Capability, Denial};
use crate::model::wait::{WaitFor, WaitPlan};

impl Resolver<'_> {
    /// What a hook waits for. The host asks with its own rights, so that another machine is the operator's to allow.
    pub(super) fn wait_for(&mut self, decl: &HookDecl) -> Option<WaitPlan> {
        let target = decl.wait_for.as_ref()?.value.clone();
        let anywhere = !target.is_loopback();
        if anywhere && !self.given.policy.wait_for.iter().any(|allowed| covers(allowed, &target)) {
            let what = format!("wait_for {target}: it is not on this machine");
            let allow = format!("[policy] wait_for = [\"{}\"]", target.authority());
            self.denials.push((decl.id.value.clone(), Denial { capability: Capability::Net, what, allow }));
        }
        let timeout = decl.wait_timeout.as_ref().map_or(WAIT_TIMEOUT, |time| time.value);
        Some(WaitPlan { target, timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), anywhere })
    }
}

/// Whether `HOST:PORT` or `HOST:*` means the place.
fn covers(allowed: &str, target: &WaitFor) -> bool {
    let port = target.port.to_string();
    allowed.rsplit_once(':').is_some_and(|(host, allowed)| {
        host.trim_matches(['[', ']']).eq_ignore_ascii_case(&target.host) && (allowed == "*" || allowed == port)
    })
}
