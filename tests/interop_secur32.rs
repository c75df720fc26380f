//! NTLM against the system's own, on Windows: the client of `secur32.dll` logs on to this library's server.
//!
//! Under Wine, `secur32.dll` lets Samba's `ntlm_auth` make the messages (Debian's package winbind) and seals by itself.
//! The other direction isn't tested: Windows' server wants an account of the machine, and Wine's a running winbindd.

#![cfg(all(windows, feature = "ntlm"))]
#![allow(unsafe_code, reason = "the system is called through its C functions")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how to fail"
)]

use std::ptr;
use std::sync::Arc;

use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig, ServerNames};
use portable_sspi::{
    AcceptRequest, AcquireRequest, Error, ExportOptions, SecurityBuffer, SecurityContext, Sspi, SspiConfig,
    Step,
};
use windows_sys::Win32::Foundation::{SEC_E_OK, SEC_I_CONTINUE_NEEDED};
use windows_sys::Win32::Security::Authentication::Identity as sspi_h;
use windows_sys::Win32::Security::Credentials::SecHandle;
use windows_sys::Win32::System::Rpc::{SEC_WINNT_AUTH_IDENTITY_UNICODE, SEC_WINNT_AUTH_IDENTITY_W};

const USER: &str = "alice";
const DOMAIN: &str = "CORP";
const PASSWORD: &str = "opensesame";
const EMPTY: SecHandle = SecHandle { dwLower: 0, dwUpper: 0 };

#[test]
fn its_client_and_our_server() {
    for flags in [
        sspi_h::ISC_REQ_INTEGRITY,
        sspi_h::ISC_REQ_INTEGRITY | sspi_h::ISC_REQ_CONFIDENTIALITY,
        sspi_h::ISC_REQ_CONFIDENTIALITY | sspi_h::ISC_REQ_REPLAY_DETECT | sspi_h::ISC_REQ_SEQUENCE_DETECT,
    ] {
        let host = Host::new();
        let mut theirs = TheirClient::new(PASSWORD, flags);
        let ours = host.accept(&mut theirs).unwrap();
        assert_eq!(ours.names().user_name, format!(r"{DOMAIN}\{USER}"));
        let mut ours = host.hand_over(ours);
        for round in 0..3 {
            let message = format!("message {round} of {flags:#x}").into_bytes();
            sign_both_ways(&theirs, &mut *ours, &message);
            if flags & sspi_h::ISC_REQ_CONFIDENTIALITY != 0 {
                let mut sealed = theirs.seal(&message);
                assert_ne!(sealed[16..], message[..], "it encrypts");
                assert_eq!(ours.unwrap(&mut sealed).unwrap(), message);
                let sealed = ours.wrap(&message).unwrap();
                assert_eq!(theirs.unseal(&sealed).unwrap(), message);
            }
        }
    }
}

#[test]
fn a_wrong_password_of_its_client_is_refused() {
    let host = Host::new();
    let mut theirs = TheirClient::new("wrong", sspi_h::ISC_REQ_INTEGRITY);
    assert!(matches!(host.accept(&mut theirs), Err(Error::LogonDenied(_))));
}

#[test]
fn what_was_changed_on_the_way_is_refused_on_both_sides() {
    let host = Host::new();
    let mut theirs = TheirClient::new(PASSWORD, sspi_h::ISC_REQ_INTEGRITY | sspi_h::ISC_REQ_CONFIDENTIALITY);
    let mut ours = host.accept(&mut theirs).unwrap();
    let signature = theirs.sign(b"as it was");
    assert!(verify(&mut *ours, b"as it is.", &signature).is_err());
    let mut sealed = ours.wrap(b"as it was").unwrap();
    *sealed.last_mut().unwrap() ^= 1;
    assert!(theirs.unseal(&sealed).is_err());
}

