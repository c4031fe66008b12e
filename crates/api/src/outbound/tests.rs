//! Requests to a server that says what the test wants; the server is for the resources' tests too.

use super::*;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that answers each connection with the next of these texts; what it was sent is kept.
pub(crate) struct Fake {
    pub url: String,
    pub seen: Arc<Mutex<Vec<String>>>,
}

pub(crate) async fn serve(answers: Vec<String>) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = seen.clone();
    tokio::spawn(async move {
        for answer in answers {
            let Ok((mut socket, _)) = listener.accept().await else { return };
            let text = head_and_body(&mut socket).await;
            kept.lock().unwrap().push(text);
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    Fake { url, seen }
}

async fn head_and_body(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let n = socket.read(&mut chunk).await.unwrap_or(0);
        text.extend_from_slice(&chunk[..n]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let length =
            so_far.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        match so_far.split_once("\r\n\r\n") {
            Some((_, body)) if n == 0 || body.len() >= length.unwrap_or(0) => return so_far,
            _ if n == 0 => return so_far,
            _ => {}
        }
    }
}

pub(crate) fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn get(url: &str) -> Ask<'_> {
    Ask {
        method: &Method::GET,
        url,
        login: None,
        headers: &[],
        body: None,
        verify: true,
        deadline: Duration::from_secs(5),
    }
}

#[tokio::test]
async fn a_redirect_is_followed_without_credentials_to_another_server() {
    let other = serve(vec![answer("204 No Content", "")]).await;
    let to_other =
        format!("HTTP/1.1 302 Found\r\nlocation: {}/there\r\ncontent-length: 0\r\n\r\n", other.url);
    let first = serve(vec![to_other]).await;
    let url = format!("{}/here?x=1", first.url.replace("http://", "http://me:se%63ret@"));
    assert_eq!(send(get(&url)).await.unwrap().status, 204);
    let sent = first.seen.lock().unwrap().concat();
    assert!(sent.starts_with("GET /here?x=1 HTTP/1.1\r\n"), "{sent}");
    let login = BASE64_STANDARD.encode("me:secret");
    assert!(sent.contains(&format!("authorization: Basic {login}\r\n")), "{sent}");
    let sent = other.seen.lock().unwrap().concat();
    assert!(sent.starts_with("GET /there ") && !sent.contains("authorization"), "{sent}");
}

#[tokio::test]
async fn an_endless_redirect_ends() {
    let again = "HTTP/1.1 302 Found\r\nlocation: again\r\ncontent-length: 0\r\n\r\n".to_owned();
    let fake = serve(vec![again; REDIRECTS_MAX + 1]).await;
    let error = send(get(&format!("{}/a/b?c/d", fake.url))).await.unwrap_err();
    assert!(matches!(error, OutboundError::Redirects { .. }), "{error}");
    assert!(fake.seen.lock().unwrap()[1].starts_with("GET /a/again "));
}

#[tokio::test]
async fn errors_name_the_server_and_no_secret() {
    let cases = [
        ("", "not a URL"),
        ("grafana:3000", "http:// or https:// is missing"),
        ("ftp://me:secret@h/", "'ftp://h/' is not a URL"),
        ("http://me:secret@127.0.0.1:1/", "127.0.0.1:1 cannot be reached"),
    ];
    for (url, expected) in cases {
        let error = send(get(url)).await.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("secret"), "{url}: {error}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let ask = Ask { deadline: Duration::from_millis(50), ..get(&url) };
    assert!(matches!(send(ask).await.unwrap_err(), OutboundError::Deadline { .. }));
    let fake = serve(vec!["SSH-2.0-x\r\n".to_owned()]).await;
    assert!(matches!(send(get(&fake.url)).await.unwrap_err(), OutboundError::Broken { .. }));
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_unless_verification_is_off() {
    let (crt, key) = crate::server::tls::self_signed().unwrap();
    let pem = |text: String| Some(crate::server::config::Pem::Text(text));
    let tls = crate::server::config::Tls { crt: pem(crt), key: pem(key), unsafe_1_2: false };
    let acceptor = tokio_rustls::TlsAcceptor::from(crate::server::tls::server_config(&tls).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/x", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer("200 OK", "hello").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let trusting = send(Ask { verify: false, ..get(&url) }).await.unwrap();
    assert_eq!((trusting.status, trusting.body), (StatusCode::OK, Bytes::from("hello")));
    let error = send(get(&url)).await.unwrap_err();
    assert!(matches!(error, OutboundError::Untrusted { .. } | OutboundError::NoRoots(_)), "{error}");
}
