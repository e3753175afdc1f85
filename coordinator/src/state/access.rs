//! How etcd lets a coordinator in.

use std::time::Duration;

use etcd_client::{ConnectOptions, TlsOptions};
use proto::access::Secret;

/// How etcd lets this coordinator in: with neither, as anybody.
#[derive(Clone, Debug, Default)]
pub struct EtcdAccess {
    /// A user and the password.
    pub user: Option<(String, Secret)>,
    /// Whom to trust, and the certificate to show.
    pub tls: Option<TlsOptions>,
}

impl EtcdAccess {
    /// What connections are made with, each within `patience`.
    pub(super) fn options(self, patience: Duration) -> ConnectOptions {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(patience)
            .with_keep_alive(Duration::from_secs(5), Duration::from_secs(2))
            .with_keep_alive_while_idle(true);
        if let Some((name, password)) = self.user {
            options = options.with_user(name, password.reveal());
        }
        match self.tls {
            Some(tls) => options.with_tls(tls),
            None => options,
        }
    }
}
