//! The one connection on which an instance hears what others did, and says what it did. What it says is collected
//! and sent together, a few milliseconds apart, so that notifications never line up behind each other or hold up a
//! verb. When the connection breaks it is made again, and everybody looks at everything.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pilotlight_core::retry;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, Connection, Socket, Statement};

use super::address::Address;
use super::failure::Failure;
use super::statements;
use super::tidings::{Speaker, Tidings};
use super::tls::{Sealed, Sealing};
use crate::error::Error;
use crate::records::StoreNotification;

/// Between two sendings. What happens meanwhile is sent together.
const SEND_EVERY: Duration = Duration::from_millis(5);
/// A connection without a word is asked whether it is still there.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// An answer takes this long at most.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// After a connection broke; each further failure doubles it.
const PAUSE_AT_FIRST: Duration = Duration::from_millis(50);
/// Between two tries at most.
const PAUSE_AT_MOST: Duration = Duration::from_secs(5);

/// Tidings that wait for somebody to take them.
#[derive(Debug, Default)]
pub(super) struct Basket {
    tidings: Mutex<Tidings>,
    is_filled: Notify,
}

impl Basket {
    /// Puts something in.
    pub(super) fn put(&self, fill: impl FnOnce(&mut Tidings)) {
        let is_empty = {
            let mut tidings = self.tidings.lock().unwrap_or_else(PoisonError::into_inner);
            fill(&mut tidings);
            tidings.is_empty()
        };
        if !is_empty {
            self.is_filled.notify_one();
        }
    }

    /// Waits for something and takes the next part of it.
    pub(super) async fn next(&self) -> StoreNotification {
        loop {
            let told = self.tidings.lock().unwrap_or_else(PoisonError::into_inner).take();
            match told {
                Some(told) => return told,
                None => self.is_filled.notified().await,
            }
        }
    }

    /// Waits for something and takes all of it.
    async fn all(&self) -> Tidings {
        loop {
            let all = std::mem::take(&mut *self.tidings.lock().unwrap_or_else(PoisonError::into_inner));
            if !all.is_empty() {
                return all;
            }
            self.is_filled.notified().await;
        }
    }
}

/// What the verbs and the line share.
#[derive(Debug)]
pub(super) struct News {
    /// What others did.
    pub(super) heard: Basket,
    /// What was done here.
    pub(super) to_say: Basket,
    own: Speaker,
}

impl News {
    pub(super) fn new(own: Speaker) -> Self {
        Self { heard: Basket::default(), to_say: Basket::default(), own }
    }
}

/// A connection that hears.
pub(super) struct Line {
    client: Client,
    connection: Connection<Socket, Sealed>,
}

impl fmt::Debug for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Line")
    }
}

/// Keeps one open for ever, beginning with this one.
pub(super) async fn keep(first: Line, address: Address, news: Arc<News>) {
    let mut line = first;
    loop {
        line.serve(&news).await;
        line = open_again(&address).await;
        // What was said meanwhile is lost, on both sides.
        news.heard.put(Tidings::anything);
        news.to_say.put(Tidings::anything);
    }
}

async fn open_again(address: &Address) -> Line {
    let mut failures = 1;
    loop {
        sleep(retry::backoff(PAUSE_AT_FIRST, failures).min(PAUSE_AT_MOST)).await;
        if let Ok(line) = Line::open(address).await {
            return line;
        }
        failures = failures.saturating_add(1);
    }
}

impl Line {
    /// Connects and listens: nothing is missed from here on.
    pub(super) async fn open(address: &Address) -> Result<Self, Error> {
        let place = &address.shown;
        let late = || Error::Unavailable(format!("{place} did not answer in time"));
        let sealing = Sealing::new(&address.trust);
        let (client, mut connection) = timeout(ANSWER_WITHIN * 2, address.config.connect(sealing))
            .await
            .map_err(|_| late())?
            .map_err(|error| Failure::before_commit(&error, place).error)?;
        let listening = alongside(&mut connection, client.batch_execute(statements::LISTEN));
        let listens = timeout(ANSWER_WITHIN, listening).await.map_err(|_| late())?;
        match listens {
            Some(Ok(())) => Ok(Self { client, connection }),
            Some(Err(error)) => Err(Failure::before_commit(&error, place).error),
            None => Err(Error::Unavailable(format!("{place} ended a new connection"))),
        }
    }

    /// Hears and says until it breaks.
    async fn serve(self, news: &News) {
        let Self { client, mut connection } = self;
        tokio::select! {
            () = hear(&mut connection, news) => {}
            () = say(&client, news) => {}
        }
    }
}

/// Drives the connection while something is asked on it; `None` when the connection ended first. What is heard
/// meanwhile came before anybody could wait for it.
async fn alongside<F: Future>(connection: &mut Connection<Socket, Sealed>, asked: F) -> Option<F::Output> {
    let ended =
        async { while let Some(Ok(_)) = poll_fn(|context| connection.poll_message(context)).await {} };
    tokio::select! {
        answer = asked => Some(answer),
        () = ended => None,
    }
}

async fn hear(connection: &mut Connection<Socket, Sealed>, news: &News) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(note) = message {
            let tidings = Tidings::read(note.payload(), &news.own);
            news.heard.put(|heard| heard.add(tidings));
        }
    }
}

/// Returns when the connection does not take it. What is lost then is told as anything by the next one.
async fn say(client: &Client, news: &News) {
    let Ok(notify) = client.prepare(statements::NOTIFY).await else { return };
    loop {
        let sent = match timeout(ASK_EVERY, news.to_say.all()).await {
            Ok(tidings) => timeout(ANSWER_WITHIN, send(client, &notify, &tidings.texts(&news.own))).await,
            Err(_) => timeout(ANSWER_WITHIN, client.batch_execute(statements::STILL_THERE)).await,
        };
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
        sleep(SEND_EVERY).await;
    }
}

async fn send(client: &Client, notify: &Statement, texts: &[String]) -> Result<(), tokio_postgres::Error> {
    for text in texts {
        client.execute(notify, &[text]).await?;
    }
    Ok(())
}
