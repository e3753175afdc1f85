//! A link that can be cut: a TCP proxy on loopback, in front of whoever listens at an address.
//!
//! ```text
//! client ──► Link (its own port) ──► target
//!              Open · Delayed · Silent (as if packets were lost) · Refusing (RST) · Short (answers break off)
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

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
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mode: Mode,
    is_over: bool,
    connections: Vec<Weak<Connection>>,
}

/// The two ends of a connection.
struct Connection {
    client: TcpStream,
    server: TcpStream,
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
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("it is bound");
        let state = State { mode: Mode::Open, is_over: false, connections: Vec::new() };
        let shared = Arc::new(Shared { target: target.into(), state: Mutex::new(state), changed: Condvar::new() });
        let serving = Arc::clone(&shared);
        thread::spawn(move || serving.serve(&listener));
        Self { shared, address }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it does from now on.
    pub fn set(&self, mode: Mode) {
        let mut state = self.shared.state();
        state.mode = mode;
        if mode == Mode::Refusing {
            state.connections.drain(..).filter_map(|open| open.upgrade()).for_each(|open| open.reset());
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.set(Mode::Refusing);
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
            if self.state().mode == Mode::Refusing {
                let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
                continue;
            }
            let shared = Arc::clone(self);
            thread::spawn(move || shared.connect(client));
        }
    }

    fn connect(self: Arc<Self>, client: TcpStream) {
        if !self.may_pass() {
            return;
        }
        let Ok(server) = TcpStream::connect(&self.target) else {
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let connection = Arc::new(Connection { client, server });
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
    fn may_pass(&self) -> bool {
        let silent = |state: &mut State| state.mode == Mode::Silent;
        let state = self.changed.wait_while(self.state(), silent).unwrap_or_else(PoisonError::into_inner);
        state.mode != Mode::Refusing
    }

    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, connection: &Connection, is_answer: bool) {
        let mut buffer = vec![0; 64 << 10];
        let mut answered = 0;
        while let Ok(count) = from.read(&mut buffer) {
            if !self.may_pass() {
                break;
            }
            if count == 0 {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            let mut passed = count;
            let mode = self.state().mode;
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
