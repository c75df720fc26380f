//! The acceptor: privileged, knows the accounts, authenticates, and hands over.

use std::fs::{self, Permissions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig, ServerNames};
use portable_sspi::{
    AcceptRequest, AcquireRequest, Audience, ExportOptions, HostKeyScope, SecurityContext, Sspi, SspiConfig,
    Step,
};
use rustix::process::{getegid, geteuid};

use crate::handover::{Handover, Way};
use crate::story::{heading, tell};
use crate::{Outcome, PASSWORD_VARIABLE, arrival, frames};

/// Numbers that no account belongs to.
const WORKER: u32 = 61_001;
const OTHER_WORKER: u32 = 61_002;
const STRANGER: u32 = 61_003;
const WORKERS: u32 = 62_001;

/// Who plays which part.
struct Cast {
    acceptor: u32,
    group: u32,
    /// Otherwise all are the same user.
    others_can_be_started: bool,
    program: PathBuf,
    host_key: PathBuf,
}

impl Cast {
    /// A process with these arguments, of that user and group where that can be.
    fn command(&self, what: &str, user: u32, group: u32) -> Command {
        let mut command = Command::new(&self.program);
        command.args([what, &self.group.to_string(), &self.acceptor.to_string()]).arg(&self.host_key);
        if self.others_can_be_started {
            // This also leaves all other groups.
            command.uid(user).gid(group).current_dir("/");
        }
        command
    }
}

pub fn run() -> Outcome<()> {
    let directory = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir()?;
    let cast = cast(directory.path())?;
    let password = hex::encode(portable_sspi::ApplicationKey::generate()?.expose());
    let sspi = sspi(&cast, &password)?;

    heading("The processes");
    let mut worker = cast.command("worker", WORKER, WORKERS);
    let (worker, to_worker) = Way::Descriptor.start(&mut worker)?;
    tell("acceptor", &format!("user {}; started the worker, process {}", cast.acceptor, worker.id()));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let mut client = Command::new(&cast.program);
    client.args(["client", &address]).env(PASSWORD_VARIABLE, &password);
    let mut client = client.spawn()?;

    heading("The handshake, with the acceptor");
    let connection = arrival::connection_of(&mut client, &listener)?;
    let mut context = authenticate(&sspi, &connection)?;
    let name = context.names().user_name;
    tell("acceptor", &format!("AcceptSecurityContext: this is {name:?}"));
    let mut sealed = frames::receive(&connection)?;
    context.unwrap(&mut sealed)?;
    let answer = format!("the acceptor, user {}, and you are {name}", cast.acceptor);
    frames::send(&connection, &context.wrap(answer.as_bytes())?)?;

    heading("What others get");
    let fresh = |audience| -> Outcome<Vec<u8>> {
        let options = ExportOptions { audience, ..ExportOptions::default() };
        // Copies of the client's context for the attempts; nothing is ever encrypted with them.
        Ok(sspi.export_security_context_keeping_original(context.as_ref(), &options)?)
    };
    if cast.others_can_be_started {
        let blob = fresh(Audience::default())?;
        let stranger = attempt(&cast, STRANGER, STRANGER, &blob)?;
        expect("a user outside the group", &stranger, "Permission denied")?;
        let blob = fresh(Audience { user: Some(OTHER_WORKER), ..Audience::default() })?;
        let member = attempt(&cast, WORKER, WORKERS, &blob)?;
        expect("a member for whom it is not meant", &member, "is meant for a process of the user 61002")?;
        expect(
            "the member for whom it is meant",
            &attempt(&cast, OTHER_WORKER, WORKERS, &blob)?,
            "imported",
        )?;
        expect("the same once more", &attempt(&cast, OTHER_WORKER, WORKERS, &blob)?, "imported before")?;
    } else {
        tell("acceptor", "cannot start processes of other users, so their attempts are NOT shown");
        let blob = fresh(Audience { user: Some(cast.acceptor.wrapping_add(1)), ..Audience::default() })?;
        let refused = attempt(&cast, cast.acceptor, cast.group, &blob)?;
        expect("this user, for whom it is not meant", &refused, "is meant for a process of the user")?;
    }

    heading("The hand-over");
    let user = if cast.others_can_be_started { WORKER } else { cast.acceptor };
    let options = ExportOptions {
        audience: Audience { user: Some(user), ..Audience::default() },
        ..ExportOptions::default()
    };
    let blob = sspi.export_security_context(context, &options)?;
    tell("acceptor", &format!("ExportSecurityContext for user {user}: {} sealed bytes", blob.len()));
    to_worker.send(&connection, &Handover { blob, unserved: Vec::new() })?;
    drop(connection);
    expect_success("client", client)?;
    expect_success("worker", worker)?;
    heading("Everything was as it should be");
    Ok(())
}

fn cast(directory: &Path) -> Outcome<Cast> {
    let (acceptor, group) = (geteuid().as_raw(), getegid().as_raw());
    let program = std::env::current_exe()?;
    let host_key = directory.join("host-key");
    if !others_can_be_started() {
        heading(
            "This is not root, or not with its rights: acceptor and worker are the same user, who shares the host key \
             with his group",
        );
        return Ok(Cast { acceptor, group, others_can_be_started: false, program, host_key });
    }
    // Others may not reach where this program was built.
    let copy = directory.join("privileged_acceptor");
    fs::copy(program, &copy)?;
    Ok(Cast { acceptor, group: WORKERS, others_can_be_started: true, program: copy, host_key })
}

/// Root can start processes of other users, but not where a container has taken its capabilities, nor in a user namespace
/// that has no other users.
fn others_can_be_started() -> bool {
    let mut nothing = Command::new("/bin/sh");
    nothing.args(["-c", ":"]).uid(WORKER).gid(WORKERS).current_dir("/");
    geteuid().is_root() && nothing.status().is_ok_and(|status| status.success())
}

fn sspi(cast: &Cast, password: &str) -> Outcome<Sspi> {
    let mut accounts = MemoryAccounts::new();
    accounts.add("alice", "", password);
    let ntlm = Ntlm::new(NtlmConfig {
        accounts: Some(Arc::new(accounts)),
        server_names: ServerNames::stand_alone("DEMO"),
        ..NtlmConfig::default()
    });
    Ok(Sspi::new(SspiConfig {
        packages: vec![Arc::new(ntlm)],
        host_key: HostKeyScope::Group {
            directory: cast.host_key.clone(),
            group: cast.group,
            owner: cast.acceptor,
        },
        ..SspiConfig::default()
    })?)
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
                frames::send(connection, &token)?;
                context = Some(next);
            }
            Step::Complete { context, .. } => return Ok(context),
        }
    }
}

/// What a process of that user says to the blob.
fn attempt(cast: &Cast, user: u32, group: u32, blob: &[u8]) -> Outcome<String> {
    let mut attempt = cast.command("attempt", user, group);
    let mut process = attempt.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    process.stdin.take().ok_or("no way to the process")?.write_all(blob)?;
    let output = process.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("the attempt ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn expect(who: &str, said: &str, expected: &str) -> Outcome<()> {
    tell("acceptor", &format!("{who}: {said}"));
    if said.contains(expected) { Ok(()) } else { Err(format!("{who} should have got {expected:?}").into()) }
}

fn expect_success(who: &str, mut process: Child) -> Outcome<()> {
    match process.wait()? {
        status if status.success() => Ok(()),
        status => Err(format!("the {who} ended with {status}").into()),
    }
}
