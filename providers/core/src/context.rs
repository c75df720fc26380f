//! Contexts: half-way through their handshake, and established.

use core::any::Any;
use core::fmt;

use crate::{
    ClientToken, ContextFlags, Error, KeyInfo, Lifespan, Misuse, Names, NativeNames, PackageInfo,
    SecretArray, SecurityBuffer, Sizes,
};

/// A context whose handshake is under way: what a `CtxtHandle` stands for after `SEC_I_CONTINUE_NEEDED`.
///
/// It goes by value into the step that continues it. A step that fails consumes it: the handshake is then over, as
/// one attempt per challenge is all that an attacker may have.
pub struct PartialContext {
    package: &'static str,
    inner: Box<dyn Any + Send + Sync>,
}

impl PartialContext {
    /// Wraps a package's own state. For implementations of [`Provider`](crate::Provider).
    #[must_use]
    pub fn new<T: Any + Send + Sync>(package: &'static str, inner: T) -> Self {
        Self { package, inner: Box::new(inner) }
    }

    /// The name of the package whose handshake it is.
    #[must_use]
    pub const fn package(&self) -> &'static str {
        self.package
    }

    /// The package's own state again. For implementations of [`Provider`](crate::Provider).
    ///
    /// # Errors
    /// [`Misuse::ForeignObject`] if another package, or the other role, made it.
    pub fn downcast<T: Any>(self) -> Result<Box<T>, Error> {
        self.inner.downcast().map_err(|_| Misuse::ForeignObject.into())
    }

    /// A look at the package's own state; `None` if another package, or the other role, made it. For implementations of
    /// [`Provider`](crate::Provider).
    #[must_use]
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        self.inner.downcast_ref()
    }
}

impl fmt::Debug for PartialContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialContext").field("package", &self.package).finish_non_exhaustive()
    }
}

/// An established context: protects messages and knows who is at its other end.
///
/// A message protected here is undone by the peer's context, in order. Both directions are independent of each other.
/// The context can be moved to and used from any thread.
///
/// # What an attacker controls
/// The bytes given to [`verify_signature`](SecurityContext::verify_signature) and
/// [`decrypt`](SecurityContext::decrypt), all of them. A message that fails leaves the context, and its own buffers, as
/// they were: it can be dropped and the next one tried.
pub trait SecurityContext: Any + Send + Sync + fmt::Debug {
    /// The package that made the context.
    fn package_info(&self) -> &'static PackageInfo;

    /// MakeSignature: writes a signature over the DATA buffers, in list order, into the TOKEN buffer.
    ///
    /// # Errors
    /// - [`Misuse::MissingBuffer`] without a TOKEN buffer, [`Misuse::BufferTooSmall`] where it is too short.
    /// - [`Misuse::SequenceNumbersUsedUp`] after the last sequence number.
    fn make_signature(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error>;

    /// VerifySignature: checks the TOKEN buffer's signature over the DATA buffers, in list order.
    ///
    /// # Errors
    /// - [`MessageAltered`](crate::PeerMisbehaved::MessageAltered) or
    ///   [`OutOfSequence`](crate::PeerMisbehaved::OutOfSequence) when the signature does not fit; nothing has changed.
    /// - [`Misuse::MissingBuffer`] without a TOKEN buffer.
    fn verify_signature(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error>;

    /// EncryptMessage: encrypts the DATA buffers that are not read-only, in place, and writes the signature over all
    /// signed ones into the TOKEN buffer.
    ///
    /// # Errors
    /// - [`Misuse::NotNegotiated`] where the context has no confidentiality.
    /// - Otherwise as [`make_signature`](SecurityContext::make_signature).
    fn encrypt(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error>;

    /// DecryptMessage: the reverse of [`encrypt`](SecurityContext::encrypt).
    ///
    /// # Errors
    /// As [`verify_signature`](SecurityContext::verify_signature). No unauthenticated plaintext is left behind: the
    /// buffers hold the ciphertext again.
    fn decrypt(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error>;

    /// The number of the next message, for the one call that follows: the `MessageSeqNo` parameter of the four functions
    /// above.
    ///
    /// Only a connectionless context (`ISC_REQ_DATAGRAM`) takes its numbers from the program; each of its messages needs
    /// one, and the call that follows uses it up, whether it succeeds or not. **Never give one number to two messages
    /// that are sent**: the number makes the message's key. A receiver refuses numbers that it has seen; the context
    /// does not keep them. Every other context counts for itself, and does nothing here.
    fn set_message_seq_no(&mut self, number: u32) {
        let _ = number;
    }

    /// `SECPKG_ATTR_SIZES`.
    fn sizes(&self) -> Sizes;

    /// `SECPKG_ATTR_NAMES`: who the client is.
    fn names(&self) -> Names;

    /// `SECPKG_ATTR_NATIVE_NAMES`: client and server in the package's own form.
    fn native_names(&self) -> NativeNames;

    /// `SECPKG_ATTR_FLAGS`.
    fn flags(&self) -> ContextFlags;

    /// `SECPKG_ATTR_SESSION_KEY`: the key that both sides share, for protocols that derive their own keys (SMB).
    fn session_key(&self) -> &SecretArray<16>;

    /// `SECPKG_ATTR_KEY_INFO`.
    fn key_info(&self) -> KeyInfo;

    /// `SECPKG_ATTR_LIFESPAN`.
    fn lifespan(&self) -> Lifespan;

    /// `SECPKG_ATTR_CLIENT_SPECIFIED_TARGET`: the service name that the client sent, authenticated by its password.
    /// `None` where it sent none or marked it as coming from an untrusted source.
    fn target(&self) -> Option<&str>;

    /// `SECPKG_ATTR_ACCESS_TOKEN`: who the authenticated client is. `None` in a client's own context.
    fn client_token(&self) -> Option<&ClientToken>;

    /// The context's own type. For implementations of [`Provider`](crate::Provider).
    fn as_any(&self) -> &dyn Any;

    /// The context's own type, by value. For implementations of [`Provider`](crate::Provider).
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send + Sync>;
}

impl dyn SecurityContext {
    /// Protects one message as a single token, signature first, ciphertext after it: the form of `GSS_Wrap` and of
    /// `SECBUFFER_STREAM`.
    ///
    /// # Errors
    /// As [`SecurityContext::encrypt`].
    pub fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let trailer = self.sizes().security_trailer as usize;
        let mut wrapped = vec![0; trailer + message.len()];
        let (token, data) = wrapped.split_at_mut(trailer);
        data.copy_from_slice(message);
        self.encrypt(&mut [SecurityBuffer::token(token), SecurityBuffer::data(data)])?;
        Ok(wrapped)
    }

    /// Undoes `wrap` in place and gives the message, which lies inside `wrapped`.
    ///
    /// # Errors
    /// As [`SecurityContext::decrypt`]; [`Misuse::BufferTooSmall`] where `wrapped` is shorter than a signature.
    pub fn unwrap<'a>(&mut self, wrapped: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        let trailer = self.sizes().security_trailer as usize;
        let available = wrapped.len();
        let Some((token, data)) = wrapped.split_at_mut_checked(trailer) else {
            return Err(Misuse::BufferTooSmall { what: "STREAM", needed: trailer, available }.into());
        };
        self.decrypt(&mut [SecurityBuffer::token(token), SecurityBuffer::data(data)])?;
        Ok(data)
    }

    /// Whether the context is of the type `T`. For implementations of [`Provider`](crate::Provider).
    #[must_use]
    pub fn is<T: Any>(&self) -> bool {
        self.as_any().is::<T>()
    }
}
