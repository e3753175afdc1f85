//! A link that can be cut: a TCP proxy on loopback, in front of whoever listens at an address.
//!
//! ```text
//! client ──► Link (its own port) ──► target
//!              Open · Delayed · Silent (as if packets were lost) · Refusing (RST) · Short (answers break off)
//! ```
//!
//! What it does may differ for callers that it can tell apart.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::Callers;

/// What a link does with what is sent over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes it on.
    Open,
    /// Passes it on later, in both directions.
    Delayed(Duration),
    /// Keeps it until the link heals: to both ends the other one says nothing.
    Silent,
    /// Breaks connections off, and resets new ones.
    Refusing,
    /// Breaks a connection off once it has answered with so many bytes.
    Short(usize),
}

/// A link, cut for good when it is dropped.
pub struct Link {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    target: String,
    callers: Callers,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mode: Mode,
    /// What it does for some callers instead.
    apart: BTreeMap<usize, Mode>,
    is_over: bool,
    connections: Vec<Weak<Connection>>,
}

impl State {
    fn mode(&self, caller: Option<usize>) -> Mode {
        caller.and_then(|caller| self.apart.get(&caller)).copied().unwrap_or(self.mode)
    }

    /// Breaks off what is refused from now on.
    fn reset(&mut self) {
        let (refused, open) = std::mem::take(&mut self.connections).into_iter().partition(|connection| {
            connection.upgrade().is_some_and(|connection| self.mode(connection.caller) == Mode::Refusing)
        });
        self.connections = open;
        let refused: Vec<Weak<Connection>> = refused;
        refused.iter().filter_map(Weak::upgrade).for_each(|connection| connection.reset());
    }
}

/// The two ends of a connection, and who has called.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    caller: Option<usize>,
}

impl Connection {
    /// Breaks it off: what is under way is lost.
    fn reset(&self) {
        for end in [&self.client, &self.server] {
            let _ = SockRef::from(end).set_linger(Some(Duration::ZERO));
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Link {
    /// An open link to an address such as `127.0.0.1:2379`.
    #[must_use]
    pub fn to(target: impl Into<String>) -> Self {
        Self::for_callers(target, &Callers::default())
    }

    /// An open link that tells callers apart.
    #[must_use]
    pub fn for_callers(target: impl Into<String>, callers: &Callers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("it is bound");
        let state = State { mode: Mode::Open, apart: BTreeMap::new(), is_over: false, connections: Vec::new() };
        let (target, callers, changed) = (target.into(), callers.clone(), Condvar::new());
        let shared = Arc::new(Shared { target, callers, state: Mutex::new(state), changed });
        let serving = Arc::clone(&shared);
        thread::spawn(move || serving.serve(&listener));
        Self { shared, address }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where clients connect, `127.0.0.1:2379`.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does from now on.
    pub fn set(&self, mode: Mode) {
        self.change(|state| state.mode = mode);
    }

    /// What it does from now on for one caller; none: what it does for all.
    pub fn set_for(&self, caller: usize, mode: Option<Mode>) {
        self.change(|state| match mode {
            Some(mode) => drop(state.apart.insert(caller, mode)),
            None => drop(state.apart.remove(&caller)),
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.shared.state();
        change(&mut state);
        state.reset();
        self.shared.changed.notify_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.change(|state| {
            state.apart.clear();
            state.mode = Mode::Refusing;
        });
        self.shared.state().is_over = true;
        // The listener waits in `accept`: this one it accepts, and ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().flatten() {
            if self.state().is_over {
                return;
            }
            let shared = Arc::clone(self);
            thread::spawn(move || shared.connect(client));
        }
    }

    fn connect(self: Arc<Self>, client: TcpStream) {
        let ends = client.peer_addr().and_then(|from| Ok((from, client.local_addr()?)));
        let caller = ends.ok().and_then(|(from, to)| self.callers.at(from, to));
        if !self.may_pass(caller) {
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
            return;
        }
        let Ok(server) = TcpStream::connect(&self.target) else {
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let connection = Arc::new(Connection { client, server, caller });
        {
            let mut state = self.state();
            state.connections.retain(|open| open.strong_count() > 0);
            state.connections.push(Arc::downgrade(&connection));
        }
        let (shared, both) = (Arc::clone(&self), Arc::clone(&connection));
        let asking = thread::spawn(move || shared.pump(&both.client, &both.server, &both, false));
        self.pump(&connection.server, &connection.client, &connection, true);
        let _ = asking.join();
    }

    /// Waits while the link is silent; whether it carries anything then.
    fn may_pass(&self, caller: Option<usize>) -> bool {
        let silent = |state: &mut State| state.mode(caller) == Mode::Silent;
        let state = self.changed.wait_while(self.state(), silent).unwrap_or_else(PoisonError::into_inner);
        state.mode(caller) != Mode::Refusing
    }

    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, connection: &Connection, is_answer: bool) {
        let mut buffer = vec![0; 64 << 10];
        let mut answered = 0;
        while let Ok(count) = from.read(&mut buffer) {
            if !self.may_pass(connection.caller) {
                break;
            }
            if count == 0 {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            let mut passed = count;
            let mode = self.state().mode(connection.caller);
            match mode {
                Mode::Delayed(time) => thread::sleep(time),
                Mode::Short(bytes) if is_answer => passed = count.min(bytes.saturating_sub(answered)),
                _ => {}
            }
            answered += passed;
            if to.write_all(&buffer[..passed]).is_err() || passed < count {
                break;
            }
        }
        connection.reset();
    }
}
