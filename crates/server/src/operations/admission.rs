//! Whether a room may be opened now. Rooms that run are never touched: who comes to people who are there is let in as long as there
//! is a seat.

use crate::config::Operation;
use crate::error::Refusal;

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    /// Share of a core that the worker takes which would get the room, 0 to 1; `None`: nobody knows.
    pub(crate) worker: Option<f64>,
    /// Memory of the process, in bytes; `None`: nobody knows.
    pub(crate) memory: Option<u64>,
}

/// From where on there is too much to do; 0 means never.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) worker_percent: u32,
    pub(crate) memory_mb: u64,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Short {
    /// The media workers have too much to do.
    Cpu,
    /// The process is too large.
    Memory,
}

impl From<&Operation> for Bounds {
    fn from(operation: &Operation) -> Self {
        Self { worker_percent: operation.max_worker_load, memory_mb: operation.max_memory_mb }
    }
}

impl From<Short> for Refusal {
    fn from(short: Short) -> Self {
        let what = match short {
            Short::Cpu => "busy with the rooms that run",
            Short::Memory => "short of memory",
        };
        Self::busy(format!(
            "The server is {what}: no other room can be opened now. Join one where people are, or try again."
        ))
    }
}

/// Whether somebody may come into a room.
///
/// # Errors
/// When nobody is in it and there is too much to do already.
pub(crate) fn admit(load: Load, bounds: Bounds, is_empty: bool) -> Result<(), Short> {
    if !is_empty {
        return Ok(());
    }
    let is_busy = |share: f64| bounds.worker_percent > 0 && share * 100.0 >= f64::from(bounds.worker_percent);
    if load.worker.is_some_and(is_busy) {
        return Err(Short::Cpu);
    }
    let is_large = |bytes: u64| bounds.memory_mb > 0 && bytes >= bounds.memory_mb.saturating_mul(1 << 20);
    if load.memory.is_some_and(is_large) { Err(Short::Memory) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { worker_percent: 80, memory_mb: 100 };

    #[test]
    fn an_empty_room_is_opened_only_below_both_bounds() {
        let cases = [
            (Some(0.79), Some(99 << 20), Ok(())),
            (Some(0.80), Some(0), Err(Short::Cpu)),
            (Some(0.10), Some(100 << 20), Err(Short::Memory)),
            (None, Some(99 << 20), Ok(())),
            (None, None, Ok(())),
        ];
        for (worker, memory, expected) in cases {
            assert_eq!(admit(Load { worker, memory }, BOUNDS, true), expected, "{worker:?} {memory:?}");
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let refusal = Refusal::from(Short::Cpu);
        assert_eq!(refusal.code, crate::error::Code::ServerBusy);
        assert!(refusal.retry_after.is_some());
    }

    proptest! {
        #[test]
        fn a_room_where_people_are_is_never_closed_to_others(
            share in 0.0..5.0_f64, memory: u64, worker_percent in 0..=100_u32, memory_mb: u64,
        ) {
            let load = Load { worker: Some(share), memory: Some(memory) };
            prop_assert_eq!(admit(load, Bounds { worker_percent, memory_mb }, false), Ok(()));
            prop_assert_eq!(admit(load, Bounds { worker_percent: 0, memory_mb: 0 }, true), Ok(()));
        }

        #[test]
        fn more_to_do_never_opens_what_less_did_not(
            share in 0.0..2.0_f64, more in 0.0..2.0_f64, memory in 0..1_u64 << 40, larger in 0..1_u64 << 40,
        ) {
            let less = admit(Load { worker: Some(share), memory: Some(memory) }, BOUNDS, true);
            let load = Load { worker: Some(share + more), memory: Some(memory + larger) };
            prop_assert!(less.is_ok() || admit(load, BOUNDS, true).is_err());
        }
    }
}