/// This library's packages, with a host key of their own.
struct Host {
    sspi: Sspi,
    directory: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { sspi: table(&directory), directory }
    }

    fn accept(&self, client: &mut TheirClient) -> Result<Box<dyn SecurityContext>, Error> {
        let credentials = self.sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound()).unwrap();
        let negotiate = client.step(None);
        let request = AcceptRequest { token: &negotiate, ..AcceptRequest::default() };
        let Step::ContinueNeeded { context, token } =
            self.sspi.accept_security_context(&credentials, None, &request)?
        else {
            panic!("a server waits for the AUTHENTICATE");
        };
        let authenticate = client.step(Some(&token));
        let request = AcceptRequest { token: &authenticate, ..request };
        match self.sspi.accept_security_context(&credentials, Some(context), &request)? {
            Step::Complete { context, .. } => Ok(context),
            step => panic!("a server ends with the AUTHENTICATE: {step:?}"),
        }
    }

    /// Takes the context through export and import, into what stands for another process.
    fn hand_over(&self, context: Box<dyn SecurityContext>) -> Box<dyn SecurityContext> {
        let blob = self.sspi.export_security_context(context, &ExportOptions::default()).unwrap();
        table(&self.directory).import_security_context(Some("NTLM"), &blob).unwrap()
    }
}

fn table(directory: &tempfile::TempDir) -> Sspi {
    let mut accounts = MemoryAccounts::new();
    accounts.add(USER, DOMAIN, PASSWORD);
    let ntlm = Ntlm::new(NtlmConfig {
        accounts: Some(Arc::new(accounts)),
        server_names: ServerNames::stand_alone("OURS"),
        workstation: "OURS".into(),
        ..NtlmConfig::default()
    });
    Sspi::new(SspiConfig {
        packages: vec![Arc::new(ntlm)],
        host_key: portable_sspi::HostKeyScope::user_directory(directory.path().join("key")),
        ..SspiConfig::default()
    })
    .unwrap()
}

fn sign_both_ways(theirs: &TheirClient, ours: &mut dyn SecurityContext, message: &[u8]) {
    let signature = theirs.sign(message);
    verify(ours, message, &signature).unwrap();
    let mut signature = [0; 16];
    ours.make_signature(&mut [
        SecurityBuffer::readonly_with_checksum(message),
        SecurityBuffer::token(&mut signature),
    ])
    .unwrap();
    assert_eq!(theirs.verify(message, &signature), SEC_E_OK);
}

fn verify(context: &mut dyn SecurityContext, message: &[u8], signature: &[u8]) -> Result<(), Error> {
    let mut token = signature.to_vec();
    context.verify_signature(&mut [
        SecurityBuffer::readonly_with_checksum(message),
        SecurityBuffer::token(&mut token),
    ])
}

/// A client of `secur32.dll`.
struct TheirClient {
    credentials: SecHandle,
    context: Option<SecHandle>,
    flags: u32,
}

impl TheirClient {
    fn new(password: &str, flags: u32) -> Self {
        let wide = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
        let (mut user, mut domain, mut password) = (wide(USER), wide(DOMAIN), wide(password));
        let identity = SEC_WINNT_AUTH_IDENTITY_W {
            User: user.as_mut_ptr(),
            UserLength: user.len().try_into().unwrap(),
            Domain: domain.as_mut_ptr(),
            DomainLength: domain.len().try_into().unwrap(),
            Password: password.as_mut_ptr(),
            PasswordLength: password.len().try_into().unwrap(),
            Flags: SEC_WINNT_AUTH_IDENTITY_UNICODE,
        };
        let package = wide("NTLM\0");
        let (mut credentials, mut expiry) = (EMPTY, 0);
        // SAFETY: all pointers are to living values; the identity's texts have the lengths beside them.
        let status = unsafe {
            sspi_h::AcquireCredentialsHandleW(
                ptr::null(),
                package.as_ptr(),
                sspi_h::SECPKG_CRED_OUTBOUND,
                ptr::null(),
                (&raw const identity).cast(),
                None,
                ptr::null(),
                &mut credentials,
                &mut expiry,
            )
        };
        assert_eq!(
            status, SEC_E_OK,
            "{status:#x}: under Wine, ntlm_auth (Debian's package winbind) is needed"
        );
        Self { credentials, context: None, flags }
    }

