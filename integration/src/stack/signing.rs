//! Keys with which a tenant's TiDB servers sign session tokens, so that its sessions can move among
//! them. One key per tenant: a token counts wherever its key does, and names nothing but a user.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};

use crate::endpoints::write_atomically;

/// The two files that TiDB takes.
#[derive(Clone, Debug)]
pub struct SigningFiles {
    /// Certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl SigningFiles {
    /// Those of a tenant in `dir`, which are made when they aren't there.
    ///
    /// Ed25519, because of a token signed by ECDSA TiDB checks the first 32 bytes only.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn of_tenant(dir: &Path, tenant: &str) -> Result<Self> {
        let dir = dir.join("signing");
        std::fs::create_dir_all(&dir)?;
        std::fs::set_permissions(&dir, Permissions::from_mode(0o700))?;
        let files = Self {
            cert: dir.join(format!("{tenant}-cert.pem")),
            key: dir.join(format!("{tenant}-key.pem")),
        };
        if files.cert.exists() && files.key.exists() {
            return Ok(files);
        }
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let certificate = CertificateParams::new(Vec::new())?.self_signed(&key)?;
        // Nobody else may read the key at any time.
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&files.key)
            .with_context(|| format!("cannot write {}", files.key.display()))
            .and_then(|mut file| {
                std::io::Write::write_all(&mut file, key.serialize_pem().as_bytes())?;
                Ok(file.sync_all()?)
            })?;
        write_atomically(&files.cert, certificate.pem().as_bytes())?;
        Ok(files)
    }

    /// The settings below `[security]` that name them.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, String); 2] {
        [
            (
                "session-token-signing-cert",
                self.cert.display().to_string(),
            ),
            ("session-token-signing-key", self.key.display().to_string()),
        ]
    }
}
