//! The schema against the real protocols: runs the Go module that compiles their sources.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// Two Go builds at once take longer than one after the other.
static ONE_BUILD: Mutex<()> = Mutex::new(());

fn compare(of: &str, flags: &[&str]) {
    let _alone = ONE_BUILD.lock().unwrap_or_else(PoisonError::into_inner);
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/completeness");
    // Never a remembered result: Go does not see that files outside of its module have changed. And
    // the sources of the protocols are found by the paths of the compiled code.
    let output = Command::new("go")
        .args(["test", "-count=1", "-trimpath=false"])
        .args(flags)
        .arg("./...")
        .current_dir(module)
        .output()
        .expect("the Go toolchain is needed to compare the schema with the real protocols");
    assert!(
        output.status.success(),
        "proto/schema and {of} differ, or could not be compared.\n\
         Decide about each line below in proto/schema (docs/guides/proto.md says how):\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

#[test]
fn every_rpc_and_field_of_the_newest_protocols_is_decided_about() {
    compare("the newest protocols", &[]);
}

#[test]
fn every_rpc_and_field_of_the_pinned_tidbs_protocols_is_decided_about() {
    let flags = ["-modfile=tidb2025.mod", "-tags=tidb2025"];
    compare("the pinned TiDB's protocols", &flags);
}
