//! What is stored, and what one tenant can see of another.

use std::collections::BTreeSet;

use mesh_integration::dump::{Dump, Entry, Ranges};
use mesh_integration::http::get_json;
use mesh_integration::sql::Session;

use crate::runner::run;
use crate::shared::{ranges_of, trio};

#[test]
fn the_engine_holds_each_tenants_keys_only_inside_its_ranges() {
    run(async {
        let trio = trio().await;
        let turn = trio.turn.lock().await;
        for (_, address) in trio.lanes() {
            let mut session = Session::connect(&address).await.unwrap();
            session.execute("CREATE DATABASE dumped").await.unwrap();
            session
                .execute("CREATE TABLE dumped.t (id INT, v INT, KEY (v))")
                .await
                .unwrap();
            session
                .execute("INSERT INTO dumped.t VALUES (1, 2), (3, 4)")
                .await
                .unwrap();
        }
        drop(turn);
        let mesh = &trio.mesh;
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
        let shared = |entry: &Entry| alpha.contain(&entry.key) && beta.contain(&entry.key);
        assert!(!dump.entries.iter().any(shared));
    });
}

#[test]
fn databases_users_settings_and_regions_of_one_are_unknown_to_the_others() {
    run(async {
        let trio = trio().await;
        let _turn = trio.turn.lock().await;
        for (lane, address) in trio.lanes() {
            let mut session = Session::connect(&address).await.unwrap();
            session
                .execute(&format!("CREATE DATABASE secret_of_{lane}"))
                .await
                .unwrap();
            session
                .execute(&format!(
                    "CREATE TABLE secret_of_{lane}.t (id INT PRIMARY KEY)"
                ))
                .await
                .unwrap();
            session
                .execute(&format!("CREATE USER 'only_{lane}'@'%'"))
                .await
                .unwrap();
            let comment = format!("INSERT INTO mysql.tidb VALUES ('of', '{lane}', '')");
            session.execute(&comment).await.unwrap();
        }
        for (lane, address) in trio.lanes() {
            let mut session = Session::connect(&address).await.unwrap();
            let databases = session.rows("SHOW DATABASES LIKE 'secret%'").await.unwrap();
            assert_eq!(databases.concat(), [format!("secret_of_{lane}")]);
            let users = session
                .rows("SELECT user FROM mysql.user WHERE user LIKE 'only%'")
                .await
                .unwrap();
            assert_eq!(users.concat(), [format!("only_{lane}")]);
            let of = session
                .value("SELECT variable_value FROM mysql.tidb WHERE variable_name = 'of'")
                .await
                .unwrap();
            assert_eq!(of, lane);
            let regions = "SELECT DISTINCT db_name FROM information_schema.tikv_region_status WHERE db_name LIKE 'secret%'";
            assert_eq!(
                session.rows(regions).await.unwrap().concat(),
                [format!("secret_of_{lane}")]
            );
            session
                .execute(&format!("DROP DATABASE secret_of_{lane}"))
                .await
                .unwrap();
            session
                .execute(&format!("DROP USER 'only_{lane}'@'%'"))
                .await
                .unwrap();
            session
                .execute("DELETE FROM mysql.tidb WHERE variable_name = 'of'")
                .await
                .unwrap();
        }
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
