//! The stylesheet, the script and the icon, embedded in the binary; addresses carry their hash, so that they may be
//! kept for a year and are still never stale.

use std::sync::LazyLock;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 3] = [
    Asset {
        name: "claviger.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/claviger.css"),
    },
    Asset {
        name: "claviger.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/claviger.js"),
    },
    Asset {
        name: "claviger.svg",
        media_type: "image/svg+xml",
        bytes: include_bytes!("../../assets/claviger.svg"),
    },
];

/// Changes with every change of an asset.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<u8> = ASSETS.iter().flat_map(|asset| asset.bytes.iter().copied()).collect();
    pki::identity::hex(&pki::identity::sha256(&all)[..6])
});

/// The version that a page asked for.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    v: String,
}

/// Answers `/assets/{name}`, to everybody: the log-in page needs them.
pub async fn show(Path(name): Path<String>, Query(asked): Query<Asked>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let keep = if asked.v == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
    ];
    (headers, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_version_is_kept_for_long() {
        let ask = |v: &str| show(Path("claviger.css".into()), Query(Asked { v: v.to_owned() }));
        let kept = ask(&VERSION).await;
        assert!(kept.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        let stale = ask("old").await;
        assert_eq!(stale.headers()[header::CACHE_CONTROL], "no-cache");
        let missing = show(Path("../Cargo.toml".into()), Query(Asked { v: String::new() })).await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn nothing_in_script_and_style_needs_an_exception_from_the_policy() {
        let text: String = ASSETS.iter().map(|asset| String::from_utf8_lossy(asset.bytes)).collect();
        for forbidden in ["eval(", "new Function", "javascript:", "http://fonts", "@import"] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
    }
}
