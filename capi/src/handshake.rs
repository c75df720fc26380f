//! The steps of a handshake: InitializeSecurityContext and AcceptSecurityContext.

use core::ffi::{c_char, c_void};
use std::mem;
use std::sync::Arc;

use portable_sspi::{
    AcceptRequest, AscReq, AscRet, FileTime, InitializeRequest, IscReq, IscRet, MalformedToken,
    PartialContext, Problem, SecurityStatus, Step,
};

use crate::abi::{
    SEC_E_TARGET_UNKNOWN, SECURITY_STATUS, SecBufferDesc, SecHandle, TimeStamp, ULONG, WCHAR, time_stamp,
};
use crate::buffers::{Input, Output};
use crate::context::{self, Context, TABLE, Undelivered};
use crate::credentials::{self, Credential};
use crate::export::export;
use crate::failure::{self, Failure, Result};
use crate::library;
use crate::pointer::{self, required};
use crate::text::{self, Character};

const SEC_I_CONTINUE_NEEDED: SecurityStatus = SecurityStatus::SEC_I_CONTINUE_NEEDED;

/// Where the answers of a step go.
struct Answers {
    handle: *mut SecHandle,
    flags: *mut ULONG,
    expiry: *mut TimeStamp,
}

/// A side of the handshake.
trait Side {
    /// Makes one step: the first without a context.
    fn step(&self, credential: &Credential, context: Option<PartialContext>) -> Result<Step>;

    /// The attributes while the handshake is under way: those asked for that there can be.
    fn asked(&self) -> ULONG;

    /// The attribute of a token in memory that the library gave.
    fn allocated(&self) -> ULONG;

    /// What it was given, to tell a repeated call from another.
    fn token(&self) -> &[u8];
}

struct Client<'a> {
    target_name: Option<String>,
    requirements: IscReq,
    input: Input<'a>,
}

impl Side for Client<'_> {
    fn step(&self, credential: &Credential, context: Option<PartialContext>) -> Result<Step> {
        let (provider, credentials) =
            if context.is_some() { credential.to_continue()? } else { credential.to_initialize()? };
        let request = InitializeRequest {
            target_name: self.target_name.as_deref(),
            requirements: self.requirements,
            channel_bindings: self.input.channel_bindings.as_ref(),
            token: self.input.token,
        };
        Ok(provider.initialize(credentials, context, &request, &library::environment())?)
    }

    fn asked(&self) -> ULONG {
        let possible = IscRet::REPLAY_DETECT
            | IscRet::SEQUENCE_DETECT
            | IscRet::CONFIDENTIALITY
            | IscRet::DATAGRAM
            | IscRet::CONNECTION
            | IscRet::INTEGRITY
            | IscRet::IDENTIFY
            | IscRet::NULL_SESSION;
        self.requirements.bits() & possible.bits()
    }

    fn allocated(&self) -> ULONG {
        if self.requirements.contains(IscReq::ALLOCATE_MEMORY) { IscRet::ALLOCATED_MEMORY.bits() } else { 0 }
    }

    fn token(&self) -> &[u8] {
        self.input.token.unwrap_or_default()
    }
}

struct Server<'a> {
    requirements: AscReq,
    input: Input<'a>,
}

impl Side for Server<'_> {
    fn step(&self, credential: &Credential, context: Option<PartialContext>) -> Result<Step> {
        let token = self.token();
        let (provider, credentials) =
            if context.is_some() { credential.to_continue()? } else { credential.to_accept(token)? };
        let request = AcceptRequest {
            requirements: self.requirements,
            channel_bindings: self.input.channel_bindings.as_ref(),
            token,
        };
        Ok(provider.accept(credentials, context, &request, &library::environment())?)
    }

    fn asked(&self) -> ULONG {
        let possible = AscRet::REPLAY_DETECT
            | AscRet::SEQUENCE_DETECT
            | AscRet::CONFIDENTIALITY
            | AscRet::DATAGRAM
            | AscRet::CONNECTION
            | AscRet::INTEGRITY
            | AscRet::IDENTIFY;
        self.requirements.bits() & possible.bits()
    }

    fn allocated(&self) -> ULONG {
        if self.requirements.contains(AscReq::ALLOCATE_MEMORY) { AscRet::ALLOCATED_MEMORY.bits() } else { 0 }
    }

    fn token(&self) -> &[u8] {
        self.input.token.unwrap_or_default()
    }
}

