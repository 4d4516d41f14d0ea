//! Who a certificate is for, and what a name stands for.
//!
//! Pure: texts in, a tenant out. Whatever can be read in two ways is refused.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use mesh_tenants::TenantName;

use super::Refusal;
use crate::listener::Role;

/// The names of one gateway address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    domain: String,
    trust_domain: String,
}

impl Names {
    /// Names below `domain`, and SPIFFE ids of `trust_domain`.
    pub fn new(domain: &str, trust_domain: &str) -> Names {
        Names {
            domain: domain.to_ascii_lowercase(),
            trust_domain: trust_domain.to_ascii_lowercase(),
        }
    }

    /// What a host name stands for: `pd.<tenant>.<domain>` or `store-<id>.<tenant>.<domain>`.
    pub fn meaning(&self, host: &str) -> Option<(TenantName, Role)> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let (role, tenant) = self.below_domain(&host)?.split_once('.')?;
        let role = match role.strip_prefix("store-") {
            // A number has one spelling, or two names would be one store.
            Some(id) => Role::Store(id.parse().ok().filter(|n: &u64| n.to_string() == id)?),
            None if role == "pd" => Role::Pd,
            None => return None,
        };
        Some((tenant.parse().ok()?, role))
    }

    /// Whether a host lies below the domain, and so states something.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.below_domain(&host).is_some()
    }

    fn below_domain<'a>(&self, host: &'a str) -> Option<&'a str> {
        host.strip_suffix(self.domain.as_str())?.strip_suffix('.')
    }

    /// The one tenant that a verified certificate is for.
    ///
    /// # Errors
    /// [`Refusal::NoTenantInCertificate`], [`Refusal::SeveralTenantsInCertificate`].
    pub fn tenant_of(&self, certificate: &CertificateDer<'_>) -> Result<TenantName, Refusal> {
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|_| Refusal::NoTenantInCertificate)?;
        let names = parsed.subject_alternative_name().ok().flatten();
        let names = names.ok_or(Refusal::NoTenantInCertificate)?;
        let mut found: Option<TenantName> = None;
        for name in &names.value.general_names {
            let Some(tenant) = self.stated(name) else {
                continue;
            };
            if found.as_ref().is_some_and(|other| *other != tenant) {
                return Err(Refusal::SeveralTenantsInCertificate);
            }
            found = Some(tenant);
        }
        found.ok_or(Refusal::NoTenantInCertificate)
    }

    fn stated(&self, name: &GeneralName<'_>) -> Option<TenantName> {
        match name {
            GeneralName::URI(uri) => self.in_spiffe_id(uri),
            GeneralName::DNSName(host) => {
                let host = host.to_ascii_lowercase();
                self.below_domain(&host)?.parse().ok()
            }
            _ => None,
        }
    }

    /// `spiffe://<trust domain>/…/tenant/<name>`.
    fn in_spiffe_id(&self, uri: &str) -> Option<TenantName> {
        let (scheme, rest) = uri.split_once("://")?;
        let (trust_domain, path) = rest.split_once('/')?;
        let ours = scheme.eq_ignore_ascii_case("spiffe")
            && trust_domain.eq_ignore_ascii_case(&self.trust_domain);
        let (before, name) = path.rsplit_once('/')?;
        let last = before.rsplit('/').next()?;
        (ours && last == "tenant").then(|| name.parse().ok())?
    }

    /// Whether a request's `:authority` or `Host` contradicts what the connection is for. A host
    /// outside the domain (an address, a proxy's name) states nothing.
    pub fn contradicts(&self, authority: &str, tenant: &str, role: Role) -> bool {
        let host = host_of(authority);
        if !self.covers(host) {
            return false;
        }
        self.meaning(host)
            .is_none_or(|(named, meant)| named.as_str() != tenant || meant != role)
    }
}

/// The host of `[user@]host[:port]`.
fn host_of(authority: &str) -> &str {
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new("mesh.test", "Cell.Test")
    }

    fn meaning(host: &str) -> Option<(String, Role)> {
        let (tenant, role) = names().meaning(host)?;
        Some((tenant.to_string(), role))
    }

    #[test]
    fn a_host_name_stands_for_a_tenants_pd_or_store() {
        let alpha = |role| Some(("alpha".to_owned(), role));
        assert_eq!(meaning("pd.alpha.mesh.test"), alpha(Role::Pd));
        assert_eq!(meaning("PD.Alpha.mesh.TEST."), alpha(Role::Pd));
        assert_eq!(meaning("store-7.alpha.mesh.test"), alpha(Role::Store(7)));
        for nothing in [
            "alpha.mesh.test",
            "pd.mesh.test",
            "pd.alpha.beta.mesh.test",
            "pd.alpha.mesh.test.evil",
            "pd.alphamesh.test",
            "xpd.alpha.mesh.test",
            "store-07.alpha.mesh.test",
            "store-+7.alpha.mesh.test",
            "store-.alpha.mesh.test",
            "store-99999999999999999999.alpha.mesh.test",
            "pd.*.mesh.test",
            "pd..mesh.test",
            "mesh.test",
            "",
        ] {
            assert_eq!(meaning(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_spiffe_id_names_a_tenant_in_its_last_two_steps() {
        let tenant = |uri: &str| names().in_spiffe_id(uri).map(String::from);
        let alpha = Some("alpha".to_owned());
        assert_eq!(tenant("spiffe://cell.test/tenant/alpha"), alpha);
        assert_eq!(tenant("spiffe://CELL.test/ns/prod/tenant/alpha"), alpha);
        for nothing in [
            "spiffe://other.test/tenant/alpha",
            "spiffe://cell.test/tenant/alpha/",
            "spiffe://cell.test/tenant/alpha/sa/x",
            "spiffe://cell.test/tenants/alpha",
            "spiffe://cell.test/xtenant/alpha",
            "https://cell.test/tenant/alpha",
            "spiffe://cell.test/tenant/Alpha",
            "spiffe://cell.test/tenant/a%2Fb",
            "spiffe://cell.test",
        ] {
            assert_eq!(tenant(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn only_a_name_below_the_domain_can_contradict() {
        let contradicts = |authority| names().contradicts(authority, "alpha", Role::Pd);
        for fine in [
            "pd.alpha.mesh.test:20000",
            "127.0.0.1:1",
            "",
            "#initially=[x]",
            "mesh.test",
        ] {
            assert!(!contradicts(fine), "{fine}");
        }
        for other in [
            "pd.beta.mesh.test",
            "store-1.alpha.mesh.test:2",
            "x@pd.beta.mesh.test",
            "odd.mesh.test",
        ] {
            assert!(contradicts(other), "{other}");
        }
    }
}
