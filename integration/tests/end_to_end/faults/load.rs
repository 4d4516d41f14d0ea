//! Clients that go on whatever happens to the servers, and remember what they were told.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mesh_integration::history::Fate;
use mesh_integration::sql::Session;
use tokio::task::JoinHandle;

/// How long a statement may take before its client gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two transactions of a client.
const PAUSE: Duration = Duration::from_millis(10);
/// TiDB says of a commit that another one came first, so it can't have happened.
const WRITE_CONFLICT: u16 = 9007;

/// Why a statement brought nothing.
pub(super) enum Trouble {
    /// The server said no, with this number.
    Refused(u16),
    /// Nobody said anything.
    Lost,
}

pub(super) type Rows = Vec<Vec<String>>;

/// A connection that is opened again for the next transaction when it was lost.
pub(super) struct Connection {
    address: String,
    session: Option<Session>,
}

impl Connection {
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            session: None,
        }
    }

    /// A statement outside of a transaction, or the one that begins it.
    pub(super) async fn begin(&mut self, statement: &str) -> Result<Rows, Trouble> {
        if self.session.is_none() {
            self.session = Session::connect(&self.address).await.ok();
        }
        self.ask(statement).await
    }

    /// A statement of the transaction that was begun: never on another connection.
    pub(super) async fn ask(&mut self, statement: &str) -> Result<Rows, Trouble> {
        let open = self.session.as_mut().ok_or(Trouble::Lost)?;
        match tokio::time::timeout(PATIENCE, open.run(statement)).await {
            Ok(Ok(outcome)) => match outcome.error {
                None => Ok(outcome
                    .results
                    .into_iter()
                    .next_back()
                    .unwrap_or_default()
                    .rows),
                Some(error) => Err(Trouble::Refused(error.code)),
            },
            Ok(Err(_)) | Err(_) => {
                self.session = None;
                Err(Trouble::Lost)
            }
        }
    }

    /// What was begun is not to be.
    pub(super) async fn abandon(&mut self) -> Fate {
        if self.ask("ROLLBACK").await.is_err() {
            self.session = None;
        }
        Fate::Failed
    }

    pub(super) async fn commit(&mut self) -> Fate {
        match self.ask("COMMIT").await {
            Ok(_) => Fate::Acknowledged,
            Err(Trouble::Refused(WRITE_CONFLICT)) => Fate::Failed,
            Err(Trouble::Refused(_) | Trouble::Lost) => {
                self.session = None;
                Fate::Unknown
            }
        }
    }
}

/// What a client is told to heed and tells itself.
#[derive(Clone)]
pub(super) struct Pulse {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

impl Pulse {
    pub(super) fn note(&self, fate: Fate) {
        if fate == Fate::Acknowledged {
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits a moment, and tells whether to go on.
    pub(super) async fn goes_on(&self) -> bool {
        tokio::time::sleep(PAUSE).await;
        !self.stop.load(Ordering::SeqCst)
    }
}

/// One client at work.
pub(super) struct Client<T> {
    pulse: Pulse,
    task: JoinHandle<T>,
}

impl<T: Send + 'static> Client<T> {
    pub(super) fn start<F>(work: impl FnOnce(Pulse) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let pulse = Pulse {
            stop: Arc::default(),
            acknowledged: Arc::default(),
        };
        let task = tokio::spawn(work(pulse.clone()));
        Self { pulse, task }
    }

    /// How many transactions were acknowledged to it so far.
    pub(super) fn acknowledged(&self) -> u64 {
        self.pulse.acknowledged.load(Ordering::SeqCst)
    }

    pub(super) async fn finish(self) -> T {
        self.pulse.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("a client ends")
    }
}
