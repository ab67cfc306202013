//! Exit codes: the one place that knows what each means.

use wasmhook::model::event::Status;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, also skipped or with tolerated failures.
    Done,
    /// 1: a hook failed and its policy aborts.
    HookFailed,
    /// 2: usage, manifest or profile error.
    Usage,
    /// 3: refused before running.
    Refused,
    /// 4: locked by another run.
    Locked,
    /// 70: a bug in wasmhook, or its machinery failed.
    Software,
    /// 128 + the signal that interrupted the run.
    Interrupted(i32),
    /// `exec` passes the guest's own code on.
    Guest(i32),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        let code = match self {
            Self::Done => 0,
            Self::HookFailed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Locked => 4,
            Self::Software => 70,
            Self::Interrupted(signal) => 128 + signal,
            // A process has a byte for its code: 256 must not come out as success.
            Self::Guest(code) if code != 0 && code % 256 == 0 => 1,
            Self::Guest(code) => code,
        };
        u8::try_from(code & 0xff).unwrap_or(1)
    }

    /// The word for a call that ended like this and has no other answer.
    pub const fn status(self) -> Status {
        match self {
            Self::Done => Status::Success,
            Self::Usage | Self::Refused => Status::Refused,
            Self::Locked => Status::Locked,
            Self::Interrupted(_) => Status::Interrupted,
            Self::HookFailed | Self::Software | Self::Guest(_) => Status::Failed,
        }
    }

    /// The exit of a run that ended like this; `signal` is what interrupted it.
    pub fn of(status: Status, signal: Option<i32>) -> Self {
        match status {
            Status::Success | Status::Skipped | Status::SucceededButDeployFailed => Self::Done,
            Status::Failed => Self::HookFailed,
            Status::Refused => Self::Refused,
            Status::Locked => Self::Locked,
            Status::Interrupted => Self::Interrupted(signal.unwrap_or(2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_documentation() {
        let codes = [(Status::Success, 0), (Status::Skipped, 0), (Status::Failed, 1), (Status::Refused, 3), (Status::Locked, 4)];
        for (status, code) in codes {
            assert_eq!(Exit::of(status, None).code(), code);
        }
        assert_eq!(Exit::of(Status::Interrupted, Some(15)).code(), 143);
        assert_eq!(Exit::of(Status::Interrupted, Some(2)).code(), 130);
        assert_eq!((Exit::Usage.code(), Exit::Software.code(), Exit::Guest(134).code()), (2, 70, 134));
        assert_eq!((Exit::Guest(0).code(), Exit::Guest(255).code(), Exit::Guest(256).code()), (0, 255, 1), "failure stays failure");
    }
}
