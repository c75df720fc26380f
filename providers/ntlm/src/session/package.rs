//! What the package is: `SecPkgInfo` of NTLM.

use portable_sspi_core::{PackageCapabilities, PackageInfo};

/// As Windows describes its NTLM package.
pub(crate) static PACKAGE_INFO: PackageInfo = PackageInfo {
    name: "NTLM",
    comment: "NTLM Security Package",
    capabilities: PackageCapabilities::INTEGRITY
        .union(PackageCapabilities::PRIVACY)
        .union(PackageCapabilities::TOKEN_ONLY)
        .union(PackageCapabilities::CONNECTION)
        .union(PackageCapabilities::MULTI_REQUIRED)
        .union(PackageCapabilities::IMPERSONATION)
        .union(PackageCapabilities::ACCEPT_WIN32_NAME)
        .union(PackageCapabilities::NEGOTIABLE)
        .union(PackageCapabilities::LOGON),
    version: 1,
    rpc_id: 10,
    max_token: 2888,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_those_of_windows() {
        assert_eq!(PACKAGE_INFO.capabilities.bits(), 0x2B37);
    }
}
