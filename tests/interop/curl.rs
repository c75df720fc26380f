//! curl as a client, at the other end of a TCP connection; tests/http_service.rs has it with a whole service.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use portable_sspi::ntlm::ServerPolicy;
use portable_sspi::{AscReq, ChannelBindings, DenialReason, Error, SecurityContext};

use crate::ours::Host;
use crate::peer::{require, tool_output};
use crate::record::{Role, noted, proven};
use crate::scenarios::{DOMAIN, FULL_NAME, NO_BINDINGS, PASSWORD, USER, bindings, denial};

const NAME: &str = "curl";

#[test]
fn its_client_and_our_server() {
    let Some(version) = version() else { return };
    let context = log_on(&server(false), PASSWORD, None).unwrap();
    assert_eq!(context.names().user_name, FULL_NAME);
    assert_eq!(context.target(), None);
    proven(NAME, version, Role::Client, "names");
    noted(NAME, version, Role::Client, "names no SPN");
    noted(NAME, version, Role::Client, "HTTP has no use for sealing and signing");
}

#[test]
fn its_client_with_a_wrong_password() {
    let Some(version) = version() else { return };
    let error = log_on(&server(false), "wrong", None).unwrap_err();
    assert_eq!(denial(&error), DenialReason::BadNtResponse);
    proven(NAME, version, Role::Client, "wrong password refused");
}

#[test]
fn its_client_sends_no_mic() {
    let Some(version) = version() else { return };
    let error = log_on(&server(true), PASSWORD, None).unwrap_err();
    assert_eq!(denial(&error), DenialReason::MicMissing);
    noted(NAME, version, Role::Client, "sends no MIC: needs `require_mic: false`");
}

#[test]
fn its_client_sends_no_channel_bindings() {
    let Some(version) = version() else { return };
    let bindings = &bindings()[0];
    let mut host = server(false);
    let error = log_on(&host, PASSWORD, Some(bindings)).unwrap_err();
    assert_eq!(denial(&error), DenialReason::ChannelBindingsMissing);
    host.server_requirements = AscReq::ALLOW_MISSING_BINDINGS;
    log_on(&host, PASSWORD, Some(bindings)).unwrap();
    noted(NAME, version, Role::Client, NO_BINDINGS);
}

fn version() -> Option<&'static str> {
    static VERSION: OnceLock<Result<String, String>> = OnceLock::new();
    let found = VERSION.get_or_init(|| {
        let text = tool_output(Command::new("curl").args(["-q", "--version"]))
            .map_err(|error| format!("{error}; install curl"))?;
        if !text.contains("NTLM") {
            return Err("this curl is built without NTLM; install one with it".into());
        }
        Ok(text.split(' ').nth(1).unwrap().to_owned())
    });
    require(NAME, found).map(String::as_str)
}

fn server(require_mic: bool) -> Host {
    Host::with_policy(ServerPolicy { require_mic, ..ServerPolicy::default() })
}

/// One request of curl to our server.
fn log_on(
    host: &Host,
    password: &str,
    bindings: Option<&ChannelBindings>,
) -> Result<Box<dyn SecurityContext>, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut curl = Command::new("curl")
        // -q: what the user's own configuration says must not change what is tested.
        .args(["-q", "--silent", "--noproxy", "*", "--max-time", "60", "--ntlm"])
        .args(["--user", &format!(r"{DOMAIN}\{USER}:{password}")])
        .arg(format!("http://{}/", listener.local_addr().unwrap()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut requests = BufReader::new(stream.try_clone().unwrap());
    let negotiate = token(&mut requests);
    let result = host.accept_from(&negotiate, bindings, |challenge| {
        let answer = format!("401 Unauthorized\r\nWWW-Authenticate: NTLM {}", BASE64.encode(challenge));
        respond(&mut stream, &answer);
        token(&mut requests)
    });
    respond(&mut stream, if result.is_ok() { "200 OK" } else { "403 Forbidden" });
    assert!(curl.wait().unwrap().success());
    result
}

/// The token in the next request's headers.
fn token(requests: &mut BufReader<TcpStream>) -> Vec<u8> {
    let headers = requests.lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    let tokens: Vec<String> =
        headers.filter_map(|line| line.strip_prefix("Authorization: NTLM ").map(str::to_owned)).collect();
    BASE64.decode(&tokens[0]).unwrap()
}

fn respond(stream: &mut TcpStream, answer: &str) {
    write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").unwrap();
}
