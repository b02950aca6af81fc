//! TLS by rustls, for every `sslmode` of libpq.

use super::error::TargetError;
use super::target::{Protection, Target};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The connector for a target.
pub(super) fn connector(target: &Target) -> Result<MakeRustlsConnect, TargetError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TargetError(format!("TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(target, &provider)?);
    let mut config = match &target.files.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
            let chain = certificates(certificate)?;
            builder.with_client_auth_cert(chain, key_der).map_err(|error| unreadable(certificate, &error))?
        }
    };
    // Direct negotiation, from 17 on, asks for it; others do not mind.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> TargetError {
    TargetError(format!("TLS file {}: {error}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(path, &error))?;
    read.collect::<Result<Vec<_>, _>>().map_err(|error| unreadable(path, &error))
}

fn roots(target: &Target) -> Result<RootCertStore, TargetError> {
    let mut store = RootCertStore::empty();
    match &target.files.root {
        Some(path) => {
            for certificate in certificates(path)? {
                store.add(certificate).map_err(|error| unreadable(path, &error))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err(TargetError(
            "no CA certificate to verify the server with: name one with sslrootcert=FILE".to_owned(),
        ));
    }
    Ok(store)
}

fn verifier(target: &Target, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TargetError> {
    let algorithms = provider.signature_verification_algorithms;
    if !matches!(target.protection, Protection::VerifyCa | Protection::VerifyFull) {
        return Ok(Arc::new(Encrypt { algorithms }));
    }
    let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(target)?), Arc::clone(provider))
        .build()
        .map_err(|error| TargetError(format!("TLS: {error}")))?;
    Ok(match target.protection {
        Protection::VerifyCa => Arc::new(AnyName { strict, algorithms }),
        _ => strict,
    })
}

/// `prefer` and `require`: encrypted, to whom it may be. What libpq does without a CA file.
#[derive(Debug)]
struct Encrypt {
    algorithms: WebPkiSupportedAlgorithms,
}

/// `verify-ca`: the chain must lead to a trusted CA, the name may be another.
#[derive(Debug)]
struct AnyName {
    strict: Arc<WebPkiServerVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
}

macro_rules! verify_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, certificate, signature, &self.algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signature, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for Encrypt {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    verify_signatures!();
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.strict.verify_server_cert(certificate, chain, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    verify_signatures!();
}
