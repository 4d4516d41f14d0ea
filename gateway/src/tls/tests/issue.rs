//! Authorities and certificates for tests.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tempfile::TempDir;

pub(super) fn write(dir: &TempDir, name: &str, text: &str) {
    std::fs::write(dir.path().join(name), text).unwrap();
}

/// What a certificate is to hold.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    names: Vec<SanType>,
    expired: bool,
    servers_only: bool,
}

impl Wanted {
    pub(super) fn dns(names: &[&str]) -> Wanted {
        let name = |name: &&str| SanType::DnsName((*name).try_into().unwrap());
        Wanted {
            names: names.iter().map(name).collect(),
            ..Wanted::default()
        }
    }

    pub(super) fn uri(uri: &str) -> Wanted {
        Wanted {
            names: vec![SanType::URI(uri.try_into().unwrap())],
            ..Wanted::default()
        }
    }

    pub(super) fn and_dns(mut self, name: &str) -> Wanted {
        self.names.extend(Wanted::dns(&[name]).names);
        self
    }

    pub(super) fn expired(mut self) -> Wanted {
        self.expired = true;
        self
    }

    pub(super) fn for_servers_only(mut self) -> Wanted {
        self.servers_only = true;
        self
    }
}

pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

pub(super) struct Issued {
    pem: String,
    key: String,
}

impl Authority {
    pub(super) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Authority {
            pem: params.self_signed(&key).unwrap().pem(),
            issuer: Issuer::new(params, key),
        }
    }

    pub(super) fn pem(&self) -> String {
        self.pem.clone()
    }

    pub(super) fn issue(&self, wanted: &Wanted) -> Issued {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = wanted.names.clone();
        params.distinguished_name.push(DnType::CommonName, "issued");
        let mut purposes = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if !wanted.servers_only {
            purposes.push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        params.extended_key_usages = purposes;
        if wanted.expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        Issued {
            pem: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Issued {
    pub(super) fn write(&self, dir: &TempDir, name: &str) {
        write(dir, &format!("{name}.pem"), &self.pem);
        write(dir, &format!("{name}.key"), &self.key);
    }
}

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    let pem = std::fs::read(path).unwrap();
    CertificateDer::pem_slice_iter(&pem)
        .map(Result::unwrap)
        .collect()
}

/// A client that checks the gateway's certificate and presents whatever is asked of it.
pub(super) fn client_config(dir: &TempDir, ca: &str, pair: Option<&str>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for root in chain(&dir.path().join(ca)) {
        roots.add(root).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let Some(pair) = pair else {
        return Arc::new(builder.with_no_client_auth());
    };
    let (chain, key) = read_pair(dir, pair);
    Arc::new(builder.with_client_auth_cert(chain, key).unwrap())
}

/// A client that accepts any certificate of the gateway.
pub(super) fn trusting_anybody(dir: &TempDir, pair: &str) -> Arc<ClientConfig> {
    let (chain, key) = read_pair(dir, pair);
    let config = ClientConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_auth_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

fn read_pair(dir: &TempDir, pair: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let file = |end: &str| dir.path().join(format!("{pair}.{end}"));
    let key = PrivateKeyDer::from_pem_slice(&std::fs::read(file("key")).unwrap());
    (chain(&file("pem")), key.unwrap())
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        super::provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
