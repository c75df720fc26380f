//! Other processes: the test program starts itself again, as a helper that does one thing.
//!
//! Each test program that uses this has an ignored test `helper_process` that calls [`run`].

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use portable_sspi::{
    ApplicationKey, BlobRefused, Claims, Error, ExportOptions, HostKeyScope, SecretArray, Sspi,
};

use super::{context, sspi, sspi_in};

const ROLE: &str = "PORTABLE_SSPI_TEST_ROLE";
const DIRECTORY: &str = "PORTABLE_SSPI_TEST_DIRECTORY";
/// For a helper in another scope than the default: see [`scope`].
pub(crate) const SCOPE: &str = "PORTABLE_SSPI_TEST_SCOPE";
/// What a helper is called when it imports.
pub(crate) const LABEL: &str = "PORTABLE_SSPI_TEST_LABEL";

/// A helper that has been started and waits for its go.
pub(crate) struct Helper {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts a helper that will do `role` with the host key in `directory`, and waits until it is ready.
    pub(crate) fn start(role: &str, directory: Option<&Path>) -> Self {
        Self::start_with(role, directory, |_| {})
    }

    /// As [`start`](Self::start), after `change` of the command.
    pub(crate) fn start_with(
        role: &str,
        directory: Option<&Path>,
        change: impl FnOnce(&mut Command),
    ) -> Self {
        Self::start_program(&env::current_exe().unwrap(), role, directory, change)
    }

    /// As [`start_with`](Self::start_with), from a copy of this program.
    pub(crate) fn start_program(
        program: &Path,
        role: &str,
        directory: Option<&Path>,
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let mut command = Command::new(program);
        command.args(["--exact", "helper_process", "--ignored", "--nocapture"]).env(ROLE, role);
        match directory {
            Some(directory) => command.env(DIRECTORY, directory),
            None => command.env_remove(DIRECTORY),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        change(&mut command);
        let mut child = spawn(&mut command).unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut helper = Self { child, output };
        assert_eq!(helper.line(), "ready");
        helper
    }

    /// Lets it go with `input`.
    pub(crate) fn go(&mut self, input: &[u8]) {
        let mut stdin = self.child.stdin.take().unwrap();
        stdin.write_all(hex::encode(input).as_bytes()).unwrap();
    }

    /// As [`go`](Self::go), where it may have been killed already.
    pub(crate) fn go_unless_killed(&mut self, input: &[u8]) {
        let mut stdin = self.child.stdin.take().unwrap();
        let _ = stdin.write_all(hex::encode(input).as_bytes());
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it says at the end, or `None` if it was killed before it said anything.
    pub(crate) fn result_unless_killed(mut self) -> Option<String> {
        let mut lines = self.output.by_ref().lines().map_while(Result::ok);
        let said = lines.find_map(|line| line.split_once("helper: ").map(|(_, said)| said.to_owned()));
        if self.child.wait().unwrap().success() { said } else { None }
    }

    /// What it says at the end.
    pub(crate) fn result(mut self) -> String {
        let line = self.line();
        assert!(self.child.wait().unwrap().success(), "helper failed after {line:?}");
        line
    }

    /// Waits for what it says while it goes on.
    pub(crate) fn says(&mut self) -> String {
        self.line()
    }

    /// Kills it: SIGKILL on Unix.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn line(&mut self) -> String {
        let mut lines = self.output.by_ref().lines().map(Result::unwrap);
        // The test harness writes, too, and not always a whole line.
        lines
            .find_map(|line| line.split_once("helper: ").map(|(_, said)| said.to_owned()))
            .expect("an answer")
    }
}

/// Under Wine 8, a new process was once gone before it was one: `ERROR_INTERNAL_ERROR`, and nothing of it had run.
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    const GONE: i32 = 1359;
    for _ in 0..3 {
        match command.spawn() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(GONE) => {
                eprintln!("started again: {error}");
            }
            started => return started,
        }
    }
    command.spawn()
}

/// Starts a helper, lets it go and gives its answer.
pub(crate) fn ask(role: &str, directory: &Path, input: &[u8]) -> String {
    let mut helper = Helper::start(role, Some(directory));
    helper.go(input);
    helper.result()
}

