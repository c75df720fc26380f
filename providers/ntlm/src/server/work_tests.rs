//! Failed logons take the same work whatever the cause: what an attacker could measure must not tell a right password from a
//! wrong one, nor that there is an account.

use std::sync::Arc;
use std::time::Duration;

use portable_sspi_core::{
    AcceptRequest, AcquireRequest, AuthIdentity, ChannelBindings, Clock, DenialReason, Entropy, Environment,
    Error, FileTime, InitializeRequest, IscReq, Provider, SecretArray, Step, Unavailable,
};

use crate::accounts::{MemoryAccounts, STAND_IN};
use crate::config::{ClientPolicy, NtlmConfig, ServerPolicy};
use crate::crypto::work::{DES_BLOCKS, MD5_BLOCKS};
use crate::level::LmCompatibilityLevel;
use crate::provider::Ntlm;

/// A time, and no chance.
struct Fixed(FileTime);

impl Entropy for Fixed {
    fn fill(&self, destination: &mut [u8]) -> Result<(), Unavailable> {
        destination.fill(0xAA);
        Ok(())
    }
}

impl Clock for Fixed {
    fn now(&self) -> FileTime {
        self.0
    }
}

/// A logon that fails. All names of a kind are equally long, so that no length makes a difference.
#[derive(Clone)]
struct Case {
    identity: fn(&str) -> AuthIdentity,
    user: &'static str,
    level: LmCompatibilityLevel,
    client_binding: u8,
    server_binding: Option<u8>,
    target_name: &'static str,
    policy: ServerPolicy,
    /// What happens to the CHALLENGE on its way, and to the AUTHENTICATE.
    changes: [fn(&mut [u8]); 2],
    seconds: u64,
}

fn right(user: &str) -> AuthIdentity {
    AuthIdentity::new(user, "CORP", "secret")
}

fn nothing(_: &mut [u8]) {}

impl Default for Case {
    fn default() -> Self {
        Self {
            identity: right,
            user: "alice",
            level: LmCompatibilityLevel::Level5,
            client_binding: 1,
            server_binding: None,
            target_name: "HTTP/files",
            policy: ServerPolicy { level: LmCompatibilityLevel::Level4, ..ServerPolicy::default() },
            changes: [nothing; 2],
            seconds: 0,
        }
    }
}

impl Case {
    /// The cause, as the server's own log has it, and the blocks of MD5 and DES that the server's last step took.
    fn fails(&self) -> (DenialReason, (usize, usize)) {
        let mut accounts = MemoryAccounts::new();
        accounts.add("alice", "CORP", "secret");
        accounts.add("νίκος", "CORP", "secret");
        let ntlm = Ntlm::new(NtlmConfig {
            accounts: Some(Arc::new(accounts)),
            server_policy: self.policy.clone(),
            client_policy: ClientPolicy { level: self.level, ..ClientPolicy::default() },
            ..NtlmConfig::default()
        });
        let start = Fixed(FileTime::from_unix_seconds(1_800_000_000));
        let environment = Environment::new(&start, &start);
        let bindings = |certificate| ChannelBindings::tls_server_end_point(&[certificate; 32]);
        let (of_client, of_server) = (bindings(self.client_binding), self.server_binding.map(bindings));
        let request = InitializeRequest {
            requirements: IscReq::CONFIDENTIALITY,
            target_name: Some(self.target_name),
            channel_bindings: (self.client_binding != 0).then_some(&of_client),
            ..InitializeRequest::default()
        };
        let accept =
            |token| AcceptRequest { token, channel_bindings: of_server.as_ref(), ..AcceptRequest::default() };

        let client = ntlm.acquire(AcquireRequest::outbound((self.identity)(self.user))).unwrap();
        let server = ntlm.acquire(AcquireRequest::inbound()).unwrap();
        let Step::ContinueNeeded { context: at_client, token: negotiate } =
            ntlm.initialize(&client, None, &request, &environment).unwrap()
        else {
            panic!("no NEGOTIATE");
        };
        let Step::ContinueNeeded { context: at_server, token: mut challenge } =
            ntlm.accept(&server, None, &accept(&negotiate), &environment).unwrap()
        else {
            panic!("no CHALLENGE");
        };
        let [change_challenge, change_authenticate] = self.changes;
        change_challenge(&mut challenge);
        let request = InitializeRequest { token: Some(&challenge), ..request };
        let Step::Complete { token: Some(mut authenticate), .. } =
            ntlm.initialize(&client, Some(at_client), &request, &environment).unwrap()
        else {
            panic!("no AUTHENTICATE");
        };
        change_authenticate(&mut authenticate);
        let end = Fixed(FileTime(environment.now().0 + self.seconds * 10_000_000));
        MD5_BLOCKS.set(0);
        DES_BLOCKS.set(0);
        let result =
            ntlm.accept(&server, Some(at_server), &accept(&authenticate), &Environment::new(&end, &end));
        match result {
            Err(Error::LogonDenied(denied)) => (denied.audit_reason(), (MD5_BLOCKS.get(), DES_BLOCKS.get())),
            other => panic!("{other:?}"),
        }
    }
}

