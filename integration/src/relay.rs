//! TCP relays that fail on demand: slow, lossy, half-open, or deaf to those who read too little.
//!
//! A relay stands where a load balancer would: a client's connection goes to the next of its targets
//! that takes it. What must stay true: without a fault every byte arrives, in order; a fault is over
//! for new connections when it is switched off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// As much as is passed on at once.
const CHUNK: usize = 32 * 1024;

/// What goes wrong in a group of relays.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Every piece waits so long.
    delay: Duration,
    /// One piece of so many is lost, and with it its connection; zero for none.
    lost_one_in: u32,
    /// Nobody reads what servers send.
    unread: bool,
    /// Connections older than this one pass nothing more and are never closed.
    dead_below: u64,
}

/// The switch of a group of relays.
#[derive(Clone, Debug)]
pub struct Faults {
    state: watch::Sender<State>,
    connections: Arc<AtomicU64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(State::default()),
            connections: Arc::default(),
        }
    }
}

impl Faults {
    /// Nothing goes wrong any more for what is not lost already.
    pub fn none(&self) {
        self.state.send_modify(|state| {
            *state = State {
                dead_below: state.dead_below,
                ..State::default()
            };
        });
    }

    /// Every piece of bytes waits so long.
    pub fn delay(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }

    /// One piece of so many is lost, and with it its connection.
    pub fn lose_one_in(&self, pieces: u32) {
        self.state.send_modify(|state| state.lost_one_in = pieces);
    }

    /// What servers send isn't read until the fault is over.
    pub fn stop_reading(&self) {
        self.state.send_modify(|state| state.unread = true);
    }

    /// All connections of this moment stay open on both sides and pass nothing, ever.
    pub fn half_open(&self) {
        let next = self.connections.load(Ordering::SeqCst);
        self.state.send_modify(|state| state.dead_below = next);
    }
}

/// A running relay; dropping it closes its connections.
#[derive(Debug)]
pub struct Relay {
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Listens, and relays to whichever target takes a connection.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn start(
        listen: SocketAddr,
        targets: Vec<SocketAddr>,
        faults: Faults,
    ) -> Result<Self> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("a relay at {listen}"))?;
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let number = faults.connections.fetch_add(1, Ordering::SeqCst);
                open.spawn(carry(
                    client,
                    targets.clone(),
                    number,
                    faults.state.subscribe(),
                ));
                while open.try_join_next().is_some() {}
            }
        });
        Ok(Self { task })
    }
}

/// One connection, until either side ends it.
async fn carry(
    client: TcpStream,
    targets: Vec<SocketAddr>,
    number: u64,
    faults: watch::Receiver<State>,
) {
    let Some(server) = reached(&targets, number).await else {
        return;
    };
    // Small frames are not to wait for acknowledgements.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = Way {
        number,
        answers: false,
        faults: faults.clone(),
    };
    let down = Way {
        number,
        answers: true,
        faults,
    };
    // Either's failure drops both, as a lost connection does.
    let _ = tokio::try_join!(
        up.pass(from_client, to_server),
        down.pass(from_server, to_client)
    );
}

/// The next target in turn that takes a connection.
async fn reached(targets: &[SocketAddr], number: u64) -> Option<TcpStream> {
    let turn = usize::try_from(number).unwrap_or_default() % targets.len().max(1);
    let (later, first) = targets.split_at_checked(turn)?;
    for target in first.iter().chain(later) {
        if let Ok(server) = TcpStream::connect(target).await {
            return Some(server);
        }
    }
    None
}

/// One direction of a connection.
struct Way {
    number: u64,
    answers: bool,
    faults: watch::Receiver<State>,
}

impl Way {
    async fn pass(
        mut self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> std::io::Result<()> {
        let mut piece = vec![0; CHUNK];
        loop {
            if self.answers {
                // An error means that the switch is gone, and with it the fault.
                let _ = self.faults.wait_for(|state| !state.unread).await;
            }
            let length = from.read(&mut piece).await;
            let state = *self.faults.borrow();
            if self.number < state.dead_below {
                match length {
                    Ok(1..) => continue,
                    Ok(0) | Err(_) => std::future::pending().await,
                }
            }
            let length = length?;
            if length == 0 {
                return to.shutdown().await;
            }
            if state.lost_one_in > 0 && rand::random_range(0..state.lost_one_in) == 0 {
                return Err(std::io::ErrorKind::ConnectionReset.into());
            }
            if !state.delay.is_zero() {
                tokio::time::sleep(state.delay).await;
            }
            to.write_all(piece.get(..length).unwrap_or_default())
                .await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A server that sends back what it gets, behind a relay.
    async fn echo() -> (Relay, Faults, SocketAddr) {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let target = server.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = server.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let free = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let listen = free.local_addr().expect("bound");
        drop(free);
        // Nobody listens at the first.
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let faults = Faults::default();
        let relay = Relay::start(listen, vec![nobody, target], faults.clone())
            .await
            .expect("starts");
        (relay, faults, listen)
    }

    async fn said(stream: &mut TcpStream, word: &[u8]) -> Option<Vec<u8>> {
        stream.write_all(word).await.ok()?;
        let mut answer = vec![0; word.len()];
        let read = stream.read_exact(&mut answer);
        let read = tokio::time::timeout(Duration::from_millis(300), read).await;
        read.ok()?.ok().map(|_| answer)
    }

    #[tokio::test]
    async fn without_a_fault_all_arrives() {
        let (_relay, _, address) = echo().await;
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let word = vec![7; 3 * CHUNK];
        assert_eq!(said(&mut stream, &word).await, Some(word));
    }

    #[tokio::test]
    async fn a_half_open_connection_stays_and_is_silent_and_a_new_one_works() {
        let (_relay, faults, address) = echo().await;
        let mut old = TcpStream::connect(address).await.expect("connects");
        assert!(said(&mut old, b"hello").await.is_some());
        faults.half_open();
        assert_eq!(said(&mut old, b"hello").await, None);
        let mut byte = [0];
        let end = tokio::time::timeout(Duration::from_millis(100), old.read(&mut byte));
        assert!(end.await.is_err(), "it was closed");
        let mut new = TcpStream::connect(address).await.expect("connects");
        assert!(said(&mut new, b"hello").await.is_some());
    }

    #[tokio::test]
    async fn pieces_wait_get_lost_or_lie_unread_until_the_fault_is_over() {
        let (_relay, faults, address) = echo().await;
        let mut stream = TcpStream::connect(address).await.expect("connects");
        faults.delay(Duration::from_millis(50));
        let began = Instant::now();
        assert!(said(&mut stream, b"hello").await.is_some());
        assert!(began.elapsed() >= Duration::from_millis(100), "both ways");
        faults.none();
        faults.stop_reading();
        // The piece that was waited for when the fault came still passes.
        let _ = said(&mut stream, b"hello").await;
        assert_eq!(said(&mut stream, b"hello").await, None);
        faults.none();
        let mut stream = TcpStream::connect(address).await.expect("connects");
        assert!(said(&mut stream, b"hello").await.is_some());
        faults.lose_one_in(1);
        assert_eq!(said(&mut stream, b"hello").await, None);
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "it is closed");
    }
}
