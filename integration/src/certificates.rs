//! Certificates for test clusters: an authority that lives in memory and what it issues, in files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::endpoints::write_atomically;

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: PathBuf,
    /// Its certificate.
    pub ca: PathBuf,
}

/// A certificate that was issued, with its key and authority, as servers take them.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// Certificate of the authority that the other side is verified with.
    pub ca: PathBuf,
    /// Certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Whether a certificate can be used today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It can.
    Now,
    /// It ended long ago.
    LongAgo,
}

impl Authority {
    /// A new authority that writes into `dir`.
    ///
    /// # Errors
    /// When its certificate can't be written.
    pub fn new(dir: &Path, name: &str) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let ca = dir.join(format!("{name}-ca.pem"));
        write_atomically(&ca, params.self_signed(&key)?.pem().as_bytes())?;
        Ok(Self {
            issuer: Issuer::new(params, key),
            dir: dir.to_path_buf(),
            ca,
        })
    }

    /// Issues a certificate for DNS names and IP addresses; the same file name again replaces it.
    ///
    /// # Errors
    /// When a name is none or a file can't be written.
    pub fn issue(&self, file: &str, names: &[&str]) -> Result<CertificateFiles> {
        self.issue_for(file, names, Validity::Now)
    }

    /// As [`Authority::issue`], for a time of one's choice.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn issue_for(
        &self,
        file: &str,
        names: &[&str],
        validity: Validity,
    ) -> Result<CertificateFiles> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, file);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        if validity == Validity::LongAgo {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate()?;
        let pem = params.signed_by(&key, &self.issuer)?.pem();
        let files = CertificateFiles {
            ca: self.ca.clone(),
            cert: self.dir.join(format!("{file}.pem")),
            key: self.dir.join(format!("{file}.key")),
        };
        write_atomically(&files.cert, pem.as_bytes())?;
        write_atomically(&files.key, key.serialize_pem().as_bytes())?;
        Ok(files)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}
