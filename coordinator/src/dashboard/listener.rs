//! The door's guests as axum takes connections.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::Connected as _;

use crate::door::{Guest, Peer};

/// See the module.
pub(super) struct Guests {
    arriving: Pin<Box<dyn Stream<Item = Result<Guest, Infallible>> + Send>>,
    address: SocketAddr,
}

impl Guests {
    pub(super) fn new(
        arriving: impl Stream<Item = Result<Guest, Infallible>> + Send + 'static,
        address: SocketAddr,
    ) -> Self {
        let arriving = Box::pin(arriving);
        Self { arriving, address }
    }
}

impl Listener for Guests {
    type Io = Guest;
    type Addr = Peer;

    async fn accept(&mut self) -> (Guest, Peer) {
        match self.arriving.next().await {
            Some(Ok(guest)) => {
                let peer = guest.connect_info();
                (guest, peer)
            }
            // The door is closed, and whoever serves will be told so.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer(self.address))
    }
}

impl Connected<IncomingStream<'_, Guests>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Guests>) -> Self {
        *stream.remote_addr()
    }
}
