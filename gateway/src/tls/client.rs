//! The gateway as a TLS client of PD and the stores.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;

use super::files::{self, Seen};
use super::reload::Side;
use super::{HTTP1, HTTP2, TlsFault, provider};
use crate::config::TlsStorage;

/// TLS towards the storage cluster. The other side's certificate must come from the configured
/// authority and hold the host that was called.
pub struct StorageTls {
    config: TlsStorage,
    current: ArcSwap<Current>,
}

struct Current {
    grpc: Arc<ClientConfig>,
    http: Arc<ClientConfig>,
    expires: SystemTime,
    seen: Seen,
}

impl StorageTls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsFault`].
    pub fn load(config: &TlsStorage) -> Result<StorageTls, TlsFault> {
        Ok(StorageTls {
            current: ArcSwap::from_pointee(Current::load(config)?),
            config: config.clone(),
        })
    }

    /// For a new connection that speaks gRPC.
    pub fn grpc(&self) -> Arc<ClientConfig> {
        self.current.load().grpc.clone()
    }

    /// For a new connection that speaks HTTP/1.
    pub fn http(&self) -> Arc<ClientConfig> {
        self.current.load().http.clone()
    }
}

impl Side for StorageTls {
    fn name(&self) -> &'static str {
        "storage"
    }

    fn expires(&self) -> SystemTime {
        self.current.load().expires
    }

    fn reload(&self) -> Result<(), TlsFault> {
        self.current.store(Arc::new(Current::load(&self.config)?));
        Ok(())
    }

    fn look(&self) -> Seen {
        Seen::of(&paths(&self.config))
    }

    fn is_current(&self, seen: &Seen) -> bool {
        self.current.load().seen == *seen
    }
}

fn paths(config: &TlsStorage) -> [&Path; 3] {
    [&config.ca, &config.cert, &config.key]
}

impl Current {
    fn load(config: &TlsStorage) -> Result<Current, TlsFault> {
        let seen = Seen::of(&paths(config));
        let roots = files::roots(&config.ca)?;
        let pair = files::pair(&config.cert, &config.key)?;
        let mut grpc = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair.key)));
        // A changed authority must be asked again.
        grpc.resumption = Resumption::disabled();
        let mut http = grpc.clone();
        grpc.alpn_protocols = vec![HTTP2.to_vec()];
        http.alpn_protocols = vec![HTTP1.to_vec()];
        Ok(Current {
            grpc: Arc::new(grpc),
            http: Arc::new(http),
            expires: pair.expires,
            seen,
        })
    }
}
