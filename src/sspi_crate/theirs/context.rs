//! An established context of the crate.

use std::any::Any;
use std::fmt;

use portable_sspi_core::{
    BufferType, ClientToken, ContextFlags, CredentialUse, Environment, Error, KeyInfo, Lifespan,
    MalformedToken, Misuse, Names, NativeNames, PackageInfo, Problem, SecretArray, SecurityBuffer,
    SecurityContext, Sizes,
};
use sspi::{EncryptionFlags, SecurityBufferFlags, SecurityBufferRef, Username, UsernameParts};
use zeroize::Zeroizing;

use super::super::error::from_sspi_error;
use super::first_16;

/// What a handshake leaves.
pub(super) struct Established<P> {
    pub(super) package: P,
    pub(super) info: &'static PackageInfo,
    pub(super) role: CredentialUse,
    pub(super) flags: ContextFlags,
    pub(super) target: Option<String>,
    pub(super) lifespan: Lifespan,
}

/// A context of the crate behind this library's trait. What can be asked of it was asked at its beginning.
pub(super) struct BridgedContext<P> {
    established: Established<P>,
    sizes: Sizes,
    names: Names,
    client_token: Option<ClientToken>,
    session_key: SecretArray<16>,
    key_bits: u32,
    /// The crate takes the numbers of signatures from its caller.
    signed: u32,
    verified: u32,
}

impl<P: sspi::Sspi> BridgedContext<P> {
    pub(super) fn new(mut established: Established<P>, environment: &Environment<'_>) -> Result<Self, Error> {
        let sizes = established.package.query_context_sizes().map_err(|error| from_sspi_error(&error))?;
        let username = established.package.query_context_names().map(|names| names.username);
        let (names, client_token) = match (username, established.role.inbound()) {
            (Ok(username), true) => (name(&username), Some(token(&username))),
            (Ok(username), false) => (name(&username), None),
            // A client knows who it is; a server that cannot say whom it accepted has accepted nobody.
            (Err(_), false) => (String::new(), None),
            (Err(error), true) => return Err(from_sspi_error(&error)),
        };
        let (session_key, key_bits) = match established.package.query_context_session_key() {
            Ok(keys) => {
                let key = keys.session_key.as_ref();
                let bits = u32::try_from(key.len().saturating_mul(8)).unwrap_or(u32::MAX);
                (first_16(key.clone()), bits)
            }
            Err(_) => (environment.random()?, 0),
        };
        Ok(Self {
            established,
            sizes: Sizes {
                max_token: sizes.max_token,
                max_signature: sizes.max_signature,
                block_size: sizes.block,
                security_trailer: sizes.security_trailer,
            },
            names: Names { user_name: names },
            client_token,
            session_key: SecretArray::new(session_key),
            key_bits,
            signed: 0,
            verified: 0,
        })
    }
}

impl<P: sspi::Sspi + Clone> BridgedContext<P> {
    /// Makes a call of the crate. If it fails, the context is as it was: the crate may have moved on its ciphers by then.
    fn attempt<T>(&mut self, call: impl FnOnce(&mut P) -> Result<T, Error>) -> Result<T, Error> {
        let before = self.established.package.clone();
        let result = call(&mut self.established.package);
        if result.is_err() {
            self.established.package = before;
        }
        result
    }

