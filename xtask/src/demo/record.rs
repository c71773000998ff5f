//! What the demo's parts share: the clock since the command, the step that is on, and what went wrong in the traffic.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::stopwatch::Stopwatch;

/// How many wrong answers are kept with their story; all are counted.
const KEPT: usize = 8;

/// A wrong answer.
#[derive(Debug, Clone)]
pub(crate) struct Complaint {
    /// When, since the command was given.
    pub(crate) at: Duration,
    /// In which step.
    pub(crate) step: String,
    /// From which gateway.
    pub(crate) gateway: String,
    /// What was asked.
    pub(crate) question: String,
    /// What was right.
    pub(crate) expected: String,
    /// What came.
    pub(crate) found: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, step, gateway, question, expected, found } = self;
        write!(
            f,
            "{:.2} s, {step}: {gateway} was asked for {question}: expected {expected}, found {found}",
            at.as_secs_f64()
        )
    }
}

/// The record of a run.
#[derive(Debug)]
pub(crate) struct Record {
    since_command: Stopwatch,
    step: Mutex<String>,
    first_served: OnceLock<Duration>,
    complaints: Mutex<Vec<Complaint>>,
    asked: AtomicU64,
}

impl Record {
    /// An empty one.
    pub(crate) fn new(since_command: Stopwatch) -> Self {
        Self {
            since_command,
            step: Mutex::default(),
            first_served: OnceLock::new(),
            complaints: Mutex::default(),
            asked: AtomicU64::new(0),
        }
    }

    /// The time since the command was given.
    pub(crate) fn elapsed(&self) -> Duration {
        self.since_command.elapsed()
    }

    /// A number that no other request has.
    pub(crate) fn serial(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::Relaxed)
    }

    /// The step that is on.
    pub(crate) fn step(&self) -> String {
        self.step.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next step begins.
    pub(crate) fn begin_step(&self, step: &str) {
        step.clone_into(&mut self.step.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A request was served; the first one is remembered.
    pub(crate) fn request_served(&self) {
        self.first_served.get_or_init(|| self.elapsed());
    }

    /// When the first request was served.
    pub(crate) fn first_served(&self) -> Option<Duration> {
        self.first_served.get().copied()
    }

    /// Keeps a wrong answer.
    pub(crate) fn complain(&self, gateway: &str, question: String, expected: String, found: String) {
        let complaint = Complaint {
            at: self.elapsed(),
            step: self.step(),
            gateway: gateway.to_owned(),
            question,
            expected,
            found,
        };
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.len() < KEPT {
            complaints.push(complaint);
        }
    }

    /// The first wrong answers.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
