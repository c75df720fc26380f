//! An NTLM peer for the tests beside it: the `sspi` crate, driven by lines. tests/interop/gss_peer.c describes the
//! protocol.

use std::io::{self, Write};
use std::{env, fs};

use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation,
    EncryptionFlags, Ntlm, Secret, SecurityBuffer, SecurityBufferRef, SecurityStatus, ServerRequestFlags,
    Sspi, SspiImpl, Username,
};

/// Length of a signature.
const SIGNATURE: usize = 16;
/// `GSS_S_BAD_MIC`, as gss_peer.c tells it.
const BAD_MIC: u32 = 6 << 16;

fn main() -> io::Result<()> {
    let mut peer = Peer::default();
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match peer.answer(&words) {
            Ok(answer) => answer,
            Err(Failure::Refused(why)) => format!("error 0 0 {why}"),
            Err(Failure::Sspi(error)) => {
                let number = if error.error_type == sspi::ErrorKind::MessageAltered { BAD_MIC } else { 1 };
                format!("error {number} 0 {error}").replace('\n', " ")
            }
        };
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

/// What is answered by `error`.
enum Failure {
    /// This program refuses.
    Refused(&'static str),
    /// The crate does.
    Sspi(sspi::Error),
}

impl From<sspi::Error> for Failure {
    fn from(error: sspi::Error) -> Self {
        Self::Sspi(error)
    }
}

/// One context of either side.
#[derive(Default)]
struct Peer {
    ntlm: Ntlm,
    is_client: bool,
    credentials: Option<AuthIdentityBuffers>,
    // The crate counts sealed messages, and takes the numbers of signed ones from its caller.
    signed: u32,
    verified: u32,
}

impl Peer {
    fn answer(&mut self, words: &[&str]) -> Result<String, Failure> {
        Ok(match words {
            ["bindings", data] => {
                self.ntlm.set_channel_bindings(&from_hex(data)?);
                "ok".into()
            }
            ["initiate", user, domain, password, _target] => {
                self.is_client = true;
                self.acquire(user, domain, password, CredentialUse::Outbound)?;
                let (_, token) = self.initialize(Vec::new())?;
                format!("token {}", to_hex(&token))
            }
            ["accept"] => {
                let file = env::var_os("NTLM_USER_FILE").and_then(|path| fs::read_to_string(path).ok());
                let file = file.ok_or(Failure::Refused("NTLM_USER_FILE cannot be read"))?;
                let [domain, user, password] = file.trim().split(':').collect::<Vec<_>>()[..] else {
                    return Err(Failure::Refused("NTLM_USER_FILE must hold one account"));
                };
                // Its server is told whom it shall meet: it has no list of accounts to look names up in.
                self.acquire(user, domain, password, CredentialUse::Inbound)?;
                "ok".into()
            }
            ["step", token] => {
                let (status, token) = if self.is_client {
                    self.initialize(from_hex(token)?)?
                } else {
                    self.accept(from_hex(token)?)?
                };
                match status {
                    SecurityStatus::ContinueNeeded => format!("token {}", to_hex(&token)),
                    SecurityStatus::CompleteNeeded => {
                        // Only this computes the keys and checks the MIC.
                        self.ntlm.complete_auth_token(&mut [])?;
                        "done".into()
                    }
                    _ => format!("done {}", to_hex(&token)),
                }
            }
            ["wrap", message] => {
                let (mut message, mut signature) = (from_hex(message)?, [0; SIGNATURE]);
                self.ntlm
                    .encrypt_message(EncryptionFlags::empty(), &mut buffers(&mut message, &mut signature))?;
                format!("data {}{}", to_hex(&signature), to_hex(&message))
            }
            ["unwrap", wrapped] => {
                let mut wrapped = from_hex(wrapped)?;
                let Some((signature, message)) = wrapped.split_first_chunk_mut::<SIGNATURE>() else {
                    return Err(Failure::Refused("shorter than a signature"));
                };
                self.ntlm.decrypt_message(&mut buffers(message, signature))?;
                format!("data {}", to_hex(message))
            }
            ["sign", message] => {
                let (mut message, mut signature) = (from_hex(message)?, [0; SIGNATURE]);
                self.ntlm.make_signature(0, &mut buffers(&mut message, &mut signature), self.signed)?;
                self.signed += 1;
                format!("data {}", to_hex(&signature))
            }
            ["verify", message, signature] => {
                let (mut message, mut signature) = (from_hex(message)?, from_hex(signature)?);
                self.ntlm.verify_signature(&mut buffers(&mut message, &mut signature), self.verified)?;
                self.verified += 1;
                "ok".into()
            }
            ["name"] => {
                // As it was given: DOMAIN\user.
                format!("name {}", self.ntlm.query_context_names()?.username.inner())
            }
            ["key"] => {
                format!("data {}", to_hex(self.ntlm.query_context_session_key()?.session_key.as_ref()))
            }
            _ => return Err(Failure::Refused("no such command")),
        })
    }

    fn acquire(
        &mut self,
        user: &str,
        domain: &str,
        password: &str,
        usage: CredentialUse,
    ) -> Result<(), Failure> {
        let username = Username::new(user, Some(domain)).map_err(|_| Failure::Refused("not a name"))?;
        let identity = AuthIdentity { username, password: Secret::from(password.to_owned()) };
        let builder = self.ntlm.acquire_credentials_handle().with_credential_use(usage);
        self.credentials = builder.with_auth_data(&identity).execute(&mut self.ntlm)?.credentials_handle;
        Ok(())
    }

    fn initialize(&mut self, token: Vec<u8>) -> Result<(SecurityStatus, Vec<u8>), Failure> {
        let mut input = [SecurityBuffer::new(token, BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut builder = self
            .ntlm
            .initialize_security_context()
            .with_credentials_handle(&mut self.credentials)
            .with_context_requirements(ClientRequestFlags::CONFIDENTIALITY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let status = self.ntlm.initialize_security_context_impl(&mut builder)?.resolve_to_result()?.status;
        let [output] = output;
        Ok((status, output.buffer))
    }

    fn accept(&mut self, token: Vec<u8>) -> Result<(SecurityStatus, Vec<u8>), Failure> {
        let mut input = [SecurityBuffer::new(token, BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let builder = self
            .ntlm
            .accept_security_context()
            .with_credentials_handle(&mut self.credentials)
            .with_context_requirements(ServerRequestFlags::CONFIDENTIALITY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let status = self.ntlm.accept_security_context_impl(builder)?.resolve_to_result()?.status;
        let [output] = output;
        Ok((status, output.buffer))
    }
}

fn buffers<'a>(message: &'a mut [u8], signature: &'a mut [u8]) -> [SecurityBufferRef<'a>; 2] {
    [SecurityBufferRef::token_buf(signature), SecurityBufferRef::data_buf(message)]
}

fn to_hex(bytes: &[u8]) -> String {
    if bytes.is_empty() { "-".into() } else { hex::encode(bytes) }
}

fn from_hex(text: &str) -> Result<Vec<u8>, Failure> {
    match text {
        "-" => Ok(Vec::new()),
        text => hex::decode(text).map_err(|_| Failure::Refused("not hexadecimal")),
    }
}
