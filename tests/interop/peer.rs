//! Peers: programs that are driven by lines, by the protocol that `gss_peer.c` describes.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{env, thread};

/// How long a peer may take for an answer. It needs milliseconds; a machine under load needs patience.
const PATIENCE: Duration = Duration::from_secs(60);

/// An implementation that there is a program for.
#[derive(Debug)]
pub(crate) struct Implementation {
    /// As the table in docs/interoperability.md calls it.
    pub(crate) name: &'static str,
    /// The version that is installed.
    pub(crate) version: String,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
    /// What its client is like.
    pub(crate) client: ClientTraits,
    /// What its server is like.
    pub(crate) server: ServerTraits,
}

/// What a peer's client can do. The scenarios assert each of these, so that none outlives a release that changes it.
#[derive(Debug)]
pub(crate) struct ClientTraits {
    /// Whether it protects the three messages by a MIC.
    pub(crate) mic: Mic,
    /// The SPN that it asks for when it is told [`TARGET`](crate::TARGET); `None`: it names none.
    pub(crate) spn: Option<&'static str>,
    /// Whether channel bindings can be given to it.
    pub(crate) bindings: bool,
    /// What it does with messages.
    pub(crate) protection: Protection,
}

/// What a peer's server can do.
#[derive(Debug)]
pub(crate) struct ServerTraits {
    /// Whether it refuses a MIC that does not fit.
    pub(crate) checks_mic: bool,
    /// Which channel bindings of a client it refuses when it has its own.
    pub(crate) bindings: ServerBindings,
    /// What it does with messages.
    pub(crate) protection: Protection,
}

/// When a client sends a MIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mic {
    Always,
    /// When it is told that it is below SPNEGO.
    OnRequest,
    Never,
}

/// Which bindings a server refuses.
#[allow(dead_code, reason = "not every test program has a peer of each kind")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerBindings {
    /// It knows none.
    Unknown,
    /// Others than its own; a client without any is admitted.
    RefusesOthers,
    /// Others than its own; so is a client that sends the zero hash, which stands for none.
    RefusesOthersAndNone,
}

/// What becomes of messages in an established context.
#[allow(dead_code, reason = "not every test program has a peer of each kind")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// It seals and signs, in any order.
    Mixed,
    /// It seals or signs: the two count the messages separately, so that one context can do only one of them.
    Separate,
    /// It has no function for it, but negotiates it and gives the key, for the caller to do it.
    KeyOnly,
    /// It negotiates signing, which it has no function for, and no sealing.
    SigningKeyOnly,
}

impl Implementation {
    /// Starts one as a client.
    pub(crate) fn client(&self) -> Peer {
        Peer::spawn(&self.command, None)
    }

    /// Starts one as a server; `accounts` is the file of `domain:user:password` lines that it knows.
    pub(crate) fn server(&self, accounts: &Path) -> Peer {
        let mut peer = Peer::spawn(&self.command, Some(accounts));
        peer.accept();
        peer
    }
}

/// What is known of a peer on this machine: itself, or what is missing.
pub(crate) type Found = Result<Implementation, String>;

/// What was found. `None`, loudly, where something of the peer is missing; a failure where
/// `PORTABLE_SSPI_REQUIRE_PEERS=1` says that it must be there.
pub(crate) fn require<'a, T>(name: &str, found: &'a Result<T, String>) -> Option<&'a T> {
    match found {
        Ok(found) => Some(found),
        Err(missing) => {
            let required = env::var("PORTABLE_SSPI_REQUIRE_PEERS").is_ok_and(|value| value == "1");
            assert!(!required, "{name} is required and not there: {missing}");
            // Not eprintln!, which the test harness captures.
            io::stderr()
                .write_all(format!("SKIPPED: no test against {name}: {missing}\n").as_bytes())
                .unwrap();
            None
        }
    }
}

/// What a program prints on its standard output.
pub(crate) fn tool_output(command: &mut Command) -> Result<String, String> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{tool}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{tool}: {}", errors.trim().lines().last().unwrap_or_default()))
    }
}

/// What the peer's mechanism refused.
#[derive(Debug)]
pub(crate) struct PeerError {
    /// The major status of GSSAPI, or some other number for peers without; 0 where the program itself refused a command.
    pub(crate) major: u32,
    /// The major and the mechanism's minor status as text, the latter's number in front.
    pub(crate) text: String,
}

impl PeerError {
    /// Whether it is `GSS_S_BAD_MIC`: a signature that does not fit.
    pub(crate) const fn is_bad_mic(&self) -> bool {
        self.major == 6 << 16
    }
}

/// What a step gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PeerStep {
    /// The handshake goes on.
    Token(Vec<u8>),
    /// The peer is done; there may be a last token.
    Done(Option<Vec<u8>>),
}

impl PeerStep {
    /// The token to send on, whichever the step.
    pub(crate) fn token(self) -> Vec<u8> {
        match self {
            Self::Token(token) | Self::Done(Some(token)) => token,
            Self::Done(None) => panic!("the peer has no token to send"),
        }
    }
}