    /// EncryptMessage or DecryptMessage.
    fn transform(
        &mut self,
        buffers: &mut [SecurityBuffer<'_>],
        call: impl FnOnce(&mut P, &mut [SecurityBufferRef<'_>]) -> sspi::Result<()>,
    ) -> Result<(), Error> {
        let mut copies = Copies::of(buffers)?;
        let token = self.attempt(|package| copies.transform(|list| call(package, list)))?;
        if let (Some(to), Some((from, _))) = (
            buffers.iter_mut().find_map(SecurityBuffer::encrypted_mut),
            copies.data.iter().find(|(_, encrypted)| *encrypted),
        ) {
            to.copy_from_slice(from);
        }
        write_token(buffers, &copies.token, token);
        Ok(())
    }

    /// MakeSignature or VerifySignature. The crate's signatures cover the first DATA buffer alone, so it gets one, of all
    /// that is signed.
    fn sign(
        &mut self,
        buffers: &mut [SecurityBuffer<'_>],
        call: impl FnOnce(&mut P, &mut [SecurityBufferRef<'_>]) -> sspi::Result<()>,
    ) -> Result<(), Error> {
        let Copies { mut token, data } = Copies::of(buffers)?;
        let mut all = Zeroizing::new(Vec::with_capacity(data.iter().map(|(bytes, _)| bytes.len()).sum()));
        for (bytes, _) in &data {
            all.extend_from_slice(bytes);
        }
        let length = self.attempt(|package| {
            let mut list = [SecurityBufferRef::token_buf(&mut token), SecurityBufferRef::data_buf(&mut all)];
            call(package, &mut list).map_err(|error| from_sspi_error(&error))?;
            let [token, _] = &list;
            Ok(token.data().len())
        })?;
        write_token(buffers, &token, length);
        Ok(())
    }
}

/// Copies of a message's buffers, for the crate to work on. What fails has then left no trace in the caller's.
struct Copies {
    token: Zeroizing<Vec<u8>>,
    /// The DATA buffers that count, in their order, and whether each is encrypted.
    data: Vec<(Zeroizing<Vec<u8>>, bool)>,
}

impl Copies {
    /// # Errors
    /// [`Misuse::MissingBuffer`] without TOKEN or DATA, [`Misuse::BadBuffer`] for a second TOKEN.
    fn of(buffers: &mut [SecurityBuffer<'_>]) -> Result<Self, Error> {
        let (mut token, mut data, mut has_data) = (None, Vec::new(), false);
        for buffer in buffers {
            let bytes = Zeroizing::new(buffer.bytes().to_vec());
            match buffer.buffer_type() {
                BufferType::Token if token.is_some() => {
                    return Err(Misuse::BadBuffer { problem: "a second TOKEN buffer" }.into());
                }
                BufferType::Token => token = Some(bytes),
                BufferType::Data => {
                    has_data = true;
                    // Plain read-only buffers are no part of what is protected, which the crate does not know.
                    if buffer.is_signed() {
                        data.push((bytes, buffer.encrypted_mut().is_some()));
                    }
                }
                BufferType::Padding => {}
            }
        }
        if !has_data {
            return Err(Misuse::MissingBuffer { missing: "DATA" }.into());
        }
        let token = token.ok_or(Misuse::MissingBuffer { missing: "TOKEN" })?;
        Ok(Self { token, data })
    }

    /// Has the crate encrypt or decrypt, and tells the length that TOKEN then has. The encrypted DATA must keep its own.
    fn transform(
        &mut self,
        call: impl FnOnce(&mut [SecurityBufferRef<'_>]) -> sspi::Result<()>,
    ) -> Result<usize, Error> {
        let mut encrypted = self.data.iter().filter(|(_, encrypted)| *encrypted);
        let expected = encrypted.next().map(|(bytes, _)| bytes.len());
        if encrypted.next().is_some() {
            let problem = "a second DATA buffer to encrypt: the `sspi` crate takes one";
            return Err(Misuse::BadBuffer { problem }.into());
        }
        let mut list = vec![SecurityBufferRef::token_buf(&mut self.token)];
        for (bytes, encrypted) in &mut self.data {
            let buffer = SecurityBufferRef::data_buf(bytes);
            list.push(if *encrypted {
                buffer
            } else {
                buffer.with_flags(SecurityBufferFlags::SECBUFFER_READONLY_WITH_CHECKSUM)
            });
        }
        call(&mut list).map_err(|error| from_sspi_error(&error))?;
        let length_of = |wanted: sspi::BufferType| {
            list.iter()
                .find(|buffer| buffer.buffer_type() == wanted && buffer.buffer_flags().is_empty())
                .map(|buffer| buffer.data().len())
        };
        let found = length_of(sspi::BufferType::Data);
        if found != expected {
            // The peer split its message elsewhere than this side's trailer says.
            let (expected, found) = (expected.unwrap_or_default(), found.unwrap_or_default());
            return Err(MalformedToken::new("DATA", Problem::Length { expected, found }).into());
        }
        Ok(length_of(sspi::BufferType::Token).unwrap_or_default())
    }
}

impl<P> SecurityContext for BridgedContext<P>
where
    P: sspi::Sspi + Clone + Send + Sync + 'static,
{
    fn package_info(&self) -> &'static PackageInfo {
        self.established.info
    }

    fn make_signature(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        let number = self.signed;
        let next = number.checked_add(1).ok_or(Misuse::SequenceNumbersUsedUp)?;
        self.sign(buffers, |package, list| package.make_signature(0, list, number))?;
        self.signed = next;
        Ok(())
    }

    fn verify_signature(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        let number = self.verified;
        let next = number.checked_add(1).ok_or(Misuse::SequenceNumbersUsedUp)?;
        self.sign(buffers, |package, list| package.verify_signature(list, number).map(|_| ()))?;
        self.verified = next;
        Ok(())
    }

    fn encrypt(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        self.transform(buffers, |package, list| {
            package.encrypt_message(EncryptionFlags::empty(), list).map(|_| ())
        })
    }

    fn decrypt(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        self.transform(buffers, |package, list| package.decrypt_message(list).map(|_| ()))
    }

    fn sizes(&self) -> Sizes {
        self.sizes
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    fn native_names(&self) -> NativeNames {
        NativeNames {
            client_name: self.names.user_name.clone(),
            server_name: self.established.target.clone().unwrap_or_default(),
        }
    }

    fn flags(&self) -> ContextFlags {
        self.established.flags
    }

    fn session_key(&self) -> &SecretArray<16> {
        &self.session_key
    }

    /// The crate names no algorithms: their names are empty, and their numbers 0.
    fn key_info(&self) -> KeyInfo {
        KeyInfo {
            signature_algorithm_name: "",
            encrypt_algorithm_name: "",
            key_size: self.key_bits,
            signature_algorithm: 0,
            encrypt_algorithm: 0,
        }
    }

    fn lifespan(&self) -> Lifespan {
        self.established.lifespan
    }

    fn target(&self) -> Option<&str> {
        self.established.target.as_deref()
    }

    fn client_token(&self) -> Option<&ClientToken> {
        self.client_token.as_ref()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send + Sync> {
        self
    }
}

impl<P> fmt::Debug for BridgedContext<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BridgedContext")
            .field("package", &self.established.info.name)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Writes the token that the crate made, and shortens the caller's buffer to it.
fn write_token(buffers: &mut [SecurityBuffer<'_>], token: &[u8], length: usize) {
    let Some(buffer) = buffers.iter_mut().find(|buffer| buffer.buffer_type() == BufferType::Token) else {
        return;
    };
    for (to, from) in buffer.token_mut().into_iter().flatten().zip(token) {
        *to = *from;
    }
    buffer.truncate(length);
}

fn name(username: &Username) -> String {
    username.inner().to_owned()
}

fn token(username: &Username) -> ClientToken {
    let (user, domain) = match username.parts() {
        UsernameParts::UserPrincipalName(parts) => (parts.account_name(), parts.suffix()),
        UsernameParts::DownLevelLogonName(parts) => {
            (parts.account_name(), parts.netbios_domain().unwrap_or_default())
        }
    };
    ClientToken::new(user.to_owned(), domain.to_owned(), String::new())
}
