//! A package of the crate's traits that does what a real one does seldom: it asks for the network in each step, ends in
//! each status, and accepts.

use std::sync::{Arc, Mutex};

use portable_sspi::sspi_crate::{Package, PackageConfig};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AuthIdentity, Error, FileTime, InitializeRequest, Misuse,
    PackageCapabilities, PackageInfo, Sspi, SspiConfig, Step, Unavailable,
};
use sspi::builders::{
    ChangePassword, FilledAcceptSecurityContext, FilledAcquireCredentialsHandle,
    FilledInitializeSecurityContext,
};
use sspi::generator::{
    GeneratorAcceptSecurityContext, GeneratorChangePassword, GeneratorInitSecurityContext, NetworkRequest,
};
use sspi::network_client::NetworkClient;
use sspi::{
    AcceptSecurityContextResult, AcquireCredentialsHandleResult, CertTrustStatus, ClientResponseFlags,
    ContextNames, ContextSizes, DecryptionFlags, EncryptionFlags, ErrorKind, InitializeSecurityContextResult,
    NetworkProtocol, SecurityBuffer, SecurityBufferRef, SecurityStatus, ServerResponseFlags, SspiImpl,
};

static INFO: PackageInfo = PackageInfo {
    name: "Scripted",
    comment: "",
    capabilities: PackageCapabilities::PRIVACY,
    version: 1,
    rpc_id: 0xFFFF,
    max_token: 100,
};

/// Ends its steps in the statuses given, and does nothing else.
#[derive(Clone)]
struct Scripted {
    statuses: Vec<SecurityStatus>,
    completed: bool,
    client: Option<String>,
}

type Handle = Option<String>;

impl Scripted {
    fn status(&mut self) -> SecurityStatus {
        self.statuses.remove(0)
    }
}

fn wanted(data: &[u8]) -> NetworkRequest {
    let config = sspi::KerberosConfig::new_with_kdc_url("tcp://kdc.corp.example:88", String::new());
    let url = config.get_kdc_url("").unwrap();
    NetworkRequest { protocol: NetworkProtocol::Tcp, url, data: data.to_vec() }
}

impl SspiImpl for Scripted {
    type CredentialsHandle = Handle;
    type AuthenticationData = sspi::AuthIdentity;

    fn acquire_credentials_handle_impl(
        &mut self,
        builder: FilledAcquireCredentialsHandle<'_, Handle, sspi::AuthIdentity>,
    ) -> sspi::Result<AcquireCredentialsHandleResult<Handle>> {
        let credentials_handle = builder.auth_data.map(|identity| identity.username.inner().to_owned());
        Ok(AcquireCredentialsHandleResult { credentials_handle, expiry: None })
    }

    fn initialize_security_context_impl<'ctx, 'b, 'g>(
        &'ctx mut self,
        builder: &'b mut FilledInitializeSecurityContext<'ctx, 'ctx, Handle>,
    ) -> sspi::Result<GeneratorInitSecurityContext<'g>>
    where
        'ctx: 'g,
        'b: 'g,
    {
        Ok(GeneratorInitSecurityContext::new(move |mut caller| async move {
            let token = builder.input.as_ref().unwrap()[0].buffer.clone();
            let first = caller.suspend(wanted(&token)).await?;
            let second = caller.suspend(wanted(&first)).await?;
            builder.output[0].buffer = second;
            let flags = ClientResponseFlags::CONFIDENTIALITY;
            let expiry = Some(time::OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap());
            Ok(InitializeSecurityContextResult { status: self.status(), flags, expiry })
        }))
    }

    fn accept_security_context_impl<'a>(
        &'a mut self,
        builder: FilledAcceptSecurityContext<'a, Handle>,
    ) -> sspi::Result<GeneratorAcceptSecurityContext<'a>> {
        Ok(GeneratorAcceptSecurityContext::new(move |mut caller| async move {
            let token = builder.input.unwrap()[0].buffer.clone();
            builder.output[0].buffer = caller.suspend(wanted(&token)).await?;
            self.client = String::from_utf8(token).ok();
            let flags = ServerResponseFlags::CONFIDENTIALITY;
            Ok(AcceptSecurityContextResult { status: self.status(), flags, expiry: None })
        }))
    }
}

