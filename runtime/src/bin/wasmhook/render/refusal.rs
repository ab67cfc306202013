//! A call that could not be carried out, for programs: the same fields whatever was called. The report of a run has them among its own.

use crate::error::CliError;
use serde::Serialize;
use wasmhook::model::event::Status;
use wasmhook::model::id::{AppName, EnvironmentName};
use wasmhook::report::{Notice, Problem, Report, SCHEMA};

/// Whom a call is about, as far as that can be known whatever is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The application.
    pub app: Option<AppName>,
    /// The environment.
    pub environment: Option<EnvironmentName>,
}

/// Why there is no other answer.
#[derive(Debug, Serialize)]
pub struct Refusal {
    schema: u32,
    status: Status,
    app: Option<AppName>,
    environment: Option<EnvironmentName>,
    problems: Vec<Problem>,
}

impl Refusal {
    /// What `failed` says.
    pub fn of(failed: &CliError, about: About) -> Self {
        let About { app, environment } = about;
        Self { schema: SCHEMA, status: failed.exit.status(), app, environment, problems: failed.problems() }
    }
}

/// The report of a run that `failed`, of which this much is `known`: whatever began breaks off there.
pub fn report(failed: &CliError, known: Report, about: About) -> Report {
    let problems = failed.problems();
    if known.run_id.is_some() {
        return Report { problems, ..known };
    }
    let notices = problems.iter().map(|problem| Notice { code: problem.code.clone(), message: problem.message.clone() }).collect();
    let About { app, environment } = about;
    Report { app, environment, problems, ..Report::not_started_because(failed.exit.status(), notices) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use wasmhook::diagnostic::codes;
    use wasmhook::model::id::RunId;

    fn about() -> About {
        About { app: AppName::new("shop").ok(), environment: EnvironmentName::new("default").ok() }
    }

    #[test]
    fn a_refusal_and_the_report_of_a_run_say_the_same_in_the_same_fields() {
        for (exit, status) in [(Exit::Usage, "refused"), (Exit::Refused, "refused"), (Exit::Locked, "locked"), (Exit::Software, "failed")] {
            let failed = CliError::finding(exit, codes::LEDGER, "no room").help("make room");
            let short = serde_json::to_value(Refusal::of(&failed, about())).unwrap();
            let long = serde_json::to_value(report(&failed, Report::not_started(Status::Interrupted), about())).unwrap();
            for field in short.as_object().unwrap().keys() {
                assert_eq!(short[field], long[field], "{field}");
            }
            assert_eq!((short["schema"].as_u64(), short["status"].as_str()), (Some(1), Some(status)));
            assert_eq!((short["app"].as_str(), short["environment"].as_str()), (Some("shop"), Some("default")));
            assert_eq!((short["problems"][0]["code"].as_str(), short["problems"][0]["help"].as_str()), (Some("ledger"), Some("make room")));
        }
    }

    #[test]
    fn a_run_that_broke_off_is_told_as_far_as_it_came() {
        let known = Report { run_id: RunId::new("r1").ok(), ..Report::not_started(Status::Interrupted) };
        let told = report(&CliError::finding(Exit::Software, codes::LEDGER, "no room"), known.clone(), about());
        assert_eq!(told.problems[0].code, codes::LEDGER);
        assert_eq!(Report { problems: Vec::new(), ..told }, known);
    }
}
