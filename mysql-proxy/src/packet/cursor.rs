//! Reading and writing of the protocol's basic types (page "Protocol::Packet basic data types").

/// Bytes yet to be read. Every read that finds too little gives `None` and the caller refuses.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes }
    }

    /// What has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Two bytes, least significant first.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, least significant first.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A length-encoded integer. The markers 0xfb (NULL) and 0xff (error) are no integers.
    pub fn lenenc(&mut self) -> Option<u64> {
        match self.u8()? {
            small @ 0..=0xfa => Some(u64::from(small)),
            0xfc => self.u16().map(u64::from),
            0xfd => {
                let [low, middle, high] = self.array()?;
                Some(u64::from(u32::from_le_bytes([low, middle, high, 0])))
            }
            0xfe => self.array().map(u64::from_le_bytes),
            0xfb | 0xff => None,
        }
    }

    /// A length-encoded string.
    pub fn lenenc_bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.lenenc()?).ok()?;
        self.take(length)
    }

    /// A string that a zero byte ends.
    pub fn nul_terminated(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    /// As [`Cursor::nul_terminated`], but the end of the packet ends it too, as some clients write.
    pub fn nul_terminated_or_rest(&mut self) -> &'a [u8] {
        self.nul_terminated().unwrap_or_else(|| {
            let text = self.rest;
            self.rest = &[];
            text
        })
    }

    /// So many bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*array)
    }
}

/// Appends a length-encoded integer.
pub fn put_lenenc(into: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    let (marker, length) = match value {
        0..=0xfa => (None, 1),
        0xfb..=0xffff => (Some(0xfc), 2),
        0x1_0000..=0xff_ffff => (Some(0xfd), 3),
        _ => (Some(0xfe), 8),
    };
    into.extend(marker);
    into.extend(bytes.iter().take(length));
}

/// Appends a length-encoded string.
pub fn put_lenenc_bytes(into: &mut Vec<u8>, text: &[u8]) {
    put_lenenc(into, text.len() as u64);
    into.extend_from_slice(text);
}

/// Appends a string and the zero byte that ends it.
pub fn put_nul_terminated(into: &mut Vec<u8>, text: &[u8]) {
    into.extend(text.iter().take_while(|byte| **byte != 0));
    into.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_length_encoded_integer_reads_back(value: u64) {
            let mut bytes = Vec::new();
            put_lenenc(&mut bytes, value);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.lenenc(), Some(value));
            prop_assert!(cursor.rest().is_empty());
        }

        #[test]
        fn a_cut_integer_is_none(value in 0xfb_u64.., cut in 1_usize..8) {
            let mut bytes = Vec::new();
            put_lenenc(&mut bytes, value);
            let length = bytes.len().saturating_sub(cut);
            prop_assert_eq!(Cursor::new(bytes.get(..length).unwrap_or_default()).lenenc(), None);
        }
    }
}
