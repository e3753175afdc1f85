//! What kinds of artifacts there are.

use mosaic::ids::Key;

/// What kind of thing an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A JSON document of a plan.
    Plan,
    /// Packed ranks of one (sub-tile, slice).
    Partial,
    /// The ranks around the middle of one sub-tile, which spare a later composite its partials.
    Core,
    /// Medians and counts of one sub-tile.
    Composite,
    /// Rasters of one output tile.
    Mosaic,
    /// The picture of a whole mosaic.
    Quicklook,
    /// A file that was sent along with a request.
    Attachment,
}

impl Kind {
    /// The kind's directory in a store, and its name in an artifact's header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Partial => "partial",
            Self::Core => "core",
            Self::Composite => "composite",
            Self::Mosaic => "mosaic",
            Self::Quicklook => "quicklook",
            Self::Attachment => "attachment",
        }
    }

    /// Whether an artifact of this kind is several files and their list.
    #[must_use]
    pub const fn is_directory(self) -> bool {
        matches!(self, Self::Mosaic | Self::Quicklook)
    }

    /// Where an artifact lies in a store: `partial/ab/abcd…`.
    #[must_use]
    pub fn at(self, key: &Key) -> String {
        format!("{}/{}/{key}", self.name(), &key.as_str()[..2])
    }
}
