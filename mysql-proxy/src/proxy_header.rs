//! The PROXY protocol, versions 1 and 2 in, version 2 out: who the client behind a load balancer
//! is. A header is read exactly, never a byte of what follows.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// First bytes of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Longest line of version 1, line end included.
const LONGEST_LINE: usize = 107;
/// Longest rest of version 2 that is read: addresses and a few certificates' names.
const LONGEST_REST: usize = 4096;

const VERSION_AND_LOCAL: u8 = 0x20;
const VERSION_AND_PROXY: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Reads the header. `None` means that the balancer speaks for itself.
///
/// # Errors
/// When what comes is no header, or the stream ends.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut first = [0; SIGNATURE.len()];
    stream.read_exact(&mut first).await?;
    if first == SIGNATURE {
        return read_version_2(stream).await;
    }
    let mut line = first.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LONGEST_LINE || !line.starts_with(b"PROXY ") {
            return Err(no_header());
        }
        line.push(stream.read_u8().await?);
    }
    parse_line(&line).ok_or_else(no_header)
}

async fn read_version_2(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let [command, family] = [stream.read_u8().await?, stream.read_u8().await?];
    let length = usize::from(stream.read_u16().await?);
    if length > LONGEST_REST {
        return Err(no_header());
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match command {
        VERSION_AND_LOCAL => Ok(None),
        VERSION_AND_PROXY => parse_addresses(family, &rest)
            .map(Some)
            .ok_or_else(no_header),
        _ => Err(no_header()),
    }
}

fn no_header() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a PROXY header is expected from here",
    )
}

/// A line of version 1.
fn parse_line(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Some(None),
        ["PROXY", family, from, _, port, _] => {
            let from: IpAddr = from.parse().ok()?;
            let right =
                (*family == "TCP4" && from.is_ipv4()) || (*family == "TCP6" && from.is_ipv6());
            let port = port.parse().ok()?;
            right.then_some(Some(SocketAddr::new(from, port)))
        }
        _ => None,
    }
}

/// Source address of version 2; what follows the addresses is of no use here.
fn parse_addresses(family: u8, rest: &[u8]) -> Option<SocketAddr> {
    match family {
        TCP_OVER_IPV4 => {
            let (from, rest) = rest.split_first_chunk::<4>()?;
            let port = rest.get(4..)?.first_chunk()?;
            Some((Ipv4Addr::from(*from), u16::from_be_bytes(*port)).into())
        }
        TCP_OVER_IPV6 => {
            let (from, rest) = rest.split_first_chunk::<16>()?;
            let port = rest.get(16..)?.first_chunk()?;
            Some((Ipv6Addr::from(*from), u16::from_be_bytes(*port)).into())
        }
        _ => None,
    }
}

/// A header of version 2 for a connection from `from` to `to`.
#[must_use]
pub fn write(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut addresses = Vec::with_capacity(36);
    let family = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            addresses.extend_from_slice(&from.octets());
            addresses.extend_from_slice(&to.octets());
            TCP_OVER_IPV4
        }
        (from, to) => {
            addresses.extend_from_slice(&as_v6(from).octets());
            addresses.extend_from_slice(&as_v6(to).octets());
            TCP_OVER_IPV6
        }
    };
    addresses.extend_from_slice(&from.port().to_be_bytes());
    addresses.extend_from_slice(&to.port().to_be_bytes());
    let length = u16::try_from(addresses.len()).unwrap_or_default();
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[VERSION_AND_PROXY, family]);
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&addresses);
    header
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(bytes: &[u8]) -> (Option<Option<SocketAddr>>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let mut stream = bytes;
        let outcome = runtime.block_on(read(&mut stream));
        (outcome.ok(), stream.len())
    }

    #[test]
    fn headers_of_both_versions_name_the_client_and_leave_what_follows() {
        let line = b"PROXY TCP4 203.0.113.7 10.0.0.1 5000 4000\r\nrest";
        let client: SocketAddr = "203.0.113.7:5000".parse().expect("an address");
        assert_eq!(parse(line), (Some(Some(client)), 4));
        assert_eq!(parse(b"PROXY UNKNOWN\r\nrest"), (Some(None), 4));
        let local = [&SIGNATURE[..], &[0x20, 0, 0, 3, 1, 2, 3], b"rest"].concat();
        assert_eq!(parse(&local), (Some(None), 4));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let line = |text: &str| parse(text.as_bytes()).0;
        assert_eq!(line("PROXY TCP4 ::1 ::1 1 2\r\n"), None);
        assert_eq!(line("PROXY TCP4 1.2.3.4 1.2.3.4 x 2\r\n"), None);
        assert_eq!(line("GET / HTTP/1.1\r\n"), None);
        assert_eq!(line(&format!("PROXY {}", "x".repeat(200))), None);
        let long = [&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat();
        assert_eq!(parse(&long).0, None);
    }

    proptest! {
        #[test]
        fn a_header_written_reads_back(from: SocketAddr, to: SocketAddr, rest: Vec<u8>) {
            let stream = [write(from, to), rest.clone()].concat();
            let (read, left) = parse(&stream);
            let read = read.flatten().expect("an address");
            prop_assert_eq!(as_v6(read.ip()), as_v6(from.ip()));
            prop_assert_eq!(read.port(), from.port());
            prop_assert_eq!(left, rest.len());
        }

        #[test]
        fn any_bytes_are_a_header_or_not(bytes: Vec<u8>, second: bool) {
            let start: &[u8] = if second { &SIGNATURE } else { b"PROXY " };
            parse(&[start, &bytes].concat());
        }
    }
}
