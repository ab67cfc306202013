//! JSON Lines: one event a line, as the journal holds it. There is no line for the report: it is a fold of these.

use wasmhook::model::event::Event;

/// `event` as one line of JSON with its end.
///
/// # Errors
/// `serde_json::Error` if an event can't be JSON; its types don't allow that.
pub fn event(event: &Event) -> Result<String, serde_json::Error> {
    super::json::line(event)
}
