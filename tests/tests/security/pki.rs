//! Authorities and certificates, as an operator would have them in files.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// An authority whose certificate lies in a file.
pub struct Authority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub file: String,
}

/// A certificate and its key in files.
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new(dir: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        let file = write(dir, &format!("{name}.pem"), &own.pem());
        Self { dir: dir.to_owned(), issuer: Issuer::new(params, key), file }
    }

    /// A certificate for loopback, good until long from now.
    pub fn issue(&self, name: &str) -> Pair {
        self.until(name, 2100)
    }

    /// One that was good until the first of January of a year.
    pub fn until(&self, name: &str, year: i32) -> Pair {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            cert: write(&self.dir, &format!("{name}.pem"), &cert.pem()),
            key: write(&self.dir, &format!("{name}.key"), &key.serialize_pem()),
        }
    }
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}