fn nothing<T>() -> sspi::Result<T> {
    Err(sspi::Error::new(ErrorKind::UnsupportedFunction, "scripted"))
}

impl sspi::Sspi for Scripted {
    fn complete_auth_token(&mut self, token: &mut [SecurityBuffer]) -> sspi::Result<SecurityStatus> {
        token[0].buffer.extend(b" completed");
        self.completed = true;
        Ok(SecurityStatus::Ok)
    }
    fn encrypt_message(
        &mut self,
        _: EncryptionFlags,
        _: &mut [SecurityBufferRef<'_>],
    ) -> sspi::Result<SecurityStatus> {
        nothing()
    }
    fn make_signature(&mut self, _: u32, _: &mut [SecurityBufferRef<'_>], _: u32) -> sspi::Result<()> {
        nothing()
    }
    fn verify_signature(&mut self, _: &mut [SecurityBufferRef<'_>], _: u32) -> sspi::Result<u32> {
        nothing()
    }
    /// Gives back less than came.
    fn decrypt_message(&mut self, list: &mut [SecurityBufferRef<'_>]) -> sspi::Result<DecryptionFlags> {
        let data = SecurityBufferRef::find_buffer_mut(list, sspi::BufferType::Data)?;
        data.write_data(b"x")?;
        Ok(DecryptionFlags::empty())
    }
    fn query_context_sizes(&mut self) -> sspi::Result<ContextSizes> {
        Ok(ContextSizes { max_token: 1, max_signature: 2, block: 3, security_trailer: 4 })
    }
    fn query_context_names(&mut self) -> sspi::Result<ContextNames> {
        match &self.client {
            Some(client) => Ok(ContextNames { username: sspi::Username::parse(client)? }),
            None => nothing(),
        }
    }
    fn query_context_package_info(&mut self) -> sspi::Result<sspi::PackageInfo> {
        nothing()
    }
    fn query_context_cert_trust_status(&mut self) -> sspi::Result<CertTrustStatus> {
        nothing()
    }
    fn change_password<'a>(&'a mut self, _: ChangePassword<'a>) -> sspi::Result<GeneratorChangePassword<'a>> {
        nothing()
    }
}

/// Answers with what was sent and an exclamation mark, until told not to.
#[derive(Default)]
struct Network {
    sent: Mutex<Vec<Vec<u8>>>,
    down: bool,
}

impl NetworkClient for Network {
    fn send(&self, request: &NetworkRequest) -> sspi::Result<Vec<u8>> {
        assert_eq!(request.url.as_str(), "tcp://kdc.corp.example:88");
        self.sent.lock().unwrap().push(request.data.clone());
        if self.down {
            return Err(sspi::Error::new(ErrorKind::NoAuthenticatingAuthority, "the KDC does not answer"));
        }
        Ok([request.data.as_slice(), b"!"].concat())
    }
}

fn table(statuses: &[SecurityStatus], network: Option<Arc<Network>>) -> Sspi {
    let statuses = statuses.to_vec();
    let make: portable_sspi::sspi_crate::Make<Scripted> =
        Arc::new(move || Ok(Scripted { statuses: statuses.clone(), completed: false, client: None }));
    let package = Package::new(PackageConfig {
        info: &INFO,
        client: Some(make.clone()),
        server: Some(make),
        network: network.map(|network| network as Arc<dyn NetworkClient>),
    });
    Sspi::new(SspiConfig { packages: vec![Arc::new(package)], ..SspiConfig::default() }).unwrap()
}

fn initialize(sspi: &Sspi, token: &[u8]) -> Result<Step, Error> {
    let identity = AuthIdentity::new("alice", "CORP", "secret");
    let credentials = sspi.acquire_credentials_handle("Scripted", AcquireRequest::outbound(identity))?;
    let request = InitializeRequest { token: Some(token), ..InitializeRequest::default() };
    sspi.initialize_security_context(&credentials, None, &request)
}

fn accept(sspi: &Sspi, token: &[u8]) -> Result<Step, Error> {
    let credentials = sspi.acquire_credentials_handle("Scripted", AcquireRequest::inbound())?;
    sspi.accept_security_context(&credentials, None, &AcceptRequest { token, ..AcceptRequest::default() })
}

#[test]
fn a_step_gets_what_it_asks_of_the_network() {
    let network = Arc::new(Network::default());
    let sspi = table(&[SecurityStatus::Ok], Some(network.clone()));
    let Step::Complete { mut context, token } = initialize(&sspi, b"token").unwrap() else {
        panic!("not done")
    };
    assert_eq!(token.unwrap(), b"token!!");
    assert_eq!(*network.sent.lock().unwrap(), [b"token".to_vec(), b"token!".to_vec()]);
    assert_eq!(context.flags().bits(), 0x10);
    assert_eq!(context.lifespan().expiry, FileTime::from_unix_seconds(1_900_000_000));
    assert_eq!(context.sizes().security_trailer, 4);
    assert_eq!(context.names().user_name, "", "the package does not say");
    assert_ne!(context.session_key().expose(), &[0; 16], "without a key, a random one");

    // Decrypting that changes the length, and what is not there: errors, and nothing changed.
    let mut message = *b"1234message";
    assert!(matches!(context.unwrap(&mut message), Err(Error::Malformed(_))));
    assert_eq!(&message, b"1234message");
    assert!(matches!(context.wrap(b"message"), Err(Error::Misuse(Misuse::NotSupported { .. }))));
}

#[test]
fn without_a_network_it_says_what_it_wanted() {
    let error = initialize(&table(&[SecurityStatus::Ok], None), b"token").unwrap_err();
    assert!(matches!(error, Error::Unavailable(Unavailable::Authority { .. })), "{error}");
    assert!(error.to_string().contains("tcp://kdc.corp.example:88"), "{error}");
    let down = Network { down: true, ..Network::default() };
    let error = accept(&table(&[SecurityStatus::Ok], Some(Arc::new(down))), b"token").unwrap_err();
    assert!(error.to_string().contains("the KDC does not answer"), "{error}");
}

#[test]
fn each_status_is_followed() {
    use SecurityStatus as S;
    let network = Arc::new(Network::default());
    for (status, continues, completes) in [
        (S::Ok, false, false),
        (S::CompleteNeeded, false, true),
        (S::ContinueNeeded, true, false),
        (S::CompleteAndContinue, true, true),
    ] {
        let sspi = table(&[status], Some(network.clone()));
        for (step, sent) in [(initialize(&sspi, b"t"), "t!!"), (accept(&sspi, b"t"), "t!")] {
            let expected = format!("{sent}{}", if completes { " completed" } else { "" });
            match step.unwrap() {
                Step::ContinueNeeded { token, .. } if continues => assert_eq!(token, expected.as_bytes()),
                Step::Complete { token: Some(token), .. } if !continues => {
                    assert_eq!(token, expected.as_bytes());
                }
                step => panic!("{status:?}: {step:?}"),
            }
        }
    }
    for status in [S::LocalLogon, S::IncompleteCredentials, S::Renegotiate, S::ContextExpired] {
        let error = initialize(&table(&[status], Some(network.clone())), b"t").unwrap_err();
        assert!(matches!(error, Error::Misuse(Misuse::NotSupported { .. })), "{status:?}: {error}");
    }
}

#[test]
fn a_server_says_whom_it_accepted() {
    let network = Arc::new(Network::default());
    for (name, user, domain) in [
        (r"CORP\alice", "alice", "CORP"),
        ("alice@corp.example", "alice", "corp.example"),
        ("alice", "alice", ""),
    ] {
        let sspi = table(&[SecurityStatus::Ok], Some(network.clone()));
        let Step::Complete { context, .. } = accept(&sspi, name.as_bytes()).unwrap() else {
            panic!("not done")
        };
        let client = context.client_token().unwrap();
        assert_eq!((client.user_name.as_str(), client.domain_name.as_str()), (user, domain));
        assert_eq!(context.names().user_name, name);
    }
    // One that cannot say it has accepted nobody.
    let sspi = table(&[SecurityStatus::Ok], Some(network));
    assert!(accept(&sspi, &[0xFF]).is_err());
}
