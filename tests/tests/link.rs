//! The link that faults are made with does what it says.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tests::{Link, Mode};

/// A server that says back what it is told, and a link to it.
fn echo() -> Link {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut client.try_clone().unwrap(), &mut client));
        }
    });
    Link::to(address)
}

fn connect(link: &Link) -> TcpStream {
    let client = TcpStream::connect(link.url().trim_start_matches("http://")).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client
}

/// What is said back to so many bytes.
fn said(client: &mut TcpStream, bytes: usize) -> std::io::Result<usize> {
    client.write_all(&vec![7; bytes])?;
    let mut back = vec![0; bytes];
    client.read_exact(&mut back).map(|()| back.iter().filter(|byte| **byte == 7).count())
}

#[test]
fn it_passes_on_delays_and_falls_silent() {
    let link = echo();
    let mut client = connect(&link);
    assert_eq!(said(&mut client, 300_000).unwrap(), 300_000);
    link.set(Mode::Delayed(Duration::from_millis(100)));
    let since = Instant::now();
    assert_eq!(said(&mut client, 10).unwrap(), 10);
    assert!(since.elapsed() >= Duration::from_millis(200), "there and back");
    link.set(Mode::Silent);
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(said(&mut client, 10).is_err());
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    link.set(Mode::Open);
    let mut back = [0; 10];
    client.read_exact(&mut back).unwrap();
    assert_eq!(back, [7; 10], "what was said meanwhile arrives");
}

#[test]
fn it_refuses_and_breaks_off() {
    let link = echo();
    let mut client = connect(&link);
    assert_eq!(said(&mut client, 10).unwrap(), 10);
    link.set(Mode::Refusing);
    assert!(said(&mut client, 10).is_err(), "what was open is broken off");
    let mut late = TcpStream::connect(link.url().trim_start_matches("http://")).unwrap();
    assert!(said(&mut late, 10).is_err());
    link.set(Mode::Short(1000));
    let mut short = connect(&link);
    assert_eq!(said(&mut short, 600).unwrap(), 600);
    assert!(said(&mut short, 600).is_err());
    link.set(Mode::Open);
    assert_eq!(said(&mut connect(&link), 600).unwrap(), 600);
}
