//! A handshake with a tenant's client: bounded in time, every failure named.

use std::io;
use std::time::Duration;

use mesh_tenants::TenantName;
use rustls::server::Acceptor;
use rustls::{AlertDescription, CertificateError, Error};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::ListenTls;
use crate::listener::Role;

/// Why a connection is not served; a closed set, told in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The handshake took too long.
    #[error("the TLS handshake was not finished in time")]
    Slow,
    /// Something else than TLS was spoken.
    #[error("the client did not speak TLS")]
    NotTls,
    /// No certificate was presented.
    #[error("the client presented no certificate")]
    NoCertificate,
    /// The certificate's authority is not the configured one.
    #[error("the client certificate was signed by an authority that is not trusted here")]
    UnknownIssuer,
    /// The certificate has ended or not begun.
    #[error("the client certificate is not valid at this time")]
    Expired,
    /// The certificate is broken or not meant for clients.
    #[error("the client certificate can't be used")]
    BadCertificate,
    /// The client did not accept the gateway's certificate.
    #[error("the client refused the gateway's certificate")]
    RefusedByClient,
    /// Versions, ciphers or protocols don't meet.
    #[error("the TLS handshake failed")]
    Handshake,
    /// The connection broke.
    #[error("the connection broke during the TLS handshake")]
    Broken,
    /// The shared port was called without a name, or by one that stands for nothing.
    #[error("the server name (SNI) stands for no tenant's PD or store")]
    UnknownServerName,
    /// The certificate names no tenant.
    #[error("the client certificate names no tenant")]
    NoTenantInCertificate,
    /// The certificate names more than one tenant.
    #[error("the client certificate names several tenants")]
    SeveralTenantsInCertificate,
    /// The name or the port is another tenant's than the certificate.
    #[error("the address that was called is not one of the tenant in the client certificate")]
    OtherTenant,
    /// No such tenant is served.
    #[error("the tenant in the client certificate is not served here")]
    UnknownTenant,
    /// The tenant has all the connections it may have.
    #[error("the tenant has reached its limit of connections")]
    TenantAtLimit,
}

impl Refusal {
    /// Label under which metrics count it.
    pub fn label(self) -> &'static str {
        match self {
            Refusal::Slow => "slow",
            Refusal::NotTls => "not_tls",
            Refusal::NoCertificate => "no_certificate",
            Refusal::UnknownIssuer => "unknown_issuer",
            Refusal::Expired => "expired",
            Refusal::BadCertificate => "bad_certificate",
            Refusal::RefusedByClient => "refused_by_client",
            Refusal::Handshake => "handshake",
            Refusal::Broken => "broken",
            Refusal::UnknownServerName => "unknown_server_name",
            Refusal::NoTenantInCertificate => "no_tenant_in_certificate",
            Refusal::SeveralTenantsInCertificate => "several_tenants_in_certificate",
            Refusal::OtherTenant => "other_tenant",
            Refusal::UnknownTenant => "unknown_tenant",
            Refusal::TenantAtLimit => "tenant_at_limit",
        }
    }
}

/// A connection whose client has proven who it is.
pub struct Secured {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// Who: the certificate's tenant, or why it names none.
    pub tenant: Result<TenantName, Refusal>,
    /// What the server name stands for.
    pub called: Option<(TenantName, Role)>,
    /// Whether the server name lies below the gateway's domain, and so states something.
    pub states_a_name: bool,
}

impl Secured {
    /// The tenant and role of a connection to the shared port.
    ///
    /// # Errors
    /// [`Refusal`] when certificate and server name don't agree, or one is missing.
    pub fn on_shared_port(&self) -> Result<(TenantName, Role), Refusal> {
        let tenant = self.tenant.clone()?;
        let (called, role) = self.called.clone().ok_or(Refusal::UnknownServerName)?;
        if called != tenant {
            return Err(Refusal::OtherTenant);
        }
        Ok((tenant, role))
    }

    /// Whether the connection may be what its port stands for.
    ///
    /// # Errors
    /// [`Refusal`] when the certificate, or a server name below the domain, says otherwise.
    pub fn on_port_of(&self, tenant: &str, role: Role) -> Result<(), Refusal> {
        if self.tenant.clone()?.as_str() != tenant {
            return Err(Refusal::OtherTenant);
        }
        match &self.called {
            Some((called, meant)) if called.as_str() != tenant || *meant != role => {
                Err(Refusal::OtherTenant)
            }
            None if self.states_a_name => Err(Refusal::UnknownServerName),
            _ => Ok(()),
        }
    }
}

impl ListenTls {
    /// Shakes hands within `limit`.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn accept(&self, stream: TcpStream, limit: Duration) -> Result<Secured, Refusal> {
        tokio::time::timeout(limit, Box::pin(self.shake_hands(stream)))
            .await
            .map_err(|_| Refusal::Slow)?
    }

    async fn shake_hands(&self, stream: TcpStream) -> Result<Secured, Refusal> {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream);
        let begun = begun.await.map_err(|fault| of_error(&fault))?;
        let server_name = begun.client_hello().server_name().map(str::to_owned);
        let stream = begun.into_stream(self.server()).await;
        let stream = stream.map_err(|fault| of_error(&fault))?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let tenant = match certificate {
            Some(certificate) => self.names().tenant_of(certificate),
            None => Err(Refusal::NoCertificate),
        };
        let server_name = server_name.unwrap_or_default();
        Ok(Secured {
            tenant,
            called: self.names().meaning(&server_name),
            states_a_name: self.names().covers(&server_name),
            stream,
        })
    }
}

fn of_error(fault: &io::Error) -> Refusal {
    let inner = fault.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        None => Refusal::Broken,
        Some(Error::InvalidMessage(_)) => Refusal::NotTls,
        Some(Error::NoCertificatesPresented) => Refusal::NoCertificate,
        Some(Error::InvalidCertificate(fault)) => of_certificate(fault),
        Some(Error::AlertReceived(alert)) => of_alert(*alert),
        Some(_) => Refusal::Handshake,
    }
}

fn of_certificate(fault: &CertificateError) -> Refusal {
    match fault {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Refusal::UnknownIssuer,
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Refusal::Expired,
        _ => Refusal::BadCertificate,
    }
}

fn of_alert(alert: AlertDescription) -> Refusal {
    match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown => Refusal::RefusedByClient,
        _ => Refusal::Handshake,
    }
}
