//! Every key that the mesh keeps in PD's etcd, with its rendered form beside it.
//!
//! These are on-disk formats, read by every gateway version that shares a storage cluster.

use mesh_keyspace::{Mode, TenantId};

use crate::{Scope, TenantName};

/// Everything of the registry; never visible to a tenant.
pub const ROOT: &str = "/tidb-mesh/v1/";

/// All tenant records.
pub const TENANTS: &str = "/tidb-mesh/v1/tenants/";

/// All port claims.
pub const PORTS: &str = "/tidb-mesh/v1/ports/";

/// `/tidb-mesh/v1/tenant0`: whether a TiDB lives on the storage directly.
pub const TENANT_ZERO: &str = "/tidb-mesh/v1/tenant0";

/// All live gateways.
pub const GATEWAYS: &str = "/tidb-mesh/v1/gateways/";

/// Everything that tenants themselves keep in etcd.
pub const DATA_ROOT: &str = "/tidb-mesh-data/";

/// `/tidb-mesh/v1/tenants/alpha`: the tenant's record.
pub fn tenant(name: &TenantName) -> String {
    format!("{TENANTS}{name}")
}

/// `/tidb-mesh/v1/ids/table/`: all id claims of a mode.
pub fn ids(mode: Mode) -> String {
    format!("/tidb-mesh/v1/ids/{mode}/")
}

/// `/tidb-mesh/v1/ids/table/1`: the claim of an id; as long as it exists the id is not given away.
pub fn id(scope: Scope) -> String {
    format!("{}{}", ids(scope.mode), scope.id)
}

/// `/tidb-mesh/v1/ports/20001`: the claim of a port.
pub fn port(port: u16) -> String {
    format!("{PORTS}{port}")
}

/// `/tidb-mesh/v1/gc/00000001`: garbage collection state of a tenant, id as [`Scope::hex`].
pub fn gc(scope: Scope) -> String {
    format!("/tidb-mesh/v1/gc/{}", scope.hex())
}

/// `/tidb-mesh/v1/gateways/0123456789abcdef`: a live gateway and what it has applied; leased.
pub fn gateway(id: &str) -> String {
    format!("{GATEWAYS}{id}")
}

/// `/tidb-mesh/v1/destroyers/00000001`: which gateway destroys a tenant's data; leased.
pub fn destroyer(scope: Scope) -> String {
    format!("/tidb-mesh/v1/destroyers/{}", scope.hex())
}

/// `/tidb-mesh-data/00000001/`: what stands in front of each of a tenant's own etcd keys.
pub fn data_prefix(mode: Mode, id: TenantId) -> String {
    format!("{DATA_ROOT}{}/", Scope { mode, id }.hex())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rendered_forms_are_pinned() {
        let scope = Scope::new(Mode::Keyspace, 18).unwrap();
        assert_eq!(
            tenant(&"alpha".parse().unwrap()),
            "/tidb-mesh/v1/tenants/alpha"
        );
        assert_eq!(id(scope), "/tidb-mesh/v1/ids/keyspace/18");
        assert_eq!(port(20001), "/tidb-mesh/v1/ports/20001");
        assert_eq!(gc(scope), "/tidb-mesh/v1/gc/01000012");
        assert_eq!(gateway("0f"), "/tidb-mesh/v1/gateways/0f");
        assert_eq!(destroyer(scope), "/tidb-mesh/v1/destroyers/01000012");
        assert_eq!(
            data_prefix(scope.mode, scope.id),
            "/tidb-mesh-data/01000012/"
        );
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        (0..3usize, 1..=0x7fffu32).prop_map(|(mode, id)| Scope::new(Mode::ALL[mode], id).unwrap())
    }

    proptest! {
        #[test]
        fn no_tenants_prefix_begins_with_anothers(one in any_scope(), other in any_scope()) {
            let (first, second) =
                (data_prefix(one.mode, one.id), data_prefix(other.mode, other.id));
            prop_assert_eq!(first.starts_with(&second), one == other);
            prop_assert_eq!(gc(one) == gc(other), one == other);
            prop_assert_eq!(id(one) == id(other), one == other);
            prop_assert!(!first.starts_with(ROOT));
        }
    }
}
