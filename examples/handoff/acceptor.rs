//! The acceptor: knows the accounts, authenticates, and hands over.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig, ServerNames};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AuthIdentity, BlobRefused, Error, ExportOptions, HostKeyScope,
    InitializeRequest, IscReq, SecurityContext, Sspi, SspiConfig, Step,
};

use crate::handover::{Handover, Way};
use crate::story::{heading, tell};
use crate::{Outcome, PASSWORD_VARIABLE, arrival, frames};

pub fn run() -> Outcome<()> {
    let password = random_password()?;
    let sspi = sspi(&password, None)?;

    heading("Three processes");
    tell("acceptor", "knows the account alice");
    let program = std::env::current_exe()?;
    let (worker, to_worker) = Way::BEST.start(Command::new(&program).args(["worker", Way::BEST.name()]))?;
    tell("acceptor", &format!("started the worker, process {}", worker.id()));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let mut client =
        Command::new(&program).args(["client", &address]).env(PASSWORD_VARIABLE, &password).spawn()?;
    tell("acceptor", &format!("started the client, process {}", client.id()));

    heading("The handshake");
    let connection = arrival::connection_of(&mut client, &listener)?;
    let mut context = authenticate(&sspi, &connection)?;
    let name = context.names().user_name;
    tell("acceptor", &format!("AcceptSecurityContext: this is {name:?}"));

    heading("A sealed exchange with the acceptor");
    let mut sealed = frames::receive(&connection)?;
    let question = String::from_utf8(context.unwrap(&mut sealed)?.to_vec())?;
    tell("acceptor", &format!("decrypts {question:?}"));
    let answer = format!("the acceptor, process {}, and you are {name}", std::process::id());
    frames::send(&connection, &context.wrap(answer.as_bytes())?)?;

    heading("The hand-over");
    let blob = sspi.export_security_context(context, &ExportOptions::default())?;
    tell(
        "acceptor",
        &format!("ExportSecurityContext: {} sealed bytes; the context is gone from here", blob.len()),
    );
    let handover = Handover { blob: blob.clone(), unserved: Vec::new() };
    to_worker.send(&connection, &handover)?;
    tell("acceptor", &format!("handed connection ({}) and blob to the worker", Way::BEST.name()));
    drop(connection);
    expect_success("client", client)?;
    expect_success("worker", worker)?;

    heading("What is refused");
    refusals(&sspi, &password, &blob)?;
    heading("Everything was as it should be");
    Ok(())
}

/// What an attacker who got hold of a blob would try. Each attempt must fail, and for its own reason.
fn refusals(sspi: &Sspi, password: &str, used: &[u8]) -> Outcome<()> {
    refused("the same blob again", sspi, used, &BlobRefused::AlreadyImported)?;

    let fresh = sspi.export_security_context(local_context(sspi, password)?, &ExportOptions::default())?;
    let mut changed = fresh.clone();
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    refused("a blob with one bit changed", sspi, &changed, &BlobRefused::Damaged)?;

    let elsewhere =
        tempfile::tempdir().map_err(|error| format!("no place for another host's key: {error}"))?;
    let other_host = self::sspi(password, Some(&elsewhere.path().join("host-key")))?;
    // Its first export makes its key.
    let theirs = other_host
        .export_security_context(local_context(&other_host, password)?, &ExportOptions::default())?;
    refused("a good blob under another host's key", &other_host, &fresh, &BlobRefused::HostKeyGone)?;
    refused("and the other way round", sspi, &theirs, &BlobRefused::HostKeyGone)?;

    let options = ExportOptions { lifetime: Duration::from_millis(50), ..ExportOptions::default() };
    let short_lived = sspi.export_security_context(local_context(sspi, password)?, &options)?;
    let exported = Instant::now();
    while exported.elapsed() < 2 * options.lifetime {
        std::thread::sleep(options.lifetime);
    }
    refused("a blob whose time is over", sspi, &short_lived, &BlobRefused::Expired)?;

    // The control: the blob that was refused elsewhere and changed is good where it was made, unchanged, once.
    let context = sspi.import_security_context(None, &fresh)?;
    tell(
        "acceptor",
        &format!("the untouched blob, imported where it belongs: {:?}", context.names().user_name),
    );
    Ok(())
}