/// The first step: there is a new context if, and only if, it succeeds.
///
/// # Safety
/// The output and the answers are valid for writing, or NULL.
unsafe fn first(
    side: &impl Side,
    credential: *const SecHandle,
    output: &Output,
    answers: &Answers,
) -> Result<SecurityStatus> {
    // SAFETY: by this function's contract.
    let credential = unsafe { credentials::of_handle(credential)? };
    let handle = required(answers.handle)?;
    output.check()?;
    let (context, token) = split(side.step(&credential, None)?, credential);
    let (status, flags, expiry) = state_of(&context, side);
    let new = TABLE.insert(context).ok_or(Failure::OUT_OF_MEMORY)?;
    // SAFETY: by this function's contract.
    if let Err(failure) = unsafe { output.deliver(&token) } {
        TABLE.take(new);
        return Err(failure);
    }
    // SAFETY: by this function's contract.
    unsafe {
        pointer::write(handle, new);
        pointer::write(answers.flags, flags);
        pointer::write(answers.expiry, expiry);
    }
    Ok(status)
}

/// A later step. If it fails, the handshake is over: one attempt for each challenge.
///
/// # Safety
/// As of [`first`].
unsafe fn later(
    side: &impl Side,
    credential: *const SecHandle,
    context: SecHandle,
    output: &Output,
    answers: &Answers,
) -> Result<SecurityStatus> {
    // SAFETY: by this function's contract.
    let given = match unsafe { credentials::of_handle(credential) } {
        Ok(credential) => Some(credential),
        // The context has its own; a handle that is none is a mistake all the same.
        Err(_) if credential.is_null() => None,
        Err(failure) => return Err(failure),
    };
    let stepped = TABLE.with(context, |slot| {
        let (status, flags, expiry) = match mem::replace(slot, Context::Failed) {
            Context::Partial(partial, credential) => {
                let credential = given.unwrap_or(credential);
                let (next, token) = split(side.step(&credential, Some(partial))?, credential);
                *slot = next;
                let state = state_of(slot, side);
                // SAFETY: by this function's contract.
                if let Err(failure) = unsafe { output.deliver(&token) } {
                    let then = mem::replace(slot, Context::Failed);
                    let kept = Undelivered { step: side.token().to_vec(), token, then };
                    *slot = Context::Undelivered(Box::new(kept));
                    return Err(failure);
                }
                state
            }
            Context::Undelivered(kept) if kept.step == side.token() => {
                // SAFETY: by this function's contract.
                if let Err(failure) = unsafe { output.deliver(&kept.token) } {
                    *slot = Context::Undelivered(kept);
                    return Err(failure);
                }
                *slot = kept.then;
                state_of(slot, side)
            }
            // What is in another state stays in it.
            other => {
                *slot = other;
                return Err(Failure::new(
                    SecurityStatus::SEC_E_OUT_OF_SEQUENCE,
                    "the handshake of this context has ended; delete it and begin another",
                ));
            }
        };
        Ok((status, flags, expiry))
    });
    let (status, flags, expiry) = stepped.unwrap_or(Err(Failure::INVALID_HANDLE))?;
    // SAFETY: by this function's contract.
    unsafe {
        pointer::write(answers.handle, context);
        pointer::write(answers.flags, flags);
        pointer::write(answers.expiry, expiry);
    }
    Ok(status)
}

fn split(step: Step, credential: Arc<credentials::Shared>) -> (Context, Vec<u8>) {
    match step {
        Step::ContinueNeeded { context, token } => (Context::Partial(context, credential), token),
        Step::Complete { context, token } => {
            (Context::Established(context.into()), token.unwrap_or_default())
        }
    }
}

