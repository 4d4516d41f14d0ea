//! Keeping a [`TenantTable`] live.
//!
//! After any interruption the whole table is listed again instead of resuming the old watch:
//! that covers compaction and a storage cluster that was restored to an earlier time, and a
//! listing of thousands of tenants costs milliseconds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::etcd::{EtcdClient, EtcdError, Range};
use crate::{TenantTable, paths};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Lists once and keeps following until every receiver is dropped.
pub(crate) async fn follow(
    etcd: EtcdClient,
) -> Result<watch::Receiver<Arc<TenantTable>>, EtcdError> {
    let first = list(&etcd).await?;
    let (sender, receiver) = watch::channel(Arc::new(first));
    tokio::spawn(async move {
        tokio::select! {
            () = keep_following(&etcd, &sender) => {}
            () = sender.closed() => {}
        }
    });
    Ok(receiver)
}

async fn list(etcd: &EtcdClient) -> Result<TenantTable, EtcdError> {
    Ok(TenantTable::from_listing(
        etcd.range(Range::prefix(paths::TENANTS)).await?,
    ))
}

async fn keep_following(etcd: &EtcdClient, table: &watch::Sender<Arc<TenantTable>>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let before = table.borrow().revision();
        let error = follow_one_stream(etcd, table).await;
        tracing::warn!(%error, "tenant registry is not being followed");
        publish(table, TenantTable::stale);
        if table.borrow().revision() != before {
            pause = FIRST_PAUSE;
        }
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match list(etcd).await {
                Ok(listed) => {
                    publish(table, |_| listed.clone());
                    break;
                }
                Err(error) => tracing::warn!(%error, "tenant registry can't be listed"),
            }
        }
    }
}

/// Applies batches until the stream ends.
async fn follow_one_stream(
    etcd: &EtcdClient,
    table: &watch::Sender<Arc<TenantTable>>,
) -> EtcdError {
    let next_revision = table.borrow().revision() + 1;
    let mut stream = match etcd
        .watch(Range::prefix(paths::TENANTS), next_revision)
        .await
    {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    loop {
        match stream.next().await {
            Ok(batch) if batch.events.is_empty() => {}
            Ok(batch) => publish(table, |old| old.after(&batch)),
            Err(error) => return error,
        }
    }
}

/// Replaces the table; receivers are woken only if something changed.
fn publish(
    table: &watch::Sender<Arc<TenantTable>>,
    change: impl FnOnce(&TenantTable) -> TenantTable,
) {
    table.send_if_modified(|current| {
        let next = change(current);
        let modified = next != **current;
        if modified {
            *current = Arc::new(next);
        }
        modified
    });
}
