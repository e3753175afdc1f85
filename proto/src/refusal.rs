//! Why a coordinator lets no one in, told apart from one that is away: asking again does not help.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};
use tonic::{Code, Status};

/// Why asking again does not help: the token, or the TLS of either side; none where it may help.
#[must_use]
pub fn refusal(status: &Status) -> Option<String> {
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Some(status.message().to_owned()),
        _ => causes(status).find_map(|cause| cause.downcast_ref::<rustls::Error>()).and_then(fault_of_tls),
    }
}

type Cause = dyn Error + 'static;

/// What an error was caused by, one after the other, and what an IO error carries within itself.
fn causes(status: &Status) -> impl Iterator<Item = &Cause> {
    std::iter::successors(status.source(), |cause| next(*cause))
}

fn next(cause: &Cause) -> Option<&Cause> {
    let carried = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    carried.map(|error| error as &Cause).or_else(|| cause.source())
}

fn fault_of_tls(error: &rustls::Error) -> Option<String> {
    use rustls::Error as E;
    Some(match error {
        E::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired".to_owned()
        }
        E::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate was not issued by an authority in --ca".to_owned()
        }
        E::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            "its certificate is for another name than the URL's".to_owned()
        }
        E::InvalidCertificate(other) => format!("its certificate is not good: {other}"),
        E::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS: write http://, or give it --tls-cert and --tls-key".to_owned()
        }
        E::AlertReceived(alert) => fault_of_ours(*alert)?,
        _ => return None,
    })
}

/// What the coordinator finds wrong with this side's certificate.
fn fault_of_ours(alert: AlertDescription) -> Option<String> {
    use AlertDescription as A;
    Some(match alert {
        A::CertificateRequired => "it wants a certificate: give --cert and --key".to_owned(),
        A::CertificateExpired => "it does not take --cert: the certificate has expired".to_owned(),
        A::UnknownCA => "it does not take --cert: it was not issued by an authority in its --client-ca".to_owned(),
        A::BadCertificate | A::UnsupportedCertificate | A::CertificateRevoked | A::CertificateUnknown => {
            format!("it does not take --cert: {alert:?}")
        }
        A::DecryptError | A::AccessDenied => format!("it does not let this machine in: {alert:?}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(error: rustls::Error) -> Status {
        Status::from_error(Box::new(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    #[test]
    fn what_is_refused_is_told_from_what_is_away() {
        assert_eq!(refusal(&Status::unavailable("nobody")), None);
        assert_eq!(refusal(&Status::unauthenticated("no token")).as_deref(), Some("no token"));
        let away = Status::from_error(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)));
        assert_eq!(refusal(&away), None);
    }

    #[test]
    fn the_fault_of_a_certificate_is_found_however_deep_it_lies() {
        let expired = refusal(&carried(rustls::Error::InvalidCertificate(CertificateError::Expired)));
        assert!(expired.unwrap().contains("expired"));
        let wanted = refusal(&carried(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)));
        assert!(wanted.unwrap().contains("--cert"));
        let closed = refusal(&carried(rustls::Error::AlertReceived(AlertDescription::CloseNotify)));
        assert_eq!(closed, None, "a connection that is closed may be opened again");
    }
}
