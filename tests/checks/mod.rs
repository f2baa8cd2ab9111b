//! The thirteen checks: the table of check N is in the file whose name begins with N.
//!
//! Each line of a table has an id, the input in words, and cases: inputs, the kind of their outcome,
//! and pieces of text that the error and its hint hold for each of them. Every case is sent through
//! the layer and, where it is a token, to the validator alone; twice, and with a cache of verified
//! tokens and without. In every refusal the service inside is not called, status, challenge and
//! `Cache-Control` are exactly those of the contract, and neither the answer nor the log holds
//! anything of the token.

#[path = "01_credentials.rs"]
mod c01_credentials;
#[path = "02_shape.rs"]
mod c02_shape;
#[path = "03_header.rs"]
mod c03_header;
#[path = "04_key.rs"]
mod c04_key;
#[path = "05_signature.rs"]
mod c05_signature;
#[path = "06_claims.rs"]
mod c06_claims;
#[path = "07_provenance.rs"]
mod c07_provenance;
#[path = "08_signer.rs"]
mod c08_signer;
#[path = "09_audience.rs"]
mod c09_audience;
#[path = "10_dates.rs"]
mod c10_dates;
#[path = "11_nature.rs"]
mod c11_nature;
#[path = "12_bearer.rs"]
mod c12_bearer;
#[path = "13_grants.rs"]
mod c13_grants;

mod errors;
mod index;
mod order;
mod parts;
