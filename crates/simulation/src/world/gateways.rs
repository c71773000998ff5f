//! The gateways' processes: each a `Machine` with its timer, its open calls and what it serves.

use std::collections::VecDeque;
use std::time::Duration;

use zonegate_model::NodeId;
use zonegate_sync::port::StageOp;
use zonegate_sync::{CallId, Command, Input, Machine, Mode, Note, Role, Settings, StoreRequest};

use super::{Address, Caller, Event, World};
use crate::mutant::Mutant;
use crate::served::{Served, Staged};
use crate::store::Place;
use crate::violation::{Finding, Guarantee};

/// How long the binary gives a process to stop in good order.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// A gateway, running or not.
#[derive(Default)]
pub(super) struct Gateway {
    pub(super) process: Option<Process>,
    pub(super) incarnation: u32,
    /// Its wall clock against the true one, milliseconds.
    pub(super) clock_offset: i64,
    pub(super) paused_until: Duration,
    /// What happened to the process while it was paused, oldest first.
    inbox: VecDeque<Event>,
    pub(super) store_cut_until: Duration,
    pub(super) repository_cut_until: Duration,
}

/// A running process.
pub(super) struct Process {
    pub(super) machine: Machine,
    pub(super) node: NodeId,
    wake_at: Option<Duration>,
    open: Vec<CallId>,
    pub(super) served: Served,
    activation_at: Duration,
    pub(super) ready: bool,
    stopping: bool,
    /// Token of the grant whose channel the adapter is subscribed to.
    pub(super) token: Option<u128>,
    /// The last log item that the adapter was answered.
    pub(super) log_place: Place,
    /// Commits of the repository up to the last one that its adapter told of.
    pub(super) told_commits: u64,
    /// When it was last told something, and how often at that time.
    busy: (Duration, u32),
}

impl World {
    /// The process at an address, if it is still that one.
    pub(super) fn process(&mut self, address: Address) -> Option<&mut Process> {
        let gateway = &mut self.gateways[address.gateway];
        if gateway.incarnation == address.incarnation { gateway.process.as_mut() } else { None }
    }

    pub(super) fn address(&self, gateway: usize) -> Address {
        Address { gateway, incarnation: self.gateways[gateway].incarnation }
    }

    /// A stopped process (SIGSTOP) does nothing until it goes on: what happens to it queues up. Answers the event if
    /// the process runs.
    fn unless_paused(&mut self, address: Address, event: Event) -> Option<Event> {
        let gateway = &mut self.gateways[address.gateway];
        if gateway.paused_until > self.now {
            gateway.inbox.push_back(event);
            return None;
        }
        Some(event)
    }

    pub(super) fn resume(&mut self, gateway: usize) {
        if self.gateways[gateway].paused_until <= self.now {
            for event in std::mem::take(&mut self.gateways[gateway].inbox) {
                self.queue.push(self.now, event);
            }
        }
    }

    pub(super) fn start(&mut self, gateway: usize) -> Result<(), Finding> {
        if self.gateways[gateway].process.is_some() {
            return Ok(());
        }
        let incarnation = self.gateways[gateway].incarnation + 1;
        self.gateways[gateway].incarnation = incarnation;
        self.gateways[gateway].paused_until = Duration::ZERO;
        self.gateways[gateway].inbox.clear();
        let node = NodeId::new(format!("gateway-{gateway}.{incarnation}"));
        let machine =
            Machine::new(self.settings(gateway, node.clone()), self.chance.next(), self.moment(gateway));
        self.gateways[gateway].process = Some(Process {
            machine,
            node: node.clone(),
            wake_at: None,
            open: Vec::new(),
            served: Served::default(),
            activation_at: self.now,
            ready: false,
            stopping: false,
            token: None,
            log_place: (0, 0),
            told_commits: 0,
            busy: (self.now, 0),
        });
        self.history.note(self.now, |line| line.put(format_args!("{node}: starts")));
        let address = self.address(gateway);
        self.carry_out(address)
    }

