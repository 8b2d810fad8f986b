//! Requests to the API and its answers.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Url};
use serde_json::Value;
use zeroize::Zeroizing;

use super::form::Form;
use super::refused::Refused;
use super::server::Server;
use super::trust::{Stranger, Trust};

/// How long a server may take to answer; making an RSA key can take seconds.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long it may take to take the connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// The header in which the API says what the receiver of a file should know.
const FINDINGS: &str = "claviger-findings";

/// What the API answered to a request that it carried out.
#[derive(Debug)]
pub struct Answer {
    /// The JSON as it came; empty when there was none.
    pub text: String,
    /// The same, taken apart.
    pub value: Value,
}

/// The rows of an answer.
pub fn items(value: &Value) -> &[Value] {
    let rows = value.get("items").unwrap_or(value).as_array();
    rows.map_or(&[], Vec::as_slice)
}

/// A field that holds text; empty when there is none.
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A file that the API answered, and what it says about it.
pub struct Fetched {
    /// The file.
    pub bytes: Vec<u8>,
    /// What the receiver should know: findings as the API writes them.
    pub findings: Vec<Value>,
}

/// The API of one server.
pub struct Api {
    http: reqwest::Client,
    server: Server,
    stranger: Stranger,
}

impl Api {
    /// Gets ready; nothing is sent yet.
    pub fn new(server: Server, trust: &Trust, key: &Zeroizing<String>) -> anyhow::Result<Self> {
        let (tls, stranger) = trust.tls()?;
        let mut bearer = HeaderValue::from_str(&Zeroizing::new(format!("Bearer {}", key.as_str())))
            .map_err(|_| anyhow!("the API key has characters that no API key has"))?;
        bearer.set_sensitive(true);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            // The pin or CA stands for this server alone: it may not send us elsewhere, and nobody may stand between.
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            .user_agent(concat!("claviger/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .build()?;
        Ok(Self { http, server, stranger })
    }

    /// Reads something.
    pub async fn get(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Answer> {
        self.answer(self.http.get(self.url(path, query)?)).await
    }

    /// Reads a file.
    pub async fn download(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Vec<u8>> {
        self.bytes(self.http.get(self.url(path, query)?)).await
    }

    /// Changes something without saying more.
    pub async fn call(&self, method: Method, path: &[&str]) -> anyhow::Result<Answer> {
        self.answer(self.http.request(method, self.url(path, &[])?)).await
    }

    /// Changes something.
    pub async fn send(&self, method: Method, path: &[&str], body: &Value) -> anyhow::Result<Answer> {
        self.answer(self.with_body(method, path, body)?).await
    }

    /// Sends files.
    pub async fn upload(&self, path: &[&str], form: Form) -> anyhow::Result<Answer> {
        let request = self.http.post(self.url(path, &[])?);
        self.answer(request.header(CONTENT_TYPE, form.content_type).body(form.body)).await
    }

    /// Sends something that is answered by a file.
    pub async fn fetch(&self, path: &[&str], body: &Value) -> anyhow::Result<Vec<u8>> {
        self.bytes(self.with_body(Method::POST, path, body)?).await
    }

    /// The same, with what the server says about the file.
    pub async fn fetch_with_findings(&self, path: &[&str], body: &Value) -> anyhow::Result<Fetched> {
        let request = self.with_body(Method::POST, path, body)?;
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let said = response.headers().get(FINDINGS).and_then(|said| said.to_str().ok());
        let findings = said.and_then(|said| serde_json::from_str(said).ok()).unwrap_or_default();
        Ok(Fetched { bytes: self.body(response).await?, findings })
    }

    fn with_body(&self, method: Method, path: &[&str], body: &Value) -> anyhow::Result<RequestBuilder> {
        let bytes = serde_json::to_vec(body)?;
        Ok(self
            .http
            .request(method, self.url(path, &[])?)
            .header(CONTENT_TYPE, "application/json")
            .body(bytes))
    }

    /// Every part of the path is one segment, whatever is in it.
    fn url(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Url> {
        let mut url = self.server.url();
        let mut segments = url.path_segments_mut().map_err(|()| anyhow!("{} takes no path", self.server))?;
        if path.iter().any(|part| matches!(*part, "" | "." | "..")) {
            bail!("an empty name names nothing");
        }
        segments.clear().extend(["api", "v1"]).extend(path);
        drop(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let bytes = self.bytes(request).await?;
        let text = String::from_utf8(bytes).context("the answer is not text")?;
        let value = if text.is_empty() { Value::Null } else { self.understood(&text)? };
        Ok(Answer { text, value })
    }

    fn understood(&self, text: &str) -> anyhow::Result<Value> {
        serde_json::from_str(text).with_context(|| format!("{} does not answer like Claviger", self.server))
    }

    async fn bytes(&self, request: RequestBuilder) -> anyhow::Result<Vec<u8>> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        self.body(response).await
    }

    async fn body(&self, response: reqwest::Response) -> anyhow::Result<Vec<u8>> {
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| self.unreachable(error))?;
        if status.is_success() {
            return Ok(bytes.to_vec());
        }
        Err(Refused::read(status, &bytes).into())
    }

    fn unreachable(&self, error: reqwest::Error) -> anyhow::Error {
        match self.stranger.get() {
            Some(shown) => anyhow!(
                "{} shows another certificate than the one that is known; nothing was sent. Its SHA-256 is {shown}. \
                 If the server's certificate was changed, compare that with what `claviger serve` printed, and give \
                 it: --server-pin {shown}",
                self.server
            ),
            None => anyhow::Error::new(error.without_url()).context(format!("cannot reach {}", self.server)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_is_in_it() {
        let pin = Trust::Pin(pki::Fingerprint([0; 32]));
        let api = Api::new("https://a:1".parse().unwrap(), &pin, &Zeroizing::new("k".to_owned())).unwrap();
        let url = api.url(&["lineages", "a/../b?c"], &[("after", "x y".to_owned())]).unwrap();
        assert_eq!(url.as_str(), "https://a:1/api/v1/lineages/a%2F..%2Fb%3Fc?after=x+y");
        assert!(api.url(&["lineages", ".."], &[]).is_err());
    }
}
