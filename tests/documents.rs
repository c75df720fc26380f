//! What the documents promise about tests is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

use std::fs;
use std::path::Path;

/// The words in back quotes.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// Whether the source has a test of that name that `cargo test` runs.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let declared = format!("fn {name}() {{");
    let Some(at) = lines.iter().position(|line| *line == declared) else { return false };
    let attributes: Vec<_> = lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).collect();
    attributes.contains(&&"#[test]") && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn each_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let mut named = 0;
    for (file, test) in quoted(&page).filter_map(|words| words.split_once("::")) {
        if Path::new(file).extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(has_test(&source, test), "{file} has no test {test}");
        named += 1;
    }
    assert!(named > 50, "{named}");
}

#[test]
fn each_attacker_s_section_names_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    // What there is no test for, the page must say.
    for section in page.split("\n## ").skip(1).filter(|section| !section.starts_with("The superuser")) {
        let heading = section.lines().next().unwrap();
        assert!(quoted(section).any(|words| words.contains(".rs::")), "{heading}");
    }
}

/// CI compares docs/platforms.md with what it ran.
#[test]
fn the_readme_shows_the_platforms_that_ci_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows = |page: &str| {
        let page = fs::read_to_string(root.join(page)).unwrap();
        page.lines()
            .filter(|line| line.starts_with("| `") && line.contains("-"))
            .filter(|line| {
                let target = line.split('`').nth(1).unwrap();
                target.split('-').count() >= 2
                    && ["x86_64", "s390x", "i686", "aarch64", "wasm32"]
                        .iter()
                        .any(|cpu| target.starts_with(cpu))
            })
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let documented = rows("docs/platforms.md");
    assert!(documented.len() > 5, "{documented:?}");
    assert_eq!(rows("README.md"), documented);
}

#[test]
fn a_test_is_told_from_what_looks_like_one() {
    let source = "#[test]\nfn a() {\n}\n\n#[test]\n#[ignore = \"no\"]\nfn b() {\n}\n\nfn c() {\n}\n";
    assert!(has_test(source, "a"));
    for none in ["b", "c", "d", ""] {
        assert!(!has_test(source, none), "{none}");
    }
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in
        ["README.md", "ARCHITECTURE.md", "docs/blob-format.md", "docs/host-key.md", "docs/threat-model.md"]
    {
        let text = fs::read_to_string(root.join(page)).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !target.starts_with("http") && !target.starts_with('#') {
                let path = root.join(page).parent().unwrap().join(target.split('#').next().unwrap());
                assert!(path.exists(), "{page}: {target}");
            }
        }
    }
}
