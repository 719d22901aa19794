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
use super::notifications::{InstanceId, Notifications};
use super::statements;
use super::tls::{PgTlsConnector, PgTlsStream};
use crate::error::Error;
use crate::records::StoreNotification;

/// Between two sendings. What happens meanwhile is sent together.
const SEND_INTERVAL: Duration = Duration::from_millis(5);
/// A connection without a word is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// An answer takes this long at most.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// After a connection broke; each further failure doubles it.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(50);
/// Between two tries at most.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Notifications that wait for somebody to take them.
#[derive(Debug, Default)]
pub(super) struct NotificationQueue {
    notifications: Mutex<Notifications>,
    filled: Notify,
}

impl NotificationQueue {
    /// Puts something in.
    pub(super) fn update(&self, change: impl FnOnce(&mut Notifications)) {
        let is_empty = {
            let mut notifications = self.notifications.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut notifications);
            notifications.is_empty()
        };
        if !is_empty {
            self.filled.notify_one();
        }
    }

    /// Waits for something and takes the next part of it.
    pub(super) async fn next(&self) -> StoreNotification {
        loop {
            let notification = self.notifications.lock().unwrap_or_else(PoisonError::into_inner).take_next();
            match notification {
                Some(notification) => return notification,
                None => self.filled.notified().await,
            }
        }
    }

    /// Waits for something and takes all of it.
    async fn take_all(&self) -> Notifications {
        loop {
            let all = std::mem::take(&mut *self.notifications.lock().unwrap_or_else(PoisonError::into_inner));
            if !all.is_empty() {
                return all;
            }
            self.filled.notified().await;
        }
    }
}

/// What the verbs and the line share.
#[derive(Debug)]
pub(super) struct NotificationBus {
    /// What others did.
    pub(super) received: NotificationQueue,
    /// What was done here.
    pub(super) outgoing: NotificationQueue,
    instance: InstanceId,
}

impl NotificationBus {
    pub(super) fn new(instance: InstanceId) -> Self {
        Self { received: NotificationQueue::default(), outgoing: NotificationQueue::default(), instance }
    }
}

/// A connection that hears.
pub(super) struct Listener {
    client: Client,
    connection: Connection<Socket, PgTlsStream>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Listener")
    }
}

/// Keeps one open for ever, beginning with this one.
pub(super) async fn run(mut listener: Listener, address: Address, bus: Arc<NotificationBus>) {
    loop {
        listener.serve(&bus).await;
        listener = reconnect(&address).await;
        // What was said meanwhile is lost, on both sides.
        bus.received.update(Notifications::request_resync);
        bus.outgoing.update(Notifications::request_resync);
    }
}

async fn reconnect(address: &Address) -> Listener {
    let mut failures = 1;
    loop {
        sleep(retry::backoff(FIRST_RETRY_DELAY, failures).min(MAX_RETRY_DELAY)).await;
        if let Ok(listener) = Listener::open(address).await {
            return listener;
        }
        failures = failures.saturating_add(1);
    }
}

impl Listener {
    /// Connects and listens: nothing is missed from here on.
    pub(super) async fn open(address: &Address) -> Result<Self, Error> {
        let server = &address.shown;
        let late = || Error::Unavailable(format!("{server} did not answer in time"));
        let tls_connector = PgTlsConnector::new(&address.trust);
        let (client, mut connection) = timeout(ANSWER_TIMEOUT * 2, address.config.connect(tls_connector))
            .await
            .map_err(|_| late())?
            .map_err(|error| Failure::before_commit(&error, server).error)?;
        let listening = drive_while(&mut connection, client.batch_execute(statements::LISTEN));
        let listens = timeout(ANSWER_TIMEOUT, listening).await.map_err(|_| late())?;
        match listens {
            Some(Ok(())) => Ok(Self { client, connection }),
            Some(Err(error)) => Err(Failure::before_commit(&error, server).error),
            None => Err(Error::Unavailable(format!("{server} ended a new connection"))),
        }
    }

    /// Hears and says until it breaks.
    async fn serve(self, bus: &NotificationBus) {
        let Self { client, mut connection } = self;
        tokio::select! {
            () = receive_loop(&mut connection, bus) => {}
            () = send_loop(&client, bus) => {}
        }
    }
}

/// Drives the connection while something is asked on it; `None` when the connection ended first. What is heard
/// meanwhile came before anybody could wait for it.
async fn drive_while<F: Future>(
    connection: &mut Connection<Socket, PgTlsStream>,
    request: F,
) -> Option<F::Output> {
    let connection_ended =
        async { while let Some(Ok(_)) = poll_fn(|context| connection.poll_message(context)).await {} };
    tokio::select! {
        answer = request => Some(answer),
        () = connection_ended => None,
    }
}

async fn receive_loop(connection: &mut Connection<Socket, PgTlsStream>, bus: &NotificationBus) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(note) = message {
            let notifications = Notifications::decode(note.payload(), &bus.instance);
            bus.received.update(|received| received.merge(notifications));
        }
    }
}

/// Returns when the connection does not take it. What is lost then is told as anything by the next one.
async fn send_loop(client: &Client, bus: &NotificationBus) {
    let Ok(notify) = client.prepare(statements::NOTIFY).await else { return };
    loop {
        let sent = match timeout(PING_INTERVAL, bus.outgoing.take_all()).await {
            Ok(notifications) => {
                timeout(ANSWER_TIMEOUT, send(client, &notify, &notifications.encode(&bus.instance))).await
            }
            Err(_) => timeout(ANSWER_TIMEOUT, client.batch_execute(statements::PING)).await,
        };
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
        sleep(SEND_INTERVAL).await;
    }
}

async fn send(client: &Client, notify: &Statement, texts: &[String]) -> Result<(), tokio_postgres::Error> {
    for text in texts {
        client.execute(notify, &[text]).await?;
    }
    Ok(())
}