    fn settings(&self, gateway: usize, node: NodeId) -> Settings {
        let may_lead = gateway < self.plan.leaders;
        let mut settings = Settings::new(node, Mode::Zone { may_lead });
        settings.delay = Duration::from_secs(2);
        settings.audit_interval = Duration::from_secs(30);
        settings.overlap = Duration::from_secs(5);
        settings.watch_interval = Duration::from_millis(400);
        settings.heartbeat_interval = Duration::from_secs(2);
        settings.batch_rows = self.plan.batch_rows;
        settings.audit_most_units = self.plan.audit_most_units;
        settings
    }

    /// The process is gone. Nothing of it is kept.
    pub(super) fn kill(&mut self, address: Address) {
        if self.process(address).is_some() {
            self.gateways[address.gateway].process = None;
            self.history
                .note(self.now, |line| line.put(format_args!("gateway-{}: is gone", address.gateway)));
        }
    }

    /// SIGTERM.
    pub(super) fn stop(&mut self, gateway: usize) -> Result<(), Finding> {
        let address = self.address(gateway);
        if let Some(process) = self.process(address) {
            process.stopping = true;
            self.queue.push(self.now + STOP_PATIENCE, Event::Kill(address));
            return self.tell(address, Input::Stop);
        }
        Ok(())
    }

    pub(super) fn wake(&mut self, address: Address) -> Result<(), Finding> {
        if self.unless_paused(address, Event::Wake(address)).is_none() {
            return Ok(());
        }
        let now = self.now;
        let Some(process) = self.process(address) else { return Ok(()) };
        process.wake_at = None;
        if process.machine.wake_at() > now {
            self.set_timer(address);
            return Ok(());
        }
        self.tell(address, Input::Tick)
    }

    fn set_timer(&mut self, address: Address) {
        let now = self.now;
        let Some(process) = self.process(address) else { return };
        let due = process.machine.wake_at().max(now);
        if process.wake_at.is_none_or(|set| due < set) {
            process.wake_at = Some(due);
            self.queue.push(due, Event::Wake(address));
        }
    }

    /// An answer reaches the process.
    pub(super) fn arrive(&mut self, caller: Caller, input: Box<Input>) -> Result<(), Finding> {
        let Some(Event::Reply(caller, input)) =
            self.unless_paused(caller.address, Event::Reply(caller, input))
        else {
            return Ok(());
        };
        // An answer may have been on its way to the machine when the call was cancelled.
        let unlucky = self.network.permille(200);
        let Some(process) = self.process(caller.address) else { return Ok(()) };
        if let Some(place) = process.open.iter().position(|call| *call == caller.call) {
            if is_final(&input) {
                process.open.swap_remove(place);
            }
        } else if !unlucky {
            return Ok(());
        }
        self.tell(caller.address, *input)
    }

    /// Hands an input to the machine and carries out what it wants.
    pub(super) fn tell(&mut self, address: Address, input: Input) -> Result<(), Finding> {
        let (now, moment) = (self.now, self.moment(address.gateway));
        let Some(process) = self.process(address) else { return Ok(()) };
        process.busy = if process.busy.0 == now { (now, process.busy.1 + 1) } else { (now, 1) };
        if process.busy.1 > 2_000 {
            let what = format!("{} spins: last told {input:?}", process.node);
            return Err(Finding::new(Guarantee::Conduct, what));
        }
        process.machine.handle(moment, input);
        self.carry_out(address)
    }

    fn carry_out(&mut self, address: Address) -> Result<(), Finding> {
        loop {
            let Some(process) = self.process(address) else { return Ok(()) };
            let Some(command) = process.machine.next_command() else { break };
            match command {
                Command::Store { call, request } => {
                    process.open.push(call);
                    if let StoreRequest::Acquire(acquire) = &request {
                        process.token = Some(acquire.token.0);
                    }
                    self.send_to_store(address, call, request);
                }
                Command::Repository { call, request } => {
                    process.open.push(call);
                    let role = process.machine.status().role;
                    if !matches!(role, Role::Primary { .. }) {
                        let what = format!("{} reads the repository as {role:?}", process.node);
                        return Err(Finding::new(Guarantee::Z2, what));
                    }
                    self.send_to_repository(address, call, request);
                }
                Command::Cancel(call) => process.open.retain(|open| *open != call),
                Command::Stage(op) => self.stage_op(address, op)?,
                Command::Note(note) => self.noted(address, &note),
            }
        }
        self.check_readiness(address)?;
        self.set_timer(address);
        Ok(())
    }

