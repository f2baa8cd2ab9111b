//! The tokens that are measured.

use tower_entra::testing::{Issuer, TokenBuilder};

/// An agent acting for itself with two roles, in version 1.0: about 1.5 kB.
///
/// What Entra puts in for its own use is in there too, as long as it is in the wild.
pub(crate) fn agent(issuer: &Issuer) -> TokenBuilder {
    issuer
        .autonomous_agent()
        .v1()
        .roles(["Orders.Read.All", "Orders.ReadWrite.All"])
        .claims([
            ("aio", "3c1cFvYaFguvp21jgG9IDE5cfAcKhV8pCE5uMq6H6CAS"),
            (
                "rh",
                "1.DSBsFYqgPDmcyv_ShXOc66KIeXLIZeIrY5DlAXEitrVOEqq3PfANQde--k.",
            ),
            (
                "xms_ftd",
                "66pbhAtX5gCY3CFjtduZ6uUs2GzERBfBsVqGkSqqoLCmzVu80IxMYibm-20Teb",
            ),
            ("uti", "BiMMzbaxLSeu2T6fgMcqEM"),
        ])
}

/// The same with 60 groups: more than 4 kB.
pub(crate) fn agent_with_groups(issuer: &Issuer) -> TokenBuilder {
    agent_with(issuer, 60)
}

/// The same with so many groups.
pub(crate) fn agent_with(issuer: &Issuer, groups: usize) -> TokenBuilder {
    let groups: Vec<_> = (0..groups)
        .map(|group| format!("9b1c7f{:02}-5d3e-4c1a-8f70-2b64d9{group:06}", group % 100))
        .collect();
    agent(issuer).claim("groups", groups)
}
