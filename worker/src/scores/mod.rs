//! Copies of scores: from Earth Engine to a store of one's own, each once.
//!
//! ```text
//! needed ─► shelf: is it there? ─► coming: image ─► windows, several under way ─► raw: one image ─► COG ─► shelf
//!                                                                                      (a thread of its own)
//! ```
//!
//! A copy is of the whole image, whatever the area that it is fetched for: a pixel that a file lacks means that it is
//! not clear, so that a part of one would later, for a larger area, be taken for cloud in silence. Its name tells nothing
//! but the key; which image, band and state of it a copy is, its tags tell, and one that is something else is not
//! written over. It appears whole or not at all; one that is there is not asked for again.

mod coming;
mod raw;
mod shelf;

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use artifacts::{Access, StoreError};
use earth_engine::{Budgets, Error, Place};
use mosaic::href::of_profile;
use mosaic::plan::SceneInput;

use crate::read::EarthEngine;
use coming::{Came, Coming};
use raw::{Making, Raw};
pub use shelf::Shelf;

/// A score that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Its `system:index`.
    pub index: String,
    /// The band that is copied.
    pub place: Place,
    /// When the image was last changed, as Earth Engine says it.
    pub version: String,
}

impl Needed {
    /// The score of a scene; none where it is not Earth Engine's.
    #[must_use]
    pub fn of(scene: &SceneInput) -> Option<Self> {
        let place = Place::parse(of_profile(&scene.score.href).0)?;
        Some(Self { index: scene.system_index.to_string(), place, version: scene.score.version.clone() })
    }

    /// What its copy is called.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}.tif", self.index)
    }
}

/// What became of the scores that are needed.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Scores that were there already.
    pub there: usize,
    /// Scores that were fetched.
    pub fetched: usize,
    /// Scores that cannot be had, and why, by `system:index`.
    pub failed: BTreeMap<String, String>,
    /// Why the others are not there: something that concerns them all.
    pub stopped: Option<String>,
    /// Answers of Earth Engine's, of images and of windows.
    pub answers: u64,
    /// Bytes that came.
    pub bytes_read: u64,
    /// Bytes of the copies that were made.
    pub bytes_written: u64,
}

/// Why nothing is fetched at all.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Files are in the way: one line each, what they are and what to do.
    #[error("{}", .0.join("\n"))]
    Taken(Vec<String>),
    /// What is there cannot be found out.
    #[error("{0}")]
    Unknown(String),
    /// The credentials are none.
    #[error(transparent)]
    EarthEngine(Error),
    /// There is no room to make files in.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fetches the scores that are not on a shelf yet, with the credentials of a profile where one is named. `told` is called
/// whenever something has come.
///
/// # Errors
/// Where nothing was fetched, and nothing can be. What goes wrong later is in the tally.
pub fn fetch(
    needed: &[Needed],
    shelf: &Shelf,
    (access, profile): (&Access, Option<&str>),
    told: &(dyn Fn(&Tally) + Sync),
) -> Result<Tally, FetchError> {
    let lacking = shelf.lacking(needed)?;
    let there = needed.len() - lacking.len();
    let progress = Progress { tally: Mutex::new(Tally { there, ..Tally::default() }), told };
    told(&progress.tally());
    if !lacking.is_empty() {
        let client =
            EarthEngine::new(access.clone(), Budgets::alone()).client(profile).map_err(FetchError::EarthEngine)?;
        let coming = Coming::of(client, lacking.iter().map(|needed| needed.place.clone()).collect())?;
        std::thread::scope(|scope| {
            // One is made into a COG while the next is read, and one may wait.
            let (finish, finished) = sync_channel::<(&Needed, Raw)>(1);
            let progress = &progress;
            scope.spawn(move || {
                for (needed, raw) in finished {
                    progress.kept(needed, shelf, raw);
                }
            });
            progress.read(&lacking, shelf, coming, &finish);
        });
    }
    Ok(progress.tally.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// How far it is, and who is told.
struct Progress<'a> {
    tally: Mutex<Tally>,
    told: &'a (dyn Fn(&Tally) + Sync),
}

impl Progress<'_> {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, why: impl ToString) {
        self.tally().stopped.get_or_insert(why.to_string());
    }

    fn is_stopped(&self) -> bool {
        self.tally().stopped.is_some()
    }

    /// Puts images together of what comes, one after the other, and hands them on.
    fn read<'n>(
        &self,
        lacking: &[&'n Needed],
        shelf: &Shelf,
        mut coming: Coming,
        finish: &SyncSender<(&'n Needed, Raw)>,
    ) {
        let mut making: Option<Making> = None;
        while let Some((which, came)) = coming.next().filter(|_| !self.is_stopped()) {
            let needed = lacking[which];
            let done = match came {
                Ok(came) => {
                    self.count(&came);
                    put(&mut making, which, shelf, came, needed)
                }
                // Nothing is wrong with this one alone.
                Err(error @ (Error::Setting(_) | Error::Refused { .. } | Error::Quota(_) | Error::Away { .. })) => {
                    return self.stop(error);
                }
                Err(error) => {
                    making = None;
                    self.tally().failed.entry(needed.index.clone()).or_insert_with(|| error.to_string());
                    continue;
                }
            };
            match done {
                Ok(None) => {}
                Ok(Some(raw)) => drop(finish.send((needed, raw))),
                Err(why) => return self.stop(why),
            }
        }
    }

    fn count(&self, came: &Came) {
        let mut tally = self.tally();
        tally.answers += 1;
        tally.bytes_read += came.bytes();
        (self.told)(&tally);
    }

    /// Makes a COG of an image that is there, and puts it on the shelf.
    fn kept(&self, needed: &Needed, shelf: &Shelf, raw: Raw) {
        let kept = raw.into_cog().and_then(|cog| shelf.keep(&needed.file(), &cog).map_err(|e| e.to_string()));
        match kept {
            Ok(bytes) => {
                let mut tally = self.tally();
                tally.fetched += 1;
                tally.bytes_written += bytes;
                (self.told)(&tally);
            }
            Err(why) => self.stop(why),
        }
    }
}

/// Puts what came of an image where it belongs: the raw image, once all of it is there.
fn put(
    making: &mut Option<Making>,
    which: usize,
    shelf: &Shelf,
    came: Came,
    needed: &Needed,
) -> Result<Option<Raw>, String> {
    match came {
        Came::Image(image) => {
            *making = Some(Making::new(shelf.room(), which, needed, &image)?);
            Ok(None)
        }
        Came::Window(window, pixels) => {
            // Where one of its windows could not be had, the others are of no use.
            let Some(mut found) = making.take().filter(|making| making.which() == which) else { return Ok(None) };
            if found.write(window, pixels)? {
                return found.end().map(Some);
            }
            *making = Some(found);
            Ok(None)
        }
    }
}
