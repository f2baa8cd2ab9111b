//! The sidecar as its users see it: the program itself, real requests, and `testing::Issuer` as Entra.

mod world;

mod operations;
