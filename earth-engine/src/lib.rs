//! A client of Earth Engine's REST.
//!
//! ```text
//! settings, credentials ─► client ─┬─► list      the images of a collection, page by page
//!                            │     ├─► image     what an image's bands are
//!                            │     └─► pixels    a window of some bands, as they are (NPY)
//!                            ▼
//!               budget: so many requests at once, none while Earth Engine wants a pause
//! ```
//!
//! What may be mended by asking again is asked again, with pauses that grow and differ; what stays away, or stays above
//! its quota, is told as such. No token and no key is ever shown.

mod answer;
mod budget;
mod client;
mod credentials;
mod error;
mod image;
mod list;
mod npy;
mod pixels;
mod place;
mod settings;

pub use budget::{Budget, Budgets};
pub use client::Client;
pub use error::Error;
pub use image::{Band, Grid, Image, SampleType};
pub use list::Query;
pub use npy::Samples;
pub use pixels::{LARGEST_REQUEST, Pixels, Window};
pub use place::{Place, asset_of};
pub use settings::{AT_ONCE, Settings, at_once};
