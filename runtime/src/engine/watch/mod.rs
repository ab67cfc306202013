//! The loop that follows a branch, as a pure machine: inputs in, effects out. No I/O, no async, no clock.
//!
//! Two things go on beside each other: the loop (look at the remote, run, sleep) and the application, if there is one. What the machine promises
//! whatever comes (`tests.rs` checks it on a table and on random lives):
//!
//! - of looking, running and sleeping one at most is under way;
//! - the application is started at most once, and only by a run that came to its place or succeeded without passing it;
//! - after INT or TERM nothing new begins, and it is over when what was under way is;
//! - the application's exit code is the last word where there was an application.

mod io;
#[cfg(test)]
mod tests;

pub use io::{Effect, Ending, Followed, Input, Ran};

use std::time::Duration;

/// What the loop goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// How long it sleeps between two cycles.
    pub interval: Duration,
    /// The longest sleep, where each failed cycle doubles it; `None`: it is always the interval.
    pub longest_sleep: Option<Duration>,
    /// Whether it is over after one cycle, or with an application after its start.
    pub once: bool,
    /// Whether the remote is looked at.
    pub follows: bool,
    /// Whether there is an application to start.
    pub application: bool,
}

/// The signals that stop it. A hang-up stops it only while no application runs: many servers take it for "read your configuration again".
const STOPS: &[i32] = &[libc::SIGINT, libc::SIGTERM];
const STOPS_ALONE: &[i32] = &[libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// What the loop does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Following,
    Running,
    Sleeping,
    /// Nothing, and nothing more.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Application {
    None,
    /// Not started yet.
    Due,
    Running,
    Ended(i32),
}

/// A watch from its beginning to its end.
#[derive(Debug)]
pub struct Machine {
    spec: Spec,
    doing: Doing,
    /// Whether the start of the container or machine still is to succeed.
    at_start: bool,
    application: Application,
    /// Whether nothing new begins.
    stopping: bool,
    /// The signal that stopped it.
    signal: Option<i32>,
    /// Cycles that failed since one didn't.
    failures: u32,
    /// Whether the look at the remote of this cycle failed.
    unfollowed: bool,
    over: bool,
}

impl Machine {
    /// A watch that hasn't begun.
    #[must_use]
    pub const fn new(spec: Spec) -> Self {
        let application = if spec.application { Application::Due } else { Application::None };
        // One cycle without an application is a cycle like any other.
        let at_start = spec.application || !spec.once;
        Self {
            spec,
            doing: Doing::Nothing,
            at_start,
            application,
            stopping: false,
            signal: None,
            failures: 0,
            unfollowed: false,
            over: false,
        }
    }

