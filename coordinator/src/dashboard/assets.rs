//! The page: one file each of HTML, CSS and JavaScript, and nothing from anywhere else.

use axum::http::header;
use axum::response::{IntoResponse, Response};

pub(super) async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("assets/index.html"))
}

pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("assets/style.css"))
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("assets/script.js"))
}

pub(super) async fn icon() -> Response {
    file("image/svg+xml", include_str!("assets/icon.svg"))
}

/// They are asked for anew after every upgrade.
fn file(kind: &'static str, text: &'static str) -> Response {
    (
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")],
        text,
    )
        .into_response()
}
