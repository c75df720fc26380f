//! Where vectors come from.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::vector::Vector;

/// Names the file to run in place of the built-in vectors.
const VARIABLE: &str = "NTLM_VECTORS";

/// The built-in vectors, by topic.
const BUILT_IN: [(&str, &str); 11] = [
    ("acceptor_verdicts", include_str!("../../testdata/vectors/acceptor_verdicts.json")),
    ("client", include_str!("../../testdata/vectors/client.json")),
    ("exchanges", include_str!("../../testdata/vectors/exchanges.json")),
    ("helper", include_str!("../../testdata/vectors/helper.json")),
    ("keys", include_str!("../../testdata/vectors/keys.json")),
    ("messages", include_str!("../../testdata/vectors/messages.json")),
    ("one_way_functions", include_str!("../../testdata/vectors/one_way_functions.json")),
    ("primitives", include_str!("../../testdata/vectors/primitives.json")),
    ("responses", include_str!("../../testdata/vectors/responses.json")),
    ("session_security", include_str!("../../testdata/vectors/session_security.json")),
    ("spnego", include_str!("../../testdata/vectors/spnego.json")),
];

/// Vectors beyond the published ones, which another program computed: what is run beside the built-in ones.
const INDEPENDENT: &str = include_str!("../../testdata/vectors/independent.json");

pub(super) fn independent() -> Result<VectorFile, String> {
    VectorFile::parse("independent", INDEPENDENT)
}

/// A set of vectors, never empty.
#[derive(Debug)]
pub(super) struct VectorFile {
    pub(super) name: String,
    pub(super) vectors: Vec<Vector>,
}

impl VectorFile {
    /// Parses the text of a file: an object with a list `vectors`; whatever else is in it is not looked at.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let json: Value =
            serde_json::from_str(text).map_err(|error| format!("{name} is no JSON: {error}"))?;
        let entries = json
            .get("vectors")
            .and_then(Value::as_array)
            .ok_or_else(|| format!("{name} has no list `vectors`"))?;
        if entries.is_empty() {
            return Err(format!("{name} holds no vectors"));
        }
        let vectors: Result<_, String> = entries
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                parse(entry).map_err(|problem| format!("{name}, vector {index}: {problem}"))
            })
            .collect();
        Ok(Self { name: name.to_owned(), vectors: vectors? })
    }
}

/// The vectors to run: those of the file that the environment names, else the built-in ones.
pub(super) fn chosen() -> Result<VectorFile, String> {
    match std::env::var(VARIABLE) {
        Ok(file) => read(&file),
        Err(std::env::VarError::NotPresent) => built_in(),
        Err(error) => Err(format!("{VARIABLE}: {error}")),
    }
}

/// All built-in vectors.
pub(super) fn built_in() -> Result<VectorFile, String> {
    let mut vectors = Vec::new();
    for (topic, text) in BUILT_IN {
        vectors.extend(VectorFile::parse(topic, text)?.vectors);
    }
    Ok(VectorFile { name: "the crate".to_owned(), vectors })
}

/// Reads a file. A relative path is tried from the current directory, which under `cargo test` is the package's, then
/// from the root of the workspace, where the command was typed.
pub(super) fn read(file: &str) -> Result<VectorFile, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut problems = Vec::new();
    for path in [PathBuf::from(file), root.join(file)] {
        match std::fs::read_to_string(&path) {
            Ok(text) => return VectorFile::parse(file, &text),
            Err(error) => problems.push(format!("{}: {error}", path.display())),
        }
    }
    Err(format!("{VARIABLE}={file} cannot be read: {}", problems.join("; ")))
}

fn parse(entry: &Value) -> Result<Vector, String> {
    let text = |key| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let object = |key| entry.get(key).and_then(Value::as_object).cloned();
    let lacks = |key| format!("lacks `{key}`");
    let expected = object("expected").ok_or_else(|| lacks("expected"))?;
    if expected.is_empty() {
        return Err("expects nothing".to_owned());
    }
    Ok(Vector::new(
        text("name").ok_or_else(|| lacks("name"))?,
        text("kind").ok_or_else(|| lacks("kind"))?,
        object("inputs").ok_or_else(|| lacks("inputs"))?,
        expected,
    ))
}
