//! The self-test of the release-commands seed, written with the SDK. Each argument names a check that fails.

use wasmhook_sdk::{Checks, Outcome};

fn main() -> Outcome {
    let failing: Vec<String> = std::env::args().skip(1).collect();
    let mut checks = Checks::new("security configuration checks");
    for (name, reason) in [
        ("database configuration", "no backup configured"),
        ("user accounts", "default password in use"),
        ("gateway server", "HTTPS not enforced; no exemptions"),
    ] {
        checks.check(name, !failing.iter().any(|failing| failing == name), reason);
    }
    checks.finish()
}
