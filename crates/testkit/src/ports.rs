//! Free ports that stay ours while a server is down.
//!
//! A port below the kernel's ephemeral range is taken, so that no outgoing connection of another process can sit on it
//! between the stop and the restart of a server, and so that a client that retries on a closed port never connects to
//! itself. A lock file keeps two test processes of one clone apart; binding keeps everybody else out.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::net::TcpSocket;

use crate::folders;

/// The first port handed out; below it live the well-known services.
const LOWEST: u16 = 12_000;
/// How many ports are tried before giving up.
const ATTEMPTS: u16 = 2_000;

/// A TCP port of the loopback interface, ours until dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Takes a port that nobody listens on.
    pub fn reserve() -> io::Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let locks = folders::state().join("ports");
        fs::create_dir_all(&locks)?;
        let highest = ephemeral_start().max(LOWEST + ATTEMPTS);
        let span = u32::from(highest - LOWEST);
        // Neighbouring process ids start far apart; within a process ports go up one by one.
        let start = std::process::id().wrapping_mul(2_654_435_761) % span;
        for _ in 0..ATTEMPTS {
            let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            let number = LOWEST + u16::try_from((start + step) % span).unwrap_or(0);
            let lock = File::create(locks.join(number.to_string()))?;
            if lock.try_lock().is_ok() && is_free(number) {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("no free port found among {ATTEMPTS} tried above {LOWEST}"),
        ))
    }

    /// The port's number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

/// Whether nobody listens on a port.
///
/// Binds without listening: a process that is being started at this moment holds copies of all our sockets until it has
/// become itself, and a copy that listens would keep the server out that the port is for.
fn is_free(number: u16) -> bool {
    let bind = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))
    };
    bind().is_ok()
}

/// Stops listening at once, also where a process that is being started holds a copy of the socket.
pub(crate) fn stop_listening(listener: impl AsFd) {
    let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
}

/// Where the kernel starts handing out ports to outgoing connections.
fn ephemeral_start() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn reserved_ports_differ_and_can_be_listened_on() {
        let ports: Vec<Port> = (0..20).map(|_| Port::reserve().unwrap()).collect();
        let numbers: HashSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
        for port in &ports {
            let listener = TcpListener::bind(port.address()).unwrap();
            assert!(!is_free(port.number()));
            stop_listening(&listener);
            assert!(std::net::TcpStream::connect(port.address()).is_err());
            assert!(port.number() < ephemeral_start());
        }
    }
}
