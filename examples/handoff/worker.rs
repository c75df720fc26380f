//! The worker: never sees a password or a handshake. It gets a connection and an exported context, and goes on.

use std::sync::Arc;
use std::time::Duration;

use portable_sspi::ntlm::Ntlm;
use portable_sspi::{Sspi, SspiConfig};

use crate::handover::Way;
use crate::story::tell;
use crate::{Outcome, frames};

pub fn run(way: &str) -> Outcome<()> {
    let receiver = Way::from_name(way).ok_or("no such way")?.receiver()?;
    let Some((connection, handover)) = receiver.receive()? else {
        return Err("the acceptor went away".into());
    };
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    // The same package as the acceptor's, without its accounts: a worker authenticates nobody.
    let sspi = Sspi::new(SspiConfig { packages: vec![Arc::new(Ntlm::default())], ..SspiConfig::default() })?;
    let mut context = sspi.import_security_context(Some("NTLM"), &handover.blob)?;
    tell(
        "worker",
        &format!("ImportSecurityContext: the session of {:?} goes on here", context.names().user_name),
    );

    for _ in 0..2 {
        let mut sealed = frames::receive(&connection)?;
        let question = String::from_utf8(context.unwrap(&mut sealed)?.to_vec())?;
        tell("worker", &format!("decrypts {question:?}"));
        let answer =
            format!("the worker, process {}, and you are {}", std::process::id(), context.names().user_name);
        frames::send(&connection, &context.wrap(answer.as_bytes())?)?;
    }
    Ok(())
}
