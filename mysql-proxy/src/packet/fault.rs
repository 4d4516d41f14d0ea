//! Error packets (page "ERR_Packet"): those the proxy itself answers with, and the client's own
//! spelling of its name in those of the server.

/// An error as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPacket {
    /// Error number of MySQL's list.
    pub code: u16,
    /// SQLSTATE, five characters.
    pub state: &'static str,
    /// Text.
    pub message: String,
}

impl ErrorPacket {
    /// An error.
    #[must_use]
    pub fn new(code: u16, state: &'static str, message: impl Into<String>) -> Self {
        ErrorPacket {
            code,
            state,
            message: message.into(),
        }
    }

    /// Its payload. Before a client has said that it speaks 4.1 there is no SQLSTATE in it.
    #[must_use]
    pub fn payload(&self, with_state: bool) -> Vec<u8> {
        let mut payload = vec![0xff];
        payload.extend_from_slice(&self.code.to_le_bytes());
        if with_state {
            payload.push(b'#');
            payload.extend_from_slice(self.state.as_bytes());
        }
        payload.extend_from_slice(self.message.as_bytes());
        payload
    }
}

/// Whether a payload is an error.
#[must_use]
pub fn is_error(payload: &[u8]) -> bool {
    payload.first() == Some(&0xff)
}

/// Puts the name as the client wrote it where the server quotes the name that it was given.
#[must_use]
pub fn respell(payload: Vec<u8>, given: &str, written: &str) -> Vec<u8> {
    const TEXT_FROM: usize = 9;
    let (from, to) = (format!("'{given}'@"), format!("'{written}'@"));
    let text = payload.get(TEXT_FROM..).map(std::str::from_utf8);
    let Some(Ok(text)) = text else { return payload };
    if given == written || given.is_empty() || !text.contains(&from) {
        return payload;
    }
    let mut respelled = payload.get(..TEXT_FROM).unwrap_or_default().to_vec();
    respelled.extend_from_slice(text.replacen(&from, &to, 1).as_bytes());
    respelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_error_names_the_user_as_the_client_wrote_it() {
        let error = ErrorPacket::new(1045, "28000", "Access denied for user 'root'@'127.0.0.1'");
        let respelled = respell(error.payload(true), "root", "alpha.root");
        let expected = ErrorPacket::new(
            1045,
            "28000",
            "Access denied for user 'alpha.root'@'127.0.0.1'",
        );
        assert_eq!(respelled, expected.payload(true));
    }

    #[test]
    fn what_is_no_text_stays() {
        for payload in [vec![0xff], vec![0xff; 40], Vec::new()] {
            assert_eq!(respell(payload.clone(), "a", "b"), payload);
        }
    }
}
