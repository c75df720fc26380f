//! The functions in both forms, A and W, with everything that a call can be told.

use core::ffi::{CStr, c_char, c_void};
use core::fmt::Display;
use core::ptr::{null, null_mut};

use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

use super::{SEALED, buffer, list, wide};

pub const INBOUND: u32 = 1;
pub const OUTBOUND: u32 = 2;

/// A handle that a call which fails must leave as it is.
pub const UNTOUCHED: SecHandle = SecHandle { lower: 0xDEAD, upper: 0xBEEF };

/// NTLM's cbMaxToken.
pub const MAX_TOKEN: usize = 2888;

/// Fails with the row, where a status is another.
#[track_caller]
pub fn status(found: u32, expected: u32, row: impl Display) {
    assert_eq!(format!("{found:08X}"), format!("{expected:08X}"), "{row}");
}

/// Which form of a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    A,
    W,
}

pub const FORMS: [Form; 2] = [Form::A, Form::W];

/// Text of one of the forms, NUL-terminated.
pub enum Text {
    Narrow(Vec<u8>),
    Wide(Vec<u16>),
}

impl Text {
    pub fn of(form: Form, text: &str) -> Self {
        match form {
            Form::A => Self::Narrow(text.bytes().chain([0]).collect()),
            Form::W => Self::Wide(wide(text)),
        }
    }

    pub fn address(&self) -> *const c_void {
        match self {
            Self::Narrow(text) => text.as_ptr().cast(),
            Self::Wide(text) => text.as_ptr().cast(),
        }
    }

    /// Characters, without the NUL.
    pub fn length(&self) -> u32 {
        let length = match self {
            Self::Narrow(text) => text.len(),
            Self::Wide(text) => text.len(),
        };
        length as u32 - 1
    }
}

/// The address of a text, or NULL.
pub fn address(text: Option<&Text>) -> *const c_void {
    text.map_or(null(), Text::address)
}

/// What an identity holds; `None` is NULL.
#[derive(Clone, Copy, Default)]
pub struct Parts<'a> {
    pub user: Option<&'a str>,
    pub domain: Option<&'a str>,
    pub password: Option<&'a str>,
    pub packages: Option<&'a str>,
}

pub const ALICE: Parts<'_> =
    Parts { user: Some("alice"), domain: Some("CORP"), password: Some("secret"), packages: None };

/// An identity in memory: the older structure, or `SEC_WINNT_AUTH_IDENTITY_EX`.
pub struct Given {
    _texts: [Option<Text>; 4],
    pub raw: AuthIdentityEx<u8>,
    is_ex: bool,
}

impl Given {
    /// Text in the given form, and flags that say so.
    pub fn plain(form: Form, parts: Parts<'_>) -> Self {
        Self::new(form, parts, false)
    }

    /// With a package list.
    pub fn ex(form: Form, parts: Parts<'_>) -> Self {
        Self::new(form, parts, true)
    }

    fn new(form: Form, parts: Parts<'_>, is_ex: bool) -> Self {
        let texts = [parts.user, parts.domain, parts.password, parts.packages]
            .map(|text| text.map(|text| Text::of(form, text)));
        let addresses = texts.each_ref().map(|text| address(text.as_ref()).cast::<u8>());
        let lengths = texts.each_ref().map(|text| text.as_ref().map_or(0, Text::length));
        let identity = AuthIdentity {
            user: addresses[0],
            user_length: lengths[0],
            domain: addresses[1],
            domain_length: lengths[1],
            password: addresses[2],
            password_length: lengths[2],
            flags: if form == Form::A { 1 } else { 2 },
        };
        let raw = AuthIdentityEx {
            version: 0x200,
            length: size_of::<AuthIdentityEx<u8>>() as u32,
            identity,
            package_list: addresses[3],
            package_list_length: lengths[3],
        };
        Self { _texts: texts, raw, is_ex }
    }

    pub fn address(&self) -> *const c_void {
        if self.is_ex { (&raw const self.raw).cast() } else { (&raw const self.raw.identity).cast() }
    }
}

impl Form {
    /// AcquireCredentialsHandle.
    pub fn acquire(
        self,
        package: &str,
        credential_use: u32,
        identity: Option<&Given>,
    ) -> Result<SecHandle, u32> {
        let identity = identity.map_or(null(), Given::address);
        self.acquire_as(None, package, credential_use, identity)
    }

