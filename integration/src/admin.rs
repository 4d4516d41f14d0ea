//! The gateway's admin API as the harness uses it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A tenant as the admin API describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantInfo {
    /// Its name.
    pub name: String,
    /// Its id within the mode.
    pub id: u32,
    /// Keyspace mode.
    pub mode: String,
    /// Where it is in its life.
    pub state: String,
    /// The gateway's address that a TiDB takes as `--path`.
    pub pd: String,
    /// The gateway's address for each store.
    #[serde(default)]
    pub stores: Vec<StoreAddress>,
    /// The physical ranges the tenant owns.
    pub ranges: Vec<HexRange>,
}

/// One store as the tenant reaches it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreAddress {
    /// PD's id of the store.
    pub id: u64,
    /// The gateway's address for it.
    pub address: String,
}

/// A half-open range of physical keys in hex.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HexRange {
    /// First key inside.
    pub start: String,
    /// First key behind; empty means no end.
    pub end: String,
}

/// Talks to one gateway's admin API.
#[derive(Clone, Debug)]
pub struct Admin {
    address: SocketAddr,
    token: String,
    client: reqwest::Client,
}

impl Admin {
    /// A client that authenticates with the token in `token_file`.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn new(address: SocketAddr, token_file: &Path) -> Result<Self> {
        let token = std::fs::read_to_string(token_file)
            .with_context(|| format!("no admin token in {}", token_file.display()))?;
        Ok(Self {
            address,
            token: token.trim().to_owned(),
            client: crate::http::client()?,
        })
    }

    /// Creates a tenant, or finds it unchanged; its listeners answer when this returns.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn create_tenant(&self, name: &str, mode: &str) -> Result<TenantInfo> {
        let body = json!({ "name": name, "mode": mode });
        let (status, answer) = self.call(Method::POST, "/v1/tenants", Some(&body)).await?;
        if !(200..300).contains(&status) {
            bail!("the gateway refused to create tenant {name}: {status}: {answer}");
        }
        Ok(serde_json::from_value(answer)?)
    }

    /// Describes a tenant.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn tenant(&self, name: &str) -> Result<TenantInfo> {
        let (status, answer) = self
            .call(Method::GET, &format!("/v1/tenants/{name}"), None)
            .await?;
        if status != 200 {
            bail!("no tenant {name}: {status}: {answer}");
        }
        Ok(serde_json::from_value(answer)?)
    }

    /// Any call, with its status and its body as JSON (or as a JSON string when it isn't JSON).
    ///
    /// # Errors
    /// When the gateway doesn't answer.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.client.request(method, &url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("no answer from {url}"))?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }

    /// A metric family's samples as `(labels, value)`, labels as written between the braces.
    ///
    /// # Errors
    /// When the gateway doesn't answer.
    pub async fn metric(&self, name: &str) -> Result<Vec<(String, f64)>> {
        let text = crate::http::get_text(&format!("http://{}/metrics", self.address)).await?;
        Ok(text.lines().filter_map(|line| sample(line, name)).collect())
    }
}

fn sample(line: &str, name: &str) -> Option<(String, f64)> {
    let rest = line.strip_prefix(name)?;
    let (labels, value) = match rest.strip_prefix('{') {
        Some(inside) => inside.split_once('}')?,
        None if rest.starts_with(' ') => ("", rest),
        None => return None,
    };
    let value = value.split_whitespace().next()?.parse().ok()?;
    Some((labels.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn samples_are_found_by_their_whole_name() {
        assert_eq!(
            sample("requests_total 3", "requests_total"),
            Some((String::new(), 3.0))
        );
        assert_eq!(
            sample(r#"a{x="1"} 2.5"#, "a"),
            Some((r#"x="1""#.to_owned(), 2.5))
        );
        assert_eq!(sample("a_b 1", "a"), None);
    }
}
