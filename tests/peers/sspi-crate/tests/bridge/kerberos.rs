//! The crate's Kerberos in this library's table, client and server, with MIT's KDC.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use portable_sspi::sspi_crate::{KERBEROS, Package, PackageConfig};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AuthIdentity, Error, ExportOptions, InitializeRequest, IscReq, Misuse,
    SecurityBuffer, SecurityContext, Sspi, SspiConfig, Step,
};
use sspi::kerberos::ServerProperties;
use sspi::network_client::NetworkClient;
use sspi::{Kerberos, KerberosConfig, NetworkProtocol, NetworkRequest};

use crate::conversation::{PASSWORD, USER};

const REALM: &str = "CORP.EXAMPLE";
const SERVICE: [&str; 2] = ["HTTP", "srv.corp.example"];
const PATIENCE: Duration = Duration::from_secs(30);

/// A KDC of its own, on a port of this host, that lives as long as this.
struct Kdc {
    directory: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl Drop for Kdc {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

impl Kdc {
    /// `None` where MIT's programs are not installed, which is said.
    fn start() -> Option<Self> {
        let programs = ["krb5kdc", "kdb5_util", "kadmin.local"].map(program);
        let [Some(krb5kdc), Some(kdb5_util), Some(kadmin)] = programs else {
            let missing = "SKIPPED: install krb5-kdc and krb5-admin-server";
            assert!(
                std::env::var_os("PORTABLE_SSPI_REQUIRE_PEERS").is_none_or(|value| value != "1"),
                "{missing}"
            );
            eprintln!("{missing}");
            return None;
        };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut kdc = Self { directory: tempfile::tempdir().unwrap(), port, process: None };
        kdc.configure();
        kdc.run(&kdb5_util, &["create", "-s", "-r", REALM, "-P", "the master key's password"]);
        let [service, host] = SERVICE;
        let keytab = kdc.path("keytab");
        for query in [
            format!("addprinc +requires_preauth -pw {PASSWORD} {USER}"),
            format!("addprinc -randkey {service}/{host}"),
            format!("ktadd -k {} -norandkey {service}/{host}", keytab.display()),
        ] {
            kdc.run(&kadmin, &["-r", REALM, "-q", &query]);
        }
        let mut command = kdc.command(&krb5kdc);
        kdc.process = Some(command.args(["-n", "-r", REALM]).spawn().unwrap());
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "the KDC does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Some(kdc)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn configure(&self) {
        let (directory, port) = (self.directory.path().display(), self.port);
        let client = format!(
            "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n\
             [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n\
             [logging]\n kdc = FILE:{directory}/log\n default = FILE:{directory}/log\n"
        );
        std::fs::write(self.path("krb5.conf"), client).unwrap();
        let server = format!(
            "[realms]\n {REALM} = {{\n  database_name = {directory}/principal\n\
             key_stash_file = {directory}/stash\n acl_file = {directory}/acl\n\
             kdc_listen = \"\"\n kdc_tcp_listen = 127.0.0.1:{port}\n\
             supported_enctypes = aes256-cts-hmac-sha1-96:normal\n }}\n"
        );
        std::fs::write(self.path("kdc.conf"), server).unwrap();
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("KRB5_CONFIG", self.path("krb5.conf"))
            .env("KRB5_KDC_PROFILE", self.path("kdc.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn run(&self, program: &Path, arguments: &[&str]) {
        let output = self.command(program).args(arguments).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The service's key, from the file that an administrator gives to a service.
    fn service_key(&self) -> Vec<u8> {
        let keytab = std::fs::read(self.path("keytab")).unwrap();
        // Version, length of the first entry, number of parts of the name.
        let (mut at, number) = (6, |at: usize| usize::from(u16::from_be_bytes([keytab[at], keytab[at + 1]])));
        assert_eq!(keytab[..2], [5, 2]);
        let parts = number(at);
        at += 2;
        // The realm, and the parts.
        for _ in 0..=parts {
            at += 2 + number(at);
        }
        // Type of the name, time, version of the key.
        at += 4 + 4 + 1;
        assert_eq!(number(at), 18, "aes256-cts-hmac-sha1-96");
        let length = number(at + 2);
        keytab[at + 4..][..length].to_vec()
    }

    fn config(&self) -> KerberosConfig {
        KerberosConfig::new_with_kdc_url(&format!("tcp://127.0.0.1:{}", self.port), "workstation".into())
    }

    fn client(&self) -> Sspi {
        table(Package::kerberos_client(self.config(), Arc::new(Tcp)))
    }

    fn server(&self) -> Sspi {
        let (config, key) = (self.config(), self.service_key());
        let max_time_skew = Duration::from_secs(300);
        let properties = ServerProperties::new(&SERVICE, None, max_time_skew, Some(key.into())).unwrap();
        table(Package::new(PackageConfig {
            info: &KERBEROS,
            client: None,
            server: Some(Arc::new(move || {
                Kerberos::new_server_from_config(config.clone(), properties.clone())
            })),
            network: None,
        }))
    }
}

fn table(package: Package<Kerberos>) -> Sspi {
    Sspi::new(SspiConfig { packages: vec![Arc::new(package)], ..SspiConfig::default() }).unwrap()
}

/// Sends to a KDC by TCP, where the length stands before each message.
struct Tcp;

impl NetworkClient for Tcp {
    fn send(&self, request: &NetworkRequest) -> sspi::Result<Vec<u8>> {
        assert_eq!(request.protocol, NetworkProtocol::Tcp);
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, request.url.port().unwrap()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&request.data)?;
        let mut answer = vec![0; 4];
        stream.read_exact(&mut answer)?;
        let length = u32::from_be_bytes(answer[..].try_into().unwrap());
        answer.resize(4 + usize::try_from(length).unwrap(), 0);
        stream.read_exact(&mut answer[4..])?;
        Ok(answer)
    }
}

type Pair = (Box<dyn SecurityContext>, Box<dyn SecurityContext>);

fn log_on(client: &Sspi, server: &Sspi, password: &str) -> Result<Pair, Error> {
    let identity = AuthIdentity::new(USER, REALM, password);
    let outbound = client.acquire_credentials_handle("Kerberos", AcquireRequest::outbound(identity))?;
    let inbound = server.acquire_credentials_handle("Kerberos", AcquireRequest::inbound())?;
    let (target, requirements) = (SERVICE.join("/"), IscReq::MUTUAL_AUTH | IscReq::CONFIDENTIALITY);
    let (mut at_client, mut at_server) = (None, None);
    let (mut client_done, mut server_done) = (None, None);
    let mut to_client = Vec::new();
    for _ in 0..5 {
        let request = InitializeRequest {
            target_name: Some(&target),
            requirements,
            token: Some(&to_client),
            channel_bindings: None,
        };
        let to_server = match client.initialize_security_context(&outbound, at_client.take(), &request)? {
            Step::ContinueNeeded { context, token } => {
                at_client = Some(context);
                Some(token)
            }
            Step::Complete { context, token } => {
                client_done = Some(context);
                token
            }
        };
        if let Some(token) = to_server {
            let request = AcceptRequest { token: &token, ..AcceptRequest::default() };
            match server.accept_security_context(&inbound, at_server.take(), &request)? {
                Step::ContinueNeeded { context, token } => {
                    at_server = Some(context);
                    to_client = token;
                }
                Step::Complete { context, token } => {
                    server_done = Some(context);
                    to_client = token.unwrap_or_default();
                }
            }
        }
        match (client_done.take(), server_done.take()) {
            (Some(client), Some(server)) => return Ok((client, server)),
            unfinished => (client_done, server_done) = unfinished,
        }
    }
    panic!("the handshake does not end");
}

#[test]
fn client_and_server() {
    let Some(kdc) = Kdc::start() else { return };
    let (client, server) = (kdc.client(), kdc.server());
    let (mut at_client, mut at_server) = log_on(&client, &server, PASSWORD).unwrap();

    let who = at_server.client_token().unwrap();
    assert_eq!((who.user_name.as_str(), who.domain_name.to_ascii_uppercase().as_str()), (USER, REALM));
    assert_eq!(at_client.session_key().expose(), at_server.session_key().expose());
    assert_eq!(at_client.key_info().key_size, 256);
    assert_eq!(at_client.target(), Some("HTTP/srv.corp.example"));
    for length in [1000, 65_536] {
        let message = vec![0x5A; length];
        let mut wrapped = at_client.wrap(&message).unwrap();
        assert_ne!(wrapped[wrapped.len() - length..], message, "it is encrypted");
        assert_eq!(at_server.unwrap(&mut wrapped).unwrap(), message);
        let mut wrapped = at_server.wrap(&message).unwrap();
        assert_eq!(at_client.unwrap(&mut wrapped).unwrap(), message);
    }

    let mut forged = at_client.wrap(b"a message").unwrap();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let before = forged.clone();
    assert!(at_server.unwrap(&mut forged).is_err());
    assert_eq!(forged, before);

    // What the crate's Kerberos does not do is said, and ends nothing.
    let (mut data, mut token) = (*b"message", [0; 100]);
    let mut list = [SecurityBuffer::data(&mut data), SecurityBuffer::token(&mut token)];
    let error = at_client.make_signature(&mut list).unwrap_err();
    assert!(matches!(error, Error::Misuse(Misuse::NotSupported { .. })), "{error}");
    let failed = client.export_security_context(at_client, &ExportOptions::default()).unwrap_err();
    assert!(matches!(failed.error, Error::Misuse(Misuse::NotSupported { .. })), "{}", failed.error);
    let (mut at_client, mut wrapped) = (failed.context, at_server.wrap(b"still here").unwrap());
    assert_eq!(at_client.unwrap(&mut wrapped).unwrap(), b"still here");

    // The KDC does not give a ticket to who has another password, and the error says what it answered.
    let error = log_on(&client, &server, "wrong").unwrap_err();
    assert!(matches!(error, Error::LogonDenied(_) | Error::Unavailable(_)), "{error:?}");
}
