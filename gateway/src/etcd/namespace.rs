//! Keys of a tenant inside etcd: `<prefix><key>` and back.
//!
//! etcd gives one-byte meanings to bounds: no end is a single key, an end of one zero byte is
//! everything from the key on. After mapping, "everything" ends where the prefix ends. The prefix
//! ends in a slash, so no tenant's keys begin with another tenant's prefix.

use bytes::{Bytes, BytesMut};
use mesh_proto::types::mvccpb::KeyValue;
use tonic::Status;

use crate::fault::Fault;
use crate::tenant::Tenant;

/// etcd's way to write "no upper bound".
const OPEN_END: &[u8] = &[0];
/// First part of the keys that record who owns a lease; no tenant's prefix begins so.
const LEASES_ROOT: &str = "/tidb-mesh-data-leases/";

/// The keys of one tenant.
#[derive(Debug, Clone)]
pub struct Namespace {
    prefix: Bytes,
    end: Bytes,
    lease_prefix: String,
}

impl Namespace {
    /// Name space of a tenant.
    pub fn of(tenant: &Tenant) -> Namespace {
        Namespace::new(&tenant.etcd_prefix())
    }

    /// Name space under `prefix`, which ends in a slash: the byte after a slash bounds it.
    pub fn new(prefix: &str) -> Namespace {
        let stem = prefix.trim_end_matches('/');
        let name = stem.rsplit('/').next().unwrap_or(stem);
        Namespace {
            prefix: Bytes::from(format!("{stem}/")),
            end: Bytes::from(format!("{stem}0")),
            lease_prefix: format!("{LEASES_ROOT}{name}/"),
        }
    }

    /// What stands in front of each of the tenant's keys.
    pub fn prefix(&self) -> Bytes {
        self.prefix.clone()
    }

    /// Prefix of the keys that record which leases are the tenant's. They are attached to those
    /// leases and end with them.
    pub fn lease_prefix(&self) -> &str {
        &self.lease_prefix
    }

    /// Key that records that a lease is the tenant's.
    pub fn lease_marker(&self, lease: i64) -> Bytes {
        Bytes::from(format!("{}{lease:016x}", self.lease_prefix))
    }

    /// A tenant's key as etcd stores it.
    ///
    /// # Errors
    /// etcd's own status for an empty key: mapped, it would be a key.
    pub fn map_key(&self, key: &[u8]) -> Result<Bytes, Fault> {
        if key.is_empty() {
            return Err(no_key());
        }
        Ok(self.prefixed(key))
    }

    /// A tenant's range end as etcd understands it beside a mapped key.
    pub fn map_end(&self, end: &[u8]) -> Bytes {
        match end {
            [] => Bytes::new(),
            OPEN_END => self.end.clone(),
            end => self.prefixed(end),
        }
    }

    /// Maps both bounds in place.
    ///
    /// # Errors
    /// As [`Namespace::map_key`].
    pub fn map_range(&self, key: &mut Bytes, end: &mut Bytes) -> Result<(), Fault> {
        *key = self.map_key(key)?;
        *end = self.map_end(end);
        Ok(())
    }

    /// A stored key as the tenant knows it.
    ///
    /// # Errors
    /// [`Fault::BadAnswer`] for a key outside the tenant's prefix.
    pub fn strip(&self, key: &Bytes) -> Result<Bytes, Fault> {
        if key.len() > self.prefix.len() && key.starts_with(&self.prefix) {
            return Ok(key.slice(self.prefix.len()..));
        }
        Err(Fault::BadAnswer(
            "etcd answered with a key outside the tenant's prefix".to_owned(),
        ))
    }

    /// Strips the keys of many pairs in place.
    ///
    /// # Errors
    /// As [`Namespace::strip`].
    pub fn strip_all<'a>(
        &self,
        pairs: impl IntoIterator<Item = &'a mut KeyValue>,
    ) -> Result<(), Fault> {
        pairs.into_iter().try_for_each(|pair| {
            pair.key = self.strip(&pair.key)?;
            Ok(())
        })
    }

    fn prefixed(&self, key: &[u8]) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.prefix.len() + key.len());
        whole.extend_from_slice(&self.prefix);
        whole.extend_from_slice(key);
        whole.freeze()
    }
}

/// etcd's own words for an empty key.
pub(super) fn no_key() -> Fault {
    Status::invalid_argument("etcdserver: key is not provided").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn space() -> Namespace {
        Namespace::new("/tidb-mesh-data/01000007/")
    }

    /// What etcd makes of a key and an end.
    fn holds(key: &[u8], end: &[u8], candidate: &[u8]) -> bool {
        match end {
            [] => candidate == key,
            [0] => candidate >= key,
            end => candidate >= key && candidate < end,
        }
    }

    fn some_key() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(
                prop::sample::select(vec![0u8, 1, b'/', b'0', b'a', 0xff]),
                1..5
            ),
            prop::collection::vec(any::<u8>(), 1..8),
        ]
    }

    fn some_end() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![Just(vec![]), Just(vec![0]), some_key()]
    }

    proptest! {
        #[test]
        fn a_mapped_range_holds_the_images_of_what_the_range_holds(
            key in some_key(), end in some_end(), candidate in some_key()
        ) {
            let space = space();
            let (mut low, mut high) = (Bytes::from(key.clone()), Bytes::from(end.clone()));
            space.map_range(&mut low, &mut high).unwrap();
            let image = space.map_key(&candidate).unwrap();
            prop_assert_eq!(holds(&key, &end, &candidate), holds(&low, &high, &image));
        }

        #[test]
        fn a_mapped_range_holds_nothing_foreign(
            key in some_key(), end in some_end(), foreign in some_key(), neighbour in 0u32..20
        ) {
            let space = space();
            let (mut low, mut high) = (Bytes::from(key), Bytes::from(end));
            space.map_range(&mut low, &mut high).unwrap();
            let mut near = format!("/tidb-mesh-data/{neighbour:08x}/").into_bytes();
            near.extend_from_slice(&foreign);
            prop_assert!(!holds(&low, &high, &foreign));
            prop_assert!(!holds(&low, &high, &near));
            prop_assert!(!holds(&low, &high, b"/tidb-mesh-data/01000007/"));
            prop_assert!(!holds(&low, &high, &space.lease_marker(i64::from(neighbour))));
        }

        #[test]
        fn strip_undoes_map(key in some_key()) {
            let space = space();
            let image = space.map_key(&key).unwrap();
            prop_assert_eq!(space.strip(&image).unwrap(), key);
        }

        #[test]
        fn markers_name_their_lease_and_are_no_tenants_keys(lease in 1..i64::MAX) {
            let space = space();
            let marker = space.lease_marker(lease);
            prop_assert!(marker.starts_with(space.lease_prefix().as_bytes()));
            let name = format!("/{lease:016x}");
            prop_assert!(marker.ends_with(name.as_bytes()));
            prop_assert!(space.strip(&marker).is_err());
        }
    }

    #[test]
    fn an_empty_key_gets_etcds_own_words() {
        let status = Status::from(space().map_key(b"").unwrap_err());
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert_eq!(status.message(), "etcdserver: key is not provided");
    }

    #[test]
    fn foreign_keys_do_not_pass() {
        for foreign in [
            "/tidb-mesh-data/01000007/",
            "/tidb-mesh-data/01000008/a",
            "/pd/a",
            "",
        ] {
            assert!(space().strip(&Bytes::from(foreign)).is_err(), "{foreign}");
        }
    }
}
