//! Catalogues, the plan, the task table, and publication.

pub mod catalogue;
pub mod publish;
