//! A proxy in front of a server that loses one message once: the response to a request that was executed, or the
//! request itself.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Which message is lost.
#[derive(Clone, Copy)]
enum Loss {
    /// The response is lost: the connection closes.
    Response,
    /// The request is lost: the connection stays open, and no response arrives.
    Request,
}

/// The proxy. Its threads end with the test's process.
pub struct LossyLink {
    address: SocketAddr,
    lost: Arc<AtomicBool>,
}

impl LossyLink {
    /// Loses the response to the first request whose head contains this text.
    pub fn losing_response(server: SocketAddr, request: &'static str) -> Self {
        Self::new(Loss::Response, server, request)
    }

    /// Loses the first request whose head contains this text.
    pub fn losing_request(server: SocketAddr, request: &'static str) -> Self {
        Self::new(Loss::Request, server, request)
    }

    fn new(loss: Loss, server: SocketAddr, request: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an open socket");
        let lost = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&lost);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let lost = Arc::clone(&shared);
                thread::spawn(move || forward(&client, server, (loss, request), &lost));
            }
        });
        Self { address, lost }
    }

    /// The URL of the proxy.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether the message was lost.
    pub fn has_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

fn forward(mut client: &TcpStream, server: SocketAddr, (loss, request): (Loss, &str), lost: &AtomicBool) {
    let Ok(mut server) = TcpStream::connect(server) else { return };
    let drop_responses = Arc::new(AtomicBool::new(false));
    let (from_server, to_client) =
        (server.try_clone().expect("a descriptor"), client.try_clone().expect("a descriptor"));
    let drop_flag = Arc::clone(&drop_responses);
    thread::spawn(move || forward_responses(from_server, to_client, &drop_flag));
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut chunk) {
        if chunk[..read].windows(request.len()).any(|text| text == request.as_bytes()) {
            let is_first = !lost.swap(true, Ordering::SeqCst);
            match loss {
                Loss::Response => drop_responses.store(is_first, Ordering::SeqCst),
                Loss::Request if is_first => continue,
                Loss::Request => {}
            }
        }
        if server.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    _ = server.shutdown(Shutdown::Both);
}

fn forward_responses(mut server: TcpStream, mut client: TcpStream, drop_responses: &AtomicBool) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = server.read(&mut chunk) {
        if drop_responses.load(Ordering::SeqCst) || client.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    _ = client.shutdown(Shutdown::Both);
}
