//! Plain HTTP to the servers' status ports: short timeouts, no proxies from the environment.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// A client that talks to loopback only and never through a proxy of the environment.
///
/// # Errors
/// When the client can't be set up.
pub fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(60))
        .build()?)
}

/// The body of a successful GET.
///
/// # Errors
/// When the server doesn't answer, or answers anything but success.
pub async fn get_text(url: &str) -> Result<String> {
    let answer = client()?
        .get(url)
        .send()
        .await
        .with_context(|| format!("GET {url}"))?;
    let status = answer.status();
    let body = answer.text().await?;
    if !status.is_success() {
        bail!("GET {url}: {status}: {body}");
    }
    Ok(body)
}

/// The body of a successful GET as JSON.
///
/// # Errors
/// As [`get_text`], and when the body isn't JSON.
pub async fn get_json(url: &str) -> Result<serde_json::Value> {
    let body = get_text(url).await?;
    serde_json::from_str(&body).with_context(|| format!("GET {url} isn't JSON"))
}
