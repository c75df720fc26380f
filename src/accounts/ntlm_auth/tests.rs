//! Helpers that behave and helpers that don't, and the recorded answers of the real one.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use portable_sspi_core::SecretArray;
use rustix::process::{Pid, Signal, WaitOptions};
use serde_json::Value;

use super::*;

#[path = "../../../tests/accounts/samba.rs"]
mod samba;

/// Machines under load need patience; nothing waits for all of it unless the test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a helper that gives no answer is granted.
const SHORT: Duration = Duration::from_millis(300);

fn fake(behaviour: &str, processes: usize, time_limit: Duration) -> NtlmAuthHelper {
    NtlmAuthHelper::new(NtlmAuthConfig {
        program: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accounts/fake_helper.sh"),
        arguments: behaviour.split(' ').map(OsString::from).collect(),
        processes,
        time_limit,
        ..NtlmAuthConfig::default()
    })
    .unwrap()
}

fn real(program: &Path, directory: &Path, processes: usize) -> NtlmAuthHelper {
    NtlmAuthHelper::new(NtlmAuthConfig {
        program: program.to_owned(),
        arguments: samba::with_password(directory),
        processes,
        time_limit: PATIENCE,
        ..NtlmAuthConfig::default()
    })
    .unwrap()
}

const QUESTION: Question<'_> =
    Question { user_name: "User", domain_name: "Domain", challenge: &[1; 8], nt_response: &[2; 100] };

fn key_of(answer: Result<Answer, Error>) -> [u8; 16] {
    match answer.unwrap() {
        Answer::Authenticated(key) => *key.expose(),
        Answer::Refused => panic!("refused"),
    }
}

fn outage(answer: Result<Answer, Error>) -> String {
    match answer {
        Err(Error::Unavailable(Unavailable::Authority { problem })) => problem,
        other => panic!("{other:?}"),
    }
}

fn kill(process: u32, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(id, signal).unwrap();
}

fn wait_until_gone(process: u32) {
    let id = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while rustix::process::test_kill_process(id).is_ok() {
        assert!(Instant::now() < deadline, "process {process} is still there");
        thread::sleep(Duration::from_millis(5));
    }
}

const FAKE_KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

#[test]
fn one_process_answers_many_questions() {
    let helper = fake("obedient", 4, PATIENCE);
    for _ in 0..20 {
        assert_eq!(key_of(helper.ask(QUESTION)), FAKE_KEY);
    }
    assert_eq!(helper.pool.running(), 1);
}

#[test]
fn the_second_end_of_a_refusal_is_nobodys_answer() {
    for behaviour in ["refuses-once", "refuses-twice"] {
        let helper = fake(behaviour, 1, PATIENCE);
        for _ in 0..20 {
            assert!(matches!(helper.ask(QUESTION), Ok(Answer::Refused)), "{behaviour}");
        }
        assert_eq!(helper.pool.running(), 1, "{behaviour}");
    }
}

#[test]
fn no_misbehaviour_is_a_verdict() {
    for (behaviour, time_limit, expected) in [
        ("hangs", SHORT, "no answer in time"),
        ("deaf", SHORT, "no answer in time"),
        ("half", SHORT, "no answer in time"),
        ("garbage", PATIENCE, "not of its protocol"),
        ("endless", PATIENCE, "no end"),
        ("dies-asked", PATIENCE, "ended in the middle"),
        ("dies-half-way", PATIENCE, "ended in the middle"),
        ("no-key", PATIENCE, "no session key"),
        ("error", PATIENCE, "did not understand the request: No username supplied!"),
    ] {
        let helper = fake(behaviour, 1, time_limit);
        // Twice: the place of the one that failed is free again.
        for _ in 0..2 {
            let started = Instant::now();
            let problem = outage(helper.ask(QUESTION));
            assert!(problem.contains(expected), "{behaviour}: {problem}");
            assert!(started.elapsed() < PATIENCE / 2, "{behaviour}");
            assert_eq!((helper.pool.running(), helper.pool.idle_processes().len()), (0, 0), "{behaviour}");
        }
    }
}

