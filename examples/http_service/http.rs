//! As much of HTTP/1.1 (RFC 9112) as the service needs, with a bound on everything that the client sends.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Request line and header fields together; RFC 9112 3 recommends at least 8000 octets for the request line.
const MAX_HEAD: usize = 16 * 1024;
/// A request's body. The service has no use for one and only reads past it.
const MAX_BODY: usize = 64 * 1024;
/// From the first byte waited for to the end of a request. One deadline for all reads: a client that sends a byte now
/// and then gets no more time than one that sends nothing.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// How long the client may take to read an answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Why a request cannot be served.
#[derive(Debug)]
pub(crate) enum HttpError {
    /// The connection failed or took too long: there is nobody to answer.
    Io(io::Error),
    /// The request deserves this answer, after which the connection is closed.
    Refused(Status),
}

impl From<io::Error> for HttpError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Refused(status) => f.write_str(status.line()),
        }
    }
}

/// The answers that the service gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    Unauthorized,
    ContentTooLarge,
    HeaderTooLarge,
    NotImplemented,
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Unauthorized => "401 Unauthorized",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::HeaderTooLarge => "431 Request Header Fields Too Large",
            Self::NotImplemented => "501 Not Implemented",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// The head of a request.
#[derive(Debug)]
pub(crate) struct Request {
    /// Whether only the head of the answer is wanted.
    pub(crate) is_head: bool,
    /// Whether the connection goes on after the answer.
    pub(crate) keep_alive: bool,
    /// The Authorization field, where there is one.
    pub(crate) authorization: Option<String>,
    /// Bytes of the head, and of the body after it.
    length: usize,
}

impl Request {
    /// The bytes of the NTLM token in the Authorization field: `None` without the field or with another scheme, an
    /// error where there is something else than base64 in it.
    pub(crate) fn ntlm_token(&self) -> Option<Result<Vec<u8>, base64::DecodeError>> {
        use base64::prelude::{BASE64_STANDARD, Engine as _};

        let (scheme, token) = self.authorization.as_deref()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("NTLM").then(|| BASE64_STANDARD.decode(token.trim()))
    }
}

/// A client's connection and what was read from it but not yet served.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    unserved: Vec<u8>,
}

impl Connection {
    /// Goes on with a connection of which `unserved` was read before.
    pub(crate) fn new(stream: TcpStream, unserved: Vec<u8>) -> io::Result<Self> {
        stream.set_write_timeout(Some(ANSWER_TIME))?;
        // Answers are written in one piece; waiting for more would only delay the next leg of the handshake.
        stream.set_nodelay(true)?;
        Ok(Self { stream, unserved })
    }

    /// The connection, and the bytes read from it that no [`answer`](Self::answer) has used up.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.unserved)
    }

    /// Waits for the next request to be there in full. It stays unserved until it is answered. `None` where the client
    /// closed the connection between two requests.
    pub(crate) fn request(&mut self) -> Result<Option<Request>, HttpError> {
        let deadline = Instant::now() + REQUEST_TIME;
        let (head_length, mut request) = loop {
            if let Some(end) = find(&self.unserved, b"\r\n\r\n") {
                if end > MAX_HEAD {
                    return Err(HttpError::Refused(Status::HeaderTooLarge));
                }
                let head = self.unserved.get(..end).unwrap_or_default();
                break (end + 4, parse_head(head).map_err(HttpError::Refused)?);
            }
            if self.unserved.len() > MAX_HEAD {
                return Err(HttpError::Refused(Status::HeaderTooLarge));
            }
            if !self.read_more(deadline)? {
                return if self.unserved.is_empty() { Ok(None) } else { Err(unexpected_end()) };
            }
        };
        request.length += head_length;
        while self.unserved.len() < request.length {
            if !self.read_more(deadline)? {
                return Err(unexpected_end());
            }
        }
        Ok(Some(request))
    }

    /// Answers `request` and is done with it.
    pub(crate) fn answer(
        &mut self,
        request: &Request,
        status: Status,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Result<(), HttpError> {
        self.unserved.drain(..request.length.min(self.unserved.len()));
        self.write(status, request.keep_alive, fields, body, request.is_head)
    }

    /// Answers what is no request.
    pub(crate) fn refuse(&mut self, status: Status) -> Result<(), HttpError> {
        self.write(status, false, &[], "", false)
    }

    fn write(
        &mut self,
        status: Status,
        keep_alive: bool,
        fields: &[(&str, &str)],
        body: &str,
        is_head: bool,
    ) -> Result<(), HttpError> {
        let mut answer = format!("HTTP/1.1 {}\r\n", status.line());
        for (name, value) in fields {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        let connection = if keep_alive { "keep-alive" } else { "close" };
        answer.push_str(&format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
            body.len()
        ));
        if !is_head {
            answer.push_str(body);
        }
        self.stream.write_all(answer.as_bytes())?;
        Ok(())
    }

    /// Reads what is there; false at the end of the connection.
    fn read_more(&mut self, deadline: Instant) -> Result<bool, HttpError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut bytes = [0; 4096];
        let count = loop {
            match self.stream.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.unserved.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count != 0)
    }
}

