//! All tenants as of one revision of the registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::etcd::{KeyValue, RangeOutcome, WatchBatch, WatchEvent};
use crate::{Record, TenantName, paths};

/// A snapshot of the registry. Never changes; a change makes a new one, which shares the records
/// that stayed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantTable {
    tenants: BTreeMap<TenantName, Arc<Record>>,
    unreadable: BTreeMap<String, String>,
    revision: i64,
    current: bool,
}

impl TenantTable {
    /// A tenant's record.
    pub fn get(&self, name: &TenantName) -> Option<&Arc<Record>> {
        self.tenants.get(name)
    }

    /// All records, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.tenants.values()
    }

    /// How many tenants there are.
    pub fn len(&self) -> usize {
        self.tenants.len()
    }

    /// Whether there is no tenant.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// Keys below `tenants/` whose record can't be read, with the reason. Such a tenant is absent
    /// from the table, even if an earlier record of it could be read: what is not understood is
    /// not served.
    pub fn unreadable(&self) -> &BTreeMap<String, String> {
        &self.unreadable
    }

    /// Revision of the last change that the table shows.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Whether the registry is being followed. `false`: etcd can't be reached, and the table is
    /// the last known one.
    pub fn is_current(&self) -> bool {
        self.current
    }

    pub(crate) fn from_listing(listing: RangeOutcome) -> TenantTable {
        let mut table = TenantTable {
            revision: listing.revision,
            current: true,
            ..TenantTable::default()
        };
        for kv in &listing.kvs {
            table.put(kv);
        }
        table
    }

    /// The table after a batch, which holds whole transactions only.
    pub(crate) fn after(&self, batch: &WatchBatch) -> TenantTable {
        let mut table = self.clone();
        for event in &batch.events {
            match event {
                WatchEvent::Put(kv) => table.put(kv),
                WatchEvent::Delete { key } => table.remove(key),
            }
        }
        table.revision = batch.revision.unwrap_or(table.revision);
        table
    }

    pub(crate) fn stale(&self) -> TenantTable {
        TenantTable {
            current: false,
            ..self.clone()
        }
    }

    fn put(&mut self, kv: &KeyValue) {
        self.remove(&kv.key);
        match read(kv) {
            Ok(record) => {
                self.tenants.insert(record.name.clone(), Arc::new(record));
            }
            Err(why) => {
                let key = String::from_utf8_lossy(&kv.key).into_owned();
                tracing::error!(
                    key,
                    why,
                    "tenant record is unreadable, tenant is not served"
                );
                self.unreadable.insert(key, why);
            }
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(name) = name_of(key) {
            self.tenants.remove(&name);
        }
        self.unreadable
            .remove(String::from_utf8_lossy(key).as_ref());
    }
}

fn name_of(key: &[u8]) -> Option<TenantName> {
    std::str::from_utf8(key.strip_prefix(paths::TENANTS.as_bytes())?)
        .ok()?
        .parse()
        .ok()
}

fn read(kv: &KeyValue) -> Result<Record, String> {
    let record: Record = serde_json::from_slice(&kv.value).map_err(|error| error.to_string())?;
    match name_of(&kv.key) {
        Some(name) if name == record.name => Ok(record),
        Some(_) | None => Err("the key does not end in the record's name".to_owned()),
    }
}

#[cfg(test)]
mod tests;
