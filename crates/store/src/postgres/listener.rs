//! The one connection for notifications between instances (`LISTEN`/`NOTIFY`). Outgoing notifications are collected and
//! sent in batches, a few milliseconds apart, so that they do not wait for each other and never delay an operation.
//! When the connection breaks it is reopened, and all instances get a resync: they read everything again.

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

/// Pause between two batches of outgoing notifications.
const SEND_INTERVAL: Duration = Duration::from_millis(5);
/// After this time without outgoing notifications, a ping checks the connection.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Time limit for an answer of the server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before the first reconnect; it doubles after each further failure.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(50);
/// Maximum pause between two reconnects.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Notifications that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct NotificationQueue {
    notifications: Mutex<Notifications>,
    filled: Notify,
}

impl NotificationQueue {
    /// Changes the waiting notifications, and wakes the task that waits for them.
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

    /// Waits for notifications and takes the next one.
    pub(super) async fn next(&self) -> StoreNotification {
        loop {
            let notification = self.notifications.lock().unwrap_or_else(PoisonError::into_inner).take_next();
            match notification {
                Some(notification) => return notification,
                None => self.filled.notified().await,
            }
        }
    }

    /// Waits for notifications and takes all of them.
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

/// The queues between the operations of this instance and its notification connection.
#[derive(Debug)]
pub(super) struct NotificationBus {
    /// Changes by other instances.
    pub(super) received: NotificationQueue,
    /// Changes by this instance.
    pub(super) outgoing: NotificationQueue,
    instance: InstanceId,
}

impl NotificationBus {
    pub(super) fn new(instance: InstanceId) -> Self {
        Self { received: NotificationQueue::default(), outgoing: NotificationQueue::default(), instance }
    }
}

/// A connection that listens for notifications.
pub(super) struct Listener {
    client: Client,
    connection: Connection<Socket, PgTlsStream>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Listener")
    }
}

/// Serves this connection; reopens it whenever it breaks. Never returns.
pub(super) async fn run(mut listener: Listener, address: Address, bus: Arc<NotificationBus>) {
    loop {
        listener.serve(&bus).await;
        listener = reconnect(&address).await;
        // Notifications were lost in both directions while there was no connection.
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
    /// Connects and runs `LISTEN`: after this returns, no notification is missed.
    pub(super) async fn open(address: &Address) -> Result<Self, Error> {
        let server = &address.shown;
        let timed_out = || Error::Unavailable(format!("{server} did not answer in time"));
        let tls_connector = PgTlsConnector::new(&address.trust);
        let (client, mut connection) = timeout(ANSWER_TIMEOUT * 2, address.config.connect(tls_connector))
            .await
            .map_err(|_| timed_out())?
            .map_err(|error| Failure::before_commit(&error, server).error)?;
        let listening = drive_while(&mut connection, client.batch_execute(statements::LISTEN));
        let listened = timeout(ANSWER_TIMEOUT, listening).await.map_err(|_| timed_out())?;
        match listened {
            Some(Ok(())) => Ok(Self { client, connection }),
            Some(Err(error)) => Err(Failure::before_commit(&error, server).error),
            None => Err(Error::Unavailable(format!("{server} closed a new connection"))),
        }
    }

    /// Receives and sends notifications until the connection breaks.
    async fn serve(self, bus: &NotificationBus) {
        let Self { client, mut connection } = self;
        tokio::select! {
            () = receive_loop(&mut connection, bus) => {}
            () = send_loop(&client, bus) => {}
        }
    }
}

/// Drives the connection until a request on it is answered; `None` when the connection ended first. Notifications that
/// arrive meanwhile are discarded: the store is not open yet, or a resync follows.
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

/// Receives notifications until the connection ends.
async fn receive_loop(connection: &mut Connection<Socket, PgTlsStream>, bus: &NotificationBus) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(note) = message {
            let notifications = Notifications::decode(note.payload(), &bus.instance);
            bus.received.update(|received| received.merge(notifications));
        }
    }
}

/// Sends notifications until the connection fails. Lost notifications are replaced by a resync after the reconnect.
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