#[test]
fn a_helper_that_ends_at_once_is_an_outage() {
    let problem = outage(fake("dies-at-once", 1, PATIENCE).ask(QUESTION));
    assert!(problem.contains("ended"), "{problem}");
}

#[test]
fn a_program_that_is_not_there_is_an_outage() {
    let config = NtlmAuthConfig { program: "/nonexistent/ntlm_auth".into(), ..NtlmAuthConfig::default() };
    let problem = outage(NtlmAuthHelper::new(config).unwrap().ask(QUESTION));
    assert!(problem.contains("/nonexistent/ntlm_auth cannot be started"), "{problem}");
}

/// Larger than the socket takes at once, so that writing has to wait for a reader.
#[test]
fn a_large_question_to_a_deaf_helper_ends_in_time() {
    let response = vec![7; 2 * 1024 * 1024];
    let question = Question { nt_response: &response, ..QUESTION };
    let started = Instant::now();
    assert!(outage(fake("deaf", 1, SHORT).ask(question)).contains("no answer in time"));
    assert!(started.elapsed() < PATIENCE / 2);
}

/// The answer to one question must not be taken for that to the next.
#[test]
fn an_answer_before_its_question_is_none() {
    let helper = fake("repeats", 1, PATIENCE);
    assert_eq!(key_of(helper.ask(QUESTION)), FAKE_KEY);
    let mut refused = 0;
    for _ in 0..50 {
        // The second answer was either there, or is still coming; then the helper is not yet known to lie.
        match helper.ask(QUESTION) {
            Ok(Answer::Authenticated(_)) => {}
            other => {
                assert!(outage(other).contains("before it was asked"));
                refused += 1;
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert!(refused > 0);

    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accounts/fake_helper.sh");
    let mut helper = helper::Helper::start(&program, &["hasty".into()]).unwrap();
    // Until it has spoken.
    thread::sleep(Duration::from_millis(500));
    let lines = QUESTION.to_lines().unwrap();
    let failure = helper.ask(&lines, Instant::now() + PATIENCE).unwrap_err();
    assert!(failure.problem.contains("before it was asked"), "{}", failure.problem);
}

#[test]
fn one_that_ended_while_idle_is_replaced() {
    let helper = fake("dies-after-one", 1, PATIENCE);
    for _ in 0..5 {
        assert_eq!(key_of(helper.ask(QUESTION)), FAKE_KEY);
        helper.pool.idle_processes().into_iter().for_each(|_| thread::sleep(Duration::from_millis(20)));
    }
}

/// Killed while it works: a new one answers the question, since the old one cannot have answered it.
#[test]
fn one_that_is_killed_while_it_is_asked_is_replaced() {
    let helper = fake("slow 1", 1, PATIENCE);
    assert_eq!(key_of(helper.ask(QUESTION)), FAKE_KEY);
    let process = helper.pool.idle_processes()[0];
    thread::scope(|scope| {
        let asked = scope.spawn(|| helper.ask(QUESTION));
        thread::sleep(Duration::from_millis(100));
        kill(process, Signal::KILL);
        // The shell's `sleep` still holds the other end for a moment.
        assert_eq!(key_of(asked.join().unwrap()), FAKE_KEY);
    });
    assert_ne!(helper.pool.idle_processes()[0], process);
    assert_eq!(helper.pool.running(), 1);
}

#[test]
fn a_hung_helper_is_killed_and_replaced() {
    let helper = fake("obedient", 1, Duration::from_secs(2));
    assert_eq!(key_of(helper.ask(QUESTION)), FAKE_KEY);
    let process = helper.pool.idle_processes()[0];
    kill(process, Signal::STOP);
    assert!(outage(helper.ask(QUESTION)).contains("no answer in time"));
    wait_until_gone(process);
    assert_eq!(key_of(helper.ask(QUESTION)), FAKE_KEY);
    assert_ne!(helper.pool.idle_processes()[0], process);
}

#[test]
fn no_more_processes_than_allowed_and_no_longer_waiting() {
    let helper = fake("slow 0.2", 4, PATIENCE);
    let most = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                assert_eq!(key_of(helper.ask(QUESTION)), FAKE_KEY);
                most.fetch_max(helper.pool.running(), Ordering::Relaxed);
            });
        }
    });
    assert_eq!((most.into_inner(), helper.pool.idle_processes().len()), (4, 4));

    let busy = fake("hangs", 1, Duration::from_secs(1));
    let problems: Vec<_> = thread::scope(|scope| {
        let asked: Vec<_> = (0..3).map(|_| scope.spawn(|| outage(busy.ask(QUESTION)))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let waiting = |problem: &&String| problem.contains("are busy") || problem.contains("no answer in time");
    assert_eq!(problems.iter().filter(waiting).count(), 3, "{problems:?}");
    assert!(
        problems.iter().any(|problem| problem.contains("all 1 helper processes are busy")),
        "{problems:?}"
    );
}

#[test]
fn processes_end_with_the_pool() {
    let helper = fake("obedient", 4, PATIENCE);
    key_of(helper.ask(QUESTION));
    let process = helper.pool.idle_processes()[0];
    drop(helper);
    wait_until_gone(process);
}

/// After a fork parent and child have the same socket: the child must leave the helper alone, and not kill it either.
#[test]
fn a_forked_child_has_its_own_helpers() {
    let helper = fake("lingers", 1, PATIENCE);
    key_of(helper.ask(QUESTION));
    let parents = helper.pool.idle_processes()[0];
    helper.pool.pretend_fork();
    assert_eq!(key_of(helper.ask(QUESTION)), FAKE_KEY);
    assert_ne!(helper.pool.idle_processes()[0], parents);
    drop(helper);
    let parents = Pid::from_raw(i32::try_from(parents).unwrap()).unwrap();
    assert!(rustix::process::waitpid(Some(parents), WaitOptions::NOHANG).unwrap().is_none(), "it was killed");
    rustix::process::kill_process(parents, Signal::KILL).unwrap();
    rustix::process::waitpid(Some(parents), WaitOptions::empty()).unwrap();
}

#[test]
fn what_cannot_work_is_refused_at_once() {
    let refused = |config| match NtlmAuthHelper::new(config) {
        Err(Error::Misuse(Misuse::BadOption { option, .. })) => option,
        other => panic!("{other:?}"),
    };
    let program = "ntlm_auth".into();
    assert_eq!(refused(NtlmAuthConfig { program, ..NtlmAuthConfig::default() }), "program");
    assert_eq!(refused(NtlmAuthConfig { processes: 0, ..NtlmAuthConfig::default() }), "processes");
    assert_eq!(
        refused(NtlmAuthConfig { time_limit: Duration::ZERO, ..NtlmAuthConfig::default() }),
        "time_limit"
    );
    // Longer than the clock can count.
    let forever = fake("obedient", 1, Duration::MAX);
    assert_eq!(key_of(forever.ask(QUESTION)), FAKE_KEY);
}

#[test]
fn a_password_among_the_arguments_is_not_printed() {
    let config = NtlmAuthConfig { arguments: vec!["--password=hunter2".into()], ..NtlmAuthConfig::default() };
    assert!(!format!("{config:?}").contains("hunter2"));
    let helper = NtlmAuthHelper::new(config).unwrap();
    assert!(!format!("{helper:?}").contains("hunter2"), "{helper:?}");
}

#[test]
fn domains_that_are_admitted() {
    let domains = |domains: &[&str]| {
        let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
        NtlmAuthHelper::new(NtlmAuthConfig { domains, ..NtlmAuthConfig::default() }).unwrap()
    };
    let any = domains(&[]);
    assert_eq!(any.domain_of("user", "whatever").as_deref(), Some("whatever"));
    assert_eq!(any.domain_of("user@whatever", "").as_deref(), Some(""));
    let listed = domains(&["CORP", "corp.example"]);
    assert_eq!(listed.domain_of("user", "corp").as_deref(), Some("CORP"));
    assert_eq!(listed.domain_of("user", "").as_deref(), Some("CORP"));
    assert_eq!(listed.domain_of("user@CORP.EXAMPLE", "").as_deref(), Some(""));
    assert_eq!(listed.domain_of("user@other", ""), None);
    assert_eq!(listed.domain_of("user", "OTHER"), None);
    assert_eq!(listed.domain_of("user@corp.example", "OTHER"), None);
}

// The recorded answers of Samba.

/// Names a file to run in place of the built-in one, as for the vectors of portable-sspi-ntlm.
const VARIABLE: &str = "NTLM_VECTORS";

fn is_built_in() -> bool {
    std::env::var_os(VARIABLE).is_none()
}

fn vectors() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = std::env::var_os(VARIABLE)
        .map_or_else(|| root.join("providers/ntlm/testdata/vectors/helper.json"), PathBuf::from);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let json: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut vectors = json["vectors"].as_array().expect("a list of vectors").clone();
    vectors.retain(|vector| vector["kind"] == "ntlm_auth_helper");
    if is_built_in() {
        assert_eq!(vectors.len(), 12);
    } else {
        let said = format!("vectors of {}: {} of ntlm_auth\n", file.display(), vectors.len());
        std::io::stderr().write_all(said.as_bytes()).unwrap();
    }
    vectors
}

fn lines(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// The same requests draw the same answers from the Samba that is installed here: what the recordings say still holds.
#[test]
fn samba_answers_as_recorded() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    for vector in vectors() {
        let mut process = Command::new(program)
            .arg("--helper-protocol=ntlm-server-1")
            .args(samba::with_password(directory.path()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        for line in lines(&vector["inputs"]["request_lines_str"]) {
            writeln!(input, "{line}").unwrap();
        }
        drop(input);
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut answer: Vec<String> = output.lines().map(Result::unwrap).collect();
        process.wait().unwrap();
        // An empty line, at the end of its input.
        if answer.last().is_some_and(String::is_empty) {
            answer.pop();
        }
        assert_eq!(answer, lines(&vector["expected"]["reply_lines_str"]), "{}", vector["name"]);
    }
}

/// Whether this library reads the recorded answer as the vector says.
fn read(vector: &Value) -> Result<(), String> {
    let expected = &vector["expected"];
    let text = lines(&expected["reply_lines_str"]).join("\n") + "\n";
    let (authenticated, key, length) = match protocol::parse_answer(text.as_bytes()) {
        Ok(Some((Answer::Authenticated(key), length))) => {
            (true, Value::from(hex::encode(key.expose())), length)
        }
        Ok(Some((Answer::Refused, length))) => (false, Value::Null, length),
        Ok(None) => return Err("no end".to_owned()),
        // It did not understand the request: an outage, which admits nobody either.
        Err(_) if text.starts_with("Error:") => (false, Value::Null, text.len()),
        Err(problem) => return Err(problem),
    };
    if expected["authenticated"] != authenticated {
        return Err(format!("authenticated: {authenticated}"));
    }
    if expected["user_session_key"] != key {
        return Err(format!("user_session_key: {key}"));
    }
    if !protocol::is_only_ends(&text.as_bytes()[length..]) {
        return Err("more than one answer".to_owned());
    }
    Ok(())
}

#[test]
fn recorded_answers_are_read() {
    for vector in vectors() {
        read(&vector).unwrap_or_else(|problem| panic!("{}: {problem}", vector["name"]));
    }
}

#[test]
fn altered_recordings_fail() {
    for vector in vectors() {
        let name = &vector["name"];
        let altered = |what: &str, value: Value| {
            let mut altered = vector.clone();
            altered["expected"][what] = value;
            assert!(read(&altered).is_err(), "{name}: {what}");
        };
        let expected = &vector["expected"];
        let admitted = expected["authenticated"] == true;
        altered("authenticated", (!admitted).into());
        altered("authenticated", Value::Null);
        altered("user_session_key", "00".repeat(16).into());
        let reply = lines(&expected["reply_lines_str"]);
        // What comes after it did not understand the request is nobody's answer: the helper is given up.
        if !reply[0].starts_with("Error:") {
            altered("reply_lines_str", [&reply[..], &["x".to_owned()]].concat().into());
        }
        if admitted {
            for (index, line) in reply.iter().enumerate().filter(|(_, line)| !line.starts_with("LANMAN")) {
                let mut changed = reply.clone();
                changed[index] = match line.rsplit_once(' ') {
                    Some((key, "Yes")) => format!("{key} No"),
                    Some((key, digits)) => format!("{key} {}", digits.chars().rev().collect::<String>()),
                    None => String::new(),
                };
                altered("reply_lines_str", changed.into());
                let mut shorter = reply.clone();
                shorter.remove(index);
                altered("reply_lines_str", shorter.into());
            }
        }
    }
}

/// Each recorded NT response, asked the way this library asks: the right ones give the recorded key, and the one with a
/// right LMv2 response beside a wrong NT response is refused, as the LM response is not handed over.
#[test]
fn recorded_responses_are_verified() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let helper = real(program, directory.path(), 1);
    let (mut right, mut wrong) = (0, 0);
    for vector in vectors() {
        let request = lines(&vector["inputs"]["request_lines_str"]);
        let field = |key: &str| {
            let line = request.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))?;
            Some(hex::decode(line).unwrap())
        };
        let Some(nt_response) = field("NT-Response").filter(|response| response.len() >= 24) else {
            continue;
        };
        let name = vector["name"].as_str().unwrap();
        // The first cannot be asked, and the second asks the helper in another way than this library does.
        if name.ends_with("short-challenge") || name.ends_with("full-username") {
            continue;
        }
        let challenge: [u8; 8] = field("LANMAN-Challenge").unwrap().try_into().unwrap();
        let answer = helper.ask(Question {
            user_name: "User",
            domain_name: "Domain",
            challenge: &challenge,
            nt_response: &nt_response,
        });
        // The last one was admitted as recorded, where the LM response stood beside it.
        if vector["expected"]["authenticated"] == false || name.ends_with("bad-proof-good-lmv2") {
            assert!(matches!(answer, Ok(Answer::Refused)), "{name}");
            wrong += 1;
        } else {
            let key = SecretArray::new(key_of(answer));
            assert_eq!(hex::encode(key.expose()), vector["expected"]["user_session_key"], "{name}");
            right += 1;
        }
    }
    if is_built_in() {
        assert_eq!((right, wrong), (4, 3));
    }
    assert_eq!(helper.pool.running(), usize::from(right + wrong > 0));
}

