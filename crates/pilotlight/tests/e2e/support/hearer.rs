//! Somebody who is told of jobs: an HTTP listener on loopback that writes down what it hears and answers as it is to.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// What it answers.
#[derive(Clone, Copy)]
pub(crate) enum Says {
    Status(u16),
    /// Leads to another path of its own.
    Elsewhere,
    /// Nothing at all, and the connection stays open.
    Nothing,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Method and path.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn header(&self, wanted: &str) -> &str {
        let header = self.headers.iter().find(|(name, _)| name == wanted);
        header.map_or_else(|| panic!("no {wanted} in {:?}", self.headers), |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// The listener. Its thread ends with the test's process.
pub(crate) struct Hearer {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    deaf: Option<Socket>,
    says: fn(usize) -> Says,
}

impl Hearer {
    /// Listens, and answers the request of each number so.
    pub(crate) fn listening(says: fn(usize) -> Says) -> Self {
        let mut hearer = Self::deaf(says);
        hearer.listen();
        hearer
    }

    /// Has an address at which connections are refused until [`Hearer::listen`].
    pub(crate) fn deaf(says: fn(usize) -> Says) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        let address = socket.local_addr().expect("it is bound").as_socket().expect("an address");
        Self { address, heard: Arc::default(), deaf: Some(socket), says }
    }

    pub(crate) fn listen(&mut self) {
        let socket = self.deaf.take().expect("it does not listen yet");
        socket.listen(64).expect("our own socket");
        let (listener, heard, says) = (TcpListener::from(socket), Arc::clone(&self.heard), self.says);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&heard);
                std::thread::spawn(move || answer(&stream, &heard, says));
            }
        });
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All it heard, in its order.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

/// Answers what comes on a connection until it ends.
fn answer(stream: &TcpStream, heard: &Mutex<Vec<Heard>>, says: fn(usize) -> Says) {
    let mut from = BufReader::new(stream);
    while let Some(request) = request(&mut from) {
        let number = {
            let mut heard = heard.lock().unwrap();
            heard.push(request);
            heard.len() - 1
        };
        let text = match says(number) {
            Says::Status(status) => format!("HTTP/1.1 {status} Told\r\ncontent-length: 0\r\n\r\n"),
            Says::Elsewhere => {
                "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            Says::Nothing => continue,
        };
        if (&*stream).write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// `None` once the other side has gone.
fn request(from: &mut impl BufRead) -> Option<Heard> {
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
    Some(Heard { line, headers, body: String::from_utf8(body).expect("text") })
}