    /// Takes an input and says what to do.
    #[must_use]
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        match input {
            Input::Begin | Input::Woke => self.cycle(&mut out),
            Input::Followed(followed) => self.followed(followed, &mut out),
            Input::StartDue => self.start(&mut out),
            Input::Started => self.application = Application::Running,
            Input::NotStarted(code) => self.not_started(code, &mut out),
            Input::Ran(ran) => self.ran(ran, &mut out),
            Input::ApplicationEnded(code) => self.application_ended(code, &mut out),
            Input::Signal(signal) => self.signal(signal, &mut out),
        }
        self.end(&mut out);
        out
    }

    fn cycle(&mut self, out: &mut Vec<Effect>) {
        self.unfollowed = false;
        if self.spec.follows {
            self.doing = Doing::Following;
            out.push(Effect::Follow);
        } else {
            self.run(out);
        }
    }

    fn run(&mut self, out: &mut Vec<Effect>) {
        self.doing = Doing::Running;
        out.push(Effect::Run { at_start: self.at_start });
    }

    fn followed(&mut self, followed: Followed, out: &mut Vec<Effect>) {
        self.unfollowed = followed == Followed::No;
        match followed {
            _ if self.stopping => self.doing = Doing::Nothing,
            // At a start the run waits for the lock: without it the application has nothing to stand on.
            Followed::Locked if !self.at_start => self.rest(out),
            Followed::Yes | Followed::No | Followed::Locked => self.run(out),
        }
    }

    fn start(&self, out: &mut Vec<Effect>) {
        if self.application == Application::Due && !self.stopping {
            out.push(Effect::Start);
        }
    }

    fn ran(&mut self, ran: Ran, out: &mut Vec<Effect>) {
        self.doing = Doing::Nothing;
        if ran != Ran::Locked {
            self.failures = if ran == Ran::Failed || self.unfollowed { self.failures.saturating_add(1) } else { 0 };
        }
        if self.stopping {
            return;
        }
        self.unfollowed &= ran == Ran::Idle;
        let unstarted = self.at_start && matches!(ran, Ran::Failed | Ran::Locked) && self.application != Application::Running;
        if unstarted {
            return self.stop();
        }
        if self.at_start {
            self.at_start = false;
            // A run of a part of the lifecycle passes the application's place by.
            self.start(out);
        }
        self.rest(out);
    }

    /// Sleeps, unless one cycle was all.
    fn rest(&mut self, out: &mut Vec<Effect>) {
        if self.spec.once {
            return self.doing = Doing::Nothing;
        }
        self.doing = Doing::Sleeping;
        out.push(Effect::Sleep(self.pause()));
    }

    fn pause(&self) -> Duration {
        let Some(longest) = self.spec.longest_sleep else { return self.spec.interval };
        let doubled = 2u32.checked_pow(self.failures).and_then(|times| self.spec.interval.checked_mul(times));
        doubled.unwrap_or(longest).min(longest).max(self.spec.interval)
    }

    fn not_started(&mut self, code: i32, out: &mut Vec<Effect>) {
        self.application = Application::Ended(code);
        // The run that asked for it fails of it; a loop that is further on has to be told.
        if self.doing != Doing::Running {
            self.interrupt(None, out);
        }
        self.stop();
    }

    fn application_ended(&mut self, code: i32, out: &mut Vec<Effect>) {
        self.application = Application::Ended(code);
        // One start is one start: what its run still does in the background comes to its end.
        if !self.spec.once {
            self.interrupt(None, out);
        }
        self.stop();
    }

    fn signal(&mut self, signal: i32, out: &mut Vec<Effect>) {
        let runs = self.application == Application::Running;
        if runs {
            out.push(Effect::Forward(signal));
        }
        if !(if runs { STOPS } else { STOPS_ALONE }).contains(&signal) {
            return;
        }
        if self.signal.is_some() && !runs {
            // Whoever asks twice doesn't wait: the next run finds a run that died.
            self.signal = Some(signal);
            return self.exit(Ending::AtOnce, out);
        }
        if self.signal.is_none() {
            self.signal = Some(signal);
            self.interrupt(Some(signal), out);
        }
        self.stop();
    }

    /// Ends what is under way, if it wasn't asked to end before.
    fn interrupt(&mut self, signal: Option<i32>, out: &mut Vec<Effect>) {
        if self.doing == Doing::Nothing {
            return;
        }
        out.push(Effect::Interrupt { signal });
        if self.doing == Doing::Sleeping {
            self.doing = Doing::Nothing;
        }
    }

    const fn stop(&mut self) {
        self.stopping = true;
    }

    /// It is over when the loop has nothing to do and no application runs, or ever will.
    fn end(&mut self, out: &mut Vec<Effect>) {
        let waits_for_application = match self.application {
            Application::Running => true,
            Application::Due => !self.stopping,
            Application::None | Application::Ended(_) => false,
        };
        if !self.over && self.doing == Doing::Nothing && !waits_for_application {
            self.exit(Ending::Stopped, out);
        }
    }

    fn exit(&mut self, stopped: fn(i32) -> Ending, out: &mut Vec<Effect>) {
        self.over = true;
        let ending = match (self.application, self.signal) {
            (Application::Ended(code), _) => Ending::Application(code),
            (_, Some(signal)) => stopped(signal),
            _ if self.unfollowed && self.spec.once => Ending::Unfollowed,
            _ => Ending::LastRun,
        };
        out.push(Effect::Exit(ending));
    }
}
