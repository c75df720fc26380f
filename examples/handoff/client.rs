//! The client: logs on, then talks, and does not know that there are two processes at the other end.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use portable_sspi::ntlm::{Ntlm, NtlmConfig};
use portable_sspi::{
    AcquireRequest, AuthIdentity, InitializeRequest, IscReq, SecurityContext, Sspi, SspiConfig, Step,
};

use crate::story::tell;
use crate::{Outcome, PASSWORD_VARIABLE, frames};

const TARGET: &str = "demo/localhost";

pub fn run(address: &str) -> Outcome<()> {
    let password = std::env::var(PASSWORD_VARIABLE)?;
    let sspi = Sspi::new(SspiConfig {
        packages: vec![Arc::new(Ntlm::new(NtlmConfig {
            workstation: "DESK7".into(),
            ..NtlmConfig::default()
        }))],
        ..SspiConfig::default()
    })?;
    let connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut context = log_on(&sspi, &connection, &password)?;
    tell("client", "InitializeSecurityContext: done; the session can sign and encrypt");

    let first = ask(&connection, context.as_mut(), "Who are you?")?;
    let second = ask(&connection, context.as_mut(), "And who are you now?")?;
    let third = ask(&connection, context.as_mut(), "Still there?")?;
    if !first.starts_with("the acceptor")
        || !second.starts_with("the worker")
        || !third.starts_with("the worker")
    {
        return Err(format!("unexpected answers: {first:?}, {second:?}, {third:?}").into());
    }
    tell("client", "one conversation, two processes at its other end, nothing lost");
    Ok(())
}

/// Three messages, one for each leg of NTLM.
fn log_on(sspi: &Sspi, connection: &TcpStream, password: &str) -> Outcome<Box<dyn SecurityContext>> {
    let identity = AuthIdentity::new("alice", "", password);
    let credentials = sspi.acquire_credentials_handle("NTLM", AcquireRequest::outbound(identity))?;
    let mut context = None;
    let mut token = Vec::new();
    loop {
        let request = InitializeRequest {
            target_name: Some(TARGET),
            requirements: IscReq::INTEGRITY | IscReq::CONFIDENTIALITY,
            token: Some(&token),
            ..InitializeRequest::default()
        };
        match sspi.initialize_security_context(&credentials, context, &request)? {
            Step::ContinueNeeded { context: next, token: out } => {
                tell("client", &format!("sends its NEGOTIATE, {} bytes", out.len()));
                frames::send(connection, &out)?;
                context = Some(next);
            }
            Step::Complete { context, token: out } => {
                let out = out.unwrap_or_default();
                tell("client", &format!("sends its AUTHENTICATE, {} bytes", out.len()));
                frames::send(connection, &out)?;
                return Ok(context);
            }
        }
        token = frames::receive(connection)?;
    }
}

/// One question and its answer, both encrypted and signed.
fn ask(connection: &TcpStream, context: &mut dyn SecurityContext, question: &str) -> Outcome<String> {
    frames::send(connection, &context.wrap(question.as_bytes())?)?;
    let mut sealed = frames::receive(connection)?;
    let answer = String::from_utf8(context.unwrap(&mut sealed)?.to_vec())?;
    tell("client", &format!("asks {question:?}; the answer, decrypted: {answer:?}"));
    Ok(answer)
}