fn wrong(user: &str) -> AuthIdentity {
    AuthIdentity::new(user, "CORP", "wrong!")
}

fn other_domain(user: &str) -> AuthIdentity {
    AuthIdentity::new(user, "ELSE", "secret")
}

/// The hash that stands in for a missing account is no secret: who computes with it must not end the search early.
fn stand_in(user: &str) -> AuthIdentity {
    AuthIdentity::with_nt_hash(user, "CORP", SecretArray::new(STAND_IN))
}

/// Gives the server another NetBIOS name in the CHALLENGE, as if another had sent it.
fn of_another_server(challenge: &mut [u8]) {
    let name = b"L\0O\0C\0A\0L\0H\0O\0S\0T\0";
    let last = challenge.windows(name.len()).rposition(|window| window == name).unwrap();
    challenge[last] = b'F';
}

fn with_a_bit_of_the_mic_flipped(authenticate: &mut [u8]) {
    authenticate[80] ^= 4;
}

#[test]
fn failed_logons_take_the_same_work_whatever_the_cause() {
    use DenialReason as R;
    let case = Case::default;
    let spns = |spns: &[&str], require_spn| ServerPolicy {
        accepted_spns: spns.iter().map(|spn| (*spn).to_owned()).collect(),
        require_spn,
        ..case().policy
    };
    let cases = [
        (R::BadNtResponse, Case { identity: wrong, ..case() }),
        (R::UnknownAccount, Case { user: "wally", ..case() }),
        (R::UnknownAccount, Case { user: "wally", identity: wrong, ..case() }),
        (R::UnknownAccount, Case { user: "wally", identity: stand_in, ..case() }),
        (R::UnknownAccount, Case { identity: other_domain, ..case() }),
        (R::TargetInfoMismatch, Case { changes: [of_another_server, nothing], ..case() }),
        (R::MicMismatch, Case { changes: [nothing, with_a_bit_of_the_mic_flipped], ..case() }),
        (R::ChannelBindingsMismatch, Case { server_binding: Some(2), ..case() }),
        (R::ChannelBindingsMissing, Case { server_binding: Some(2), client_binding: 0, ..case() }),
        (R::TargetNameMismatch, Case { policy: spns(&["HTTP/other"], false), ..case() }),
        (R::TimeSkew, Case { seconds: 3600, ..case() }),
    ];
    let (_, expected) = cases[0].1.fails();
    for (reason, case) in cases {
        // The bindings of the server are hashed before anything is looked at.
        let of_bindings = if case.server_binding.is_some() { 2 } else { 0 };
        let (found, (md5, des)) = case.fails();
        assert_eq!((found, (md5 - of_bindings, des)), (reason, expected));
    }

    // A name that the tables for upper case map differently has more to be tried, right or wrong.
    let user = "νίκος";
    let (_, with_both_tables) = Case { user, identity: wrong, ..case() }.fails();
    assert!(with_both_tables.0 > expected.0);
    assert_eq!(Case { user: "πέτρος", ..case() }.fails().0, R::UnknownAccount);
    assert_eq!(Case { user, seconds: 3600, ..case() }.fails(), (R::TimeSkew, with_both_tables));
}

#[test]
fn failed_logons_by_ntlmv1_take_the_same_work() {
    use DenialReason as R;
    let case = || Case { level: LmCompatibilityLevel::Level2, client_binding: 0, ..Case::default() };
    let spns =
        ServerPolicy { accepted_spns: vec!["HTTP/files".to_owned()], require_spn: true, ..case().policy };
    let cases = [
        (R::BadNtResponse, Case { identity: wrong, ..case() }),
        (R::UnknownAccount, Case { user: "wally", ..case() }),
        (R::UnknownAccount, Case { user: "wally", identity: stand_in, ..case() }),
        (R::TargetNameMissing, Case { policy: spns, ..case() }),
        (
            R::TimeSkew,
            Case {
                policy: ServerPolicy { maximum_challenge_age: Duration::ZERO, ..case().policy },
                seconds: 1,
                ..case()
            },
        ),
    ];
    let (_, expected) = cases[0].1.fails();
    assert!(expected.1 > 0, "no DES");
    for (reason, case) in cases {
        assert_eq!(case.fails(), (reason, expected));
    }
}