/// Status, attributes and expiry to be told of a context after a step.
fn state_of(context: &Context, side: &impl Side) -> (SecurityStatus, ULONG, TimeStamp) {
    match context {
        Context::Established(established) => {
            let flags = established.context.flags().bits();
            let expiry = time_stamp(established.context.lifespan().expiry);
            (SecurityStatus::SEC_E_OK, flags | side.allocated(), expiry)
        }
        _ => (SEC_I_CONTINUE_NEEDED, side.asked() | side.allocated(), time_stamp(FileTime::NEVER)),
    }
}

/// What InitializeSecurityContext is told.
struct Initialization<C> {
    credential: *const SecHandle,
    context: *const SecHandle,
    target_name: *const C,
    requirements: ULONG,
    input: *const SecBufferDesc,
    output: *mut SecBufferDesc,
    answers: Answers,
}

/// # Safety
/// Each pointer is NULL or valid for what it is for.
unsafe fn initialize<C: Character>(asked: &Initialization<C>) -> SECURITY_STATUS {
    failure::status(|| {
        let requirements = IscReq::from_bits_truncate(asked.requirements);
        // SAFETY: by this function's contract.
        unsafe {
            let target_name = text::read(asked.target_name, SEC_E_TARGET_UNKNOWN)?;
            let input = Input::read(asked.input)?;
            let output = Output::read(asked.output, requirements.contains(IscReq::ALLOCATE_MEMORY))?;
            let side = Client { target_name, requirements, input };
            if asked.context.is_null() {
                return first(&side, asked.credential, &output, &asked.answers);
            }
            let context = context::handle(asked.context)?;
            if side.input.token.is_none() {
                return Err(portable_sspi::Error::from(MalformedToken::new(
                    "TOKEN buffer",
                    Problem::Missing,
                ))
                .into());
            }
            later(&side, asked.credential, context, &output, &asked.answers)
        }
    })
}

