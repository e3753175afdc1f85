//! A file on another machine as GDAL reads it: here and there, a few bytes at a time. What comes is kept in pages, and
//! more of it asked for at once where it is read from front to back.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use artifacts::remote::wait;
use lru::LruCache;
use tokio::sync::OnceCell;
use web::{Counts, counted};

use super::{Remote, Version, lock};
use crate::read::{Admitted, ReadError};

/// The first bytes of a file, which are read first: they mostly hold the whole header of a cloud-optimised GeoTIFF.
pub(crate) const HEAD: u64 = 16 << 10;
/// Bytes of a page.
const PAGE: u64 = 16 << 10;
/// Pages that are kept of a file, 2 MiB.
const KEPT: NonZeroUsize = NonZeroUsize::new(128).unwrap();
/// Pages that are read ahead at most, 1 MiB.
const AHEAD: u64 = 64;
/// Heads that are kept, 8 MiB: a worker's tasks are of few tiles.
const HEADS: NonZeroUsize = NonZeroUsize::new(512).unwrap();

/// The first bytes of a file.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) bytes: Vec<u8>,
    pub(crate) version: Version,
}

/// A head, once it is read.
type Slot = Arc<OnceCell<Arc<Head>>>;

/// The first bytes of files, each read once, whoever asks. A copy shares them.
#[derive(Clone, Debug)]
pub(crate) struct Heads(Arc<Mutex<LruCache<Admitted, Slot>>>);

impl Default for Heads {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(HEADS))))
    }
}

impl Heads {
    /// A file's head: the one that is known, or that is being read, else read now.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) async fn of(&self, name: &Admitted, remote: &Remote) -> Result<Arc<Head>, ReadError> {
        let cell = {
            let mut known = lock(&self.0);
            Arc::clone(known.get_or_insert(name.clone(), Arc::default))
        };
        let read = || async {
            let piece = remote.get(0..HEAD, None).await?;
            Ok(Arc::new(Head { bytes: piece.bytes, version: piece.version }))
        };
        cell.get_or_try_init(read).await.cloned()
    }

    /// The same, to be waited for elsewhere.
    pub(crate) fn read(
        &self,
        name: &Admitted,
        remote: Arc<Remote>,
    ) -> impl Future<Output = Result<Arc<Head>, ReadError>> + Send + use<> {
        let (heads, name) = (self.clone(), name.clone());
        async move { heads.of(&name, &remote).await }
    }

    /// Forgets a file, which has changed.
    pub(crate) fn forget(&self, name: &Admitted) {
        lock(&self.0).pop(name);
    }
}

/// A file, read in pages.
pub(crate) struct Paged {
    remote: Arc<Remote>,
    head: Arc<Head>,
    counts: Arc<Counts>,
    pages: Mutex<Pages>,
    fault: Mutex<Option<ReadError>>,
}

struct Pages {
    kept: LruCache<u64, Vec<u8>>,
    /// The page after the last that was asked for, and how many more are asked for where it is the next.
    next: u64,
    ahead: u64,
}

impl Paged {
    /// A file whose head is known; what is asked is counted.
    pub(crate) fn new(remote: Arc<Remote>, head: Arc<Head>, counts: Arc<Counts>) -> Self {
        let pages = Mutex::new(Pages { kept: LruCache::new(KEPT), next: head.bytes.len() as u64 / PAGE, ahead: 1 });
        Self { remote, head, counts, pages, fault: Mutex::default() }
    }

    /// Its first bytes, and what it is known by.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Bytes in all.
    pub(crate) fn size(&self) -> u64 {
        self.head.version.size
    }

    /// What went wrong last, once: GDAL itself only knows that something did.
    pub(crate) fn take_fault(&self) -> Option<ReadError> {
        lock(&self.fault).take()
    }

    /// Reads from a place, as much as there is: how much that was; none where it cannot be read.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        let end = self.size().min(offset.saturating_add(buffer.len() as u64));
        let mut at = offset;
        while at < end {
            let into = &mut buffer[(at - offset) as usize..(end - offset) as usize];
            let copied = self.copy(at, into).map_or_else(|| self.fetch(at, into), Ok);
            match copied {
                Ok(copied) => at += copied as u64,
                Err(error) => {
                    *lock(&self.fault) = Some(error);
                    return None;
                }
            }
        }
        Some(end.saturating_sub(offset) as usize)
    }

    /// What is known of a place: how much that is; none where it is not known.
    fn copy(&self, at: u64, into: &mut [u8]) -> Option<usize> {
        let from = |bytes: &[u8], skip: usize, into: &mut [u8]| {
            let length = bytes.len().saturating_sub(skip).min(into.len());
            into[..length].copy_from_slice(&bytes[skip..skip + length]);
            length
        };
        if at < self.head.bytes.len() as u64 {
            return Some(from(&self.head.bytes, at as usize, into));
        }
        let mut pages = lock(&self.pages);
        let page = pages.kept.get(&(at / PAGE))?;
        Some(from(page, (at % PAGE) as usize, into)).filter(|length| *length > 0)
    }

    /// Reads what is wanted of a place, and more where files are read on: how much of what is wanted that is.
    fn fetch(&self, at: u64, into: &mut [u8]) -> Result<usize, ReadError> {
        let first = at / PAGE;
        let last = (at + into.len() as u64 - 1) / PAGE;
        let more = {
            let mut pages = lock(&self.pages);
            pages.ahead = if first == pages.next { (pages.ahead * 2).min(AHEAD) } else { 1 };
            pages.ahead - 1
        };
        let range = first * PAGE..((last + 1 + more) * PAGE).min(self.size());
        let (remote, known) = (Arc::clone(&self.remote), self.head.version.clone());
        let asked = range.clone();
        let get = counted(Arc::clone(&self.counts), async move { remote.get(asked, Some(&known)).await });
        let given_up = |e: artifacts::StoreError| ReadError::given_up(self.remote.href(), &e);
        let piece = wait(get).map_err(given_up)??;
        let skip = (at - range.start) as usize;
        let length = (piece.bytes.len() - skip).min(into.len());
        into[..length].copy_from_slice(&piece.bytes[skip..skip + length]);
        let mut pages = lock(&self.pages);
        pages.next = range.end.div_ceil(PAGE);
        let kept = piece.bytes.chunks(PAGE as usize).enumerate().rev().take(KEPT.get());
        kept.for_each(|(n, page)| drop(pages.kept.put(first + n as u64, page.to_vec())));
        Ok(length)
    }
}