/// The helper's side.
pub(crate) fn run() {
    let role = env::var(ROLE).expect("this is no test but the helper process of the others");
    let directory = env::var_os(DIRECTORY);
    let sspi = match (&directory, env::var(SCOPE)) {
        (directory, Ok(words)) => {
            let label = env::var(LABEL).ok();
            sspi_in(
                scope(&words, directory.as_deref().map(Path::new)),
                &label.as_deref().into_iter().collect::<Vec<_>>(),
            )
        }
        (Some(directory), Err(_)) => sspi(Path::new(directory)),
        (None, Err(_)) => default_sspi(),
    };
    println!("helper: ready");
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let input = hex::decode(input).unwrap();
    let said = match role.as_str() {
        "import" => outcome(sspi.import_security_context(None, &input).map(|_| ())),
        "import and answer" => match sspi.import_security_context(Some("TOY"), &input) {
            Ok(mut context) => {
                format!(
                    "{} {}",
                    hex::encode(context.wrap(b"from the worker").unwrap()),
                    context.names().user_name
                )
            }
            Err(error) => outcome(Err(error)),
        },
        "export" => export(&sspi, input[0]),
        "import and export" => match sspi.import_security_context(None, &input) {
            Ok(_) => export(&sspi, 1),
            Err(error) => outcome(Err(error)),
        },
        // The blobs, each behind its length; says the numbers of those that it got, in the order of its own.
        "import many" => {
            let mut parts = unpack(&input).into_iter();
            let start = std::path::PathBuf::from(String::from_utf8(parts.next().unwrap().to_vec()).unwrap());
            let mut blobs: Vec<_> = parts.enumerate().collect();
            // Processes whose numbers follow each other begin far apart.
            let mine = usize::try_from(std::process::id()).unwrap().wrapping_mul(61) % blobs.len();
            blobs.rotate_left(mine);
            println!("helper: ready");
            while !start.exists() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            let got = blobs.into_iter().filter(|(_, blob)| match sspi.import_security_context(None, blob) {
                Ok(_) => true,
                Err(Error::BlobRefused(BlobRefused::AlreadyImported)) => false,
                Err(other) => panic!("{other:?}"),
            });
            got.map(|(number, _)| number.to_string()).collect::<Vec<_>>().join(" ")
        }
        "tell the time" => {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string()
        }
        // The input: where to write to.
        "export many and get stuck" => {
            let file = std::fs::File::create(String::from_utf8(input).unwrap()).unwrap();
            let stuck = std::iter::from_fn(|| {
                println!("helper: stuck");
                std::thread::sleep(std::time::Duration::from_secs(600));
                None
            });
            let contexts = (0..10_000).map(|_| context(&sspi, 7)).chain(stuck);
            let exported = sspi.export_all(contexts, file, &ExportOptions::default());
            format!("{:?}", exported.map(|exported| exported.exported))
        }
        // The input: where to read from.
        "import some and get stuck" => {
            let file = std::fs::File::open(String::from_utf8(input).unwrap()).unwrap();
            let imported: Vec<_> = sspi.import_all(file).unwrap().take(3).map(Result::unwrap).collect();
            println!("helper: stuck");
            std::thread::sleep(std::time::Duration::from_secs(600));
            format!("{}", imported.len())
        }
        other => panic!("no role {other}"),
    };
    println!("helper: {said}");
}

/// The blob of an export, or why there is none.
fn export(sspi: &Sspi, key: u8) -> String {
    match sspi.export_security_context(context(sspi, key), &ExportOptions::default()) {
        Ok(blob) => hex::encode(blob),
        Err(failed) => outcome(Err(failed.error)),
    }
}

/// The scope that the words stand for: `user`, `group GID OWNER`, `host OWNER`, `key HEX` or `inherited DESCRIPTOR`.
fn scope(words: &str, directory: Option<&Path>) -> HostKeyScope {
    let owned = || directory.unwrap().to_owned();
    let claims =
        || directory.map_or(Claims::ReplaysPossible, |directory| Claims::Directory(directory.to_owned()));
    match words.split(' ').collect::<Vec<_>>()[..] {
        ["user"] => HostKeyScope::User { directory: directory.map(Path::to_owned) },
        ["group", group, owner] => HostKeyScope::Group {
            directory: owned(),
            group: group.parse().unwrap(),
            owner: owner.parse().unwrap(),
        },
        ["host", owner] => HostKeyScope::Host { directory: owned(), owner: owner.parse().unwrap() },
        ["key", key] => HostKeyScope::Application {
            key: ApplicationKey::from_bytes(SecretArray::new(hex::decode(key).unwrap().try_into().unwrap())),
            claims: claims(),
        },
        #[cfg(unix)]
        ["inherited", number] => HostKeyScope::Application {
            key: ApplicationKey::from_descriptor(number.parse().unwrap()).unwrap(),
            claims: claims(),
        },
        _ => panic!("no scope {words:?}"),
    }
}

/// Several byte strings as one.
pub(crate) fn pack(parts: &[Vec<u8>]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|part| [&u32::try_from(part.len()).unwrap().to_le_bytes()[..], part].concat())
        .collect()
}

fn unpack(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (part, rest) = rest.split_at(usize::try_from(u32::from_le_bytes(*length)).unwrap());
        parts.push(part.to_vec());
        bytes = rest;
    }
    parts
}

/// A table with the toy package and the host key at the default place.
pub(crate) fn default_sspi() -> Sspi {
    Sspi::new(portable_sspi::SspiConfig {
        packages: vec![std::sync::Arc::new(super::toy_provider::ToyProvider::new("Toy"))],
        ..portable_sspi::SspiConfig::default()
    })
    .unwrap()
}

/// The outcome of an import as a word or a message.
pub(crate) fn outcome(result: Result<(), Error>) -> String {
    match result {
        Ok(()) => "imported".to_owned(),
        Err(Error::BlobRefused(refused)) => name(&refused),
        Err(other) => other.to_string(),
    }
}

fn name(refused: &BlobRefused) -> String {
    format!("{refused:?}")
}
