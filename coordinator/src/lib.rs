//! The coordinator: reads catalogues, plans, hands tasks out, publishes.
//!
//! ```text
//! request ─► prepare (catalogue, link, plan) ─► table (pure) ◄─► services (gRPC) ◄─► workers
//!                                                 │
//!                                                 ▼
//!                                              publish
//! ```

pub mod catalogue;
pub mod publish;