    fn noted(&mut self, address: Address, note: &Note) {
        let Some(process) = self.process(address) else { return };
        let node = process.node.clone();
        if process.stopping && matches!(note, Note::Released { .. }) {
            self.queue.push(self.now, Event::Kill(address));
        }
        if let Note::Audited { changed, .. } = note {
            self.summary.audits += u64::from(*changed > 0);
        }
        self.history.note(self.now, |line| line.put(format_args!("{node}: {note:?}")));
    }

    fn stage_op(&mut self, address: Address, op: StageOp) -> Result<(), Finding> {
        let early = self.options.mutant == Some(Mutant::EarlyActivation) && matches!(op, StageOp::Rows(_));
        let slow = self.network.permille(20);
        let takes = if slow { self.network.millis(20, 800) } else { self.network.millis(0, 3) };
        let now = self.now;
        let Some(process) = self.process(address) else { return Ok(()) };
        let staged = process.served.stage(op)?;
        if early && let Some(staged) = process.served.peek() {
            let process = self.gateways[address.gateway].process.as_mut();
            if let Some(process) = process {
                process.served.activate(staged, &self.repository, false)?;
            }
            return Ok(());
        }
        if let Some(staged) = staged {
            process.activation_at = process.activation_at.max(now + takes);
            let at = process.activation_at;
            self.queue.push(at, Event::Activate(address, Box::new(staged)));
        }
        Ok(())
    }

    /// A state becomes active: requests see it from now on.
    pub(super) fn activate(&mut self, address: Address, staged: Box<Staged>) -> Result<(), Finding> {
        let Some(Event::Activate(address, staged)) =
            self.unless_paused(address, Event::Activate(address, staged))
        else {
            return Ok(());
        };
        let gateway = &mut self.gateways[address.gateway];
        let Some(process) = gateway.process.as_mut().filter(|_| gateway.incarnation == address.incarnation)
        else {
            return Ok(());
        };
        let (full, rows, revision) = (staged.is_full(), staged.rows(), staged.revision);
        self.summary.activations += 1;
        self.summary.full_activations += u64::from(full && process.served.activations > 0);
        let outcome = process.served.activate(*staged, &self.repository, true);
        let node = process.node.clone();
        self.mark(revision.map_or(0, |(_, revision)| revision.0));
        self.history.note(self.now, |line| {
            let way = if full { "whole" } else { "change" };
            line.put(format_args!("{node}: serves {revision:?} ({way}, {rows} rows)"))
        });
        outcome.map_err(|finding| Finding { what: format!("{node}: {}", finding.what), ..finding })?;
        self.tell(address, Input::Committed)
    }

    /// Ready only with a whole state, and for good (A4). That the first state is whole is checked where it becomes
    /// active.
    fn check_readiness(&mut self, address: Address) -> Result<(), Finding> {
        let Some(process) = self.process(address) else { return Ok(()) };
        let ready = process.machine.is_ready();
        if ready == process.ready {
            return Ok(());
        }
        let what = if !ready {
            "was ready and is no longer"
        } else if process.served.activations == 0 {
            "is ready without an active state"
        } else {
            process.ready = true;
            return Ok(());
        };
        Err(Finding::new(Guarantee::A4, format!("{} {what}", process.node)))
    }
}

fn is_final(input: &Input) -> bool {
    !matches!(
        input,
        Input::Store { reply: zonegate_sync::StoreReply::Rows(_), .. }
            | Input::Repository {
                reply: zonegate_sync::RepositoryReply::Changes(_) | zonegate_sync::RepositoryReply::Index(_),
                ..
            }
    )
}
