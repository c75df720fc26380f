//! Calling the functions as a C program does.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

pub mod contexts;
pub mod forms;

pub const OK: i32 = 0;
pub const CONTINUE_NEEDED: i32 = 0x0009_0312;
pub const INVALID_HANDLE: u32 = 0x8009_0301;
pub const UNSUPPORTED_FUNCTION: u32 = 0x8009_0302;
pub const INTERNAL_ERROR: u32 = 0x8009_0304;
pub const SECPKG_NOT_FOUND: u32 = 0x8009_0305;
pub const INVALID_TOKEN: u32 = 0x8009_0308;
pub const LOGON_DENIED: u32 = 0x8009_030C;
pub const NO_CREDENTIALS: u32 = 0x8009_030E;
pub const MESSAGE_ALTERED: u32 = 0x8009_030F;
pub const OUT_OF_SEQUENCE: u32 = 0x8009_0310;
pub const CONTEXT_EXPIRED: u32 = 0x8009_0317;
pub const INCOMPLETE_MESSAGE: u32 = 0x8009_0318;
pub const BUFFER_TOO_SMALL: u32 = 0x8009_0321;

pub const SEALED: u32 = 0x1_0010;

#[track_caller]
pub fn expect(found: i32, expected: u32) {
    assert_eq!(format!("{:08X}", found as u32), format!("{expected:08X}"));
}

pub fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// An identity with its texts.
pub struct Identity {
    pub _texts: [Vec<u16>; 3],
    pub raw: AuthIdentity<u16>,
}

pub fn identity(user: &str, domain: &str, password: &str) -> Identity {
    let texts = [user, domain, password].map(wide);
    let raw = AuthIdentity {
        user: texts[0].as_ptr(),
        user_length: texts[0].len() as u32 - 1,
        domain: texts[1].as_ptr(),
        domain_length: texts[1].len() as u32 - 1,
        password: texts[2].as_ptr(),
        password_length: texts[2].len() as u32 - 1,
        flags: 2,
    };
    Identity { _texts: texts, raw }
}

pub fn acquire(package: &str, credential_use: u32, identity: Option<&Identity>) -> Result<SecHandle, u32> {
    let package = wide(package);
    let mut handle = SecHandle::default();
    let identity = identity.map_or(null(), |identity| (&raw const identity.raw).cast::<c_void>());
    let status = unsafe {
        AcquireCredentialsHandleW(
            null(),
            package.as_ptr(),
            credential_use,
            null_mut(),
            identity,
            null(),
            null_mut(),
            &raw mut handle,
            null_mut(),
        )
    };
    if status == OK { Ok(handle) } else { Err(status as u32) }
}

pub fn buffer(bytes: &mut [u8], buffer_type: u32) -> SecBuffer {
    SecBuffer { length: bytes.len() as u32, buffer_type, pointer: bytes.as_mut_ptr().cast() }
}

pub fn list(buffers: &mut [SecBuffer]) -> SecBufferDesc {
    SecBufferDesc { version: 0, count: buffers.len() as u32, buffers: buffers.as_mut_ptr() }
}

/// One side of a handshake.
pub struct Side {
    pub credential: SecHandle,
    pub context: SecHandle,
    pub begun: bool,
    pub requirements: u32,
    pub is_client: bool,
}

impl Side {
    pub fn new(credential: SecHandle, is_client: bool) -> Self {
        let requirements = if is_client { SEALED } else { 0 };
        Self { credential, context: SecHandle::default(), begun: false, requirements, is_client }
    }

    /// One step with room for a token of so many bytes.
    pub fn step_into(&mut self, input: &[u8], room: usize) -> (i32, Vec<u8>) {
        let mut input = input.to_vec();
        let mut token = vec![0; room];
        let mut inputs = [buffer(&mut input, 2)];
        let mut outputs = [buffer(&mut token, 2)];
        let (input_list, mut output_list) = (list(&mut inputs), list(&mut outputs));
        let context = if self.begun { &raw const self.context } else { null() };
        let mut attributes = 0;
        let mut new = self.context;
        let status = unsafe {
            if self.is_client {
                InitializeSecurityContextW(
                    &raw const self.credential,
                    context,
                    null(),
                    self.requirements,
                    0,
                    0x10,
                    if self.begun { &raw const input_list } else { null() },
                    0,
                    &raw mut new,
                    &raw mut output_list,
                    &raw mut attributes,
                    null_mut(),
                )
            } else {
                AcceptSecurityContext(
                    &raw const self.credential,
                    context,
                    &raw const input_list,
                    self.requirements,
                    0x10,
                    &raw mut new,
                    &raw mut output_list,
                    &raw mut attributes,
                    null_mut(),
                )
            }
        };
        if status >= 0 {
            if self.begun {
                assert_eq!(self.context, new, "row 27: the handle is unchanged");
            }
            (self.context, self.begun) = (new, true);
        }
        assert_eq!(outputs[0].buffer_type, 2, "row 26");
        token.truncate(outputs[0].length as usize);
        (status, token)
    }

    pub fn step(&mut self, input: &[u8]) -> (i32, Vec<u8>) {
        self.step_into(input, 4096)
    }
}
