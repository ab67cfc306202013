//! JSON Lines: one event a line, as the journal holds it. There is no line for the report: it is a fold of these.

use serde::Serialize;
use wasmhook::Told;
use wasmhook::model::event::{Event, SCHEMA};
use wasmhook::report::Report;

/// `event` as one line of JSON with its end.
///
/// # Errors
/// `serde_json::Error` if an event can't be JSON; its types don't allow that.
pub fn event(event: &Event) -> Result<String, serde_json::Error> {
    super::json::line(event)
}

/// What happened between the runs of a watch, as one line of JSON with its end: it has `watch` where events have `what`.
///
/// # Errors
/// As [`event`].
pub fn told(told: &Told) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        schema: u32,
        #[serde(flatten)]
        told: &'a Told,
    }
    super::json::line(&Line { schema: SCHEMA, told })
}

/// A run of a watch that could not be carried out, in the same way.
///
/// # Errors
/// As [`event`].
pub fn broken(error: &str, report: &Report) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        schema: u32,
        watch: &'static str,
        error: &'a str,
        report: &'a Report,
    }
    super::json::line(&Line { schema: SCHEMA, watch: "broken", error, report })
}
