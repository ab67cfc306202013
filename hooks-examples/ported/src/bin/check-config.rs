//! `python manage.py check --deploy`: a self-test of `config/production.ini`, told as the document's sample log tells it.

use wasmhook_sdk::prelude::*;

fn main() -> Result<Outcome> {
    let app = Context::from_env()?.app_dir;
    let config = std::fs::read_to_string(app.join("config/production.ini"))?;
    let is_set = |line: &str| config.lines().any(|known| known == line);
    let mut checks = Checks::new("security configuration checks");
    checks.check("database configuration", is_set("backup=daily"), "no backup configured");
    checks.check("user accounts", is_set("default_password=changed"), "default password in use");
    checks.check("gateway server", is_set("https=enforced"), "HTTPS not enforced; no exemptions");
    Ok(checks.finish())
}
