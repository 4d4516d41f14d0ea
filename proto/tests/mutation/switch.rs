//! What a switched-off row does, and that it comes back.

use mesh_proto::{
    mutation::{self, Decision},
    types::mesh::specimen as pb,
};
use prost::Message as _;

use crate::Mutating;
use crate::toy::{KIND_PUT, Toy, Way, table, walk};

fn add<T: prost::Message + Default>(name: &str, message: &T) -> T {
    let out = walk(
        table(name),
        &message.encode_to_vec(),
        &mut Toy::new(Way::Add),
    )
    .unwrap();
    T::decode(&out[..]).unwrap()
}

fn off(message: &str, field: Option<&str>) {
    let decision = field.map_or(Decision::Hook, |_| Decision::Value);
    let row = mutation::row(&format!("mesh.specimen.{message}"), field, decision);
    mutation::disable([row.expect("such a row")]);
}

#[test]
fn a_disabled_row_passes_its_value_and_comes_back() {
    let _alone = Mutating::alone();
    let get = pb::Get {
        key: "k".into(),
        ..Default::default()
    };
    let scan = pb::Scan {
        start_key: "a".into(),
        end_key: "b".into(),
        ..Default::default()
    };
    let choice = pb::Choice {
        kind: KIND_PUT,
        data: vec![0x1a, 0x01, b'k'].into(),
        key: "k".into(),
    };
    let forbidden = pb::Epoch {
        secret: "s".into(),
        ..Default::default()
    };

    assert!(
        mutation::rows().any(|row| row.owner == "mesh.specimen.Get" && row.field == Some("key"))
    );
    assert!(
        mutation::row("mesh.specimen.Get", Some("version"), Decision::Value).is_none(),
        "nothing to switch off"
    );
    assert_eq!(add("Get", &get).key, "pk");

    off("Get", Some("key"));
    assert_eq!(add("Get", &get).key, "k");
    assert_eq!(add("Scan", &scan).start_key, "pa", "other rows stay on");

    off("Scan", Some("end_key"));
    let out = add("Scan", &scan);
    assert_eq!(
        (&out.start_key[..], &out.end_key[..]),
        (&b"pa"[..], &b"b"[..])
    );

    off("Choice", None);
    let out = add("Choice", &choice);
    assert_eq!((out.data, &out.key[..]), (choice.data.clone(), &b"pk"[..]));

    off("Epoch", Some("secret"));
    assert_eq!(add("Epoch", &forbidden), forbidden);

    mutation::disable([]);
    assert_eq!(add("Get", &get).key, "pk");
    assert_ne!(add("Choice", &choice).data, choice.data);
    assert!(
        walk(
            table("Epoch"),
            &forbidden.encode_to_vec(),
            &mut Toy::new(Way::Add)
        )
        .is_err()
    );
}
