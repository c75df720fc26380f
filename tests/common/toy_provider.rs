//! A security package that is no protection at all, but has all that a transfer must carry: a key, and a position in a
//! keystream for each direction.

use std::any::Any;

use portable_sspi::{
    AcceptRequest, AcquireRequest, AscRet, BlobRefused, BufferType, ClientToken, ContextFlags, Credentials,
    Environment, Error, FileTime, InitializeRequest, KeyInfo, Lifespan, MalformedToken, Misuse, Names,
    NativeNames, PackageCapabilities, PackageInfo, PartialContext, PeerMisbehaved, PortableState, Problem,
    Provider, SecretArray, SecurityBuffer, SecurityContext, Sizes, Step,
};

const STATE_VERSION: u16 = 1;

/// The package. Its client's token is the session key, and that is the whole handshake.
#[derive(Debug)]
pub(crate) struct ToyProvider {
    info: &'static PackageInfo,
    /// How many bytes more than the others some states have: see [`Self::ballast`].
    large: usize,
}

impl ToyProvider {
    pub(crate) fn new(name: &'static str) -> Self {
        let info = PackageInfo {
            name,
            comment: "A package for tests",
            capabilities: PackageCapabilities::INTEGRITY,
            version: 1,
            rpc_id: 0xFFFF,
            max_token: 16,
        };
        Self { info: Box::leak(Box::new(info)), large: 0 }
    }

    /// One whose states are of two sizes: a few fill what takes many of the small ones.
    pub(crate) fn with_large_states(name: &'static str, large: usize) -> Self {
        Self { large, ..Self::new(name) }
    }

    /// What the state of a context with that key carries besides: nothing, but for every sixteenth. A text, which is copied
    /// as a whole and not byte by byte.
    fn ballast(&self, key: &SecretArray<16>) -> String {
        let large = key.expose()[0] % 16 == 0;
        if large { "x".repeat(self.large) } else { String::new() }
    }
}

impl Provider for ToyProvider {
    fn package_info(&self) -> &'static PackageInfo {
        self.info
    }

    fn acquire(&self, request: AcquireRequest) -> Result<Credentials, Error> {
        Ok(Credentials::new(self.info.name, request.credential_use))
    }

    fn initialize(
        &self,
        _: &Credentials,
        context: Option<PartialContext>,
        _: &InitializeRequest<'_>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error> {
        match context {
            None => {
                let key = environment.random::<16>()?;
                let context = PartialContext::new(self.info.name, key);
                Ok(Step::ContinueNeeded { context, token: key.to_vec() })
            }
            Some(context) => {
                let key = *context.downcast::<[u8; 16]>()?;
                Ok(Step::Complete { context: Box::new(ToyContext::new(self.info, key)), token: None })
            }
        }
    }

    fn accept(
        &self,
        _: &Credentials,
        _: Option<PartialContext>,
        request: &AcceptRequest<'_>,
        _: &Environment<'_>,
    ) -> Result<Step, Error> {
        let problem = Problem::Truncated { needed: 16, available: request.token.len() };
        let key = request.token.try_into().map_err(|_| MalformedToken::new("toy token", problem))?;
        Ok(Step::Complete { context: Box::new(ToyContext::new(self.info, key)), token: Some(b"ok".to_vec()) })
    }

    fn export_keeping_original(&self, context: &dyn SecurityContext) -> Result<PortableState, Error> {
        let context = context.as_any().downcast_ref::<ToyContext>().ok_or(Misuse::ForeignObject)?;
        let ballast = self.ballast(&context.key);
        PortableState::encode(STATE_VERSION, &(&context.key, context.sent, context.received, ballast))
    }

    fn import(&self, state: &PortableState) -> Result<Box<dyn SecurityContext>, Error> {
        let (key, sent, received, ballast) = decode(state)?;
        assert!(ballast == self.ballast(&key));
        Ok(Box::new(ToyContext { info: self.info, key, sent, received, token: token() }))
    }

    fn reset(&self, state: &PortableState) -> Result<PortableState, Error> {
        let (key, _, _, ballast) = decode(state)?;
        PortableState::encode(STATE_VERSION, &(&key, 0u32, 0u32, ballast))
    }
}

