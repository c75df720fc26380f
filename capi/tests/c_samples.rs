//! Sources that compile unchanged on Windows: the programs of `examples/c`, client, server and worker, each a process of its own, over
//! TCP; and what else programs take from its headers.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a failing test says where")]

mod programs;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use programs::{COMPILERS, compile, is_there, library, skipped, source, succeeded};

const PROGRAMS: [&str; 3] = ["client", "server", "worker"];

/// A server that listens, until the test has ended.
struct Server {
    process: Child,
    said: BufReader<ChildStdout>,
    port: String,
}

impl Server {
    fn start(directory: &Path, worker: bool, set: &[(&str, &str)]) -> Self {
        let mut command = Command::new(directory.join("server"));
        command.arg("0").envs(set.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if worker {
            command.arg(directory.join("worker"));
        }
        let mut process = command.spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("server: on port ").unwrap().to_owned();
        Self { process, said, port }
    }

    /// What else it says, on both ways, and whether it ended well.
    fn end(mut self) -> (String, bool) {
        let mut text = String::new();
        self.said.read_to_string(&mut text).unwrap();
        self.process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (text, self.process.wait().unwrap().success())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn client(directory: &Path, server: &Server, password: &str) -> std::process::Output {
    let mut command = Command::new(directory.join("client"));
    command.arg(&server.port).envs([
        ("SAMPLE_USER", "alice"),
        ("SAMPLE_DOMAIN", "CORP"),
        ("SAMPLE_PASSWORD", password),
    ]);
    command.output().unwrap()
}

const ALICE: [(&str, &str); 3] =
    [("SAMPLE_USER", "alice"), ("SAMPLE_DOMAIN", "CORP"), ("SAMPLE_PASSWORD", "secret")];

#[test]
fn client_server_and_worker_talk() {
    for compiler in COMPILERS {
        if !is_there(compiler.0) {
            return skipped("no gcc or g++ (Debian: gcc, g++)");
        }
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        for program in PROGRAMS {
            compile(compiler, &format!("examples/c/{program}.c"), &directory.join(program));
        }
        for worker in [false, true] {
            let server = Server::start(directory, worker, &ALICE);
            let said = succeeded("client", &client(directory, &server, "secret"));
            let who = if worker { "worker" } else { "server" };
            assert_eq!(
                said,
                format!(
                    "client: server has heard \"the first, sealed\"\n\
                     client: {who} has heard \"the second, signed\"\n\
                     client: {who} has heard \"the third, sealed\"\n"
                )
            );
            let (said, well) = server.end();
            assert!(well && said.contains("the client is CORP\\alice\n"), "{said}");
            assert!(said.contains("does not act as the client: 0x8009030b"), "{said}");
        }
    }
}

#[test]
fn the_server_admits_nobody_else_and_says_why() {
    let compiler = COMPILERS[0];
    if !is_there(compiler.0) {
        return skipped("no gcc (Debian: gcc)");
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for program in PROGRAMS {
        compile(compiler, &format!("examples/c/{program}.c"), &directory.join(program));
    }
    let accounts = directory.join("accounts");
    fs::write(&accounts, "CORP:alice:secret\n").unwrap();
    fs::set_permissions(&accounts, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let accounts = accounts.to_str().unwrap();

    let server = Server::start(directory, false, &ALICE);
    assert!(!client(directory, &server, "wrong").status.success());
    let (said, well) = server.end();
    assert!(!well && said.contains("AcceptSecurityContext: 0x8009030c"), "{said}");

    // An account file in the place of the identity; and, for tests, the names of impersonation.
    let set = [("NTLM_USER_FILE", accounts), ("PORTABLE_SSPI_IMPERSONATE", "names")];
    let server = Server::start(directory, false, &set);
    succeeded("client", &client(directory, &server, "secret"));
    let (said, well) = server.end();
    assert!(well && said.contains("server: acts as CORP\\alice\n"), "{said}");
}

/// Against the system's own headers and `secur32.dll`; `.ci/windows-programs` runs them.
#[test]
fn they_compile_unchanged_for_windows_itself() {
    let compiler = "x86_64-w64-mingw32-gcc";
    if !is_there(compiler) {
        return skipped("no compiler for Windows (Debian: gcc-mingw-w64-x86-64)");
    }
    let directory = tempfile::tempdir().unwrap();
    for program in PROGRAMS {
        let output = Command::new(compiler)
            .args(["-Wall", "-Wextra", "-Werror"])
            .arg(source(&format!("examples/c/{program}.c")))
            .args(["-lsecur32", "-lws2_32", "-o"])
            .arg(directory.path().join(program))
            .output()
            .unwrap();
        succeeded(compiler, &output);
    }
}

/// What Windows' headers let a program write, besides calling functions by their names.
const AS_ON_WINDOWS: &str = r#"
#include <security.h>
int main(void)
{
    INIT_SECURITY_INTERFACE entry = InitSecurityInterface;
    PSecurityFunctionTable table = entry();
    ACQUIRE_CREDENTIALS_HANDLE_FN acquire = table->AcquireCredentialsHandle;
    SEC_WINNT_AUTH_IDENTITY identity;
    PSEC_WINNT_AUTH_IDENTITY of_identity = &identity;
    SecPkgContext_StreamSizes sizes;
    PSecPkgContext_Names names = NULL;
    SECURITY_PSTR text = NULL;
    CredHandle credential = {0, 0};
    TimeStamp expiry;
    expiry.QuadPart = 0x0000000100000002;
    (void)acquire; (void)of_identity; (void)sizes; (void)names; (void)text;
    if (expiry.LowPart != 2 || expiry.HighPart != 1 || expiry.u.LowPart != 2)
        return 1;
    if (SEC_SUCCESS(table->QueryContextAttributes(&credential, SECPKG_ATTR_STREAM_SIZES, &sizes)))
        return 2;
    switch (table->FreeCredentialHandle(&credential)) {
    case SEC_E_INVALID_HANDLE: break;
    case SEC_E_WRONG_PRINCIPAL: case SEC_E_TIME_SKEW: case SEC_I_INCOMPLETE_CREDENTIALS: default: return 3;
    }
    return SECURITY_ENTRYPOINT_ANSI[0] == 'I' && NEGOSSP_NAME_A[0] == 'N' && NTLMSP_NAME_A[0] == 'N' ? 0 : 4;
}
"#;

#[test]
fn what_programs_for_windows_write_compiles() {
    let directory = tempfile::tempdir().unwrap();
    let (program, binary) = (directory.path().join("as.c"), directory.path().join("as"));
    for (compiler, options) in COMPILERS {
        if !is_there(compiler) {
            return skipped("no gcc or g++ (Debian: gcc, g++)");
        }
        for (define, wide) in [("", None), ("UNICODE", None), ("UNICODE", Some("-fshort-wchar"))] {
            let define = format!("{}{define}\n", if define.is_empty() { "" } else { "#define " });
            // Wide text, which is UTF-16 with that option alone.
            let text = "const SEC_WCHAR *wide(void); const SEC_WCHAR *wide(void) { return L\"NTLM\"; }\n";
            let text = if wide.is_some() { text } else { "" };
            fs::write(&program, format!("{define}{AS_ON_WINDOWS}{text}")).unwrap();
            let output = Command::new(compiler)
                .args(options)
                .args(wide)
                .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
                .arg(source("include"))
                .arg(&program)
                .args(["-x", "none"])
                .arg(library())
                .arg("-o")
                .arg(&binary)
                .output()
                .unwrap();
            succeeded(compiler, &output);
            let mut run = Command::new(&binary);
            run.env("LD_LIBRARY_PATH", library().parent().unwrap());
            succeeded("as on Windows", &run.output().unwrap());
        }
    }
}
