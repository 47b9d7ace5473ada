//! No passphrase: `identity.txt`, as `age-keygen` writes it. Whoever reads the file has the vault.

use tokctl_proto::Secret;
use zeroize::Zeroizing;

use super::Closed;

pub(in crate::vault) const FILE: &str = "identity.txt";

pub(in crate::vault) fn wrap(text: &Secret) -> &[u8] {
    text.expose().as_bytes()
}

pub(in crate::vault) fn unwrap(mut bytes: Zeroizing<Vec<u8>>) -> Result<Secret, Closed> {
    super::text(&mut bytes)
}
