//! The worker: no rights, no accounts. It gets a connection and an exported context, and goes on.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use portable_sspi::ntlm::Ntlm;
use portable_sspi::{HostKeyScope, Sspi, SspiConfig};
use rustix::process::geteuid;

use crate::handover::Way;
use crate::story::tell;
use crate::{Outcome, frames};

fn sspi(group: &str, owner: &str, directory: &str) -> Outcome<Sspi> {
    // Exactly what the acceptor names.
    let host_key =
        HostKeyScope::Group { directory: directory.into(), group: group.parse()?, owner: owner.parse()? };
    Ok(Sspi::new(SspiConfig {
        packages: vec![Arc::new(Ntlm::default())],
        host_key,
        ..SspiConfig::default()
    })?)
}

pub fn run(group: &str, owner: &str, directory: &str) -> Outcome<()> {
    let sspi = sspi(group, owner, directory)?;
    let Some((connection, handover)) = Way::Descriptor.receiver()?.receive()? else {
        return Err("the acceptor went away".into());
    };
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut context = sspi.import_security_context(Some("NTLM"), &handover.blob)?;
    let (user, name) = (geteuid().as_raw(), context.names().user_name);
    tell("worker", &format!("user {user}; ImportSecurityContext: the session of {name:?} goes on here"));
    for _ in 0..2 {
        let mut sealed = frames::receive(&connection)?;
        context.unwrap(&mut sealed)?;
        let answer = format!("the worker, user {user}, and you are {name}");
        frames::send(&connection, &context.wrap(answer.as_bytes())?)?;
    }
    Ok(())
}

/// Tries to import the blob on the standard input, and tells what came of it.
pub fn attempt(group: &str, owner: &str, directory: &str) -> Outcome<()> {
    let mut blob = Vec::new();
    std::io::stdin().read_to_end(&mut blob)?;
    let said = match sspi(group, owner, directory)?.import_security_context(Some("NTLM"), &blob) {
        Ok(_) => "imported".to_owned(),
        Err(error) => error.to_string(),
    };
    Ok(std::io::stdout().write_all(said.as_bytes())?)
}
