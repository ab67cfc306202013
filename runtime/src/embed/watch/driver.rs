//! Does what the machine says, and feeds back what happened. It decides nothing.

use super::follow::{Found, follow, submodules};
use super::{Plan, Told, Watch};
use crate::diagnostic::codes;
use crate::discover::FollowError;
use crate::embed::{Engine, Error, not_run};
use crate::engine::Stop;
use crate::engine::watch::{Effect, Ending, Followed, Input, Machine, Ran};
use crate::exec::application::{Application, Child};
use crate::exec::in_code::{StepFn, StepResult};
use crate::load::{self, Request};
use crate::model::event::Status;
use crate::model::id::{Commit, StepName};
use crate::model::policy::OnLocked;
use crate::report::Report;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

/// What is under way.
type Operation<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// How it ended.
enum Answer {
    /// The last is what there is to say of submodules.
    Found(Result<Found, Error>, Option<String>),
    Ran(Box<Result<Report, Error>>),
    Woke,
}

/// A run that has come to the application's step, and waits for it.
type Call = oneshot::Sender<StepResult>;

pub(super) struct Driver<'a> {
    engine: &'a Engine,
    watch: &'a Watch,
    plan: Plan,
    told: &'a (dyn Fn(Told) + Send + Sync),
    operation: Option<Operation<'a>>,
    /// Asks what is under way to end.
    stop: Stop,
    /// When a signal first asked for the end.
    asked: Option<Instant>,
    calls: (UnboundedSender<Call>, UnboundedReceiver<Call>),
    call: Option<Call>,
    child: Option<Child>,
    /// The commit whose submodules were looked at: that is done once.
    seen: Option<Commit>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(engine: &'a Engine, watch: &'a Watch, plan: Plan, told: &'a (dyn Fn(Told) + Send + Sync)) -> Self {
        Self {
            engine,
            watch,
            plan,
            told,
            operation: None,
            stop: Stop::new(),
            asked: None,
            calls: mpsc::unbounded_channel(),
            call: None,
            child: None,
            seen: None,
        }
    }

    pub(super) async fn drive(mut self, signals: &mut UnboundedReceiver<i32>) -> Result<Ending, Error> {
        let mut machine = Machine::new(self.plan.spec);
        let mut inputs = VecDeque::from([Input::Begin]);
        loop {
            while let Some(input) = inputs.pop_front() {
                for effect in machine.handle(input) {
                    if let Effect::Exit(ending) = effect {
                        return Ok(ending);
                    }
                    inputs.extend(self.perform(effect));
                }
                self.answer_the_call();
            }
            inputs.push_back(self.next(signals).await);
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Follow => self.follow(),
            Effect::Run { at_start } => self.run(at_start),
            Effect::Sleep(time) => self.sleep(time),
            Effect::Interrupt { signal } => self.interrupt(signal),
            Effect::Start => return Some(self.start()),
            Effect::Forward(signal) => self.child.iter().for_each(|child| child.forward(signal)),
            Effect::Exit(_) => {}
        }
        None
    }

    /// What happens next.
    async fn next(&mut self, signals: &mut UnboundedReceiver<i32>) -> Input {
        let Self { operation, calls, child, asked, .. } = self;
        let happened = loop {
            break tokio::select! {
                biased;
                // An application hears each.
                Some(signal) = signals.recv() => {
                    if child.is_none() && is_just_now(*asked) {
                        continue;
                    }
                    return Input::Signal(signal);
                }
                code = ended(child.as_mut()) => Happened::ApplicationEnded(code),
                Some(call) = calls.1.recv() => Happened::Called(call),
                answer = answered(operation.as_mut()) => Happened::Answered(answer),
            };
        };
        match happened {
            Happened::ApplicationEnded(code) => {
                self.child = None;
                (self.told)(Told::ApplicationEnded { code });
                Input::ApplicationEnded(code)
            }
            Happened::Called(call) => {
                self.call = Some(call);
                Input::StartDue
            }
            Happened::Answered(answer) => {
                self.operation = None;
                self.take(answer)
            }
        }
    }

    fn take(&mut self, answer: Answer) -> Input {
        match answer {
            Answer::Found(found, submodules) => {
                self.seen = found.as_ref().ok().and_then(Found::commit).cloned().or_else(|| self.seen.take());
                let followed = self.found(found);
                if let Some(message) = submodules {
                    (self.told)(Told::Warning { code: codes::SUBMODULES, message });
                }
                Input::Followed(followed)
            }
            Answer::Ran(ran) => Input::Ran(self.ran(*ran)),
            Answer::Woke => Input::Woke,
        }
    }

    fn found(&self, found: Result<Found, Error>) -> Followed {
        let (followed, told) = match found {
            Ok(Found::Current(commit)) => (Followed::Yes, Told::CheckedOut { commit, from: None }),
            Ok(Found::Advanced { from, to }) => (Followed::Yes, Told::CheckedOut { commit: to, from }),
            Ok(Found::Locked(holder)) => {
                let report = self.plan.place.target.as_ref().map(|target| not_run::locked_out(target, OnLocked::Skip, &holder, None));
                (Followed::Locked, Told::Ran { report: Box::new(report.unwrap_or_else(|| Report::not_started(Status::Skipped))) })
            }
            // The run tells that no commit is known.
            Ok(Found::NoRepository | Found::Stopped) => return Followed::Yes,
            Ok(Found::Failed(error)) => (Followed::No, Told::Warning { code: code(&error), message: error.to_string() }),
            Err(error) => (Followed::No, Told::Broken { error }),
        };
        (self.told)(told);
        followed
    }

    fn ran(&self, ran: Result<Report, Error>) -> Ran {
        let (ran, told) = match ran {
            Ok(report) => (end(&report), Told::Ran { report: Box::new(report) }),
            Err(error) => (Ran::Failed, Told::Broken { error }),
        };
        (self.told)(told);
        ran
    }

    fn follow(&mut self) {
        let (engine, place, stop, seen) = (self.engine, self.plan.place.clone(), self.begin(), self.seen.clone());
        self.operation = Some(Box::pin(async move {
            let found = follow(engine, &place, &stop).await;
            let is_new = found.as_ref().ok().and_then(Found::commit).is_some_and(|commit| Some(commit) != seen.as_ref());
            let said = if is_new { submodules(&place).await } else { None };
            Answer::Found(found, said)
        }));
    }

    fn run(&mut self, at_start: bool) {
        let request = Request {
            at_start,
            only_if_changed: !at_start,
            on_locked: if at_start { Some(OnLocked::Wait) } else { self.watch.request.on_locked },
            ..self.watch.request.clone()
        };
        let (engine, start, stop) = (self.engine, self.application_step(), self.begin());
        self.operation = Some(Box::pin(async move { Answer::Ran(Box::new(engine.run_with(&request, &stop, start).await)) }));
    }

    fn sleep(&mut self, time: Duration) {
        (self.told)(Told::Waiting { seconds: time.as_secs() + u64::from(time.subsec_nanos() > 0) });
        self.operation = Some(Box::pin(async move {
            tokio::time::sleep(time).await;
            Answer::Woke
        }));
    }

    /// A handle that stops the next operation, and it alone.
    fn begin(&mut self) -> Stop {
        self.stop = Stop::new();
        self.stop.clone()
    }

    fn interrupt(&mut self, signal: Option<i32>) {
        if signal.is_some() {
            self.asked.get_or_insert_with(Instant::now);
        }
        self.stop.request(signal);
    }

    /// The host step that is carried out here: it ends when the application runs.
    fn application_step(&self) -> Option<(StepName, StepFn)> {
        self.watch.application.as_ref()?;
        let calls = self.calls.0.clone();
        let start: StepFn = Arc::new(move |_| {
            let (call, answer) = oneshot::channel();
            // Where nobody listens any more, the answer's sender is gone too.
            let _ = calls.send(call);
            Box::pin(async move { answer.await.unwrap_or_else(|_| Err("the watch is over".to_owned())) })
        });
        Some((self.plan.start.clone()?, start))
    }

    fn start(&mut self) -> Input {
        let started = self
            .application()
            .map_err(|error| (error.to_string(), 126))
            .and_then(|application| application.start().map_err(|error| (error.to_string(), error.exit_code())));
        match started {
            Ok(child) => {
                (self.told)(Told::ApplicationStarted { pid: child.id() });
                self.child = Some(child);
                Input::Started
            }
            Err((message, code)) => {
                (self.told)(Told::ApplicationNotStarted { message: message.clone() });
                if let Some(call) = self.call.take() {
                    let _ = call.send(Err(message));
                }
                Input::NotStarted(code)
            }
        }
    }

    /// The application, in the environment that the checked-out manifest declares for it.
    fn application(&self) -> Result<Application, Error> {
        let request = self.engine.complete(&self.watch.request);
        let declared = load::declare(&request)?;
        let mut env = self.watch.environment.clone();
        env.extend(load::app_environment(&declared, &request)?);
        Ok(Application { argv: self.watch.application.clone().unwrap_or_default(), dir: declared.app_dir, env })
    }

    /// Whoever waits for the application hears that it runs, or that it won't.
    fn answer_the_call(&mut self) {
        if let Some(call) = self.call.take() {
            let answer = if self.child.is_some() { Ok(Vec::new()) } else { Err("stopped before the application was started".to_owned()) };
            // A run that was stopped meanwhile doesn't wait any more.
            let _ = call.send(answer);
        }
    }
}

/// Whether another signal means the same request.
fn is_just_now(asked: Option<Instant>) -> bool {
    asked.is_some_and(|asked| asked.elapsed() < Stop::SAME_REQUEST)
}

enum Happened {
    ApplicationEnded(i32),
    Called(Call),
    Answered(Answer),
}

async fn ended(child: Option<&mut Child>) -> i32 {
    match child {
        // Where the system can't say how it ended, it is gone all the same.
        Some(child) => child.wait().await.unwrap_or(1),
        None => std::future::pending().await,
    }
}

async fn answered(operation: Option<&mut Operation<'_>>) -> Answer {
    match operation {
        Some(operation) => operation.await,
        None => std::future::pending().await,
    }
}

fn end(report: &Report) -> Ran {
    match report.status {
        Status::Success => Ran::Succeeded,
        Status::Skipped if not_run::is_idle(report) => Ran::Idle,
        Status::Skipped | Status::Locked => Ran::Locked,
        Status::Failed | Status::Refused | Status::Interrupted | Status::SucceededButDeployFailed => Ran::Failed,
    }
}

const fn code(error: &FollowError) -> &'static str {
    match error {
        FollowError::Git(_) => codes::FETCH_FAILED,
        _ => codes::NOT_FOLLOWED,
    }
}
