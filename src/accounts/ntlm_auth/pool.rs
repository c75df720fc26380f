//! The running helpers: as many as are needed, no more than allowed.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::helper::Helper;
use super::protocol::Answer;

/// Starts helpers when they are needed, lets each answer one question at a time, and replaces those that fail.
pub(super) struct Pool {
    program: PathBuf,
    arguments: Vec<OsString>,
    limit: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug)]
struct State {
    /// The one that was used last is the last.
    idle: Vec<Helper>,
    /// Idle ones and those that are being asked.
    running: usize,
    /// The process that counts.
    owner: u32,
}

/// The right to one of the processes; given back when it is dropped, with the helper or without.
struct Place<'a> {
    pool: &'a Pool,
    helper: Option<Helper>,
}

impl Pool {
    pub(super) fn new(program: PathBuf, arguments: Vec<OsString>, limit: usize) -> Self {
        let state = State { idle: Vec::new(), running: 0, owner: process::id() };
        Self { program, arguments, limit, state: Mutex::new(state), returned: Condvar::new() }
    }

    /// Puts a question to one of the helpers.
    ///
    /// # Errors
    /// What happened, where there is no answer by `deadline`.
    pub(super) fn ask(&self, lines: &str, deadline: Instant) -> Result<Answer, String> {
        let mut place = self.take_place(deadline)?;
        loop {
            let mut helper = match place.helper.take() {
                Some(helper) => helper,
                None => Helper::start(&self.program, &self.arguments)
                    .map_err(|error| format!("{} cannot be started: {error}", self.program.display()))?,
            };
            match helper.ask(lines, deadline) {
                Ok(answer) => {
                    place.helper = Some(helper);
                    return Ok(answer);
                }
                // It ended while it had nothing to do. A new one is not `was_gone`, so this ends.
                Err(failure) if failure.was_gone => {}
                Err(failure) => return Err(format!("{}: {}", self.program.display(), failure.problem)),
            }
        }
    }

    fn take_place(&self, deadline: Instant) -> Result<Place<'_>, String> {
        let mut state = self.lock();
        loop {
            if let Some(helper) = state.idle.pop() {
                return Ok(Place { pool: self, helper: Some(helper) });
            }
            if state.running < self.limit {
                state.running += 1;
                return Ok(Place { pool: self, helper: None });
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return Err(format!("all {} helper processes are busy", self.limit));
            }
            state = self.returned.wait_timeout(state, remaining).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // After a fork: the helpers are the parent's, and two who talk to one would get each other's answers.
        if state.owner != process::id() {
            *state = State { idle: Vec::new(), running: 0, owner: process::id() };
        }
        state
    }

    #[cfg(test)]
    pub(super) fn idle_processes(&self) -> Vec<u32> {
        self.lock().idle.iter().map(Helper::process_id).collect()
    }

    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        self.lock().running
    }

    /// As if this process were a fork of the one that started the helpers.
    #[cfg(test)]
    pub(super) fn pretend_fork(&self) {
        let mut state = self.lock();
        state.owner = 0;
        state.idle.iter_mut().for_each(Helper::disown);
    }
}

impl fmt::Debug for Pool {
    /// Without the arguments, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("program", &self.program)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        match self.helper.take().filter(Helper::is_ours) {
            Some(helper) => state.idle.push(helper),
            None => state.running = state.running.saturating_sub(1),
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}
