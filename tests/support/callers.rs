//! Who has called: processes on this machine that links tell apart, by the sockets that the kernel says are theirs.
//!
//! All of them speak from loopback, to the same few ports, and find their own ways between those: only the process at the
//! other end tells a worker from another, or one member of etcd from the next.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Processes by number. Clones know the same.
#[derive(Clone, Debug, Default)]
pub struct Callers(Arc<Mutex<BTreeMap<usize, u32>>>);

impl Callers {
    /// From now on this process is the one of that number.
    pub fn know(&self, number: usize, process: u32) {
        self.known().insert(number, process);
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<usize, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the process whose socket at `from` is connected to `to`; none where that is nobody's who is known.
    #[must_use]
    pub fn at(&self, from: SocketAddr, to: SocketAddr) -> Option<usize> {
        let known = self.known().clone();
        if known.is_empty() {
            return None;
        }
        let socket = format!("socket:[{}]", inode(from.port(), to.port())?);
        known.into_iter().find(|(_, process)| has(*process, &socket)).map(|(number, _)| number)
    }
}

/// The inode of a connected socket, by its ports.
fn inode(from: u16, to: u16) -> Option<String> {
    let port = |address: &str| u16::from_str_radix(address.split_once(':')?.1, 16).ok();
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    // number, local address, remote address, …, inode
    table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|fields| {
        let is_it = fields.len() > 9 && port(fields[1]) == Some(from) && port(fields[2]) == Some(to);
        is_it.then(|| fields[9].to_owned())
    })
}

fn has(process: u32, socket: &str) -> bool {
    let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    open.map(|file| file.path()).any(|file| fs::read_link(file).is_ok_and(|link| link.as_os_str() == socket))
}
