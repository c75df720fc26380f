//! The signature of a context that has no message protection, [MS-NLMP] 3.4.4.3. **It protects nothing**: it is the same
//! for every message of every session, and its context says that it has no integrity.

use portable_sspi_core::{Error, MalformedToken, PeerMisbehaved, Problem, SecurityBuffer};

use crate::session::buffers::{self, SIGNATURE_LENGTH};

/// Version 1, and nothing else.
// MS-NLMP:3.4.4.3-dummy
const SIGNATURE: [u8; SIGNATURE_LENGTH] = 1u128.to_le_bytes();

/// MakeSignature. No sequence number is used up.
pub(super) fn sign(buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
    let token = buffers::token_to_write(buffers)?;
    buffers::write_token(buffers, token, SIGNATURE);
    Ok(())
}

/// VerifySignature: by the same rule, whatever the message.
pub(super) fn verify(buffers: &[SecurityBuffer<'_>]) -> Result<(), Error> {
    let token = buffers::received_token(buffers)?;
    if token.len() != SIGNATURE_LENGTH {
        let problem = Problem::Length { expected: SIGNATURE_LENGTH, found: token.len() };
        return Err(MalformedToken::new("NTLMSSP_MESSAGE_SIGNATURE", problem).into());
    }
    if token == SIGNATURE { Ok(()) } else { Err(PeerMisbehaved::MessageAltered.into()) }
}
