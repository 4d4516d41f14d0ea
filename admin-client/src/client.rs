//! The client.

use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;

use crate::{
    ClientError, CreateTenant, ErrorBody, ErrorCode, Limits, Planned, RenameTenant, Tenant,
    TenantList, Usage,
};

/// A creation cuts regions and a deletion waits for clients to drain: minutes on a busy cluster.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer that is read: thousands of tenants with hundreds of stores each.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that may stand in a path segment as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Client of one gateway's admin API. Cheap to clone.
#[derive(Clone)]
pub struct AdminClient {
    http: reqwest::Client,
    base: Url,
    address: String,
    token: Option<String>,
}

/// A change, to be planned.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// [`AdminClient::create`].
    Create(&'a CreateTenant),
    /// [`AdminClient::delete`].
    Delete(&'a str),
    /// [`AdminClient::suspend`].
    Suspend(&'a str),
    /// [`AdminClient::resume`].
    Resume(&'a str),
    /// [`AdminClient::rename`].
    Rename(&'a str, &'a str),
    /// [`AdminClient::set_limits`].
    SetLimits(&'a str, &'a Limits),
}

/// Reads a bearer token: the file's content without surrounding white space.
///
/// # Errors
/// [`ClientError::TokenFile`], also for an empty file and for a content that can't be a token.
pub fn read_token(path: &Path) -> Result<String, ClientError> {
    let fault = |why: String| ClientError::TokenFile {
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(fault("it is empty".to_owned()));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(fault(
            "it holds more than one word or is not ASCII".to_owned(),
        ));
    }
    Ok(token.to_owned())
}

impl AdminClient {
    /// Client of the gateway at `address` (`host:port` or `http://host:port`).
    ///
    /// # Errors
    /// [`ClientError::BadAddress`].
    pub fn new(address: &str, token: Option<String>) -> Result<AdminClient, ClientError> {
        let fault = |why: String| ClientError::BadAddress {
            address: address.to_owned(),
            why,
        };
        let text = if address.contains("://") {
            address.to_owned()
        } else {
            format!("http://{address}")
        };
        let base = Url::parse(&text).map_err(|error| fault(error.to_string()))?;
        if base.scheme() != "http" {
            return Err(fault(format!("scheme {} is not supported", base.scheme())));
        }
        if base.cannot_be_a_base() || !matches!(base.path(), "" | "/") || base.query().is_some() {
            return Err(fault("it must be host:port alone".to_owned()));
        }
        // A redirect would carry the token to wherever it points; a proxy from the environment
        // would see it.
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .build()
            .map_err(|error| fault(chain(&error)))?;
        Ok(AdminClient {
            http,
            base,
            address: address.to_owned(),
            token,
        })
    }

    /// Creates a tenant and waits until it is served; returns it, and whether it is new.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if it exists in another mode; see [`ClientError`].
    pub async fn create(&self, tenant: &CreateTenant) -> Result<(Tenant, bool), ClientError> {
        let request = self.request(Method::POST, &[])?.json(tenant);
        let answer = self.send(request).await?;
        let is_new = answer.status() == StatusCode::CREATED;
        Ok((self.body(answer).await?, is_new))
    }

    /// A tenant.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; see [`ClientError`].
    pub async fn get(&self, name: &str) -> Result<Tenant, ClientError> {
        let request = self.request(Method::GET, &[name])?;
        self.body(self.send(request).await?).await
    }

    /// All tenants, by name.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn list(&self) -> Result<Vec<Tenant>, ClientError> {
        let request = self.request(Method::GET, &[])?;
        let list: TenantList = self.body(self.send(request).await?).await?;
        Ok(list.tenants)
    }

    /// Deletes a tenant and its data; returns it as it is then.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; see [`ClientError`].
    pub async fn delete(&self, name: &str) -> Result<Tenant, ClientError> {
        let request = self.request(Method::DELETE, &[name])?;
        self.body(self.send(request).await?).await
    }

    /// Stops serving a tenant; its data is kept.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; see [`ClientError`].
    pub async fn suspend(&self, name: &str) -> Result<Tenant, ClientError> {
        let request = self.request(Method::POST, &[name, "suspend"])?;
        self.body(self.send(request).await?).await
    }

    /// Serves a suspended tenant again.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; see [`ClientError`].
    pub async fn resume(&self, name: &str) -> Result<Tenant, ClientError> {
        let request = self.request(Method::POST, &[name, "resume"])?;
        self.body(self.send(request).await?).await
    }

    /// Gives a tenant another name.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if the name is taken; see [`ClientError`].
    pub async fn rename(&self, name: &str, to: &str) -> Result<Tenant, ClientError> {
        let body = RenameTenant {
            name: to.to_owned(),
        };
        let request = self.request(Method::POST, &[name, "rename"])?.json(&body);
        self.body(self.send(request).await?).await
    }

    /// What a tenant may take.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; see [`ClientError`].
    pub async fn limits(&self, name: &str) -> Result<Limits, ClientError> {
        let request = self.request(Method::GET, &[name, "limits"])?;
        self.body(self.send(request).await?).await
    }

    /// Sets all limits of a tenant; one that is left out is lifted.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; see [`ClientError`].
    pub async fn set_limits(&self, name: &str, limits: &Limits) -> Result<Limits, ClientError> {
        let request = self.request(Method::PUT, &[name, "limits"])?.json(limits);
        self.body(self.send(request).await?).await
    }

    /// What a tenant takes.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; see [`ClientError`].
    pub async fn usage(&self, name: &str) -> Result<Usage, ClientError> {
        let request = self.request(Method::GET, &[name, "usage"])?;
        self.body(self.send(request).await?).await
    }

    /// What a change would do; nothing is changed.
    ///
    /// # Errors
    /// As the change itself would be refused; see [`ClientError`].
    pub async fn plan(&self, change: &Change<'_>) -> Result<Planned, ClientError> {
        let request = match change {
            Change::Create(tenant) => self.request(Method::POST, &[])?.json(tenant),
            Change::Delete(name) => self.request(Method::DELETE, &[name])?,
            Change::Suspend(name) => self.request(Method::POST, &[name, "suspend"])?,
            Change::Resume(name) => self.request(Method::POST, &[name, "resume"])?,
            Change::Rename(name, to) => {
                let to = (*to).to_owned();
                let request = self.request(Method::POST, &[name, "rename"])?;
                request.json(&RenameTenant { name: to })
            }
            Change::SetLimits(name, limits) => {
                self.request(Method::PUT, &[name, "limits"])?.json(limits)
            }
        };
        let request = request.query(&[("dry_run", "true")]);
        self.body(self.send(request).await?).await
    }

    fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder, ClientError> {
        let mut path = String::from("/v1/tenants");
        for segment in segments {
            if segment.is_empty() || segment.chars().all(|c| c == '.') {
                return Err(ClientError::NotFound(format!(
                    "there is no tenant {segment:?}"
                )));
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        let mut url = self.base.clone();
        url.set_path(&path);
        let request = self.http.request(method, url);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let answer = request
            .send()
            .await
            .map_err(|error| self.transport(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(self.refusal(answer).await)
    }

    async fn body<T: DeserializeOwned>(&self, answer: Response) -> Result<T, ClientError> {
        let bytes = self.bytes(answer).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.not_the_api(error.to_string()))
    }

    async fn refusal(&self, answer: Response) -> ClientError {
        let status = answer.status();
        let bytes = match self.bytes(answer).await {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(ErrorBody { error }) => match status {
                StatusCode::UNAUTHORIZED => ClientError::Unauthorized,
                StatusCode::FORBIDDEN if error.code == ErrorCode::Forbidden => {
                    ClientError::Forbidden
                }
                StatusCode::NOT_FOUND => ClientError::NotFound(error.message),
                StatusCode::CONFLICT => ClientError::Conflict(error.message),
                other => refused(other, error.code, error.message),
            },
            Err(_) => self.not_the_api(format!("status {status} without the API's error body")),
        }
    }

    async fn bytes(&self, mut answer: Response) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|error| self.transport(&error))?
        {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(self.not_the_api("the answer does not end".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn transport(&self, error: &reqwest::Error) -> ClientError {
        let address = self.address.clone();
        if error.is_timeout() && !error.is_connect() {
            return ClientError::TimedOut {
                address,
                seconds: ANSWER_TIMEOUT.as_secs(),
            };
        }
        if error.is_connect() {
            return ClientError::Unreachable {
                address,
                why: root_cause(error),
            };
        }
        self.not_the_api(chain(error))
    }

    fn not_the_api(&self, why: String) -> ClientError {
        ClientError::NotTheApi {
            address: self.address.clone(),
            why,
        }
    }
}

fn refused(status: StatusCode, code: ErrorCode, message: String) -> ClientError {
    ClientError::Refused {
        status: status.as_u16(),
        code,
        message,
    }
}

/// reqwest says "error sending request" and the URL; what happened is at the end of the chain.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
