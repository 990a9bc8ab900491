//! The bearer token that goes with every request.

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::target::Token;
use crate::protocol::{Refusal, RefusalKind};

/// Adds the token, where there is one.
#[derive(Clone, Debug)]
pub(super) struct Credentials(pub(super) Option<Token>);

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let value = header(token).map_err(|reason| Refusal::new(RefusalKind::Unauthenticated, reason))?;
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

/// The header's value; the token never appears in what is printed of it.
pub(super) fn header(token: &Token) -> Result<MetadataValue<Ascii>, String> {
    let text = format!("Bearer {}", token.read()?);
    let value: Result<MetadataValue<Ascii>, _> = text.parse();
    let mut value = value.map_err(|_| "the token has characters that no token has".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