fn refused(attempt: &str, sspi: &Sspi, blob: &[u8], expected: &BlobRefused) -> Outcome<()> {
    match sspi.import_security_context(Some("NTLM"), blob) {
        Err(error @ Error::BlobRefused(_)) if matches!(&error, Error::BlobRefused(found) if found == expected) =>
        {
            tell("acceptor", &format!("{attempt}: refused with {}: {error}", error.status()));
            Ok(())
        }
        Err(error) => Err(format!("{attempt}: refused for another reason than expected: {error}").into()),
        Ok(_) => Err(format!("{attempt}: NOT refused").into()),
    }
}

/// The server's side of NTLM over the connection.
fn authenticate(sspi: &Sspi, connection: &TcpStream) -> Outcome<Box<dyn SecurityContext>> {
    let credentials = sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound())?;
    let mut context = None;
    loop {
        let token = frames::receive(connection)?;
        let request = AcceptRequest { token: &token, ..AcceptRequest::default() };
        match sspi.accept_security_context(&credentials, context, &request)? {
            Step::ContinueNeeded { context: next, token } => {
                tell("acceptor", &format!("sends its CHALLENGE, {} bytes", token.len()));
                frames::send(connection, &token)?;
                context = Some(next);
            }
            Step::Complete { context, .. } => return Ok(context),
        }
    }
}

/// A server's context made inside this process, for trying out what happens to its exports.
fn local_context(sspi: &Sspi, password: &str) -> Outcome<Box<dyn SecurityContext>> {
    let client = sspi.acquire_credentials_handle(
        "NTLM",
        AcquireRequest::outbound(AuthIdentity::new("alice", "", password)),
    )?;
    let server = sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound())?;
    let (mut at_client, mut at_server) = (None, None);
    let mut to_client = Vec::new();
    loop {
        let request = InitializeRequest {
            requirements: IscReq::CONFIDENTIALITY,
            token: Some(&to_client),
            ..InitializeRequest::default()
        };
        let to_server = match sspi.initialize_security_context(&client, at_client.take(), &request)? {
            Step::ContinueNeeded { context, token } => {
                at_client = Some(context);
                token
            }
            Step::Complete { token, .. } => token.unwrap_or_default(),
        };
        let request = AcceptRequest { token: &to_server, ..AcceptRequest::default() };
        match sspi.accept_security_context(&server, at_server.take(), &request)? {
            Step::ContinueNeeded { context, token } => {
                at_server = Some(context);
                to_client = token;
            }
            Step::Complete { context, .. } => return Ok(context),
        }
    }
}

fn sspi(password: &str, host_key_directory: Option<&Path>) -> Result<Sspi, Error> {
    let mut accounts = MemoryAccounts::new();
    accounts.add("alice", "", password);
    let ntlm = Ntlm::new(NtlmConfig {
        accounts: Some(Arc::new(accounts)),
        server_names: ServerNames::stand_alone("DEMO"),
        ..NtlmConfig::default()
    });
    Sspi::new(SspiConfig {
        packages: vec![Arc::new(ntlm)],
        host_key: host_key_directory.map_or_else(HostKeyScope::default, HostKeyScope::user_directory),
        ..SspiConfig::default()
    })
}

/// A password for this run alone.
fn random_password() -> Outcome<String> {
    use portable_sspi::Entropy;
    let mut bytes = [0; 16];
    portable_sspi::SystemEntropy::new().fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

fn expect_success(who: &str, mut process: Child) -> Outcome<()> {
    match process.wait()? {
        status if status.success() => Ok(()),
        status => Err(format!("the {who} ended with {status}").into()),
    }
}
