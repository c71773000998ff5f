//! The task that builds this gateway's next state from the steps of the machine, off the request path and off the
//! machine's own task.

use tokio::sync::{mpsc, watch};
use zonegate_sync::port::StageOp;

/// Builds states. Implemented over the generation's builder; `run_stage` owns it on a thread of its own.
pub trait Stage: Send + 'static {
    /// Carries out one step.
    fn step(&mut self, op: StageOp);
}

/// Carries out steps until the sender is gone, and counts commits up when they are active.
pub fn run_stage(mut stage: impl Stage, mut steps: mpsc::Receiver<StageOp>, committed: &watch::Sender<u64>) {
    while let Some(op) = steps.blocking_recv() {
        let is_commit = matches!(op, StageOp::Commit { .. });
        stage.step(op);
        if is_commit {
            committed.send_modify(|count| *count += 1);
        }
    }
}