/// A running peer, for one context.
#[derive(Debug)]
pub(crate) struct Peer {
    process: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Peer {
    fn spawn(command: &[OsString], accounts: Option<&Path>) -> Self {
        let (program, arguments) = command.split_first().unwrap();
        let mut command = Command::new(program);
        command.args(arguments);
        // What the machine's own configuration says must not change what is tested.
        for variable in ["NTLM_USER_FILE", "NTLMUSER", "LM_COMPAT_LEVEL", "NETBIOS_DOMAIN_NAME"] {
            command.env_remove(variable);
        }
        command.env("NETBIOS_COMPUTER_NAME", "PEER");
        // A test leaves nothing in the source tree.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(accounts) = accounts {
            command.env("NTLM_USER_FILE", accounts);
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let commands = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { process, commands, answers }
    }

    /// What the next context shall ask for, by GSSAPI's names in small letters: `integ`, `conf`, ...
    pub(crate) fn request(&mut self, flags: &[&str]) {
        self.ask(&format!("request {}", flags.join(" "))).unwrap();
    }

    /// The application data of the channel bindings.
    pub(crate) fn bindings(&mut self, application_data: &[u8]) -> Result<(), PeerError> {
        self.ask(&format!("bindings {}", hex(application_data))).map(drop)
    }

    /// A client's first step: gives NEGOTIATE_MESSAGE. `target` is a host-based service, `HTTP@host`, or empty.
    pub(crate) fn initiate(
        &mut self,
        user: &str,
        domain: &str,
        password: &str,
        target: &str,
    ) -> Result<Vec<u8>, PeerError> {
        let words = [user, domain, password, target].map(|word| if word.is_empty() { "-" } else { word });
        Ok(bytes_after("token", &self.ask(&format!("initiate {}", words.join(" ")))?))
    }

    /// Lets a client that has made its first token protect the messages by a MIC, as SPNEGO tells it.
    pub(crate) fn protect_by_mic(&mut self) -> Result<(), PeerError> {
        self.ask("mic").map(drop)
    }

    fn accept(&mut self) {
        self.ask("accept").unwrap();
    }

    /// Hands it our token.
    pub(crate) fn step(&mut self, token: &[u8]) -> Result<PeerStep, PeerError> {
        let answer = self.ask(&format!("step {}", hex(token)))?;
        Ok(match answer.as_str() {
            "done" => PeerStep::Done(None),
            done if done.starts_with("done ") => PeerStep::Done(Some(bytes_after("done", done))),
            token => PeerStep::Token(bytes_after("token", token)),
        })
    }

    /// GSS_Wrap, with confidentiality.
    pub(crate) fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, PeerError> {
        Ok(bytes_after("data", &self.ask(&format!("wrap {}", hex(message)))?))
    }

    /// GSS_Unwrap.
    pub(crate) fn unwrap(&mut self, wrapped: &[u8]) -> Result<Vec<u8>, PeerError> {
        Ok(bytes_after("data", &self.ask(&format!("unwrap {}", hex(wrapped)))?))
    }

    /// GSS_GetMIC.
    pub(crate) fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, PeerError> {
        Ok(bytes_after("data", &self.ask(&format!("sign {}", hex(message)))?))
    }

    /// GSS_VerifyMIC.
    pub(crate) fn verify(&mut self, message: &[u8], mic: &[u8]) -> Result<(), PeerError> {
        self.ask(&format!("verify {} {}", hex(message), hex(mic))).map(drop)
    }

    /// The client's name.
    pub(crate) fn name(&mut self) -> String {
        self.ask("name").unwrap().strip_prefix("name ").unwrap().to_owned()
    }

    /// The session key.
    pub(crate) fn key(&mut self) -> Vec<u8> {
        bytes_after("data", &self.ask("key").unwrap())
    }

    /// The flags of its context, as for [`request`](Self::request).
    pub(crate) fn flags(&mut self) -> Vec<String> {
        self.ask("flags").unwrap().split(' ').skip(1).map(str::to_owned).collect()
    }

    fn ask(&mut self, command: &str) -> Result<String, PeerError> {
        let commands = self.commands.as_mut().unwrap();
        writeln!(commands, "{command}").unwrap();
        commands.flush().unwrap();
        let Ok(answer) = self.answers.recv_timeout(PATIENCE) else {
            panic!("the peer gave no answer to {command:.60?}");
        };
        let Some(error) = answer.strip_prefix("error ") else {
            return Ok(answer);
        };
        let (major, text) = error.split_once(' ').unwrap();
        Err(PeerError { major: major.parse().unwrap(), text: text.to_owned() })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.commands.take());
        let _ = self.process.wait();
    }
}

fn bytes_after(word: &str, answer: &str) -> Vec<u8> {
    let text = answer.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
    let text = text.unwrap_or_else(|| panic!("expected {word:?}, the peer answered {answer:.200?}"));
    if text == "-" { Vec::new() } else { hex::decode(text).unwrap() }
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() { "-".into() } else { hex::encode(bytes) }
}
