//! What is stored, and what one tenant can see of another.

use std::collections::BTreeSet;

use mesh_integration::dump::{Dump, Ranges};
use mesh_integration::http::get_json;

use crate::runner::run;
use crate::shared::{ranges_of, trio};

#[test]
fn the_engine_holds_each_tenants_keys_only_inside_its_ranges() {
    run(async {
        let mesh = &trio().await.mesh;
        for name in ["alpha", "beta"] {
            let mut session = mesh.session(name).await.unwrap();
            session
                .execute("CREATE DATABASE IF NOT EXISTS dumped")
                .await
                .unwrap();
            session
                .execute("CREATE TABLE IF NOT EXISTS dumped.t (id INT, v INT, KEY (v))")
                .await
                .unwrap();
            session
                .execute("INSERT INTO dumped.t VALUES (1, 2), (3, 4)")
                .await
                .unwrap();
        }
        let dump = Dump::read(&mesh.storage.engine_status_address())
            .await
            .unwrap();
        let (alpha, beta) = (ranges_of(mesh, "alpha"), ranges_of(mesh, "beta"));
        let strangers = dump.outside(&[&alpha, &beta]);
        assert!(
            strangers.is_empty(),
            "keys of nobody: {:#?}",
            &strangers[..strangers.len().min(5)]
        );
        assert!(dump.inside(&alpha).len() > 1000);
        assert!(dump.inside(&beta).len() > 1000);
        assert!(
            !dump
                .entries
                .iter()
                .any(|entry| alpha.contain(&entry.key) && beta.contain(&entry.key))
        );
    });
}

#[test]
fn databases_tables_rows_and_users_of_one_are_unknown_to_the_other() {
    run(async {
        let mesh = &trio().await.mesh;
        let mut alpha = mesh.session("alpha").await.unwrap();
        let mut beta = mesh.session("beta").await.unwrap();
        alpha
            .execute("CREATE DATABASE secret_of_alpha")
            .await
            .unwrap();
        alpha
            .execute("CREATE TABLE secret_of_alpha.t (id INT PRIMARY KEY)")
            .await
            .unwrap();
        alpha.execute("CREATE USER 'only_alpha'@'%'").await.unwrap();
        let databases = beta.rows("SHOW DATABASES").await.unwrap();
        assert!(
            !databases
                .iter()
                .flatten()
                .any(|name| name.contains("secret_of_alpha"))
        );
        let users = beta
            .value("SELECT COUNT(*) FROM mysql.user WHERE user = 'only_alpha'")
            .await
            .unwrap();
        assert_eq!(users, "0");
        let foreign = "SELECT COUNT(*) FROM information_schema.tikv_region_status WHERE db_name = 'secret_of_alpha'";
        assert_eq!(beta.value(foreign).await.unwrap(), "0");
        alpha
            .execute("SET GLOBAL tidb_gc_max_wait_time = 7777")
            .await
            .unwrap();
        assert_ne!(
            beta.value("SELECT @@GLOBAL.tidb_gc_max_wait_time")
                .await
                .unwrap(),
            "7777"
        );
        alpha
            .execute("DROP DATABASE secret_of_alpha")
            .await
            .unwrap();
        alpha.execute("DROP USER 'only_alpha'@'%'").await.unwrap();
        alpha
            .execute("SET GLOBAL tidb_gc_max_wait_time = DEFAULT")
            .await
            .unwrap();
    });
}

#[test]
fn the_same_table_has_the_same_id_and_another_place() {
    run(async {
        let mesh = &trio().await.mesh;
        let dump = Dump::read(&mesh.storage.engine_status_address())
            .await
            .unwrap();
        let ids = "SELECT tidb_table_id FROM information_schema.tables WHERE table_schema = 'mysql' AND table_name = 'tidb'";
        let mut seen = BTreeSet::new();
        for name in ["alpha", "beta"] {
            let table: u64 = mesh
                .session(name)
                .await
                .unwrap()
                .value(ids)
                .await
                .unwrap()
                .parse()
                .unwrap();
            let prefix = physical_table_prefix(mesh.tenants[name].info.id, table);
            assert!(
                dump.entries
                    .iter()
                    .any(|entry| entry.key.starts_with(&prefix)),
                "{name}"
            );
            seen.insert(table);
        }
        assert_eq!(seen.len(), 1);
    });
}

#[test]
fn members_stores_and_regions_lead_back_to_the_gateway() {
    run(async {
        let mesh = &trio().await.mesh;
        let storage = [mesh.storage.pd_address(), mesh.storage.tikv_address()];
        for (name, tenant) in &mesh.tenants {
            for path in ["members", "stores", "regions"] {
                let url = format!("http://{}/pd/api/v1/{path}", tenant.info.pd);
                let Ok(answer) = get_json(&url).await else {
                    continue;
                };
                let text = answer.to_string();
                for address in &storage {
                    assert!(
                        !text.contains(address.as_str()),
                        "{name} sees {address} in {path}"
                    );
                }
            }
            let mut session = mesh.session(name).await.unwrap();
            let stores = session
                .rows("SELECT address FROM information_schema.tikv_store_status")
                .await
                .unwrap();
            let own: Vec<&str> = tenant
                .info
                .stores
                .iter()
                .map(|store| store.address.as_str())
                .collect();
            assert_eq!(stores.concat(), own);
        }
    });
}

/// `t`, then the id with its sign bit turned and the tenant in the 15 bits below it.
pub(crate) fn physical_table_prefix(tenant: u32, table: u64) -> Vec<u8> {
    let id = (1_u64 << 63) ^ (u64::from(tenant) << 48 | table);
    [&b"t"[..], &id.to_be_bytes()].concat()
}

#[test]
fn ranges_are_those_of_the_layout() {
    run(async {
        let mesh = &trio().await.mesh;
        for (name, tenant) in &mesh.tenants {
            let ranges: Ranges = ranges_of(mesh, name);
            let id = u16::try_from(tenant.info.id).unwrap().to_be_bytes();
            assert!(ranges.contain(&[b'm', 1, id[0], id[1], 0]));
            assert!(ranges.contain(&physical_table_prefix(tenant.info.id, 1)));
            assert!(!ranges.contain(&physical_table_prefix(tenant.info.id + 7, 1)));
            assert!(!ranges.contain(&physical_table_prefix(0, 1)));
        }
    });
}
