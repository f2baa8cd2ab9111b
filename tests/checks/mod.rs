//! The thirteen checks, in their order.

#[path = "01_credentials.rs"]
pub(crate) mod c01_credentials;
#[path = "02_shape.rs"]
pub(crate) mod c02_shape;
#[path = "03_header.rs"]
pub(crate) mod c03_header;
#[path = "05_signature.rs"]
pub(crate) mod c05_signature;
#[path = "07_provenance.rs"]
pub(crate) mod c07_provenance;
#[path = "09_audience.rs"]
pub(crate) mod c09_audience;
#[path = "10_dates.rs"]
pub(crate) mod c10_dates;
#[path = "13_grants.rs"]
pub(crate) mod c13_grants;

mod explanations;
mod index;
mod order;
mod single;
