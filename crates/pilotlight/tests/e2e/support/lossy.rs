//! A way to a server on which something is lost once: an answer, when the request was carried out, or the request itself.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What is lost.
#[derive(Clone, Copy)]
enum What {
    /// The connection closes.
    Answer,
    /// The connection stays open, and nothing comes of it.
    Request,
}

/// The way. Its threads end with the test's process.
pub(crate) struct Lossy {
    address: SocketAddr,
    lost: Arc<AtomicBool>,
}

impl Lossy {
    /// Loses the answer to the first request whose head contains this.
    pub(crate) fn to(server: SocketAddr, request: &'static str) -> Self {
        Self::losing(What::Answer, server, request)
    }

    /// Loses the first request whose head contains this; whoever asked hears nothing.
    pub(crate) fn deaf_to(server: SocketAddr, request: &'static str) -> Self {
        Self::losing(What::Request, server, request)
    }

    fn losing(what: What, server: SocketAddr, request: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an open socket");
        let lost = Arc::new(AtomicBool::new(false));
        let of_all = Arc::clone(&lost);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let lost = Arc::clone(&of_all);
                thread::spawn(move || carry(&client, server, (what, request), &lost));
            }
        });
        Self { address, lost }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether it was.
    pub(crate) fn has_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

fn carry(mut client: &TcpStream, server: SocketAddr, (what, request): (What, &str), lost: &AtomicBool) {
    let Ok(mut server) = TcpStream::connect(server) else { return };
    let is_next = Arc::new(AtomicBool::new(false));
    let (back, its_way) =
        (server.try_clone().expect("a descriptor"), client.try_clone().expect("a descriptor"));
    let loses = Arc::clone(&is_next);
    thread::spawn(move || bring_back(back, its_way, &loses));
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut chunk) {
        if chunk[..read].windows(request.len()).any(|text| text == request.as_bytes()) {
            let is_this = !lost.swap(true, Ordering::SeqCst);
            match what {
                What::Answer => is_next.store(is_this, Ordering::SeqCst),
                What::Request if is_this => continue,
                What::Request => {}
            }
        }
        if server.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    _ = server.shutdown(Shutdown::Both);
}

fn bring_back(mut server: TcpStream, mut client: TcpStream, loses: &AtomicBool) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = server.read(&mut chunk) {
        if loses.load(Ordering::SeqCst) || client.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    _ = client.shutdown(Shutdown::Both);
}
