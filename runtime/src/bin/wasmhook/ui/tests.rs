//! Which stream gets what, and what happens when one breaks.

use super::*;
use crate::render::testing::journal::{failure, success};
use crate::render::testing::{COLOUR, UNICODE};
use std::sync::Arc;
use wasmhook::model::event::What;

/// A stream whose bytes can be looked at.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream that fails.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

fn settings(format: Format) -> UiSettings {
    UiSettings { format, stdout: UNICODE, stderr: UNICODE, progress: Progress::Off, given: Given::default() }
}

fn show(ui: &Ui, events: &[Event]) {
    for event in events {
        ui.event(event);
    }
}

/// Standard output and standard error of a whole run.
fn run(format: Format) -> (String, String) {
    let (out, err) = (Kept::default(), Kept::default());
    let ui = Ui::new(settings(format), Box::new(out.clone()), Box::new(err.clone()));
    show(&ui, &success());
    ui.summary(&Report::fold(&success())).unwrap();
    (out.text(), err.text())
}

#[test]
fn what_comes_late_comes_all_the_same_while_the_progress_line_moves() {
    for progress in [Progress::Off, Progress::Spinner] {
        let ui = Ui::new(UiSettings { progress, ..settings(Format::Human) }, Box::new(Kept::default()), Box::new(Kept::default()));
        let (teller, told) = std::sync::mpsc::channel();
        let shown = std::thread::scope(|scope| {
            scope.spawn(move || {
                for event in success() {
                    if matches!(event.what, What::Finished { .. }) {
                        std::thread::sleep(TICK * 3);
                    }
                    teller.send(event).unwrap();
                }
            });
            ui.as_it_comes(&told).inspect(|event| ui.event(event)).collect::<Vec<_>>()
        });
        assert_eq!(shown, success());
        assert_eq!(ui.state().progress, None, "nothing runs any more");
    }
}

#[test]
fn people_see_the_progress_on_stderr_and_the_summary_on_stdout() {
    let (out, err) = run(Format::Human);
    assert!(err.contains("Stopping services...") && !err.contains("succeeded with 1 warning"), "{err}");
    assert!(out.contains("succeeded with 1 warning") && !out.contains("Stopping services..."), "{out}");
}

#[test]
fn json_on_stdout_is_json_and_people_still_see_everything() {
    let (out, err) = run(Format::Json);
    assert_eq!(serde_json::from_str::<Report>(&out).unwrap(), Report::fold(&success()));
    assert!(err.contains("Stopping services...") && err.contains("succeeded with 1 warning"), "{err}");
}

#[test]
fn json_lines_are_the_events() {
    let (out, _) = run(Format::Jsonl);
    let events: Vec<Event> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events, success());
}

#[test]
fn what_a_watch_tells_people_stands_in_the_report_of_its_cycle_and_in_no_other() {
    use wasmhook::diagnostic::codes;
    let (out, err) = (Kept::default(), Kept::default());
    let ui = Ui::new(settings(Format::Json), Box::new(out.clone()), Box::new(err.clone()));
    let ran = || Told::Ran { report: Box::new(Report::fold(&success())) };
    ui.told(&Told::Warning { code: codes::FETCH_FAILED, message: "nobody answers".to_owned() }).unwrap();
    ui.told(&ran()).unwrap();
    ui.told(&ran()).unwrap();
    let reports: Vec<Report> = serde_json::Deserializer::from_str(&out.text()).into_iter().map(Result::unwrap).collect();
    assert_eq!(reports[0].notices[0], Notice { code: codes::FETCH_FAILED.to_owned(), message: "nobody answers".to_owned() });
    assert_eq!(reports[1..], [Report::fold(&success())]);
    assert_eq!(err.text().matches("nobody answers").count(), 1, "people are told once: {}", err.text());
}

#[test]
fn nobody_reading_is_no_error() {
    let broken = || Box::new(Broken(io::ErrorKind::BrokenPipe));
    let ui = Ui::new(settings(Format::Jsonl), broken(), broken());
    show(&ui, &failure());
    ui.summary(&Report::fold(&failure())).unwrap();
    ui.stdout_text("plan").unwrap();
}

#[test]
fn a_full_disk_is_an_error_where_the_output_was_asked_for() {
    let full = || Box::new(Broken(io::ErrorKind::StorageFull));
    let ui = Ui::new(settings(Format::Jsonl), full(), Box::new(Kept::default()));
    show(&ui, &failure());
    let error = ui.summary(&Report::fold(&failure())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().starts_with("cannot write standard output: "), "{error}");
    ui.stdout_text("the rest").unwrap(); // what is cut off stays cut off, and is said once
    let ui = Ui::new(settings(Format::Human), Box::new(Kept::default()), full());
    show(&ui, &failure());
    ui.summary(&Report::fold(&failure())).unwrap();
}

#[test]
fn the_two_streams_have_looks_of_their_own() {
    let (out, err) = (Kept::default(), Kept::default());
    let settings = UiSettings { stderr: COLOUR, ..settings(Format::Human) };
    let ui = Ui::new(settings, Box::new(out.clone()), Box::new(err.clone()));
    show(&ui, &failure());
    ui.summary(&Report::fold(&failure())).unwrap();
    ui.error(&io::Error::other("no\u{1b}[2J"));
    assert!(err.text().contains("\u{1b}[1;31merror: \u{1b}[0mno\\x1b[2J\n"), "{}", err.text());
    assert!(!out.text().contains('\u{1b}'));
}

#[test]
fn s2_29_the_progress_line_names_the_newest_hook_and_its_limit() {
    let place = crate::render::testing::journal::place("post-pull", "v0.4.0");
    let running = Running { place, timeout_ms: Some(300_000) };
    assert_eq!(progress(&running, 0, Charset::Ascii), "of 5m  post-pull/v0.4.0");
    assert_eq!(progress(&Running { timeout_ms: None, ..running }, 2, Charset::Ascii), " post-pull/v0.4.0 (and 2 more)");
    assert!(ProgressStyle::with_template("  {spinner} {elapsed} {wide_msg}").is_ok());
}