/// Asked through the real helper: names in which a line ends, or that are longer than its first buffer.
#[test]
fn samba_takes_any_name_for_a_name() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let helper = real(program, directory.path(), 1);
    for name in ["x".repeat(5000), "Ü日本語🙂".to_owned(), ".".to_owned(), "Username: y".to_owned()] {
        let question = Question { user_name: &name, ..QUESTION };
        assert!(matches!(helper.ask(question), Ok(Answer::Refused)), "{name}");
    }
    let long = vec![0x42; 16 * 1024];
    assert!(matches!(helper.ask(Question { nt_response: &long, ..QUESTION }), Ok(Answer::Refused)));
    assert_eq!(helper.pool.running(), 1);
}

#[test]
fn samba_without_winbindd_is_an_outage() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let helper = NtlmAuthHelper::new(NtlmAuthConfig {
        program: PathBuf::from(program),
        arguments: samba::without_winbindd(directory.path()),
        time_limit: PATIENCE,
        ..NtlmAuthConfig::default()
    })
    .unwrap();
    let problem = outage(helper.ask(QUESTION));
    assert!(problem.contains("winbind"), "{problem}");
}

#[test]
fn a_helper_killed_again_and_again_gives_right_verdicts_or_none() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let helper = real(program, directory.path(), 2);
    let (stop, stopped) = mpsc::channel::<()>();
    let verdicts = thread::scope(|scope| {
        let pool = &helper.pool;
        scope.spawn(move || {
            while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(50)) {
                for process in pool.idle_processes() {
                    kill(process, Signal::KILL);
                }
            }
        });
        let verdicts: Vec<_> = (0..60).map(|_| helper.ask(QUESTION)).collect();
        drop(stop);
        verdicts
    });
    // QUESTION's response is wrong: no denial may turn into anything else but an outage.
    let refused = verdicts.iter().filter(|verdict| matches!(verdict, Ok(Answer::Refused))).count();
    assert!(verdicts.iter().all(|verdict| !matches!(verdict, Ok(Answer::Authenticated(_)))));
    assert!(refused > 0);
}