    /// AcquireCredentialsHandle with pszPrincipal, and any structure.
    pub fn acquire_as(
        self,
        principal: Option<&str>,
        package: &str,
        credential_use: u32,
        identity: *const c_void,
    ) -> Result<SecHandle, u32> {
        let (principal, package) = (principal.map(|name| Text::of(self, name)), Text::of(self, package));
        let (principal, package) = (address(principal.as_ref()), package.address());
        let (mut handle, mut expiry) = (UNTOUCHED, 0);
        let (none, to, until) = (null_mut(), &raw mut handle, &raw mut expiry);
        let status = unsafe {
            match self {
                Self::A => {
                    let (principal, package) = (principal.cast(), package.cast());
                    AcquireCredentialsHandleA(
                        principal,
                        package,
                        credential_use,
                        none,
                        identity,
                        null(),
                        none,
                        to,
                        until,
                    )
                }
                Self::W => {
                    let (principal, package) = (principal.cast(), package.cast());
                    AcquireCredentialsHandleW(
                        principal,
                        package,
                        credential_use,
                        none,
                        identity,
                        null(),
                        none,
                        to,
                        until,
                    )
                }
            }
        };
        if status == 0 {
            return Ok(handle);
        }
        assert_eq!(handle, UNTOUCHED, "no handle where there are no credentials");
        Err(status as u32)
    }

    /// Text that the library gave.
    pub fn read(self, text: *const c_void) -> String {
        unsafe {
            match self {
                Self::A => CStr::from_ptr(text.cast::<c_char>()).to_str().unwrap().to_owned(),
                Self::W => {
                    let text = text.cast::<u16>();
                    let length = (0..).find(|index| *text.add(*index) == 0).unwrap();
                    String::from_utf16(core::slice::from_raw_parts(text, length)).unwrap()
                }
            }
        }
    }

    /// QueryContextAttributes.
    pub fn query<T>(self, context: &SecHandle, attribute: u32, answer: &mut T) -> u32 {
        let answer = core::ptr::from_mut(answer).cast();
        let status = unsafe {
            match self {
                Self::A => QueryContextAttributesA(context, attribute, answer),
                Self::W => QueryContextAttributesW(context, attribute, answer),
            }
        };
        status as u32
    }
}

/// How a program comes to speak NTLM without SPNEGO around it: by the package NTLM, or by Negotiate, where a client says NTLM
/// in its package list.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub form: Form,
    pub package: &'static str,
}

pub const WAYS: [Way; 4] = [
    Way { form: Form::A, package: "NTLM" },
    Way { form: Form::W, package: "NTLM" },
    Way { form: Form::A, package: "Negotiate" },
    Way { form: Form::W, package: "Negotiate" },
];

impl Way {
    /// Credentials of a client.
    pub fn client(self, parts: Parts<'_>) -> SecHandle {
        let given = match self.package {
            "Negotiate" => Given::ex(self.form, Parts { packages: Some("NTLM"), ..parts }),
            _ => Given::plain(self.form, parts),
        };
        self.form.acquire(self.package, OUTBOUND, Some(&given)).unwrap()
    }

    /// Credentials of a server that admits this account.
    pub fn server(self, parts: Parts<'_>) -> SecHandle {
        let given = Given::plain(self.form, parts);
        self.form.acquire(self.package, INBOUND, Some(&given)).unwrap()
    }

    /// Client and server, both of whom know alice.
    pub fn pair(self) -> (Peer, Peer) {
        (Peer::client(self, self.client(ALICE)), Peer::server(self, self.server(ALICE)))
    }

    /// The first leg of a client that has these credentials, without any buffer.
    pub fn leg<'a>(self, credential: &'a SecHandle) -> Leg<'a> {
        Leg {
            form: self.form,
            is_server: false,
            credential: Some(credential),
            context: None,
            in_place: false,
            target: None,
            requirements: 0,
            representation: 0x10,
            input: None,
        }
    }
}

/// One call of InitializeSecurityContext or AcceptSecurityContext. What is `None` is NULL.
#[derive(Clone, Copy)]
pub struct Leg<'a> {
    pub form: Form,
    pub is_server: bool,
    pub credential: Option<&'a SecHandle>,
    pub context: Option<&'a SecHandle>,
    /// Whether phNewContext is phContext, where there is one.
    pub in_place: bool,
    pub target: Option<&'a str>,
    pub requirements: u32,
    pub representation: u32,
    pub input: Option<&'a [SecBuffer]>,
}

/// What came of it.
#[derive(Debug)]
pub struct Answer {
    pub status: u32,
    pub context: SecHandle,
    pub attributes: u32,
}

