//! Connections with TLS. The files are read for every connection, so that renewed ones need no restart.

use std::io;
use std::path::Path;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::http::Uri;

use super::plain;
use super::target::{Identity, TlsFiles};

/// gRPC speaks HTTP/2 and nothing else.
const HTTP2: &[u8] = b"h2";
const HTTPS_PORT: u16 = 443;

/// An encrypted connection to whoever proves to be the host of `uri`.
pub(super) async fn connect(uri: Uri, files: Arc<TlsFiles>) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    let name = ServerName::try_from(plain::host(&uri).to_owned()).map_err(io::Error::other)?;
    let config = config(&files).map_err(io::Error::other)?;
    let tcp = plain::reach(&uri, HTTPS_PORT).await?;
    let connector = TlsConnector::from(Arc::new(config));
    Ok(TokioIo::new(connector.connect(name, tcp).await?))
}

/// What the files say now.
pub(super) fn config(files: &TlsFiles) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(files.ca.as_deref())?);
    let mut config = match &files.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read_identity(identity)?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| format!("{}: {error}", identity.cert.display()))?
        }
    };
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(config)
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = ca {
        for cert in certificates(ca)? {
            roots
                .add(cert)
                .map_err(|error| format!("{}: {error}", ca.display()))?;
        }
        return Ok(roots);
    }
    // This machine's store may hold certificates that nobody can use; the others will do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this machine knows no certificate authority; name one with --tls-ca".to_owned());
    }
    Ok(roots)
}

fn read_identity(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates(&identity.cert)?;
    let key = PrivateKeyDer::from_pem_file(&identity.key)
        .map_err(|error| format!("{}: {error}", identity.key.display()))?;
    Ok((chain, key))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |reason: &dyn std::fmt::Display| format!("{}: {reason}", file.display());
    let certs = CertificateDer::pem_file_iter(file).map_err(|error| bad(&error))?;
    let certs: Result<Vec<_>, _> = certs.collect();
    let certs = certs.map_err(|error| bad(&error))?;
    if certs.is_empty() {
        return Err(bad(&"there is no certificate in it"));
    }
    Ok(certs)
}
