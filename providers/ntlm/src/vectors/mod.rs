//! The published vectors, recomputed with the crate's own code.
//!
//! `testdata/vectors/` holds them; its README says what an entry looks like. The environment variable `NTLM_VECTORS`
//! names a file of the same form to be run instead: `NTLM_VECTORS=file cargo test`.
//!
//! A kind of vector is one function that computes from the inputs; every expected value is then compared, and one that
//! nothing computes is a failure, as is an input that nothing reads. What this crate does not do stands in
//! [`scope`], with the reason, and is counted out loud.

mod acceptor;
mod client;
mod exchanges;
mod keys;
mod legacy;
mod load;
mod messages;
mod primitives;
mod responses;
mod scope;
mod session_exchanges;
mod session_security;
mod shared_security;
mod tamper;
mod vector;

use std::io::Write as _;

use load::VectorFile;
use vector::{Computed, Vector};

/// Computes all that a kind of vector can expect.
type Compute = fn(&Vector) -> Result<Computed, String>;

/// The kinds that are run, by topic.
const KINDS: &[&[(&str, Compute)]] = &[
    acceptor::KINDS,
    client::KINDS,
    exchanges::KINDS,
    keys::KINDS,
    legacy::KINDS,
    messages::KINDS,
    primitives::KINDS,
    responses::KINDS,
    session_exchanges::KINDS,
    session_security::KINDS,
    shared_security::KINDS,
];

/// Recomputes a vector and compares every value that it expects.
fn check(vector: &Vector) -> Result<(), String> {
    let (_, compute) =
        KINDS.iter().flat_map(|kinds| kinds.iter()).find(|(kind, _)| *kind == vector.kind).ok_or_else(
            || format!("{}: nothing here runs vectors of the kind {:?}", vector.name, vector.kind),
        )?;
    let computed = compute(vector).map_err(|problem| format!("{}: {problem}", vector.name))?;
    vector.compare(&computed).map_err(|problem| format!("{}: {problem}", vector.name))
}

/// What became of a set of vectors.
#[derive(Default)]
struct Summary {
    passed: usize,
    failures: Vec<String>,
    /// How many vectors each entry of [`scope::NOT_HERE`] kept out, in its order.
    not_here: Vec<usize>,
}

impl Summary {
    fn of(vectors: &[Vector]) -> Self {
        let mut summary = Self { not_here: vec![0; scope::NOT_HERE.len()], ..Self::default() };
        for vector in vectors {
            if let Some(entry) = scope::NOT_HERE.iter().position(|entry| entry.keeps_out(vector)) {
                summary.not_here[entry] += 1;
                continue;
            }
            match check(vector) {
                Ok(()) => summary.passed += 1,
                Err(failure) => summary.failures.push(failure),
            }
        }
        summary
    }

    /// Prints past the test harness, which swallows what a passing test prints.
    fn print(&self, file: &str) {
        let mut text = format!("vectors of {file}: {} passed, {} failed\n", self.passed, self.failures.len());
        for (entry, count) in scope::NOT_HERE.iter().zip(&self.not_here).filter(|(_, count)| **count > 0) {
            text += &format!("  not run here: {} x {count} ({})\n", entry.kind, entry.reason);
        }
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
}

#[test]
fn every_vector_is_reproduced() {
    let file = load::chosen().unwrap();
    let summary = Summary::of(&file.vectors);
    summary.print(&file.name);
    assert!(summary.failures.is_empty(), "{}:\n{}", file.name, summary.failures.join("\n"));
    let elsewhere: usize = scope::NOT_HERE
        .iter()
        .zip(&summary.not_here)
        .filter(|(entry, _)| entry.elsewhere)
        .map(|(_, count)| count)
        .sum();
    assert!(summary.passed + elsewhere > 0, "{}: not one of its vectors is run", file.name);
}

/// Numbers other than 0, a counter in RandomPad, LMv2 alone, verdicts without a reason, and more of each attack.
#[test]
fn the_independent_vectors_are_reproduced() {
    let file = load::independent().unwrap();
    let summary = Summary::of(&file.vectors);
    assert!(summary.failures.is_empty(), "{}", summary.failures.join("\n"));
    assert_eq!(summary.passed, file.vectors.len());
}

#[test]
fn the_built_in_vectors_are_complete() {
    let vectors = load::built_in().unwrap().vectors;
    assert_eq!(vectors.len(), 236);
    let mut names: Vec<_> = vectors.iter().map(|vector| &vector.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 236, "a name stands for two vectors");
}

#[test]
fn the_list_of_what_is_not_run_here_is_exact() {
    let summary = Summary::of(&load::built_in().unwrap().vectors);
    for (entry, found) in scope::NOT_HERE.iter().zip(summary.not_here) {
        assert_eq!(entry.built_in, found, "{} ({})", entry.kind, entry.reason);
    }
    let kept_out: usize = scope::NOT_HERE.iter().map(|entry| entry.built_in).sum();
    assert_eq!(summary.passed + summary.failures.len() + kept_out, 236);
}

#[test]
fn a_file_that_cannot_be_run_is_a_failure() {
    for (text, problem) in [
        ("", "is no JSON"),
        ("[]", "has no list"),
        (r#"{"vectors":[]}"#, "holds no vectors"),
        (r#"{"vectors":[{"name":"n","kind":"md5","inputs":{}}]}"#, "lacks `expected`"),
        (r#"{"vectors":[{"name":"n","kind":"md5","inputs":{},"expected":{}}]}"#, "expects nothing"),
    ] {
        let error = VectorFile::parse("file", text).err().unwrap();
        assert!(error.contains(problem), "{text}: {error}");
    }
    assert!(load::read("no/such/file.json").err().unwrap().contains("no/such/file.json"));
}

#[test]
fn a_vector_that_cannot_be_run_is_a_failure() {
    for (vector, problem) in [
        (r#"{"name":"n","kind":"md9","inputs":{},"expected":{"digest":""}}"#, "nothing here runs"),
        (
            r#"{"name":"n","kind":"md5","inputs":{"message":""},"expected":{"other":""}}"#,
            "nothing computes `other`",
        ),
        (
            r#"{"name":"n","kind":"md5","inputs":{"message":"","key":""},"expected":{"digest":"d41d8cd98f00b204e9800998ecf8427e"}}"#,
            "nothing reads the input `key`",
        ),
        (r#"{"name":"n","kind":"md5","inputs":{},"expected":{"digest":""}}"#, "lacks the input `message`"),
        (
            r#"{"name":"n","kind":"md5","inputs":{"message":"0"},"expected":{"digest":""}}"#,
            "is no byte string",
        ),
        (r#"{"name":"n","kind":"md5","inputs":{"message":""},"expected":{"digest":""}}"#, "`digest` is"),
    ] {
        let file = VectorFile::parse("file", &format!(r#"{{"vectors":[{vector}]}}"#)).unwrap();
        let summary = Summary::of(&file.vectors);
        let [failure] = summary.failures.as_slice() else { panic!("{vector}: {:?}", summary.failures) };
        assert!(failure.contains(problem), "{vector}: {failure}");
    }
}
