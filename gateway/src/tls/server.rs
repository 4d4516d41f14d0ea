//! The gateway as a TLS server: its certificates, chosen by the name that is called, and the
//! authority of its clients.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{self, Seen};
use super::reload::Side;
use super::{HTTP1, HTTP2, Names, TlsFault, provider};
use crate::config::TlsListen;

/// TLS towards tenants' clients.
pub struct ListenTls {
    config: TlsListen,
    names: Names,
    current: ArcSwap<Current>,
}

struct Current {
    server: Arc<ServerConfig>,
    expires: SystemTime,
    seen: Seen,
}

impl ListenTls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsFault`].
    pub fn load(config: &TlsListen) -> Result<ListenTls, TlsFault> {
        Ok(ListenTls {
            names: Names::new(&config.domain, config.trust_domain()),
            current: ArcSwap::from_pointee(Current::load(config)?),
            config: config.clone(),
        })
    }

    /// Names under which tenants' PD and stores are called.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The configuration for a new handshake.
    pub(super) fn server(&self) -> Arc<ServerConfig> {
        self.current.load().server.clone()
    }
}

impl Side for ListenTls {
    fn name(&self) -> &'static str {
        "listen"
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

fn paths(config: &TlsListen) -> Vec<&Path> {
    let pairs = config.certificates.iter();
    let pairs = pairs.flat_map(|pair| [pair.cert.as_path(), pair.key.as_path()]);
    pairs.chain([config.client_ca.as_path()]).collect()
}

impl Current {
    fn load(config: &TlsListen) -> Result<Current, TlsFault> {
        // Looked at first: a file that changes meanwhile is read again at the next look.
        let seen = Seen::of(&paths(config));
        let clients = files::roots(&config.client_ca)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(clients, provider()).build()?;
        let mut resolver = ByName::default();
        let mut expires = None;
        for pair in &config.certificates {
            let pair = files::pair(&pair.cert, &pair.key)?;
            expires =
                Some(expires.map_or(pair.expires, |first: SystemTime| first.min(pair.expires)));
            resolver.add(pair.key);
        }
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(resolver));
        server.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        // A resumed session would carry an older handshake's certificate past a change of the
        // authority or past its end.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Current {
            server: Arc::new(server),
            expires: expires.unwrap_or(SystemTime::UNIX_EPOCH),
            seen,
        })
    }
}

/// Certificates by the names in them. A name that none has gets the first: the client says then
/// what it misses, which tells more than a broken handshake.
#[derive(Debug, Default)]
struct ByName {
    first: Option<Arc<CertifiedKey>>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl ByName {
    fn add(&mut self, key: Arc<CertifiedKey>) {
        for name in key.end_entity_cert().map(dns_names).unwrap_or_default() {
            self.by_name.entry(name).or_insert_with(|| key.clone());
        }
        self.first.get_or_insert(key);
    }

    fn find(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        };
        self.by_name.get(&name).or_else(wildcard).cloned()
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.find(name));
        named.or_else(|| self.first.clone())
    }
}

fn dns_names(certificate: &rustls::pki_types::CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let dns = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}
