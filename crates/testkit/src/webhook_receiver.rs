//! A receiver of webhooks: an HTTP server on the loopback address that records its requests and sends the responses
//! that the test chooses.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

const POISONED: &str = "no thread panics while it holds the lock";

/// How the receiver answers a request.
#[derive(Clone, Copy)]
pub enum Reply {
    /// It sends this status and no body.
    Status(u16),
    /// It sends a redirect to another of its paths.
    Redirect,
    /// It sends nothing; the connection stays open.
    Never,
}

/// A received request.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Method and path.
    pub line: String,
    headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl ReceivedRequest {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, wanted: &str) -> &str {
        let header = self.headers.iter().find(|(name, _)| name == wanted);
        header.map_or_else(|| panic!("no {wanted} in {:?}", self.headers), |(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// The receiver. Its threads end with the test's process.
pub struct WebhookReceiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<ReceivedRequest>>>,
    not_listening: Option<Socket>,
    reply: fn(usize) -> Reply,
}

impl WebhookReceiver {
    /// Starts a receiver that listens. `reply` gets the number of the request, from 0 on.
    pub fn start(reply: fn(usize) -> Reply) -> Self {
        let mut receiver = Self::not_listening(reply);
        receiver.listen();
        receiver
    }

    /// Creates a receiver whose address refuses connections until [`WebhookReceiver::listen`].
    pub fn not_listening(reply: fn(usize) -> Reply) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        let address = socket.local_addr().expect("it is bound").as_socket().expect("an address");
        Self { address, received: Arc::default(), not_listening: Some(socket), reply }
    }

    /// Begins to accept connections.
    pub fn listen(&mut self) {
        let socket = self.not_listening.take().expect("it does not listen yet");
        socket.listen(64).expect("our own socket");
        let (listener, received, reply) = (TcpListener::from(socket), Arc::clone(&self.received), self.reply);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let received = Arc::clone(&received);
                std::thread::spawn(move || serve(&stream, &received, reply));
            }
        });
    }

    /// The receiver's URL with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, in the order of arrival.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.received.lock().expect(POISONED).clone()
    }
}

/// Records and answers the requests of a connection until the connection ends.
fn serve(stream: &TcpStream, received: &Mutex<Vec<ReceivedRequest>>, reply: fn(usize) -> Reply) {
    let mut from = BufReader::new(stream);
    while let Some(request) = request(&mut from) {
        let number = {
            let mut received = received.lock().expect(POISONED);
            received.push(request);
            received.len() - 1
        };
        let text = match reply(number) {
            Reply::Status(status) => format!("HTTP/1.1 {status} Replied\r\ncontent-length: 0\r\n\r\n"),
            Reply::Redirect => {
                "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            Reply::Never => continue,
        };
        if (&*stream).write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// The next request; `None` once the sender has closed the connection.
fn request(from: &mut impl BufRead) -> Option<ReceivedRequest> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        from.read_line(&mut header).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().expect("a number"))];
    from.read_exact(&mut body).ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(ReceivedRequest { line, headers, body: String::from_utf8(body).expect("text") })
}
