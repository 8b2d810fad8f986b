//! Ticks in the list of certificates, over several of its pages.

use axum::body::Body;
use domain::Role;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use testkit::{Authority, TestSigner};

use super::*;

/// More than a page of a hundred.
const MANY: usize = 103;

/// A server with many certificates, and somebody at its pages.
struct Crowd {
    house: House,
    browser: Browser,
}

impl Crowd {
    async fn new() -> Self {
        let house = House::new().await;
        let key = house.key(&[Role::SystemAdministrator]).await;
        let (authority, signer) = (Authority::new(), TestSigner::ec());
        let issued =
            (0..MANY).map(|number| authority.issue(&[&format!("crowd-{number:03}.example")], &signer));
        let pem: String =
            issued.map(|certificate| pki::format::pem_write::certificate(certificate.der())).collect();
        let head = request("POST", "/api/v1/certificates").header(AUTHORIZATION, &key);
        let head = head.header(CONTENT_TYPE, "application/x-pem-file");
        let answer = house.send(head.body(Body::from(pem)).unwrap()).await;
        assert!(answer.status.is_success(), "{}", answer.json());
        house.fixture.run_due().await.unwrap();
        let browser = house.log_in().await;
        Self { house, browser }
    }

    async fn page(&self, path: &str) -> String {
        let answer =
            self.house.send(self.browser.request("GET", path, "").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        String::from_utf8(answer.bytes).unwrap()
    }

    /// Sends the list's form; answers where it leads.
    async fn sends(&self, selected: &[&str], more: &[(&str, &str)]) -> String {
        let ticked = selected.iter().map(|id| ("selected", *id));
        let escaped = |text: &str| text.replace('&', "%26").replace('=', "%3D").replace('?', "%3F");
        let fields = ticked.chain(more.iter().copied());
        let body: Vec<String> = fields.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let head = self.browser.request("POST", "/certificates", &self.browser.csrf);
        let head = head.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.house.send(head.body(Body::from(body.join("&"))).unwrap()).await;
        assert_eq!(answer.status.as_u16(), 303);
        answer.header("location").to_owned()
    }
}

/// The values of the inputs or buttons that begin so, as the browser would send them.
fn values(page: &str, begin: &str) -> Vec<String> {
    let after = page.split(begin).skip(1).filter_map(|rest| rest.split('"').next());
    after.map(|value| value.replace("&#38;", "&").replace("&amp;", "&")).collect()
}

/// How many boxes of certificates are ticked.
fn ticked(page: &str) -> usize {
    let boxes = page.split(BOX).skip(1).filter_map(|rest| rest.split('>').next());
    boxes.filter(|tag| tag.ends_with(" checked")).count()
}

const BOX: &str = "name=\"selected\" value=\"";

#[tokio::test]
async fn certificates_of_several_pages_are_exported_together() {
    let crowd = Crowd::new().await;
    let first = crowd.page("/certificates?sort=name").await;
    let rows = values(&first, BOX);
    assert_eq!(rows.len(), 100);
    assert!(!first.contains("Ticked on other pages"));
    let next = values(&first, "name=\"go\" value=\"").pop().unwrap();
    assert!(next.starts_with("/certificates?sort=name&after="), "{next}");

    let ticked: Vec<&str> = rows[..2].iter().map(String::as_str).collect();
    let second = crowd.sends(&ticked, &[("go", &next)]).await;
    assert!(second.starts_with(&next) && second.matches("tick=").count() == 2, "{second}");
    let page = crowd.page(&second).await;
    assert!(page.contains("Ticked on other pages"), "{page}");
    let boxes = values(&page, BOX);
    assert_eq!(boxes[..2], rows[..2]);
    assert!(boxes.len() > 2 && boxes[2..].iter().all(|id| !rows.contains(id)), "{boxes:?}");
    assert_eq!(self::ticked(&page), 2);

    // Back on the first page they are ticked where they stand.
    let all = [ticked[0], ticked[1], &boxes[2]];
    let back = crowd.sends(&all, &[("go", "/certificates?sort=name")]).await;
    let page = crowd.page(&back).await;
    assert!(page.contains(&format!("{BOX}{}\" aria-label=", ticked[0])));
    assert_eq!(self::ticked(&page), 3);
    assert_eq!(values(&page, BOX)[0], boxes[2], "the one of the other page");

    let export = crowd.sends(&all, &[("action", "export")]).await;
    assert_eq!(export, format!("/certificates/export?id={}&id={}&id={}", all[0], all[1], all[2]));
    assert!(crowd.page(&export).await.contains("3 certificates."));
}

#[tokio::test]
async fn ticks_stay_in_a_search_and_in_a_refusal_and_are_a_hundred_at_most() {
    let crowd = Crowd::new().await;
    let page = crowd.page("/certificates").await;
    let rows = values(&page, BOX);
    let one = rows[0].as_str();
    let found = crowd.sends(&[one], &[("go", "show"), ("q", "nothing has this name"), ("sort", "")]).await;
    assert_eq!(found, format!("/certificates?q=nothing%20has%20this%20name&tick={one}"));
    let page = crowd.page(&found).await;
    assert!(page.contains("Nothing matches") && page.contains("Ticked on other pages"), "{page}");
    assert_eq!(values(&page, "name=\"here\" value=\""), ["/certificates?q=nothing%20has%20this%20name"]);
    // No action: the ticks are still there.
    let again = crowd.sends(&[one], &[("here", "/certificates?sort=name")]).await;
    assert_eq!(again, format!("/certificates?sort=name&tick={one}"));
    // Nobody is led away from here.
    for odd in ["https://evil.example/", "//evil.example/certificates?q=a", "/certificates?\r\nq=a", "/keys"]
    {
        assert_eq!(crowd.sends(&[one], &[("go", odd)]).await, format!("/certificates?tick={one}"), "{odd:?}");
    }
    let next = values(&crowd.page("/certificates").await, "name=\"go\" value=\"").pop().unwrap();
    let others = values(&crowd.page(&next).await, BOX);
    let many: Vec<&str> = rows.iter().chain(&others).map(String::as_str).collect();
    assert!(many.len() > 100);
    let kept = crowd.sends(&many, &[("action", "export")]).await;
    assert!(kept.starts_with("/certificates?tick=") && kept.matches("tick=").count() == 100, "{kept}");
    assert_eq!(crowd.house.events(1).await[0].2, "limit.cert_count");
}

#[tokio::test]
async fn who_can_do_nothing_with_ticks_has_plain_links() {
    let crowd = Crowd::new().await;
    let key = crowd.house.key(&[Role::Observer]).await;
    let head = request("GET", "/certificates").header(AUTHORIZATION, &key).body(Body::empty()).unwrap();
    let page = String::from_utf8(crowd.house.send(head).await.bytes).unwrap();
    assert!(page.contains("rel=\"next\"") && !page.contains("name=\"go\""), "{page}");
}
