//! `endpoints.json`: what a running playground tells the outside. The shape is a contract.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The storage cluster itself.
    pub storage: StorageEndpoints,
    /// The gateway.
    pub gateway: GatewayEndpoints,
    /// The MySQL front, when there is a TiDB to reach through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mysql_proxy: Option<FrontEndpoints>,
    /// The tenants by name.
    pub tenants: BTreeMap<String, TenantEndpoints>,
}

/// Addresses of the storage cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageEndpoints {
    /// PD.
    pub pd: String,
    /// The stores.
    pub tikv: Vec<String>,
}

/// The gateway's admin address and process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayEndpoints {
    /// Admin API, probes and metrics.
    pub admin: String,
    /// Its process id.
    pub pid: i32,
}

/// The MySQL front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontEndpoints {
    /// Address for clients of all tenants.
    pub mysql: String,
    /// Admin API, probes and metrics.
    pub admin: String,
    /// Its process id.
    pub pid: i32,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantEndpoints {
    /// Keyspace mode.
    pub mode: String,
    /// Tenant id within the mode.
    pub id: u32,
    /// The gateway's address that a TiDB takes as `--path`.
    pub pd: String,
    /// The tenant's TiDB servers.
    pub tidb: Vec<TidbEndpoints>,
}

/// One TiDB server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TidbEndpoints {
    /// MySQL address.
    pub mysql: String,
    /// Status address.
    pub status: String,
    /// Its process id.
    pub pid: i32,
}

/// The file's place in a state directory.
#[must_use]
pub fn path_in(state_dir: &Path) -> PathBuf {
    state_dir.join("endpoints.json")
}

impl Endpoints {
    /// Writes the file so that a reader sees the old one or the new one, never a part.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, state_dir: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_atomically(&path_in(state_dir), format!("{text}\n").as_bytes())
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is missing or has another shape.
    pub fn read(state_dir: &Path) -> Result<Self> {
        let path = path_in(state_dir);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// Replaces a file in one step.
///
/// # Errors
/// When the directory can't be written.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = std::fs::File::create(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_the_contract() {
        let text = r#"{"storage":{"pd":"127.0.0.1:1","tikv":["127.0.0.1:2"]},
            "gateway":{"admin":"127.0.0.1:3","pid":4},
            "mysql_proxy":{"mysql":"127.0.0.1:9","admin":"127.0.0.1:10","pid":11},
            "tenants":{"alpha":{"mode":"table","id":1,"pd":"127.0.0.1:5",
              "tidb":[{"mysql":"127.0.0.1:6","status":"127.0.0.1:7","pid":8}]}}}"#;
        let endpoints: Endpoints = serde_json::from_str(text).expect("reads");
        let again = serde_json::to_value(&endpoints).expect("writes");
        assert_eq!(
            again,
            serde_json::from_str::<serde_json::Value>(text).expect("json")
        );
        let dir = tempfile::tempdir().expect("directory");
        endpoints.write(dir.path()).expect("written");
        assert_eq!(Endpoints::read(dir.path()).expect("read"), endpoints);
    }
}