impl Leg<'_> {
    pub fn call(&self, output: Option<&mut [SecBuffer]>) -> Answer {
        let pointer = |handle: Option<&SecHandle>| handle.map_or(null(), core::ptr::from_ref);
        let credential = pointer(self.credential);
        let target = self.target.map(|target| Text::of(self.form, target));
        let target = address(target.as_ref());
        // The library does not write to an input.
        let mut inputs = self.input.map(<[SecBuffer]>::to_vec);
        let input = inputs.as_mut().map(|buffers| list(buffers));
        let input = input.as_ref().map_or(null(), core::ptr::from_ref);
        let mut output = output.map(list);
        let output = output.as_mut().map_or(null_mut(), core::ptr::from_mut);
        let (requirements, representation) = (self.requirements, self.representation);
        let in_place = self.context.filter(|_| self.in_place);
        let before = in_place.copied().unwrap_or(UNTOUCHED);
        let (mut context, mut attributes, mut expiry) = (before, 0, 0);
        let (new, flags, until) = (&raw mut context, &raw mut attributes, &raw mut expiry);
        let old = if in_place.is_some() { new.cast_const() } else { pointer(self.context) };
        let status = unsafe {
            match (self.is_server, self.form) {
                (true, _) => AcceptSecurityContext(
                    credential,
                    old,
                    input,
                    requirements,
                    representation,
                    new,
                    output,
                    flags,
                    until,
                ),
                (false, Form::A) => {
                    let target = target.cast();
                    InitializeSecurityContextA(
                        credential,
                        old,
                        target,
                        requirements,
                        0,
                        representation,
                        input,
                        0,
                        new,
                        output,
                        flags,
                        until,
                    )
                }
                (false, Form::W) => {
                    let target = target.cast();
                    InitializeSecurityContextW(
                        credential,
                        old,
                        target,
                        requirements,
                        0,
                        representation,
                        input,
                        0,
                        new,
                        output,
                        flags,
                        until,
                    )
                }
            }
        };
        if status < 0 {
            assert_eq!(context, before, "row 25: a call that fails gives no handle");
        }
        Answer { status: status as u32, context, attributes }
    }

    /// The call with room for the longest token.
    pub fn give(&self) -> (Answer, Vec<u8>) {
        let mut token = vec![0; MAX_TOKEN];
        let mut outputs = [buffer(&mut token, SECBUFFER_TOKEN)];
        let answer = self.call(Some(&mut outputs));
        if answer.status as i32 >= 0 {
            assert_eq!(outputs[0].buffer_type, SECBUFFER_TOKEN, "row 26: it is a TOKEN still");
            assert!((outputs[0].length as usize) < MAX_TOKEN, "row 26: {} bytes", outputs[0].length);
            token.truncate(outputs[0].length as usize);
        }
        (answer, token)
    }
}

/// One side of a handshake.
pub struct Peer {
    pub way: Way,
    pub is_server: bool,
    pub credential: SecHandle,
    pub context: Option<SecHandle>,
    pub target: Option<&'static str>,
    pub requirements: u32,
    pub representation: u32,
    /// Given to each step, behind the token.
    pub bindings: Option<Vec<u8>>,
    /// What the last step said.
    pub attributes: u32,
}

impl Peer {
    pub fn client(way: Way, credential: SecHandle) -> Self {
        Self::new(way, credential, false)
    }

    pub fn server(way: Way, credential: SecHandle) -> Self {
        Self::new(way, credential, true)
    }

    fn new(way: Way, credential: SecHandle, is_server: bool) -> Self {
        Self {
            way,
            is_server,
            credential,
            context: None,
            target: None,
            requirements: if is_server { 0 } else { SEALED },
            representation: 0x10,
            bindings: None,
            attributes: 0,
        }
    }

    /// One step; no token is none, and not an empty one.
    pub fn step(&mut self, token: &[u8]) -> (u32, Vec<u8>) {
        let mut token = token.to_vec();
        let mut inputs = Vec::new();
        if !token.is_empty() {
            inputs.push(buffer(&mut token, SECBUFFER_TOKEN));
        }
        if let Some(bindings) = &mut self.bindings {
            inputs.push(buffer(bindings, SECBUFFER_CHANNEL_BINDINGS));
        }
        let leg = Leg {
            form: self.way.form,
            is_server: self.is_server,
            credential: Some(&self.credential),
            context: self.context.as_ref(),
            in_place: true,
            target: self.target,
            requirements: self.requirements,
            representation: self.representation,
            input: if inputs.is_empty() { None } else { Some(&inputs) },
        };
        let (answer, token) = leg.give();
        if answer.status as i32 >= 0 {
            if let Some(context) = self.context {
                assert_eq!(context, answer.context, "row 27: the handle is unchanged");
            }
            (self.context, self.attributes) = (Some(answer.context), answer.attributes);
        }
        (answer.status, token)
    }

    pub fn context(&self) -> SecHandle {
        self.context.unwrap()
    }
}

/// All steps but the server's last one; gives the token for it.
#[track_caller]
pub fn up_to_the_last_step(client: &mut Peer, server: &mut Peer) -> Vec<u8> {
    let way = client.way;
    let (first, negotiate) = client.step(&[]);
    status(first, 0x0009_0312, format_args!("client's first step, {way:?}"));
    let (first, challenge) = server.step(&negotiate);
    status(first, 0x0009_0312, format_args!("server's first step, {way:?}"));
    let (second, authenticate) = client.step(&challenge);
    status(second, 0, format_args!("client's second step, {way:?}"));
    authenticate
}

/// All steps, and what the server's last one says.
#[track_caller]
pub fn log_on(client: &mut Peer, server: &mut Peer) -> u32 {
    let authenticate = up_to_the_last_step(client, server);
    server.step(&authenticate).0
}
