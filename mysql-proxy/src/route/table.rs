//! The routing table of one configuration: built whole, replaced whole.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Claim, Identity, Reason, Refusal, Route, TENANT_ATTRIBUTE};
use crate::config::{Config, Rule, UserForm};
use crate::fleet::Fleet;

/// A tenant that connections are routed to.
#[derive(Debug)]
pub struct RoutedTenant {
    /// Its name.
    pub name: Arc<str>,
    /// What of the user TiDB gets to see.
    pub user: UserForm,
    /// Its TiDB servers, the same over changes of the configuration.
    pub fleet: Arc<Fleet>,
}

/// Finds a connection's tenant.
#[derive(Debug, Default)]
pub struct Table {
    tenants: HashMap<Arc<str>, Arc<RoutedTenant>>,
    hosts: HashMap<String, Arc<str>>,
    rules: Vec<Rule>,
}

/// What names a tenant, and the user that is left.
struct Claims<'a> {
    named: Vec<(Claim, &'a str)>,
    bare_user: &'a [u8],
}

impl Table {
    /// Of a configuration that has been validated; `fleet` gives each tenant its servers.
    pub fn new(config: &Config, mut fleet: impl FnMut(&str) -> Arc<Fleet>) -> Table {
        let mut table = Table {
            rules: config.rules.clone(),
            ..Table::default()
        };
        for tenant in &config.tenants {
            let name: Arc<str> = tenant.name.as_str().into();
            let routed = RoutedTenant {
                name: Arc::clone(&name),
                user: tenant.user,
                fleet: fleet(&tenant.name),
            };
            for host in &tenant.sni {
                table
                    .hosts
                    .insert(host.to_ascii_lowercase(), Arc::clone(&name));
            }
            table.tenants.insert(name, Arc::new(routed));
        }
        table
    }

    /// All tenants.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<RoutedTenant>> {
        self.tenants.values()
    }

    /// A tenant by its name.
    #[must_use]
    pub fn tenant(&self, name: &str) -> Option<&Arc<RoutedTenant>> {
        self.tenants.get(name)
    }

    /// Finds the tenant of a connection.
    ///
    /// # Errors
    /// [`Refusal`], which may be told to the client.
    pub fn route(&self, identity: &Identity<'_>) -> Result<Route, Refusal> {
        let claims = self.claims(identity);
        let Some((_, name)) = claims.named.first() else {
            return self.by_rule(identity);
        };
        if let Some((_, other)) = claims.named.iter().find(|(_, other)| other != name) {
            return Err(Refusal::Disagreement(
                (*name).to_owned(),
                (*other).to_owned(),
            ));
        }
        let tenant = self.existing(name)?;
        let user = match tenant.user {
            UserForm::Strip => claims.bare_user,
            UserForm::Keep => identity.user,
        };
        Ok(Route {
            user: user.to_vec(),
            reason: Reason::Claims(claims.named.iter().map(|(claim, _)| *claim).collect()),
            tenant,
        })
    }

    fn by_rule(&self, identity: &Identity<'_>) -> Result<Route, Refusal> {
        let mut rules = self.rules.iter().enumerate();
        let fitting = rules.find(|(_, rule)| fits(rule, identity));
        let (index, rule) = fitting.ok_or(Refusal::NoTenant)?;
        Ok(Route {
            tenant: self.existing(&rule.tenant)?,
            user: identity.user.to_vec(),
            reason: Reason::Rule(index + 1),
        })
    }

    fn existing(&self, name: &str) -> Result<Arc<RoutedTenant>, Refusal> {
        let tenant = self.tenants.get(name).cloned();
        tenant.ok_or_else(|| Refusal::UnknownTenant(name.to_owned()))
    }

    fn claims<'a>(&'a self, identity: &Identity<'a>) -> Claims<'a> {
        let mut named = Vec::new();
        if let Some(tenant) = identity.listener_tenant {
            named.push((Claim::Port, tenant));
        }
        if let Some(tenant) = identity.sni.and_then(|host| self.host(host)) {
            named.push((Claim::Sni, tenant));
        }
        let mut bare_user = identity.user;
        if let Some((tenant, user)) = self.prefix(bare_user) {
            named.push((Claim::UserPrefix, tenant));
            bare_user = user;
        }
        if let Some((tenant, user)) = self.suffix(bare_user) {
            named.push((Claim::UserSuffix, tenant));
            bare_user = user;
        }
        let attributes = identity.attributes.iter();
        for (_, tenant) in attributes.filter(|(name, _)| name == TENANT_ATTRIBUTE) {
            // A value that is no text names no tenant, and is refused as one.
            let tenant = std::str::from_utf8(tenant).unwrap_or("\u{fffd}");
            named.push((Claim::Attribute, tenant));
        }
        Claims { named, bare_user }
    }

    /// A name with a dot whose first part is no tenant is just a name.
    fn prefix<'a>(&'a self, user: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
        let dot = user.iter().position(|byte| *byte == b'.')?;
        let (tenant, rest) = user.split_at_checked(dot)?;
        Some((self.known(tenant)?, rest.get(1..)?))
    }

    fn suffix<'a>(&'a self, user: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
        let at = user.iter().rposition(|byte| *byte == b'@')?;
        let (rest, tenant) = user.split_at_checked(at)?;
        Some((self.known(tenant.get(1..)?)?, rest))
    }

    fn known(&self, tenant: &[u8]) -> Option<&str> {
        let tenant = std::str::from_utf8(tenant).ok()?;
        self.tenants.get_key_value(tenant).map(|(name, _)| &**name)
    }

    /// Exact, then with the first label as a wildcard.
    fn host(&self, host: &str) -> Option<&str> {
        let host = host.to_ascii_lowercase();
        let found = self.hosts.get(&host).or_else(|| {
            let (_, domain) = host.split_once('.')?;
            self.hosts.get(&format!("*.{domain}"))
        });
        found.map(|name| &**name)
    }
}

fn fits(rule: &Rule, identity: &Identity<'_>) -> bool {
    let attribute = |condition: &str| {
        let (name, value) = condition.split_once('=').unwrap_or((condition, ""));
        let mut attributes = identity.attributes.iter();
        attributes.any(|(key, text)| key == name.as_bytes() && text == value.as_bytes())
    };
    let sni = |host: &str| {
        identity
            .sni
            .is_some_and(|asked| asked.eq_ignore_ascii_case(host))
    };
    rule.sni.as_deref().is_none_or(sni)
        && rule
            .user
            .as_ref()
            .is_none_or(|user| user.as_bytes() == identity.user)
        && rule.port.is_none_or(|port| port == identity.port)
        && rule
            .schema
            .as_ref()
            .is_none_or(|schema| schema.as_bytes() == identity.schema)
        && rule.attribute.as_deref().is_none_or(attribute)
        && rule
            .from
            .is_none_or(|network| network.contains(&identity.from))
}
