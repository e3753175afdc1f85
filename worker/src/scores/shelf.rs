//! Where copies are kept: a directory, or a prefix of an object store.

use std::path::Path;

use artifacts::{Access, Folder, Room, StoreError};
use mosaic::href::with_profile;

use super::raw::Cog;
use super::{FetchError, Needed};
use crate::read::{Door, Heads, RasterBand, is_remote};

/// Tags of a copy: the image that it is of, the band, and when the image was last changed.
pub(super) const ASSET: &str = "EARTH_ENGINE_ASSET";
pub(super) const BAND: &str = "EARTH_ENGINE_BAND";
pub(super) const UPDATED: &str = "EARTH_ENGINE_UPDATE_TIME";

/// Where copies are kept.
#[derive(Debug)]
pub struct Shelf {
    folder: Folder,
    /// The profile that opens it, where it is an object store.
    profile: Option<String>,
    /// For files in the making: in the directory itself, so that they can be put in their place at one moment.
    room: Room,
    door: Door,
}

/// What a name stands for.
enum Found {
    /// Nothing, or nothing that can be used.
    Lacking,
    /// The copy that is needed.
    There,
    /// Something else, which is not to be written over.
    Taken(String),
}

impl Shelf {
    /// The shelf at a place: a directory, which is made if it is not there, or `s3://bucket/prefix`, `gs://`, `az://`, with
    /// `?profile=NAME` behind it where a profile opens it.
    ///
    /// # Errors
    /// Where it cannot be used.
    pub fn open(at: &str, access: &Access) -> Result<Self, StoreError> {
        let folder = Folder::open(at, None, access)?;
        let profile = at.split_once("?profile=").map(|(_, name)| name.to_owned());
        let within = match &folder {
            Folder::Directory(path) => path,
            Folder::Objects(_) => &access.scratch,
        };
        let room = Room::within(within)?;
        Ok(Self { folder, profile, room, door: Door::default().with(access.clone()) })
    }

    /// The template by which a request finds the copies.
    #[must_use]
    pub fn template(&self) -> String {
        format!("{}/{{system_index}}.tif", self.folder.to_string().trim_end_matches('/'))
    }

    /// The profile that a request needs besides, where the copies are in an object store that one opens.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Room for files in the making.
    pub(super) const fn room(&self) -> &Room {
        &self.room
    }

    /// Those of the copies that are not there.
    ///
    /// # Errors
    /// Where that cannot be told, or files are in the way.
    pub(super) fn lacking<'n>(&self, needed: &'n [Needed]) -> Result<Vec<&'n Needed>, FetchError> {
        let heads = Heads::default();
        let hrefs: Vec<String> = needed.iter().map(|needed| self.href(needed)).collect();
        let is_there: Vec<bool> = match &self.folder {
            Folder::Directory(_) => hrefs.iter().map(|href| Path::new(href).exists()).collect(),
            Folder::Objects(_) => {
                let told = self.door.exist(&hrefs, &heads).into_iter().collect::<Result<_, _>>();
                told.map_err(|e| FetchError::Unknown(e.to_string()))?
            }
        };
        let (mut lacking, mut taken) = (Vec::new(), Vec::new());
        for ((needed, href), is_there) in needed.iter().zip(&hrefs).zip(is_there) {
            match if is_there { self.found(needed, href, &heads)? } else { Found::Lacking } {
                Found::Lacking => lacking.push(needed),
                Found::There => {}
                Found::Taken(what) => {
                    let at = self.folder.called(&needed.file());
                    taken.push(format!("{}: it {what}: take it away, or name another --to", at.display()));
                }
            }
        }
        if taken.is_empty() { Ok(lacking) } else { Err(FetchError::Taken(taken)) }
    }

    fn href(&self, needed: &Needed) -> String {
        let at = self.folder.called(&needed.file()).to_string_lossy().into_owned();
        if is_remote(&at) { with_profile(&at, self.profile.as_deref()) } else { at }
    }

    /// What is there. Whether it is whole is told by where its blocks lie: a file that was cut off has a good head.
    fn found(&self, needed: &Needed, href: &str, heads: &Heads) -> Result<Found, FetchError> {
        let source = self.door.admit(href).map_err(|e| FetchError::Unknown(e.to_string()))?;
        let raster = match RasterBand::admitted(&self.door, &source, None, heads) {
            Ok(raster) => raster,
            Err(error) if error.retryable => return Err(FetchError::Unknown(error.to_string())),
            Err(_) => return Ok(Found::Lacking),
        };
        let tags = raster.tags(&[ASSET, BAND, UPDATED]);
        let is = |name: &str, value: &str| tags.get(name).is_some_and(|found| found == value);
        Ok(match (tags.get(ASSET), tags.get(BAND)) {
            (None, _) => Found::Taken("was not fetched from Earth Engine".to_owned()),
            (Some(asset), _) if *asset != needed.place.asset => Found::Taken(format!("is a copy of {asset}")),
            (_, Some(band)) if *band != needed.place.band => Found::Taken(format!("holds the band {band}")),
            _ if is(UPDATED, &needed.version) && raster.is_whole() => Found::There,
            _ => Found::Lacking,
        })
    }

    /// Puts a copy in its place, at one moment: how many bytes it has.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn keep(&self, name: &str, cog: &Cog) -> Result<u64, StoreError> {
        self.folder.take_in(name, &cog.path)
    }
}
