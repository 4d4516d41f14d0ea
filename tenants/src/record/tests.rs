use serde_json::json;

use super::*;

fn record() -> Record {
    Record {
        name: "alpha".parse().unwrap(),
        scope: Scope::new(Mode::Table, 1).unwrap(),
        state: State::Active,
        pd_port: 20001,
        store_ports: BTreeMap::from([(1, 20002), (4, 20003)]),
        created_at: UNIX_EPOCH + Duration::from_secs(1_790_000_000),
        limits: Limits::default(),
    }
}

#[test]
fn the_json_form_is_pinned() {
    let json = json!({
        "name": "alpha", "mode": "table", "id": 1, "state": "active", "pd_port": 20001,
        "store_ports": {"1": 20002, "4": 20003}, "created_at": 1_790_000_000,
    });
    assert_eq!(serde_json::to_value(record()).unwrap(), json);
    assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record());
}

#[test]
fn limits_are_part_of_the_record_and_absent_when_there_are_none() {
    let mut limited = record();
    limited.limits.connections = std::num::NonZeroU32::new(7);
    let json = serde_json::to_value(&limited).unwrap();
    assert_eq!(json["limits"], json!({"connections": 7}));
    assert_eq!(serde_json::from_value::<Record>(json).unwrap(), limited);
}

#[test]
fn members_of_a_newer_version_are_ignored() {
    let mut json = serde_json::to_value(record()).unwrap();
    json["colour"] = json!("green");
    assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record());
}

#[test]
fn records_that_could_mix_up_tenants_are_unreadable() {
    for (member, value) in [
        ("id", json!(0)),
        ("id", json!(32768)),
        ("mode", json!("auto")),
        ("name", json!("a/b")),
        ("state", json!("half")),
        ("pd_port", json!(70000)),
    ] {
        let mut json = serde_json::to_value(record()).unwrap();
        json[member] = value;
        assert!(serde_json::from_value::<Record>(json).is_err(), "{member}");
    }
}

#[test]
fn claims_are_pinned() {
    let pd = PortClaim {
        tenant: record().name,
        store: None,
    };
    assert_eq!(
        serde_json::to_value(&pd).unwrap(),
        json!({"tenant": "alpha"})
    );
    let store = PortClaim {
        store: Some(4),
        ..pd
    };
    assert_eq!(
        serde_json::to_value(&store).unwrap(),
        json!({"tenant": "alpha", "store": 4})
    );
    let id = IdClaim {
        name: record().name,
        reserved: false,
        ports: Vec::new(),
        destroyed_at: 0,
    };
    assert_eq!(serde_json::to_value(&id).unwrap(), json!({"name": "alpha"}));
    let reserved = IdClaim {
        reserved: true,
        ports: vec![1, 2],
        destroyed_at: 1_790_000_000,
        ..id
    };
    let json = json!({
        "name": "alpha", "reserved": true, "ports": [1, 2], "destroyed_at": 1_790_000_000,
    });
    assert_eq!(serde_json::to_value(&reserved).unwrap(), json);
    assert_eq!(serde_json::from_value::<IdClaim>(json).unwrap(), reserved);
}

#[test]
fn nothing_leads_back_to_life_or_to_creation() {
    for from in State::ALL {
        assert!(from.may_become(from));
        assert!(from.may_become(State::Destroying));
        for to in State::ALL
            .into_iter()
            .filter(|to| ![from, State::Destroying].contains(to))
        {
            assert!(!State::Destroying.may_become(to));
            assert!(to != State::Creating || !from.may_become(to));
        }
    }
    assert!(State::Active.may_become(State::Suspended));
    assert!(State::Suspended.may_become(State::Active));
}
