//! A client that calls any name with any certificate, and says any authority.

use std::io;
use std::path::Path;
use std::sync::Arc;

use http::Uri;
use hyper_util::rt::TokioIo;
use mesh_integration::certificates::CertificateFiles;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

#[derive(Clone)]
pub(super) struct Client {
    config: Arc<ClientConfig>,
    port: u16,
}

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    let pem = std::fs::read(path).unwrap();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    chain.unwrap()
}

impl Client {
    /// Trusts `ca`; presents `files` when there are any.
    pub(super) fn new(ca: &Path, files: Option<&CertificateFiles>, port: u16) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(chain(ca).remove(0)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match files {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let key = PrivateKeyDer::from_pem_slice(&std::fs::read(&files.key).unwrap());
                builder
                    .with_client_auth_cert(chain(&files.cert), key.unwrap())
                    .unwrap()
            }
        };
        Self {
            config: Arc::new(config),
            port,
        }
    }

    pub(super) async fn connect(&self, name: &str) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(self.config.clone())
            .connect(name, stream)
            .await
    }

    /// gRPC over a connection that called `name`, with `authority` in every request.
    pub(super) fn channel(&self, name: &str, authority: &str) -> Channel {
        let (client, name) = (self.clone(), name.to_owned());
        let endpoint = Endpoint::from_shared(format!("https://{authority}")).unwrap();
        endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let (client, name) = (client.clone(), name.clone());
            async move { client.connect(&name).await.map(TokioIo::new) }
        }))
    }
}
