//! The order of TiDB's versions, as greetings tell them: `8.0.11-TiDB-v9.0.0-...`.

/// Whether a server of version `new` understands a session's state of one of version `old`: the same
/// version does, and a later one. Versions that can't be read are only known to be the same or not.
#[must_use]
pub fn understands(new: &[u8], old: &[u8]) -> bool {
    match (release(new), release(old)) {
        (Some(new), Some(old)) => new >= old,
        _ => new == old,
    }
}

fn release(version: &[u8]) -> Option<[u32; 3]> {
    let text = std::str::from_utf8(version).ok()?;
    let (_, release) = text.split_once("TiDB-v")?;
    let end = release.find(|letter: char| letter != '.' && !letter.is_ascii_digit());
    let numbers = release.get(..end.unwrap_or(release.len()))?;
    let numbers: Result<Vec<u32>, _> = numbers.split('.').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_go_to_the_same_or_a_later_version() {
        let order = [
            "8.0.11-TiDB-v7.5.9",
            "8.0.11-TiDB-v8.5.0-serverless",
            "8.0.11-TiDB-v8.5.10",
            "8.0.11-TiDB-v9.0.0-alpha-1-gabc",
        ];
        for (index, old) in order.iter().enumerate() {
            for (other, new) in order.iter().enumerate() {
                let expected = other >= index;
                let actual = understands(new.as_bytes(), old.as_bytes());
                assert_eq!(actual, expected, "{old} to {new}");
            }
        }
    }

    #[test]
    fn versions_without_a_number_must_be_the_same() {
        assert!(understands(b"8.0.11-TiDB-None", b"8.0.11-TiDB-None"));
        assert!(!understands(b"8.0.11-TiDB-None", b"8.0.11-TiDB-v8.5.0"));
        assert!(!understands(b"8.0.11-TiDB-v8.5.0", b"\xff"));
    }
}
