//! What is printed below the table: what differs in the work.

/// About all sides, and the `sspi` crate.
pub const ALL: &str = "\
All sides: NTLMv2, extended session security, 128-bit exchanged key, sign and seal, MIC.
Times are medians; a ratio is the median of the rounds' ratios, with its quartiles. The fastest peer of a row is the one with
the smallest median. Above 1, ours is faster or smaller.
Differences in the work that remain, the sspi crate:
- its server compares no NTProofStr, ours compares it, in constant time: the peer knows a client by its MIC;
- its CHALLENGE names no server, and it checks no names, no age and no flags of the answer;
- its credentials hold the password, and both sides hash it (MD4) in each handshake; ours hold the hash;
- it derives all keys in the handshake; ours derives those of messages with the first message of each direction;
- its server is told the one account to expect; ours looks the account up;
- it compares signatures with `!=`, ours in constant time; it leaves a failed message decrypted, ours restores it;
- it has no export and no import.";

/// About gss-ntlmssp.
pub const GSS_NTLMSSP: &str = "\
Differences in the work that remain, gss-ntlmssp:
- an exported context of ours is sealed and authenticated with the host key, and each import is recorded in a file, so that
  none is imported twice; in its own the session key stands in the clear, and it imports one twice, and a changed one;
- its server reads the account's file, and looks for winbind, in each handshake; ours has the account in memory;
- gss_wrap and gss_unwrap allocate what they return and copy; ours seals and unseals in place;
- GSSAPI asks for a target name, ours has none;
- its calls go through the mechanism glue of MIT Kerberos, and its cryptography is OpenSSL's.";

/// About WinPR.
pub const WINPR: &str = "\
Differences in the work that remain, WinPR:
- its server checks the MIC, and compares the NTProofStr only where there is no MIC; ours compares both;
- it accepts an answer that names another server or drops a flag, and whatever channel bindings it is given; ours checks them;
- its server is given the NT hash of the one account, without a lookup; ours looks the account up;
- its client's credentials hold the password; ours hold the hash;
- a message that fails stays decrypted; ours restores it;
- it copies each message and allocates a dozen times for it, ours seals and unseals in place; its cryptography is OpenSSL's.";

/// About WinPR, where it refuses to sign.
pub const WINPR_SIGNS_NOT: &str = "\
- it refuses MakeSignature and VerifySignature (SEC_E_UNSUPPORTED_FUNCTION), so these rows have no times of it.";

/// About WinPR, where it refuses to export.
pub const WINPR_EXPORTS_NOT: &str = "\
- it refuses ExportSecurityContext (SEC_E_UNSUPPORTED_FUNCTION).";

/// About a quick run.
pub const QUICK: &str = "\
A quick run: it shows that the benchmarks work. Its figures mean nothing, and neither do met and missed.";
