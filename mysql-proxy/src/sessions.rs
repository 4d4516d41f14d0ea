//! Every session of this process, by the id that its client was greeted with.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::fleet::Backend;
use crate::obstacle::Obstacle;
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
    /// Told when it may have to leave its server.
    pub leaving: Notify,
    /// An operator wants it on another server.
    pub asked_to_leave: AtomicBool,
    /// What kept it on its server when it was last tried to move it.
    pub obstacle: Mutex<Option<Obstacle>>,
}

impl Entry {
    /// Whether it shall be on another server.
    #[must_use]
    pub fn must_leave(&self) -> bool {
        self.asked_to_leave.load(Relaxed) || self.seat.lock().backend.is_left()
    }

    /// Why it can't leave its server now.
    #[must_use]
    pub fn held_by(&self) -> Option<Obstacle> {
        let figures = &self.figures;
        let now = [
            (&figures.blind, Obstacle::Blind),
            (&figures.busy, Obstacle::Command),
            (&figures.in_transaction, Obstacle::Transaction),
            (&figures.cursor, Obstacle::Cursor),
        ];
        let held = now.into_iter().find(|(flag, _)| flag.load(Relaxed));
        held.map(|(_, obstacle)| obstacle)
            .or_else(|| self.obstacle.lock().clone())
    }
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

    /// Tells those that shall leave their server.
    pub fn urge(&self) {
        for entry in self.all() {
            if entry.must_leave() {
                entry.leaving.notify_one();
            }
        }
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
