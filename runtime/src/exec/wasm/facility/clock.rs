//! Clocks, and sleeping. Telling the time is no right; sleeping must not be one either: a guest asleep in the kernel couldn't be woken at its
//! deadline, so it sleeps in the host's timer.

use super::super::state::State;
use super::{PREVIEW1, called};
use std::time::Duration;
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1;
use wiggle::{GuestMemory, GuestPtr};

/// Where a `subscription` keeps its parts (preview1 ABI).
mod subscription {
    pub(super) const TAG: u32 = 8;
    pub(super) const TAG_CLOCK: u8 = 0;
    pub(super) const TIMEOUT: u32 = 24;
    pub(super) const FLAGS: u32 = 40;
    pub(super) const FLAG_ABSOLUTE: u16 = 1;
}

/// Puts a `poll_oneoff` in the place of wasmtime-wasi's, whose shortcut for a plain sleep blocks its thread and can't be interrupted.
pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(PREVIEW1, "poll_oneoff", |mut caller: Caller<'_, State>, args: (i32, i32, i32, i32)| {
        Box::new(async move {
            let (subscriptions, events, count, found) = args;
            let sleep = if count == 1 { take_sleep(&mut called(&mut caller)?.0, subscriptions.cast_unsigned())? } else { None };
            if let Some((_, nanoseconds)) = sleep {
                tokio::time::sleep(Duration::from_nanos(nanoseconds)).await;
            }
            let (mut memory, state) = called(&mut caller)?;
            let errno = wasi_snapshot_preview1::poll_oneoff(&mut state.wasi, &mut memory, subscriptions, events, count, found).await?;
            if let Some((timeout, nanoseconds)) = sleep {
                memory.write(timeout, nanoseconds)?;
            }
            Ok(errno)
        })
    })?;
    Ok(())
}

/// If the subscription is a plain sleep: takes its length out of it (the sleep is done by then), and says where to put it back.
fn take_sleep(memory: &mut GuestMemory<'_>, subscription: u32) -> Result<Option<(GuestPtr<u64>, u64)>> {
    let base = GuestPtr::<u8>::new(subscription);
    if memory.read(base.add(subscription::TAG)?)? != subscription::TAG_CLOCK {
        return Ok(None);
    }
    let flags: u16 = memory.read(base.add(subscription::FLAGS)?.cast())?;
    if flags & subscription::FLAG_ABSOLUTE != 0 {
        return Ok(None);
    }
    let timeout: GuestPtr<u64> = base.add(subscription::TIMEOUT)?.cast();
    let nanoseconds = memory.read(timeout)?;
    memory.write(timeout, 0)?;
    Ok(Some((timeout, nanoseconds)))
}
