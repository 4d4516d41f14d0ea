use mesh_keyspace::{Mode, TenantId, memcomparable};

use super::*;
use crate::tenant::Tenant;

fn tenant(id: u32) -> Tenant {
    let id = TenantId::new(Mode::Table, id).unwrap();
    Tenant {
        name: "alpha".to_owned(),
        keyspace: Keyspace::new(Mode::Table, id).unwrap(),
        addresses: crate::tenant::Addresses::in_the_clear("gateway"),
        pd_port: 20000,
        store_ports: Default::default(),
        state: mesh_tenants::State::Active,
        created_at: std::time::UNIX_EPOCH,
    }
}

fn map(tenant: &Tenant) -> RuleMap<'_> {
    RuleMap {
        scope: Scope::of(tenant),
        keyspace: &tenant.keyspace,
    }
}

fn encoded(raw: &[u8]) -> String {
    let mut out = Vec::new();
    memcomparable::encode(raw, &mut out);
    hex::encode(out)
}

fn table(tag: u8, id: u8) -> String {
    encoded(&[b't', 0x80, tag, 0, 0, 0, 0, 0, id])
}

fn rule(group: &str, id: &str, start: &str, end: &str) -> Value {
    json!({"group_id": group, "id": id, "start_key": start, "end_key": end, "count": 3, "new": 1})
}

#[test]
fn a_tables_rule_becomes_one_rule_and_comes_back() {
    let tenant = tenant(1);
    let given = rule("TiDB_DDL_5", "r0", &table(0, 5), &table(0, 6));
    let physical = map(&tenant).to_physical(&given, None).unwrap();
    let scoped = rule(
        "tidb-mesh-data:00000001:TiDB_DDL_5",
        "r0",
        &table(1, 5),
        &table(1, 6),
    );
    assert_eq!(physical, [scoped]);
    assert_eq!(
        map(&tenant).to_logical(&Value::Array(physical)).unwrap(),
        json!([given])
    );
}

#[test]
fn a_rule_over_the_seam_becomes_two_and_comes_back_as_one() {
    let tenant = tenant(1);
    let given = rule("TiDB_GLOBAL", "r0", "", "");
    let physical = map(&tenant).to_physical(&given, None).unwrap();
    let ids: Vec<_> = physical
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["r0#0", "r0#1"]);
    for half in &physical {
        assert!(
            half["start_key"] != "" && half["end_key"] != "",
            "never unbounded: {half}"
        );
    }
    assert_eq!(
        map(&tenant).to_logical(&Value::Array(physical)).unwrap(),
        json!([given])
    );
}

#[test]
fn rules_of_others_are_not_seen() {
    let (own, other) = (tenant(1), tenant(2));
    let mut rules = map(&other)
        .to_physical(&rule("g", "r", &table(0, 5), ""), None)
        .unwrap();
    rules.push(rule("pd", "default", "", ""));
    assert_eq!(
        map(&own).to_logical(&Value::Array(rules)).unwrap(),
        json!([])
    );
}

#[test]
fn replacing_deletes_every_name_first() {
    let tenant = tenant(1);
    let given = rule("g", "r", &table(0, 5), &table(0, 6));
    let operations = map(&tenant).replacements(&given).unwrap();
    let told: Vec<_> = operations
        .iter()
        .map(|op| (op["action"].as_str().unwrap(), op["id"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("del", "r"), ("del", "r#0"), ("del", "r#1"), ("add", "r")]
    );
}

#[test]
fn what_could_name_others_is_refused() {
    let tenant = tenant(1);
    for wrong in [
        rule("", "r", "", ""),
        rule("g", "", "", ""),
        rule("g", "r#0", "", ""),
        rule("a/b", "r", "", ""),
        rule("g", "r", "zz", ""),
        rule("g", "r", "74", ""),
        rule("g", "r", &table(0, 6), &table(0, 5)),
        json!({"group_id": "g", "id": "r", "start_key": 5}),
        json!("rule"),
    ] {
        assert!(map(&tenant).to_physical(&wrong, None).is_err(), "{wrong}");
    }
    let named = rule("g", "r", "", "");
    assert!(map(&tenant).to_physical(&named, Some("other")).is_err());
    assert!(map(&tenant).to_physical(&named, Some("g")).is_ok());
}
