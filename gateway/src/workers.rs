//! Worker threads: each a current-thread runtime that owns whole connections.
//!
//! A tenant's connection and the upstream connection opened for it live on one thread, so a message
//! crosses no thread on its way: the wake-ups between reader, stream and writer tasks stay on one
//! run queue, and one connection's work does not move between cores.

use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::mpsc;

/// What a worker does with a connection; runs on the worker's runtime.
pub type Job = Box<dyn FnOnce(TcpStream) + Send>;

/// Connections that wait for a worker to pick them up; accepting waits when it is full.
const QUEUE: usize = 128;

/// A fixed set of worker threads.
pub struct Workers {
    queues: Vec<mpsc::Sender<(TcpStream, Job)>>,
    next: AtomicUsize,
}

impl Workers {
    /// Starts `count` threads. They end when the `Workers` are dropped and their tasks are done.
    ///
    /// # Errors
    /// When a thread or its runtime can't be made.
    pub fn start(count: NonZeroUsize) -> std::io::Result<Workers> {
        let queues = (0..count.get())
            .map(start_worker)
            .collect::<Result<_, _>>()?;
        Ok(Workers {
            queues,
            next: AtomicUsize::new(0),
        })
    }

    /// Hands a connection to the next worker.
    pub async fn hand_over(&self, stream: TcpStream, job: Job) {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.queues.len().max(1);
        if let Some(queue) = self.queues.get(index) {
            // A closed queue means that the process ends: the connection closes with it.
            let _ = queue.send((stream, job)).await;
        }
    }
}

fn start_worker(index: usize) -> std::io::Result<mpsc::Sender<(TcpStream, Job)>> {
    let (queue, mut jobs) = mpsc::channel::<(TcpStream, Job)>(QUEUE);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            runtime.block_on(async move {
                while let Some((stream, job)) = jobs.recv().await {
                    job(stream);
                }
            });
        })?;
    Ok(queue)
}
