//! What goes wrong, carried out.

use std::time::Duration;

use super::{Address, Event, World};
use crate::plan::Fault;
use crate::violation::Finding;

impl World {
    pub(super) fn fault(&mut self, index: usize) -> Result<(), Finding> {
        let fault = self.plan.faults[index].1.clone();
        self.summary.faults += 1;
        self.mark(index as u64);
        self.history.note(self.now, |line| line.put(format_args!("FAULT {fault:?}")));
        let now = self.now;
        match fault {
            Fault::Crash { node, down, notice } => self.crash(node, down, notice),
            Fault::Stop { node, down } => {
                self.stop(node)?;
                self.queue.push(now + Duration::from_secs(4) + down, Event::Start(node));
            }
            Fault::Pause { node, lasts } => {
                let until = self.gateways[node].paused_until.max(now + lasts);
                self.gateways[node].paused_until = until;
                self.queue.push(until, Event::Resume(node));
            }
            Fault::ClockJump { node, millis } => {
                // Two jumps do not add up: clocks are wrong, but not without limit.
                self.gateways[node].clock_offset = millis;
            }
            Fault::CutStore { node, lasts, notice } => {
                self.gateways[node].store_cut_until = now + lasts;
                if notice {
                    let after = self.network.millis(0, 500);
                    self.notices_loss(node, after);
                    self.queue.push(now + after + lasts, Event::Connect(self.address(node)));
                }
            }
            Fault::CutRepository { node, lasts } => self.gateways[node].repository_cut_until = now + lasts,
            Fault::DropConnection { node } => {
                self.notices_loss(node, Duration::ZERO);
                let after = self.network.millis(5, 1_000);
                self.queue.push(now + after, Event::Connect(self.address(node)));
            }
            Fault::StoreDown { lasts, hangs } => {
                self.weather.store_down_until = now + lasts;
                self.weather.store_hangs = hangs;
                self.store.drop_connections();
                self.reconnect_all(lasts);
                self.fail_waiters();
            }
            Fault::StoreReadOnly { lasts } => self.weather.store_read_only_until = now + lasts,
            Fault::Wipe => self.store.wipe(),
            Fault::Image { slot } => self.images[slot] = Some(self.store.image()),
            Fault::Restore { slot } => {
                if let Some(image) = self.images[slot].take() {
                    self.store.restore(image);
                    self.reconnect_all(Duration::ZERO);
                    self.fail_waiters();
                }
            }
            Fault::Tamper => {
                let done = self.store.tamper(&mut self.chance);
                self.history.note(now, |line| line.put(format_args!("store: by hand {done:?}")));
            }
            Fault::Trim { keep } => self.store.trim_log(keep),
            Fault::DeleteManifest => self.store.delete_manifest(),
            Fault::RepositoryDown { lasts, hangs } => {
                self.weather.repository_down_until = now + lasts;
                self.weather.repository_hangs = hangs;
            }
            Fault::RepositorySlow { lasts } => self.weather.repository_slow_until = now + lasts,
            Fault::Lossy { lasts, permille } => {
                self.weather.lossy_until = now + lasts;
                self.weather.loss_permille = permille;
            }
            Fault::Slow { lasts, factor } => {
                self.weather.slow_until = now + lasts;
                self.weather.slow_factor = factor;
            }
        }
        Ok(())
    }

    /// SIGKILL, and a start from nothing later.
    pub(super) fn crash(&mut self, gateway: usize, down: Duration, notice: bool) {
        if notice {
            let after = self.network.millis(0, 50);
            self.notices_loss(gateway, after);
        }
        let address = self.address(gateway);
        self.kill(address);
        self.queue.push(self.now + down, Event::Start(gateway));
    }

    /// The server sees, after a while, that the connection of a process is gone.
    fn notices_loss(&mut self, gateway: usize, after: Duration) {
        if let Some(process) = &self.gateways[gateway].process {
            self.queue.push(self.now + after, Event::Disconnect(process.node.clone()));
        }
    }

    /// The adapter of a gateway has its connection again, and subscribes as before.
    pub(super) fn connect(&mut self, address: Address) {
        let gateway = &self.gateways[address.gateway];
        let away = gateway.store_cut_until.max(gateway.paused_until).max(self.weather.store_down_until);
        if away > self.now {
            let after = self.network.millis(5, 1_000);
            self.queue.push(away + after, Event::Connect(address));
            return;
        }
        let known = self.process(address).and_then(|process| Some((process.node.clone(), process.token?)));
        if let Some((node, token)) = known {
            self.store.connect(node, token);
        }
    }

    fn reconnect_all(&mut self, after: Duration) {
        for gateway in 0..self.gateways.len() {
            let pause = self.network.millis(5, 800);
            self.queue.push(self.now + after + pause, Event::Connect(self.address(gateway)));
        }
    }
}
