//! What the server proves who it is with, and whose clients it lets in.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::error::Error;
use crate::renewal::Keeper;

/// gRPC speaks HTTP/2 and nothing else; browsers may speak either.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// PEM files for TLS. They are looked at every few seconds, and renewed ones serve the connections that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those between it and the authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who vouches for clients; without it no client needs a certificate.
    pub client_ca: Option<PathBuf>,
}

/// Reads the files, and will go on doing so.
pub(crate) async fn open(files: &TlsFiles) -> Result<Keeper<ServerConfig>, Error> {
    let paths = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
    let paths = paths.into_iter().flatten().cloned().collect();
    Keeper::open(paths, Box::new(config)).await
}

/// From certificate, key and, where clients need certificates, their authority.
fn config(files: &[Vec<u8>]) -> Result<ServerConfig, String> {
    let [cert, key, client_ca @ ..] = files else {
        return Err("TLS takes a certificate and a key".to_owned());
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match client_ca.first() {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let roots = Arc::new(authorities(ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = verifier.build().map_err(|error| error.to_string())?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the private key: {error}"))?;
    let config = builder.with_single_cert(certificates("the certificate", cert)?, key);
    let mut config = config.map_err(|error| format!("certificate and key: {error}"))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for cert in certificates("the clients' authority", pem)? {
        roots
            .add(cert)
            .map_err(|error| format!("the clients' authority: {error}"))?;
    }
    Ok(roots)
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certs = certs.map_err(|error| format!("{what}: {error}"))?;
    if certs.is_empty() {
        return Err(format!("{what}: there is no certificate in the file"));
    }
    Ok(certs)
}