export! {
    /// InitializeSecurityContextA: a client's step. `context` is NULL at the first one, which writes the new handle to
    /// `new_context`, and later that handle; `credential` may then be NULL.
    ///
    /// `SEC_I_CONTINUE_NEEDED` or `SEC_E_OK`, with a token in the output's TOKEN buffer, or, with `ISC_REQ_ALLOCATE_MEMORY`,
    /// in a block that FreeContextBuffer releases. Of the input, the first TOKEN and the first CHANNEL_BINDINGS buffer
    /// count.
    ///
    /// `SEC_E_BUFFER_TOO_SMALL` where there is no room for the token: nothing is lost, the same call with room gives it.
    /// After any other failure of a later step, the handshake is over, and its context is only to be deleted.
    ///
    /// # What an attacker controls
    /// The input's TOKEN, all of it.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): handles, name and input are read; the output, handle, attributes and expiry are written.
    pub unsafe fn InitializeSecurityContextA(
        credential: *const SecHandle,
        context: *const SecHandle,
        target_name: *const c_char,
        requirements: ULONG,
        _reserved1: ULONG,
        _data_representation: ULONG,
        input: *const SecBufferDesc,
        _reserved2: ULONG,
        new_context: *mut SecHandle,
        output: *mut SecBufferDesc,
        attributes: *mut ULONG,
        expiry: *mut TimeStamp,
    ) -> SECURITY_STATUS {
        let answers = Answers { handle: new_context, flags: attributes, expiry };
        let asked = Initialization { credential, context, target_name, requirements, input, output, answers };
        // SAFETY: the same contract.
        unsafe { initialize(&asked) }
    }

    /// InitializeSecurityContextW: see [`InitializeSecurityContextA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): handles, name and input are read; the output, handle, attributes and expiry are written.
    pub unsafe fn InitializeSecurityContextW(
        credential: *const SecHandle,
        context: *const SecHandle,
        target_name: *const WCHAR,
        requirements: ULONG,
        _reserved1: ULONG,
        _data_representation: ULONG,
        input: *const SecBufferDesc,
        _reserved2: ULONG,
        new_context: *mut SecHandle,
        output: *mut SecBufferDesc,
        attributes: *mut ULONG,
        expiry: *mut TimeStamp,
    ) -> SECURITY_STATUS {
        let answers = Answers { handle: new_context, flags: attributes, expiry };
        let asked = Initialization { credential, context, target_name, requirements, input, output, answers };
        // SAFETY: the same contract.
        unsafe { initialize(&asked) }
    }

    /// AcceptSecurityContext: a server's step; otherwise as [`InitializeSecurityContextA`]. The last step has no token to send,
    /// so the output may be NULL.
    ///
    /// `SEC_E_LOGON_DENIED` for every client that is not let in, whatever the reason; `SEC_E_INCOMPLETE_MESSAGE` without any
    /// input buffer.
    ///
    /// # What an attacker controls
    /// The input's TOKEN, all of it.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): handles and input are read; the output, handle, attributes and expiry are written.
    pub unsafe fn AcceptSecurityContext(
        credential: *const SecHandle,
        context: *const SecHandle,
        input: *const SecBufferDesc,
        requirements: ULONG,
        _data_representation: ULONG,
        new_context: *mut SecHandle,
        output: *mut SecBufferDesc,
        attributes: *mut ULONG,
        expiry: *mut TimeStamp,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            let requirements = AscReq::from_bits_truncate(requirements);
            let answers = Answers { handle: new_context, flags: attributes, expiry };
            // SAFETY: the same contract.
            unsafe {
                let input = Input::read(input)?;
                // A connectionless server begins, with nothing to answer to.
                let begins = context.is_null() && requirements.contains(AscReq::DATAGRAM);
                if input.is_empty && !begins {
                    return Err(Failure::new(
                        SecurityStatus::SEC_E_INCOMPLETE_MESSAGE,
                        "there is no input buffer: the client's token is missing",
                    ));
                }
                let output = Output::read(output, requirements.contains(AscReq::ALLOCATE_MEMORY))?;
                let side = Server { requirements, input };
                if context.is_null() {
                    return first(&side, credential, &output, &answers);
                }
                let context = context::handle(context)?;
                if side.input.token.is_none() {
                    let missing = MalformedToken::new("TOKEN buffer", Problem::Missing);
                    return Err(portable_sspi::Error::from(missing).into());
                }
                later(&side, credential, context, &output, &answers)
            }
        })
    }

    /// CompleteAuthToken: `SEC_E_UNSUPPORTED_FUNCTION`; no step of these packages asks for it.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read.
    pub unsafe fn CompleteAuthToken(context: *const SecHandle, _token: *mut SecBufferDesc) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            unsafe { context::with(context, |_| Err(Failure::unsupported("these packages complete no tokens"))) }
        })
    }

    /// ApplyControlToken: `SEC_E_UNSUPPORTED_FUNCTION`; it is Schannel's.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read.
    pub unsafe fn ApplyControlToken(context: *const SecHandle, _token: *mut SecBufferDesc) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            unsafe { context::with(context, |_| Err(Failure::unsupported("these packages have no control tokens"))) }
        })
    }

    /// DeleteSecurityContext: wipes and frees it, whatever state it is in.
    ///
    /// `SEC_E_INVALID_HANDLE` where the handle stands for nothing, or its context was deleted or exported before.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read.
    pub unsafe fn DeleteSecurityContext(context: *const SecHandle) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            let handle = unsafe { context::handle(context)? };
            TABLE.take(handle).map(|_| SecurityStatus::SEC_E_OK).ok_or(Failure::INVALID_HANDLE)
        })
    }

    /// SetContextAttributesA: `SEC_E_UNSUPPORTED_FUNCTION`; what can be set is Schannel's.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read.
    pub unsafe fn SetContextAttributesA(
        context: *const SecHandle,
        _attribute: ULONG,
        _value: *const c_void,
        _length: ULONG,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            unsafe { context::with(context, |_| Err(Failure::unsupported("no attribute of a context can be set"))) }
        })
    }

    /// SetContextAttributesW: see [`SetContextAttributesA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read.
    pub unsafe fn SetContextAttributesW(
        context: *const SecHandle,
        attribute: ULONG,
        value: *const c_void,
        length: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { SetContextAttributesA(context, attribute, value, length) }
    }
}
