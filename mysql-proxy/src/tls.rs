//! TLS on both sides, each for itself: what the client agreed on says nothing about the server.
//!
//! Certificates and authorities are files; they are read again when they change, and a session that
//! has begun keeps what it began with.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::config::{Config, KeyPair, ServerTls};

/// Why a TLS setting can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read as PEM.
    #[error("cannot read {path}: {cause}")]
    File {
        /// File.
        path: PathBuf,
        /// Cause.
        cause: String,
    },
    /// The library refuses it.
    #[error("{path}: {source}")]
    Refused {
        /// File.
        path: PathBuf,
        /// Cause.
        source: rustls::Error,
    },
    /// A name that no certificate could be for.
    #[error("{0:?} isn't a server's name")]
    Name(String),
}

/// Certificates by host name.
#[derive(Debug, Default)]
struct Certificates {
    by_host: HashMap<String, Arc<CertifiedKey>>,
    any: Option<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificates {
    /// Exact, then with the first label as a wildcard, then the certificate for everybody.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().map(str::to_ascii_lowercase);
        let by_host = host.and_then(|host| {
            let exact = self.by_host.get(&host);
            let wildcard = host
                .split_once('.')
                .map(|(_, domain)| format!("*.{domain}"));
            exact.or_else(|| self.by_host.get(&wildcard?)).cloned()
        });
        by_host.or_else(|| self.any.clone())
    }
}

/// What clients are served with; `None` when there is no certificate at all.
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn for_clients(config: &Config) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let mut certificates = Certificates::default();
    if let Some(pair) = &config.tls {
        certificates.any = Some(Arc::new(certified(pair)?));
    }
    for tenant in &config.tenants {
        let Some(pair) = &tenant.tls else { continue };
        let key = Arc::new(certified(pair)?);
        for host in &tenant.sni {
            certificates
                .by_host
                .insert(host.to_ascii_lowercase(), Arc::clone(&key));
        }
    }
    if certificates.any.is_none() && certificates.by_host.is_empty() {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|source| TlsError::Refused {
        path: PathBuf::from("tls"),
        source,
    })?;
    let config = builder
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    Ok(Some(Arc::new(config)))
}

fn certified(pair: &KeyPair) -> Result<CertifiedKey, TlsError> {
    let chain = read_certificates(&pair.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&pair.key).map_err(|cause| unreadable(&pair.key, &cause))?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|source| TlsError::Refused {
        path: pair.certificate.clone(),
        source,
    })
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|cause| unreadable(path, &cause))?;
    let certificates: Result<Vec<_>, _> = certificates.collect();
    let certificates = certificates.map_err(|cause| unreadable(path, &cause))?;
    if certificates.is_empty() {
        return Err(unreadable(path, &"no certificate in it"));
    }
    Ok(certificates)
}

fn unreadable(path: &Path, cause: &dyn std::fmt::Display) -> TlsError {
    TlsError::File {
        path: path.into(),
        cause: cause.to_string(),
    }
}

/// How servers of a tenant are spoken to.
#[derive(Debug, Clone)]
pub struct Verified {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl Verified {
    /// `None` when the tenant's servers are spoken to without TLS, by its configuration.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn new(settings: &ServerTls) -> Result<Option<Verified>, TlsError> {
        let ServerTls::VerifyFull { ca, name } = settings else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(ca)? {
            roots.add(certificate).map_err(|source| TlsError::Refused {
                path: ca.clone(),
                source,
            })?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|source| TlsError::Refused {
            path: ca.clone(),
            source,
        })?;
        let name = name
            .clone()
            .map(|name| ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name)));
        Ok(Some(Verified {
            config: Arc::new(builder.with_root_certificates(roots).with_no_client_auth()),
            name: name.transpose()?,
        }))
    }

    /// The name that the certificate of the server at `address` must be for.
    ///
    /// # Errors
    /// When the address has no host that a certificate could name.
    pub fn name_for(&self, address: &str) -> io::Result<ServerName<'static>> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        ServerName::try_from(host)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// Sessions of it are resumed from one connection to the next.
    #[must_use]
    pub fn connector(&self) -> tokio_rustls::TlsConnector {
        tokio_rustls::TlsConnector::from(Arc::clone(&self.config))
    }
}

/// Files whose change is a change of the configuration.
pub fn files(config: &Config) -> impl Iterator<Item = &Path> {
    let pairs = config
        .tenants
        .iter()
        .filter_map(|tenant| tenant.tls.as_ref())
        .chain(&config.tls);
    let authorities = config
        .tenants
        .iter()
        .filter_map(|tenant| match &tenant.server_tls {
            ServerTls::VerifyFull { ca, .. } => Some(ca.as_path()),
            ServerTls::Off => None,
        });
    let signing = config
        .tenants
        .iter()
        .filter_map(|tenant| tenant.signing_key.as_deref());
    pairs
        .flat_map(|pair| [pair.certificate.as_path(), pair.key.as_path()])
        .chain(authorities)
        .chain(signing)
}
