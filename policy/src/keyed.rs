//! One state for each tenant, user, digest or backend, and never more than a fixed number of them.

use std::collections::HashMap;
use std::hash::Hash;

/// A map that forgets the entry longest not used when it is full.
#[derive(Debug)]
pub struct Keyed<K, V> {
    entries: HashMap<K, (u64, V)>,
    capacity: usize,
    uses: u64,
}

impl<K: Eq + Hash + Clone, V> Keyed<K, V> {
    /// Holds at most `capacity` entries, at least one.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity: capacity.max(1),
            uses: 0,
        }
    }

    /// The entry of `key`, made if there is none. When the map is full, the one longest not used
    /// among those that `may_forget` goes. `None` if none may.
    pub fn get_or_insert(
        &mut self,
        key: &K,
        make: impl FnOnce() -> V,
        may_forget: impl Fn(&V) -> bool,
    ) -> Option<&mut V> {
        self.uses += 1;
        if !self.entries.contains_key(key) {
            if self.entries.len() >= self.capacity {
                let oldest = self.oldest(may_forget)?;
                self.entries.remove(&oldest);
            }
            self.entries.insert(key.clone(), (self.uses, make()));
        }
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.uses;
        Some(value)
    }

    /// The entry of `key`, if there is one.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn oldest(&self, may_forget: impl Fn(&V) -> bool) -> Option<K> {
        let candidates = self
            .entries
            .iter()
            .filter(|(_, (_, value))| may_forget(value));
        candidates
            .min_by_key(|(_, (used, _))| *used)
            .map(|(key, _)| key.clone())
    }
}