    /// One call of InitializeSecurityContext.
    fn step(&mut self, token: Option<&[u8]>) -> Vec<u8> {
        let mut received = token.unwrap_or_default().to_vec();
        let mut answer = vec![0; 8192];
        let mut inputs = [buffer(sspi_h::SECBUFFER_TOKEN, &mut received)];
        let mut outputs = [buffer(sspi_h::SECBUFFER_TOKEN, &mut answer)];
        let (input, mut output) = (description(&mut inputs), description(&mut outputs));
        let target: Vec<u16> = "HTTP/srv.corp.example\0".encode_utf16().collect();
        let (mut context, mut attributes, mut expiry) = (self.context.unwrap_or(EMPTY), 0, 0);
        // SAFETY: all pointers are to living values, or null where there is no context or input yet; the buffers have the
        // lengths beside them.
        let status = unsafe {
            sspi_h::InitializeSecurityContextW(
                &self.credentials,
                self.context.as_ref().map_or(ptr::null(), ptr::from_ref),
                target.as_ptr(),
                self.flags,
                0,
                sspi_h::SECURITY_NATIVE_DREP,
                if token.is_some() { &input } else { ptr::null() },
                0,
                &mut context,
                &mut output,
                &mut attributes,
                &mut expiry,
            )
        };
        let expected = if token.is_some() { SEC_E_OK } else { SEC_I_CONTINUE_NEEDED };
        assert_eq!(status, expected, "{status:#x}");
        self.context = Some(context);
        let length = usize::try_from(outputs[0].cbBuffer).unwrap();
        answer.truncate(length);
        answer
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let (mut message, mut token) = (message.to_vec(), vec![0; 16]);
        let mut buffers =
            [buffer(sspi_h::SECBUFFER_DATA, &mut message), buffer(sspi_h::SECBUFFER_TOKEN, &mut token)];
        // SAFETY: the context is established, and the buffers have the lengths beside them.
        let status =
            unsafe { sspi_h::MakeSignature(&self.context.unwrap(), 0, &description(&mut buffers), 0) };
        assert_eq!(status, SEC_E_OK, "{status:#x}");
        token
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> i32 {
        let (mut message, mut token, mut quality) = (message.to_vec(), signature.to_vec(), 0);
        let mut buffers =
            [buffer(sspi_h::SECBUFFER_DATA, &mut message), buffer(sspi_h::SECBUFFER_TOKEN, &mut token)];
        // SAFETY: as in `sign`.
        unsafe {
            sspi_h::VerifySignature(&self.context.unwrap(), &description(&mut buffers), 0, &mut quality)
        }
    }

    /// The signature, and behind it the encrypted message.
    fn seal(&self, message: &[u8]) -> Vec<u8> {
        let (mut message, mut token) = (message.to_vec(), vec![0; 16]);
        let mut buffers =
            [buffer(sspi_h::SECBUFFER_TOKEN, &mut token), buffer(sspi_h::SECBUFFER_DATA, &mut message)];
        // SAFETY: as in `sign`.
        let status =
            unsafe { sspi_h::EncryptMessage(&self.context.unwrap(), 0, &description(&mut buffers), 0) };
        assert_eq!(status, SEC_E_OK, "{status:#x}");
        [token, message].concat()
    }

    fn unseal(&self, sealed: &[u8]) -> Result<Vec<u8>, i32> {
        let (token, message) = sealed.split_at(16);
        let (mut message, mut token, mut quality) = (message.to_vec(), token.to_vec(), 0);
        let mut buffers =
            [buffer(sspi_h::SECBUFFER_TOKEN, &mut token), buffer(sspi_h::SECBUFFER_DATA, &mut message)];
        // SAFETY: as in `sign`.
        let status = unsafe {
            sspi_h::DecryptMessage(&self.context.unwrap(), &description(&mut buffers), 0, &mut quality)
        };
        if status == SEC_E_OK { Ok(message) } else { Err(status) }
    }
}

impl Drop for TheirClient {
    fn drop(&mut self) {
        // SAFETY: the handles came from the system, and are not used after this.
        unsafe {
            if let Some(context) = self.context {
                sspi_h::DeleteSecurityContext(&context);
            }
            sspi_h::FreeCredentialsHandle(&self.credentials);
        }
    }
}

fn buffer(kind: u32, bytes: &mut [u8]) -> sspi_h::SecBuffer {
    sspi_h::SecBuffer {
        cbBuffer: bytes.len().try_into().unwrap(),
        BufferType: kind,
        pvBuffer: bytes.as_mut_ptr().cast(),
    }
}

fn description(buffers: &mut [sspi_h::SecBuffer]) -> sspi_h::SecBufferDesc {
    sspi_h::SecBufferDesc {
        ulVersion: sspi_h::SECBUFFER_VERSION,
        cBuffers: buffers.len().try_into().unwrap(),
        pBuffers: buffers.as_mut_ptr(),
    }
}
