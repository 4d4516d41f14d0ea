//! Certificates and keys in PEM files, read whole and checked before anything uses them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::provider;

/// A certificate, key or authority that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The file can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The file holds something else, or something broken.
    #[error("{path}: {why}")]
    Content {
        /// File.
        path: PathBuf,
        /// What is wrong; never the content.
        why: String,
    },
    /// The files are sound and the whole of them is not.
    #[error("TLS can't be set up: {0}")]
    Setup(#[from] rustls::Error),
    /// The authority can't be made the verifier of clients.
    #[error("TLS can't be set up: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

fn content(path: &Path, why: impl Into<String>) -> TlsFault {
    TlsFault::Content {
        path: path.to_owned(),
        why: why.into(),
    }
}

/// Fingerprints of what was in the files, to notice a change.
#[derive(PartialEq, Eq)]
pub(super) struct Seen(Vec<u64>);

impl Seen {
    /// The present content of `paths`; one that can't be read counts as empty.
    pub(super) fn of(paths: &[&Path]) -> Seen {
        let print = |path: &&Path| {
            let content = std::fs::read(path).unwrap_or_default();
            farmhash::fingerprint64(&content)
        };
        Seen(paths.iter().map(print).collect())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFault> {
    std::fs::read(path).map_err(|source| TlsFault::Read {
        path: path.to_owned(),
        source,
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|fault| content(path, format!("not PEM: {fault}")))?;
    if chain.is_empty() {
        return Err(content(path, "holds no certificate"));
    }
    Ok(chain)
}

/// Certificates of the authorities in a file.
pub(super) fn roots(path: &Path) -> Result<Arc<RootCertStore>, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        expiry(path, &certificate)?;
        let added = roots.add(certificate);
        added.map_err(|fault| content(path, format!("not an authority: {fault}")))?;
    }
    Ok(Arc::new(roots))
}

/// A certificate with its chain and key.
pub(super) struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    /// When the first certificate of the chain ends.
    pub(super) expires: SystemTime,
}

/// Reads a certificate with its chain, and the key that belongs to it.
pub(super) fn pair(cert: &Path, key: &Path) -> Result<Pair, TlsFault> {
    let chain = certificates(cert)?;
    let mut expires = None;
    for certificate in &chain {
        let one = expiry(cert, certificate)?;
        expires = Some(expires.map_or(one, |first: SystemTime| first.min(one)));
    }
    // A parser's message could quote the key.
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| content(key, "holds no private key in PEM"))?;
    let signing = provider()
        .key_provider
        .load_private_key(private)
        .map_err(|_| content(key, "the private key is of no kind that is supported"))?;
    let pair = CertifiedKey::new(chain, signing);
    pair.keys_match().map_err(|_| {
        let cert = cert.display();
        content(key, format!("the private key does not belong to {cert}"))
    })?;
    Ok(Pair {
        key: Arc::new(pair),
        expires: expires.unwrap_or(UNIX_EPOCH),
    })
}

/// When a certificate ends; one that has ended can't be used.
fn expiry(path: &Path, certificate: &CertificateDer<'_>) -> Result<SystemTime, TlsFault> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|_| content(path, "holds a certificate that can't be read"))?;
    let end = parsed.validity().not_after.timestamp();
    let end = UNIX_EPOCH + Duration::from_secs(u64::try_from(end).unwrap_or(0));
    if end <= SystemTime::now() {
        return Err(content(path, "holds a certificate that has expired"));
    }
    Ok(end)
}
