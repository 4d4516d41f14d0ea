//! Answers "where would this connection go, and why", with the table that routes.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::{Identity, Reason, Table};

/// A connection that somebody asks about.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// User as the client would write it.
    pub user: String,
    /// Port of the proxy.
    #[serde(default)]
    pub port: u16,
    /// Tenant of that port's listener; looked up by the port when the proxy answers.
    #[serde(skip)]
    pub listener_tenant: Option<String>,
    /// Host name of TLS.
    #[serde(default)]
    pub sni: Option<String>,
    /// Schema.
    #[serde(default)]
    pub schema: String,
    /// Connection attribute, `name=value`.
    #[serde(default)]
    pub attribute: Option<String>,
    /// Client's address.
    #[serde(default = "loopback")]
    pub from: IpAddr,
}

fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Tenant, when the connection is let in.
    pub tenant: Option<String>,
    /// User as TiDB would see it.
    pub user: Option<String>,
    /// Why there.
    pub reason: Option<Reason>,
    /// Why nowhere.
    pub refused: Option<String>,
}

impl Table {
    /// Routes a connection that doesn't exist.
    #[must_use]
    pub fn explain(&self, question: &Question) -> Explanation {
        let attribute = question
            .attribute
            .as_deref()
            .and_then(|text| text.split_once('='));
        let attributes: Vec<_> = attribute
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .into_iter()
            .collect();
        let routed = self.route(&Identity {
            listener_tenant: question.listener_tenant.as_deref(),
            port: question.port,
            sni: question.sni.as_deref(),
            user: question.user.as_bytes(),
            schema: question.schema.as_bytes(),
            attributes: &attributes,
            from: question.from,
        });
        match routed {
            Ok(route) => Explanation {
                tenant: Some(route.tenant.name.to_string()),
                user: Some(String::from_utf8_lossy(&route.user).into_owned()),
                reason: Some(route.reason),
                refused: None,
            },
            Err(refusal) => Explanation {
                tenant: None,
                user: None,
                reason: None,
                refused: Some(refusal.to_string()),
            },
        }
    }
}
