//! The example `http_service` with a real client: curl's own NTLM implementation.
//!
//! Needs curl with NTLM (Debian: package curl). Where it is missing, each test says so and passes, unless
//! `PORTABLE_SSPI_REQUIRE_PEERS=1` makes that a failure.

#![cfg(feature = "ntlm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how to fail"
)]

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

/// Cargo runs no tests of an example that is built as a program too; its parser's run here.
#[allow(dead_code, reason = "only the parser is tested here")]
#[path = "../examples/http_service/http.rs"]
mod http;

/// The ways a connection can take to a worker, as arguments of the service.
const WAYS: [&[&str]; if cfg!(unix) { 2 } else { 1 }] = ways();

#[cfg(unix)]
const fn ways() -> [&'static [&'static str]; 2] {
    [&[], &["--relay"]]
}

#[cfg(not(unix))]
const fn ways() -> [&'static [&'static str]; 1] {
    [&["--relay"]]
}

#[test]
fn a_worker_answers_the_client_that_the_acceptor_authenticated() {
    if !curl_is_there() {
        return;
    }
    for way in WAYS {
        let service = Service::start(way);
        let answer = service.curl("alice:opensesame", &["/"]).remove(0);
        assert_eq!(answer.status, 200, "{way:?}");
        assert_eq!(answer.lines["user"], "alice");
        assert_eq!(answer.lines["acceptor"], service.process.id().to_string());
        assert_ne!(answer.lines["worker"], answer.lines["acceptor"]);
        let in_domain = service.curl(r"CORP\bob:hunter2", &["/"]).remove(0);
        assert_eq!((in_domain.status, in_domain.lines["user"].as_str()), (200, r"CORP\bob"));
    }
}

#[test]
fn who_cannot_prove_who_he_is_gets_no_further_than_the_acceptor() {
    if !curl_is_there() {
        return;
    }
    let service = Service::start(&[]);
    for credentials in ["alice:wrong", "alice:", "mallory:opensesame", r"CORP\alice:", r"CORP\bob:opensesame"]
    {
        let answer = service.curl(credentials, &["/"]).remove(0);
        assert_eq!(answer.status, 401, "{credentials}");
        assert!(answer.lines.is_empty(), "{credentials}: {:?}", answer.lines);
    }
    assert_eq!(service.curl("alice:opensesame", &["/"])[0].status, 200, "and it goes on");
}

#[test]
fn further_requests_on_the_connection_need_no_new_authentication() {
    if !curl_is_there() {
        return;
    }
    for way in WAYS {
        let service = Service::start(way);
        let answers = service.curl("alice:opensesame", &["/one", "/two", "/three"]);
        assert_eq!(answers.len(), 3, "{way:?}");
        for answer in &answers {
            assert_eq!(answer.status, 200);
            assert_eq!(answer.lines["worker"], answers[0].lines["worker"]);
        }
        // curl counts the connections it made and, over all, the requests: one connection, and two legs more than answers.
        assert_eq!(answers.iter().map(|answer| answer.connections).sum::<u32>(), 1);
    }
}

#[test]
fn a_request_with_a_body_is_answered() {
    if !curl_is_there() {
        return;
    }
    let service = Service::start(&[]);
    let body = "x".repeat(10_000);
    let answer = service.curl_with(&["--data-binary", &body], "alice:opensesame", &["/"]).remove(0);
    assert_eq!(answer.status, 200);
}

#[cfg(unix)]
#[test]
fn a_dead_worker_is_replaced() {
    if !curl_is_there() {
        return;
    }
    for way in WAYS {
        let service = Service::start(&[way, &["--workers", "1"]].concat());
        let worker = service.curl("alice:opensesame", &["/"])[0].lines["worker"].clone();
        // Through its own number: only the process that this test's own service started.
        let kill = Command::new("kill").args(["-9", &worker]).status().unwrap();
        assert!(kill.success());
        let deadline = Instant::now() + Duration::from_secs(30);
        let successor = loop {
            // While there is no worker the service says 503, or closes what the dead one had.
            let answer = service.curl("alice:opensesame", &["/"]).remove(0);
            if answer.status == 200 {
                break answer;
            }
            assert!(Instant::now() < deadline, "no new worker; the last answer was {}", answer.status);
            std::thread::sleep(Duration::from_millis(100));
        };
        assert_ne!(successor.lines["worker"], worker);
    }
}

