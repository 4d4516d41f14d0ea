//! Digests and kinds against TiDB itself: its own normalizer and parser, on its own tests' texts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod generated;
mod kinds;
mod reference;

use mesh_digest::Digester;
use reference::Reference;

/// Asks TiDB for so many at once.
const BATCH: usize = 4096;

/// Differences shown before giving up.
const SHOWN: usize = 20;

/// Compares text and digest of each of `texts`; returns a description of each difference.
fn differences(reference: &mut Reference, texts: &[Vec<u8>]) -> Vec<String> {
    let mut digester = Digester::new();
    let answers = reference.ask(texts, 2);
    let pairs = texts.iter().zip(answers.chunks(2));
    pairs
        .filter_map(|(text, answer)| {
            let digest = digester.digest(text);
            let ours = digester.normalized();
            let same = ours.as_bytes() == answer[0] && digest.as_bytes()[..] == answer[1];
            (!same).then(|| {
                let text = String::from_utf8_lossy(text);
                let theirs = String::from_utf8_lossy(&answer[0]);
                format!("text: {text:?}\nTiDB: {theirs:?}\nours: {ours:?}\n")
            })
        })
        .collect()
}

fn assert_same(texts: &[Vec<u8>]) {
    let mut reference = Reference::start("normalize");
    let mut found = Vec::new();
    for batch in texts.chunks(BATCH) {
        found.extend(differences(&mut reference, batch));
    }
    let shown = found.iter().take(SHOWN).cloned().collect::<String>();
    assert!(
        found.is_empty(),
        "{} of {} texts differ:\n{shown}",
        found.len(),
        texts.len()
    );
}

#[test]
fn every_text_of_the_servers_tests_has_its_digest() {
    let corpus = reference::corpus();
    assert!(corpus.len() > 90_000, "only {} texts", corpus.len());
    assert_same(corpus);
}

#[test]
fn every_letter_lowers_as_in_the_server() {
    let letters: Vec<char> = ('\0'..=char::MAX).filter(|c| !matches!(c, '`')).collect();
    let texts: Vec<Vec<u8>> = letters
        .chunks(512)
        .map(|chunk| format!("`{}`", chunk.iter().collect::<String>()).into_bytes())
        .collect();
    assert_same(&texts);
}

#[test]
fn every_pair_of_bytes_reads_as_in_the_server() {
    let frames = [("", " 1"), ("a", "b"), ("'x", "'")];
    let mut texts = Vec::new();
    for (before, after) in frames {
        for pair in 0..=u16::MAX {
            let text = [before.as_bytes(), &pair.to_be_bytes(), after.as_bytes()];
            texts.push(text.concat());
        }
    }
    assert_same(&texts);
}