fn unexpected_end() -> HttpError {
    HttpError::Io(io::ErrorKind::UnexpectedEof.into())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The head without the empty line that ends it. The `length` of the result is that of the body.
fn parse_head(head: &[u8]) -> Result<Request, Status> {
    let head = std::str::from_utf8(head).map_err(|_| Status::BadRequest)?;
    let mut lines = head.split("\r\n");
    let request_line = lines.next().ok_or(Status::BadRequest)?;
    let [method, _target, version] =
        <[&str; 3]>::try_from(request_line.split(' ').collect::<Vec<_>>()).map_err(|_| Status::BadRequest)?;
    if !is_token(method) {
        return Err(Status::BadRequest);
    }
    let mut request = Request {
        is_head: method == "HEAD",
        keep_alive: match version {
            "HTTP/1.1" => true,
            "HTTP/1.0" => false,
            _ => return Err(Status::BadRequest),
        },
        authorization: None,
        length: 0,
    };
    let mut body_length = None;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Status::BadRequest)?;
        let value = value.trim_matches([' ', '\t']);
        if !is_token(name) || value.contains(|c: char| c.is_control() && c != '\t') {
            return Err(Status::BadRequest);
        }
        if name.eq_ignore_ascii_case("Authorization") {
            // Two identities in one request: there is no right one.
            if request.authorization.replace(value.to_owned()).is_some() {
                return Err(Status::BadRequest);
            }
        } else if name.eq_ignore_ascii_case("Content-Length") {
            if body_length.replace(parse_length(value)?).is_some() {
                return Err(Status::BadRequest);
            }
        } else if name.eq_ignore_ascii_case("Transfer-Encoding") {
            return Err(Status::NotImplemented);
        } else if name.eq_ignore_ascii_case("Connection") {
            for option in value.split(',').map(str::trim) {
                if option.eq_ignore_ascii_case("close") {
                    request.keep_alive = false;
                } else if option.eq_ignore_ascii_case("keep-alive") && version == "HTTP/1.0" {
                    request.keep_alive = true;
                }
            }
        }
    }
    request.length = body_length.unwrap_or(0);
    Ok(request)
}

fn parse_length(value: &str) -> Result<usize, Status> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Status::BadRequest);
    }
    match value.parse() {
        Ok(length) if length <= MAX_BODY => Ok(length),
        _ => Err(Status::ContentTooLarge),
    }
}

/// RFC 9110 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_parsed() {
        let head = b"POST /a HTTP/1.1\r\nHost: x\r\nauthorization: ntlm AQID\r\nContent-Length: 7";
        let request = parse_head(head).unwrap();
        assert!(request.keep_alive && !request.is_head);
        assert_eq!(request.length, 7);
        assert_eq!(request.ntlm_token(), Some(Ok(vec![1, 2, 3])));
        assert!(!parse_head(b"GET / HTTP/1.0").unwrap().keep_alive);
        assert!(!parse_head(b"GET / HTTP/1.1\r\nConnection: TE, Close").unwrap().keep_alive);
        assert!(parse_head(b"GET / HTTP/1.1\r\nAuthorization: Basic AQID").unwrap().ntlm_token().is_none());
    }

    #[test]
    fn ambiguous_and_oversized_heads_are_refused() {
        for (head, status) in [
            (&b"GET /"[..], Status::BadRequest),
            (b"GET / HTTP/2", Status::BadRequest),
            (b"GET / HTTP/1.1\r\nno colon", Status::BadRequest),
            (b"GET / HTTP/1.1\r\nspace : x", Status::BadRequest),
            (b"GET / HTTP/1.1\r\nHost: a\nb", Status::BadRequest),
            (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1", Status::BadRequest),
            (b"GET / HTTP/1.1\r\nContent-Length: +1", Status::BadRequest),
            (b"GET / HTTP/1.1\r\nContent-Length: 65537", Status::ContentTooLarge),
            (b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999", Status::ContentTooLarge),
            (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked", Status::NotImplemented),
            (b"GET / HTTP/1.1\r\nAuthorization: NTLM a\r\nAuthorization: NTLM b", Status::BadRequest),
        ] {
            assert_eq!(parse_head(head).unwrap_err(), status, "{:?}", String::from_utf8_lossy(head));
        }
    }
}
