use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A server on loopback that answers each connection by its path; `HERE` stands for its own address.
struct Server {
    address: SocketAddr,
}

impl Server {
    async fn start(answers: &'static [(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, address, answers));
            }
        });
        Self { address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn answer(
    mut stream: TcpStream,
    address: SocketAddr,
    answers: &'static [(&'static str, &'static str)],
) {
    let mut head = vec![0; 4_096];
    let length = stream.read(&mut head).await.unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let found = answers.iter().find(|(known, _)| *known == path).map_or("", |(_, answer)| answer);
    if found == "ECHO" {
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{head}").as_bytes()).await;
        return;
    }
    let _ = stream.write_all(found.replace("HERE", &address.to_string()).as_bytes()).await;
    match path {
        // Until nobody reads any more.
        "/endless" => while stream.write_all(&[b'x'; 16_384]).await.is_ok() {},
        "/trickle" => {
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        "/silent" => drop(stream.read(&mut [0; 1]).await),
        _ => {}
    }
}

/// A dialer that may go to 127.0.0.1 and nowhere else inside.
fn dialer() -> Dialer {
    Dialer::default().permitting(["127.0.0.1/32".parse().unwrap()])
}

async fn fetch(url: &str) -> Result<Fetched, NotFetched> {
    dialer().fetch(url, &FetchLimits::default()).await
}

#[tokio::test]
async fn a_document_comes_as_it_is_and_nothing_is_told_to_its_server() {
    let server = Server::start(&[
        ("/issuer.cer?x=1", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/html\r\n\r\n\0abc\n"),
        ("/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        ("/echo", "ECHO"),
    ])
    .await;
    let fetched = fetch(&server.url("/issuer.cer?x=1#part")).await.unwrap();
    assert_eq!(fetched.body, b"\0abc\n");
    assert_eq!(fetch(&server.url("/chunked")).await.unwrap().body, b"abcde");
    let asked = String::from_utf8(fetch(&server.url("/echo")).await.unwrap().body).unwrap();
    assert!(asked.starts_with("GET /echo HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: {}\r\n", server.address)), "{asked}");
    for told in ["cookie", "authorization", "referer"] {
        assert!(!asked.to_lowercase().contains(told), "{asked}");
    }
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_each_is_checked() {
    let server = Server::start(&[
        ("/1", "HTTP/1.1 301 Moved\r\nLocation: /2\r\nContent-Length: 0\r\n\r\n"),
        ("/2", "HTTP/1.1 302 Found\r\nLocation: http://HERE/3\r\nContent-Length: 0\r\n\r\n"),
        ("/3", "HTTP/1.1 307 There\r\nLocation: 4\r\nContent-Length: 0\r\n\r\n"),
        ("/4", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ("/0", "HTTP/1.1 308 There\r\nLocation: /1\r\nContent-Length: 0\r\n\r\n"),
        ("/loop", "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"),
        ("/nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
    ])
    .await;
    let fetched = fetch(&server.url("/1")).await.unwrap();
    assert_eq!((fetched.address, fetched.body), (server.url("/4"), b"ok".to_vec()));
    for endless in ["/0", "/loop"] {
        let refused = fetch(&server.url(endless)).await.err().unwrap();
        assert!(matches!(refused.why, FetchError::Redirects(3)), "{endless}: {}", refused.chain());
    }
    let refused = fetch(&server.url("/nowhere")).await.err().unwrap();
    assert!(matches!(refused.why, FetchError::Status(302)), "{}", refused.chain());
}

#[tokio::test]
async fn a_redirect_leads_into_no_network_that_is_not_permitted() {
    let server = Server::start(&[
        ("/loopback", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/x\r\n\r\n"),
        ("/name", "HTTP/1.1 302 Found\r\nLocation: http://2130706434/x\r\n\r\n"),
        ("/six", "HTTP/1.1 302 Found\r\nLocation: http://[::1]:8080/x\r\n\r\n"),
        ("/mapped", "HTTP/1.1 302 Found\r\nLocation: http://[::ffff:10.0.0.1]/x\r\n\r\n"),
        ("/private", "HTTP/1.1 302 Found\r\nLocation: //10.1.2.3/x\r\n\r\n"),
        ("/metadata", "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/\r\n\r\n"),
        ("/secure", "HTTP/1.1 302 Found\r\nLocation: https://192.168.1.1/\r\n\r\n"),
    ])
    .await;
    for (path, to) in [
        ("/loopback", "127.0.0.2"),
        ("/name", "127.0.0.2"),
        ("/six", "::1"),
        ("/mapped", "10.0.0.1"),
        ("/private", "10.1.2.3"),
        ("/metadata", "169.254.169.254"),
        ("/secure", "192.168.1.1"),
    ] {
        let refused = fetch(&server.url(path)).await.err().unwrap();
        let blocked =
            matches!(&refused.why, FetchError::Reach(OutboundError::Blocked(ip)) if ip.to_string() == to);
        assert!(blocked, "{path}: {}", refused.chain());
        assert_eq!(refused.from, Some(server.url(path)));
    }
    let refused = Dialer::default().fetch(&server.url("/loopback"), &FetchLimits::default()).await;
    let refused = refused.err().unwrap();
    assert_eq!(
        refused.chain(),
        format!("{}: the address leads to 127.0.0.1, where data may not send us", server.url("/loopback"))
    );
}

#[tokio::test]
async fn an_answer_has_limits_in_length_and_time() {
    let server = Server::start(&[
        ("/endless", "HTTP/1.1 200 OK\r\n\r\n"),
        ("/announced", "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n"),
        ("/trickle", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        ("/silent", ""),
        ("/cut", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        ("/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        ("/noise", "220 mail.example ESMTP\r\n"),
    ])
    .await;
    for large in ["/endless", "/announced"] {
        let refused = fetch(&server.url(large)).await.err().unwrap();
        assert!(matches!(refused.why, FetchError::TooLarge(1_048_576)), "{large}: {}", refused.chain());
    }
    let hasty = FetchLimits { total: Duration::from_millis(300), ..FetchLimits::default() };
    for slow in ["/trickle", "/silent"] {
        let refused = dialer().fetch(&server.url(slow), &hasty).await.err().unwrap();
        assert!(matches!(refused.why, FetchError::Slow(_)), "{slow}: {}", refused.chain());
    }
    for broken in ["/cut", "/noise"] {
        let refused = fetch(&server.url(broken)).await.err().unwrap();
        assert!(matches!(refused.why, FetchError::Http(_)), "{broken}: {}", refused.chain());
    }
    let refused = fetch(&server.url("/missing")).await.err().unwrap();
    assert!(matches!(refused.why, FetchError::Status(404)), "{}", refused.chain());
}

#[tokio::test]
async fn addresses_of_other_kinds_are_never_asked() {
    for (url, part) in [
        ("ftp://127.0.0.1/x", "only http and https"),
        ("ldap://127.0.0.1/cn=x", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("http://user@127.0.0.1/x", "user name or password"),
        ("http://:secret@127.0.0.1/x", "user name or password"),
        ("http://127.0.0.1\\@ca.example/", "127.0.0.1"),
        ("nothing", "no address"),
        ("http://", "no address"),
    ] {
        let refused = Dialer::default().fetch(url, &FetchLimits::default()).await.err().unwrap();
        assert!(refused.chain().contains(part), "{url}: {}", refused.chain());
    }
    let long = format!("http://127.0.0.1/{}", "x".repeat(3_000));
    assert!(fetch(&long).await.err().unwrap().chain().contains("too long"));
    // What is shown of it cannot act.
    let refused = fetch("\u{1b}[31m\u{202e}").await.err().unwrap();
    assert_eq!(refused.address, "?[31m?");
}
