//! The outgoing tower layer: each request gets a token of the identity that acts, and goes to one API only.

mod layer;

mod service;

mod future;

mod actor;

mod api;

mod message;

mod replay;

mod error;

pub use self::{
    actor::ActsOnBehalf,
    error::CallError,
    future::CallFuture,
    layer::EntraCallLayer,
    message::{CallRequest, CallResponse},
    replay::{CloneBody, NoReplay, Replay},
    service::EntraCall,
};
