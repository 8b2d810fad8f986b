//! The chain as a picture: leaf first, the weak link marked, the root apart because clients have it.

use askama::Template;
use askama::filters::HtmlSafe;
use domain::Moment;
use pki::chain::Chain;
use pki::{Certificate, Severity};

use crate::page::finding::Badge;
use crate::page::when::{When, counted};
use crate::page::words::{safe, title};

struct Link {
    class: &'static str,
    address: String,
    name: String,
    words: String,
    ends: Option<When>,
    note: &'static str,
}

/// The picture.
#[derive(Template)]
#[template(path = "part/chain.html")]
pub struct Picture {
    links: Vec<Link>,
}

impl HtmlSafe for Picture {}

impl Picture {
    /// Draws a chain as it would be served.
    pub fn new(chain: &Chain, now: Moment) -> Self {
        let mut links = Vec::new();
        for (index, certificate) in chain.served.iter().enumerate() {
            let leaf = chain.served.first().filter(|_| index > 0);
            links.push(link(certificate, leaf, now));
        }
        match &chain.root {
            Some(root) if chain.served.iter().any(|served| served == root) => {}
            Some(root) => links.push(apart(root, now)),
            None => links.extend(missing(chain)),
        }
        Self { links }
    }

    /// Without links, for certificates that are not stored.
    #[must_use]
    pub fn unlinked(mut self) -> Self {
        for link in &mut self.links {
            link.address.clear();
        }
        self
    }
}

fn link(certificate: &Certificate, leaf: Option<&Certificate>, now: Moment) -> Link {
    let is_short = leaf.is_some_and(|leaf| certificate.not_after() < leaf.not_after());
    let is_over = !certificate.is_valid_at(now.unix());
    let note = match (is_over, is_short) {
        (true, _) => ", not valid now",
        (false, true) => ", before the certificate above it",
        (false, false) => "",
    };
    Link {
        class: if is_over || is_short { "warn" } else { "" },
        address: format!("/certificates/{}", certificate.fingerprint()),
        name: safe(&certificate.display_name()),
        words: format!("{}, ends", certificate.public_key().label()),
        ends: Some(When::unix(certificate.not_after(), now)),
        note,
    }
}

fn apart(root: &Certificate, now: Moment) -> Link {
    Link {
        class: "apart",
        address: format!("/certificates/{}", root.fingerprint()),
        name: title(root.subject()),
        words: "root, ends".to_owned(),
        ends: Some(When::unix(root.not_after(), now)),
        note: "; clients have it, so it is not sent",
    }
}

/// What is missing above the last link: its issuer, unless that one signed itself.
fn missing(chain: &Chain) -> Option<Link> {
    let last = chain.served.last().filter(|last| !last.is_self_signed())?;
    Some(Link {
        class: "warn",
        address: String::new(),
        name: title(last.issuer()),
        words: "not here: import it, or clients may not find it either".to_owned(),
        ends: None,
        note: "",
    })
}

/// How many certificates are sent, and whether the chain is whole.
pub fn badge(chain: &Chain) -> Badge {
    let sent = counted(chain.served.len() as u64, "certificate");
    let worst = chain.findings.iter().map(|finding| finding.severity).max();
    match worst {
        Some(Severity::Error) => Badge::bad(format!("{sent} sent, broken")),
        Some(Severity::Warning) => match &chain.root {
            Some(root) if !chain.served.contains(root) => Badge::warn(format!("{sent} sent, root not sent")),
            Some(_) | None => Badge::warn(format!("{sent} sent")),
        },
        Some(Severity::Info) | None => match &chain.root {
            Some(root) if !chain.served.contains(root) => Badge::good(format!("{sent} sent, root not sent")),
            Some(_) | None => Badge::good(format!("{sent} sent")),
        },
    }
}
