//! The coordinator: reads catalogues, plans, hands tasks out, publishes.
//!
//! ```text
//! request, attachments ─► prepare (catalogue, link, plan) ─► table (pure) ◄─► services (gRPC) ◄─► workers
//!                                                              │
//!                                                              ▼
//!                                                           finish ─► publish
//! ```

pub mod attachments;
pub mod catalogue;
pub mod changes;
pub mod driver;
mod finish;
pub mod job;
pub mod metrics;
pub mod prepare;
pub mod publish;
pub mod schedule;
pub mod services;
pub mod state;
pub mod table;
pub mod tokens;
pub mod trace;
