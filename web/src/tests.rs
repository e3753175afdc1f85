use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use super::*;

/// A server that gives its answers in turn, each with its path; the last one again and again.
fn server(answers: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            let mut asked = String::new();
            while lines.read_line(&mut line).unwrap() > 2 {
                if asked.is_empty() {
                    asked = line.clone();
                }
                let lower = line.to_ascii_lowercase();
                length = lower.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().unwrap());
                line.clear();
            }
            let mut body = vec![0; length];
            lines.read_exact(&mut body).unwrap();
            let (path, answer) = answers[n.min(answers.len() - 1)];
            assert!(asked.contains(path), "{asked} is not {path}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    at
}

fn web(allow: &[String]) -> Web {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let patience = Patience { all: Duration::from_secs(8), once: Duration::from_secs(2), ..Patience::default() };
    Web::new(Allow::under(allow).unwrap(), patience).unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn what_fails_for_now_is_asked_for_again() {
    let at = server(&[
        ("POST /s", "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        ("POST /s", ""),
        ("POST /s", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"a\":"),
        ("POST /s", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"a\":"),
        ("POST /s", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{\"a\":1}"),
    ]);
    let web = web(&[]);
    let found = wait(web.json(&Ask::post(format!("{at}/s"), &serde_json::json!({"limit": 1})))).unwrap();
    assert_eq!((&found["a"], web.counts().asked(), web.counts().again()), (&1.into(), 5, 4));
}

#[test]
fn what_is_refused_is_not_asked_for_again() {
    let at = server(&[(
        "/s",
        "HTTP/1.1 403 No\r\nContent-Length: 27\r\nConnection: close\r\n\r\n{\"description\":\"no such\nx\"}",
    )]);
    let web = web(&[]);
    let error = wait(web.json(&Ask::get(format!("{at}/s?token=hunter2")))).unwrap_err();
    assert_eq!((error.status(), web.counts().asked()), (Some(403), 1));
    let text = error.to_string();
    assert!(text.contains("403") && !text.contains("hunter2") && !text.contains('\n'), "{text}");
}

#[test]
fn who_is_not_there_is_told_of_soon() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let began = Instant::now();
    let error = wait(web(&[]).json(&Ask::get(format!("http://127.0.0.1:{port}/")))).unwrap_err();
    assert!(matches!(error, WebError::Unreachable { .. }) && error.is_retryable(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[test]
fn redirects_keep_what_is_posted_and_do_not_lead_out() {
    let at = server(&[
        ("POST /in/a", "HTTP/1.1 301 There\r\nLocation: b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        ("POST /in/b", "HTTP/1.1 303 There\r\nLocation: c\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        (
            "GET /in/c",
            "HTTP/1.1 307 There\r\nLocation: /out?sig=hunter2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
    ]);
    let web = web(&[format!("{at}/in/")]);
    let error = wait(web.json(&Ask::post(format!("{at}/in/a"), &serde_json::json!({})))).unwrap_err();
    assert!(matches!(&error, WebError::NotAllowed(_)) && !error.to_string().contains("hunter2"), "{error}");
    assert_eq!(web.counts().asked(), 3);
}

#[test]
fn a_server_is_left_alone_as_long_as_it_asks() {
    let headers = |after: &str| {
        let pairs = [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", after)];
        let pairs = pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Answer { url: String::new(), status: StatusCode::OK, headers: HeaderMap::from_iter(pairs), body: Vec::new() }
    };
    assert_eq!(headers("7").retry_after(), Some(Duration::from_secs(7)));
    let by_its_clock = headers("Sun, 06 Nov 1994 08:49:47 GMT").retry_after();
    assert_eq!(by_its_clock, Some(Duration::from_secs(10)), "by the clock that the date is of");
    assert_eq!(headers("Sun, 06 Nov 1994 08:00:00 GMT").retry_after(), Some(Duration::ZERO));
    let busy = |after| Failed::Busy { status: StatusCode::TOO_MANY_REQUESTS, after, why: String::new() };
    let patience = Patience::default();
    let wait = patience.wait(&busy(Some(Duration::from_secs(40))), 1, Duration::ZERO);
    assert_eq!(wait, Some(Duration::from_secs(40)));
    assert_eq!(patience.wait(&busy(Some(Duration::from_secs(400))), 1, Duration::ZERO), None);
    for tries in 1..20 {
        let wait = patience.wait(&busy(None), tries, Duration::ZERO).unwrap();
        assert!(wait <= LONGEST_OF_ALL && wait * 2 >= Duration::from_millis(250), "{wait:?}");
    }
}

const LONGEST_OF_ALL: Duration = Duration::from_secs(15);
