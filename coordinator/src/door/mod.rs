//! How connections come in: so many and no more, encrypted where certificates are given, and slow callers are not waited
//! for.

mod guest;
mod seats;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

pub(crate) use guest::{Guest, Peer};
use seats::{Seat, Seats};

use crate::renewal::Renewed;
use crate::throttle::Throttle;

/// Connections that have passed the door and that the server has not taken yet.
const WAITING: usize = 64;
/// How long a caller may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After an accept that failed for want of file handles, say.
const BREATH: Duration = Duration::from_millis(100);

/// What every connection passes.
struct Door {
    tls: Option<Renewed<ServerConfig>>,
    seats: Seats,
    /// Callers whose refusals are still worth a line.
    talk: Throttle,
    guests: mpsc::Sender<Guest>,
}

/// Connections as they come in, until told to stop.
pub(crate) fn open(
    listener: TcpListener,
    tls: Option<Renewed<ServerConfig>>,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Guest, Infallible>> {
    let (guests, arrived) = mpsc::channel(WAITING);
    let door = Arc::new(Door {
        tls,
        seats: Seats::default(),
        talk: Throttle::default(),
        guests,
    });
    tokio::spawn(async move { stop.run_until_cancelled(keep(door, listener)).await });
    ReceiverStream::new(arrived).map(Ok)
}

async fn keep(door: Arc<Door>, listener: TcpListener) {
    loop {
        let (tcp, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        match door.seats.take(peer.ip()) {
            Some(seat) => drop(tokio::spawn(admit(Arc::clone(&door), tcp, peer, seat))),
            None => door.refuse(peer, "too many connections"),
        }
    }
}

async fn admit(door: Arc<Door>, tcp: TcpStream, peer: SocketAddr, seat: Seat) {
    // A slower connection still works.
    _ = tcp.set_nodelay(true);
    let Some(tls) = &door.tls else {
        return door.lead_in(Guest::new(Either::Left(tcp), peer, seat)).await;
    };
    let acceptor = TlsAcceptor::from(tls.current());
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(tcp)).await {
        Ok(Ok(stream)) => {
            door.lead_in(Guest::new(Either::Right(Box::new(stream)), peer, seat))
                .await;
        }
        // A port probe: it connects and leaves.
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            tracing::debug!(%peer, "a caller left without a word");
        }
        Ok(Err(error)) => door.refuse(peer, &error.to_string()),
        Err(_) => door.refuse(peer, "the TLS handshake took too long"),
    }
}

impl Door {
    async fn lead_in(&self, guest: Guest) {
        // A closed channel means a server that stops.
        _ = self.guests.send(guest).await;
    }

    fn refuse(&self, peer: SocketAddr, reason: &str) {
        if self.talk.allows(peer.ip()) {
            tracing::warn!(target: crate::audit::TARGET, %peer, reason, "connection refused");
        }
    }
}