/// Who took which leg, from the heads of all answers.
#[cfg(unix)]
fn legs(service: &Service, credentials: &str) -> (Vec<String>, String) {
    let output = Command::new("curl")
        .args(["-q", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--ntlm", "--include"])
        .args(["--user", credentials, &format!("http://{}/", service.address)])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let worker = |line: &str| line.strip_prefix("X-Worker: ").map(|worker| worker.trim().to_owned());
    (text.lines().filter_map(worker).collect(), text)
}

#[cfg(unix)]
#[test]
fn any_worker_continues_any_handshake() {
    if !curl_is_there() {
        return;
    }
    for workers in ["2", "3"] {
        let service = Service::start(&["--stateless", "--workers", workers]);
        for _ in 0..8 {
            let (legs, text) = legs(&service, "alice:opensesame");
            // NEGOTIATE and AUTHENTICATE; curl sends no request before them.
            assert_eq!(legs.len(), 2, "{text}");
            assert_ne!(legs[0], legs[1], "{text}");
            let acceptor = service.process.id().to_string();
            assert!(!legs.contains(&acceptor), "the acceptor takes no leg: {text}");
            assert!(text.contains("\nuser: alice\n"), "{text}");
            assert!(text.contains(&format!("\nworker: {}\n", legs[1])), "{text}");
        }
        let answers = service.curl("alice:opensesame", &["/one", "/two"]);
        assert_eq!(
            answers.iter().map(|answer| (answer.status, answer.connections)).collect::<Vec<_>>(),
            [(200, 1), (200, 0)]
        );
        for credentials in ["alice:wrong", "mallory:opensesame"] {
            assert_eq!(service.curl(credentials, &["/"])[0].status, 401, "{credentials}");
        }
        assert_eq!(service.curl(r"CORP\bob:hunter2", &["/"])[0].lines["user"], r"CORP\bob");
    }
}

#[cfg(unix)]
#[test]
fn a_stateless_service_survives_its_workers() {
    if !curl_is_there() {
        return;
    }
    let service = Service::start(&["--stateless", "--workers", "2"]);
    let victim = service.curl("alice:opensesame", &["/"])[0].lines["worker"].clone();
    assert!(Command::new("kill").args(["-9", &victim]).status().unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(30);
    while service.curl("alice:opensesame", &["/"])[0].status != 200 {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Needs no curl: what no client of good will sends.
#[test]
fn broken_requests_are_refused() {
    let service = Service::start(&[]);
    let endless = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(20_000));
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "401"),
        ("nonsense\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nAuthorization: NTLM ###\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nAuthorization: NTLM AAAA\r\n\r\n", "401"),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "501"),
        ("GET / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n", "413"),
        (&endless, "431"),
    ] {
        let mut stream = TcpStream::connect(&service.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {status}"), "{:.60}", request);
    }
}

/// The running example.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(example())
            .args(["--listen", "127.0.0.1:0"])
            .args(["--user", "alice:opensesame", "--user", r"CORP\bob:hunter2"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, address }
    }

    fn curl(&self, credentials: &str, paths: &[&str]) -> Vec<Answer> {
        self.curl_with(&[], credentials, paths)
    }

    fn curl_with(&self, arguments: &[&str], credentials: &str, paths: &[&str]) -> Vec<Answer> {
        let output = Command::new("curl")
            // -q: what the user's own configuration says must not change what is tested.
            .args(["-q", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--ntlm"])
            .args(["--write-out", "status: %{http_code}\nconnections: %{num_connects}\n\n"])
            .args(["--user", credentials])
            .args(arguments)
            .args(paths.iter().map(|path| format!("http://{}{path}", self.address)))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<_> = text.split_terminator("\n\n").map(Answer::parse).collect();
        assert_eq!(answers.len(), paths.len(), "{text}");
        answers
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Its workers end with it: their standard input does.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What curl got, and what it says about it.
#[derive(Debug)]
struct Answer {
    status: u16,
    connections: u32,
    lines: BTreeMap<String, String>,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let mut lines: BTreeMap<String, String> = text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            status: lines.remove("status").unwrap().parse().unwrap(),
            connections: lines.remove("connections").unwrap().parse().unwrap(),
            lines,
        }
    }
}

/// Cargo builds the examples beside the tests: `<profile>/examples` and `<profile>/deps`.
fn example() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let example = profile.join("examples").join(format!("http_service{}", env::consts::EXE_SUFFIX));
    assert!(example.exists(), "{} is not built; run `cargo build --example http_service`", example.display());
    example
}

fn curl_is_there() -> bool {
    let missing = match Command::new("curl").args(["-q", "--version"]).output() {
        Err(error) => format!("curl cannot be run ({error}); install curl"),
        Ok(output) if !String::from_utf8_lossy(&output.stdout).contains("NTLM") => {
            "this curl is built without NTLM; install one with it".into()
        }
        Ok(_) => return true,
    };
    let required = env::var("PORTABLE_SSPI_REQUIRE_PEERS").is_ok_and(|value| value == "1");
    assert!(!required, "curl is required and not there: {missing}");
    // Not eprintln!, which the test harness captures.
    io::stderr().write_all(format!("SKIPPED: no test against curl: {missing}\n").as_bytes()).unwrap();
    false
}
