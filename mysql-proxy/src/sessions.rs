//! Every session of this process, by the id that its client was greeted with.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::fleet::Backend;
use crate::relay::figures::Figures;

/// Maps, so that workers seldom meet at one.
const SHARDS: usize = 16;

/// One session.
#[derive(Debug)]
pub struct Entry {
    /// Its id, as greeted.
    pub id: u32,
    /// Its tenant.
    pub tenant: Arc<str>,
    /// Its client.
    pub from: SocketAddr,
    /// When it logged in.
    pub since: Instant,
    /// Who it is on which server.
    pub seat: Mutex<Seat>,
    /// What it does.
    pub figures: Arc<Figures>,
    /// Told when it shall end.
    pub closing: Notify,
}

/// A session's place on a server.
#[derive(Debug, Clone)]
pub struct Seat {
    /// User as TiDB knows it.
    pub user: Vec<u8>,
    /// The server.
    pub backend: Arc<Backend>,
    /// The server's id of the connection.
    pub connection: u32,
}

/// What ended sessions of a tenant have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sessions that logged in.
    pub sessions: u64,
    /// Commands.
    pub commands: u64,
    /// Bytes from clients.
    pub received: u64,
    /// Bytes to clients.
    pub sent: u64,
}

impl Totals {
    fn add(&mut self, figures: &Figures) {
        self.sessions += 1;
        self.commands += figures.commands.get();
        self.received += figures.received.get();
        self.sent += figures.sent.get();
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    next: AtomicU32,
    shards: [Mutex<HashMap<u32, Arc<Entry>>>; SHARDS],
    ended: Mutex<HashMap<Arc<str>, Totals>>,
}

/// Keeps a session registered until dropped.
#[derive(Debug)]
pub struct Registered {
    sessions: Arc<Sessions>,
    /// The session.
    pub entry: Arc<Entry>,
}

impl Sessions {
    /// An id that no session has. It is odd: ids that TiDB gives to connections in 32 bits are
    /// even, so that a client may name a session by either.
    pub fn new_id(&self) -> u32 {
        loop {
            let id = self.next.fetch_add(2, Relaxed) | 1;
            if self.get(id).is_none() {
                return id;
            }
        }
    }

    /// Registers a session.
    pub fn register(self: &Arc<Self>, entry: Entry) -> Registered {
        let entry = Arc::new(entry);
        if let Some(shard) = self.shard(entry.id) {
            shard.lock().insert(entry.id, Arc::clone(&entry));
        }
        Registered {
            sessions: Arc::clone(self),
            entry,
        }
    }

    /// A session by its id.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<Arc<Entry>> {
        self.shard(id)?.lock().get(&id).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Entry>> {
        let shards = self.shards.iter();
        shards
            .flat_map(|shard| shard.lock().values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// What the sessions of each tenant have done, ended ones and open ones.
    #[must_use]
    pub fn totals(&self) -> HashMap<Arc<str>, Totals> {
        let mut totals = self.ended.lock().clone();
        for entry in self.all() {
            totals
                .entry(Arc::clone(&entry.tenant))
                .or_default()
                .add(&entry.figures);
        }
        totals
    }

    fn shard(&self, id: u32) -> Option<&Mutex<HashMap<u32, Arc<Entry>>>> {
        self.shards.get((id >> 1) as usize % SHARDS)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let entry = &self.entry;
        if let Some(shard) = self.sessions.shard(entry.id) {
            shard.lock().remove(&entry.id);
        }
        let mut ended = self.sessions.ended.lock();
        ended
            .entry(Arc::clone(&entry.tenant))
            .or_default()
            .add(&entry.figures);
        entry.seat.lock().backend.load.leave();
    }
}
