//! The technical API over real sockets: endpoints, authentication, the recorded answers of APIM, and planted secrets.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod client;
mod endpoints;
mod gateway;
mod golden;
mod secrets;
