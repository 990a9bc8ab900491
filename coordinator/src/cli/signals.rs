//! When a user or the system wants the program to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Returns at the next SIGINT (Ctrl-C) or SIGTERM. From the first call on, neither ends the process by itself.
pub(crate) async fn stop_asked() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the system's own way of ending the process is still there.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