fn decode(state: &PortableState) -> Result<(SecretArray<16>, u32, u32, String), Error> {
    if state.version() != STATE_VERSION {
        return Err(BlobRefused::NewerVersion { found: state.version(), newest: STATE_VERSION }.into());
    }
    state.decode()
}

fn token() -> ClientToken {
    ClientToken::new("alice".into(), "TOY".into(), "PC".into())
}

#[derive(Debug)]
struct ToyContext {
    info: &'static PackageInfo,
    key: SecretArray<16>,
    sent: u32,
    received: u32,
    token: ClientToken,
}

impl ToyContext {
    fn new(info: &'static PackageInfo, key: [u8; 16]) -> Self {
        Self { info, key: SecretArray::new(key), sent: 0, received: 0, token: token() }
    }

    fn signature(&self, number: u32, buffers: &[SecurityBuffer<'_>]) -> [u8; 8] {
        let signed = buffers.iter().filter(|buffer| buffer.is_signed()).flat_map(|buffer| buffer.bytes());
        let sum = self
            .key
            .expose()
            .iter()
            .chain(signed)
            .fold(17u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        let mut signature = [0; 8];
        signature[..4].copy_from_slice(&number.to_le_bytes());
        signature[4..].copy_from_slice(&sum.wrapping_add(number).to_le_bytes());
        signature
    }

    fn keystream(&self, number: u32, buffers: &mut [SecurityBuffer<'_>]) {
        for byte in buffers.iter_mut().filter_map(SecurityBuffer::encrypted_mut).flatten() {
            *byte ^= self.key.expose()[0].wrapping_add(number.to_le_bytes()[0]);
        }
    }
}

impl SecurityContext for ToyContext {
    fn package_info(&self) -> &'static PackageInfo {
        self.info
    }

    fn make_signature(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        let signature = self.signature(self.sent, buffers);
        let token = buffers.iter_mut().find_map(SecurityBuffer::token_mut);
        token.ok_or(Misuse::MissingBuffer { missing: "TOKEN" })?[..8].copy_from_slice(&signature);
        self.sent += 1;
        Ok(())
    }

    fn verify_signature(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        let expected = self.signature(self.received, buffers);
        let token = buffers.iter().find(|buffer| buffer.buffer_type() == BufferType::Token);
        if token.ok_or(Misuse::MissingBuffer { missing: "TOKEN" })?.bytes() != expected {
            return Err(PeerMisbehaved::MessageAltered.into());
        }
        self.received += 1;
        Ok(())
    }

    fn encrypt(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        let number = self.sent;
        self.make_signature(buffers)?;
        self.keystream(number, buffers);
        Ok(())
    }

    fn decrypt(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        let number = self.received;
        self.keystream(number, buffers);
        let verified = self.verify_signature(buffers);
        if verified.is_err() {
            self.keystream(number, buffers);
        }
        verified
    }

    fn sizes(&self) -> Sizes {
        Sizes { max_token: 16, max_signature: 8, block_size: 0, security_trailer: 8 }
    }

    fn names(&self) -> Names {
        Names { user_name: self.token.qualified_name() }
    }

    fn native_names(&self) -> NativeNames {
        NativeNames { client_name: self.token.qualified_name(), server_name: String::new() }
    }

    fn flags(&self) -> ContextFlags {
        ContextFlags::Acceptor(AscRet::INTEGRITY | AscRet::CONFIDENTIALITY)
    }

    fn session_key(&self) -> &SecretArray<16> {
        &self.key
    }

    fn key_info(&self) -> KeyInfo {
        KeyInfo {
            signature_algorithm_name: "toy",
            encrypt_algorithm_name: "toy",
            key_size: 128,
            signature_algorithm: 0,
            encrypt_algorithm: 0,
        }
    }

    fn lifespan(&self) -> Lifespan {
        Lifespan { start: FileTime(0), expiry: FileTime::NEVER }
    }

    fn target(&self) -> Option<&str> {
        None
    }

    fn client_token(&self) -> Option<&ClientToken> {
        Some(&self.token)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send + Sync> {
        self
    }
}
