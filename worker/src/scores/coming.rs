//! What comes of Earth Engine: images, each followed by its windows in order. Several are under way at once, as many as
//! the budget of requests lets, and as there is room for.

use std::sync::Arc;

use artifacts::StoreError;
use artifacts::remote::{Call, spawn};
use earth_engine::{Band, Client, Error, Image, LARGEST_REQUEST, Pixels, Place, Window};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Images that are asked about ahead.
const IMAGES: usize = 8;
/// Side of a window, pixels. The largest that a request holds of float64, in whole blocks of a COG: each request costs a
/// second or more, however little it asks for.
const SIDE: usize = 2048;
const _: () = assert!(SIDE * SIDE * 8 <= LARGEST_REQUEST);
/// Bytes of windows that are under way or wait to be written, as they come and as they are read.
const ROOM: usize = 512 << 20;
/// Windows at once, at most: the budget bounds them further.
const AT_ONCE: usize = 64;

/// One thing that came.
pub(super) enum Came {
    /// An image, and the band that is wanted of it.
    Image(Box<Opened>),
    /// A window of its band.
    Window(Window, Piece),
}

/// An image, and the band that is wanted of it.
pub(super) struct Opened {
    pub image: Image,
    pub band: Band,
}

/// Pixels, which take room until they are dropped.
pub(super) struct Piece {
    pub pixels: Pixels,
    _room: OwnedSemaphorePermit,
}

impl Came {
    /// Bytes that came.
    pub const fn bytes(&self) -> u64 {
        match self {
            Self::Image(_) => 0,
            Self::Window(_, piece) => piece.pixels.bytes,
        }
    }
}

/// What came of which of the bands that were asked for.
type Item = (usize, Result<Came, Error>);

/// What comes of a list of bands, in its order.
pub(super) struct Coming {
    items: Receiver<Item>,
    /// Who asks; called off where this is dropped.
    _asking: Call<()>,
}

impl Coming {
    /// Begins to ask for bands.
    ///
    /// # Errors
    /// Where there are no threads to ask.
    pub fn of(client: Arc<Client>, places: Vec<Place>) -> Result<Self, StoreError> {
        let (send, items) = channel(1);
        Ok(Self { items, _asking: spawn(ask(client, places, send))? })
    }

    /// What comes next; none when all has come. From a thread of its own.
    pub fn next(&mut self) -> Option<Item> {
        self.items.blocking_recv()
    }
}

async fn ask(client: Arc<Client>, places: Vec<Place>, send: Sender<Item>) {
    let room = Arc::new(Semaphore::new(ROOM));
    let of_image = |(which, place): (usize, Place)| {
        let client = Arc::clone(&client);
        async move { (which, open(&client, &place).await, place) }
    };
    let images = stream::iter(places.into_iter().enumerate()).map(of_image).buffered(IMAGES);
    let steps = images.flat_map(|(which, opened, place)| steps(which, opened, place));
    // Room is taken in order: who comes later never has what an earlier one waits for.
    let with_room = steps.then(|step| with_room(Arc::clone(&room), step));
    let came = with_room.map(|(step, room)| {
        // On its own: it goes on while nobody looks.
        let taken = tokio::spawn(take(Arc::clone(&client), step, room));
        async move { taken.await.ok() }
    });
    let mut came = std::pin::pin!(came.buffered(AT_ONCE));
    while let Some(item) = came.next().await {
        let Some(item) = item else { return };
        if send.send(item).await.is_err() {
            return;
        }
    }
}

async fn open(client: &Client, place: &Place) -> Result<Box<Opened>, Error> {
    let image = client.image(&place.asset).await?;
    let band = image.band(&place.band).cloned();
    let what = || format!("{}: it has no band `{}`", place.asset, place.band);
    band.map(|band| Box::new(Opened { image, band }))
        .ok_or_else(|| Error::Bad { what: what(), why: "look at `scores.band`".into() })
}

/// What is to be done next: an image to be handed on, or a window to be asked for.
enum Step {
    Told(Result<Box<Opened>, Error>),
    Window(Arc<Wanted>, Window),
}

/// A band of which windows are wanted.
struct Wanted {
    place: Place,
    band: Band,
}

/// The image, then its windows, from the top.
fn steps(which: usize, opened: Result<Box<Opened>, Error>, place: Place) -> impl Stream<Item = (usize, Step)> {
    let band = opened.as_ref().ok().map(|opened| opened.band.clone());
    let windows = band.into_iter().flat_map(move |band| {
        let all = windows(band.grid.dimensions.width, band.grid.dimensions.height);
        let wanted = Arc::new(Wanted { place: place.clone(), band });
        all.map(move |window| (which, Step::Window(Arc::clone(&wanted), window)))
    });
    stream::iter(std::iter::once((which, Step::Told(opened))).chain(windows))
}

/// The windows of a raster of so many pixels, row by row.
pub(super) fn windows(width: usize, height: usize) -> impl Iterator<Item = Window> {
    let at = move |y, x| Window { x, y, width: SIDE.min(width - x), height: SIDE.min(height - y) };
    (0..height).step_by(SIDE).flat_map(move |y| (0..width).step_by(SIDE).map(move |x| at(y, x)))
}

/// A step, once there is room for what comes of it: as it comes, and as it is read, of 8 bytes a sample each.
async fn with_room(room: Arc<Semaphore>, step: (usize, Step)) -> ((usize, Step), Option<OwnedSemaphorePermit>) {
    let Step::Window(_, window) = &step.1 else { return (step, None) };
    let bytes = u32::try_from(window.width * window.height * 16).unwrap_or(u32::MAX);
    let taken = room.acquire_many_owned(bytes).await;
    (step, taken.ok())
}

/// Does a step.
async fn take(client: Arc<Client>, (which, step): (usize, Step), room: Option<OwnedSemaphorePermit>) -> Item {
    let came = match (step, room) {
        (Step::Told(opened), _) => opened.map(Came::Image),
        (Step::Window(wanted, window), Some(room)) => {
            let (Place { asset, band }, grid) = (&wanted.place, &wanted.band.grid);
            let pixels = client.pixels(asset, std::slice::from_ref(band), grid, window).await;
            pixels.map(|pixels| Came::Window(window, Piece { pixels, _room: room }))
        }
        (Step::Window(wanted, _), None) => {
            Err(Error::Bad { what: wanted.place.to_string(), why: "there is no room for it".to_owned() })
        }
    };
    (which, came)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_a_raster_once() {
        let found: Vec<Window> = windows(10_980, 4096).collect();
        assert_eq!(found.len(), 12);
        assert_eq!(found.iter().map(|window| window.width * window.height).sum::<usize>(), 10_980 * 4096);
        assert_eq!(found[5], Window { x: 5 * SIDE, y: 0, width: 10_980 - 5 * SIDE, height: SIDE });
        assert_eq!(found[11], Window { x: 5 * SIDE, y: SIDE, width: 10_980 - 5 * SIDE, height: SIDE });
    }
}
