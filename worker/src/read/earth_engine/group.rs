//! What the rasters of one thread share: blocks that several bands want are asked for once, for all of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use artifacts::StoreError;
use artifacts::remote::{self, Call};
use earth_engine::{Client, Error, Grid, LARGEST_REQUEST, Pixels, Place, Samples, Window};

use crate::read::layout::{Block, Layout};

/// A band, and how it lies.
#[derive(Clone)]
pub(in crate::read) struct Named {
    pub place: Place,
    pub grid: Grid,
    /// Bytes of a sample.
    pub bytes: usize,
}

/// Bands that want the same blocks: of one image, on one grid.
struct Wanted {
    grid: Grid,
    bytes: usize,
    /// Of each block the bands that want it.
    blocks: BTreeMap<Block, Vec<String>>,
}

/// A request that is under way, and the bands of it.
struct Asked {
    bands: Vec<String>,
    call: Call<Result<Pixels, Error>>,
}

/// A block of a band, with its share of the bytes that came.
type Got = (Samples, u64);

/// What is wanted, asked for, and had, by image.
#[derive(Default)]
pub(in crate::read) struct Group {
    wanted: HashMap<String, Vec<Wanted>>,
    asked: HashMap<(Place, Block), usize>,
    under_way: HashMap<usize, Asked>,
    had: HashMap<(Place, Block), Got>,
    numbered: usize,
}

impl Group {
    /// Notes that a band wants these blocks.
    pub fn expect(&mut self, named: &Named, blocks: &[Block]) {
        let wanted = self.wanted.entry(named.place.asset.clone()).or_default();
        let alike = |wanted: &&mut Wanted| wanted.grid == named.grid && wanted.bytes == named.bytes;
        let at = match wanted.iter_mut().find(alike) {
            Some(alike) => alike,
            None => {
                wanted.push(Wanted { grid: named.grid.clone(), bytes: named.bytes, blocks: BTreeMap::new() });
                let Some(last) = wanted.last_mut() else { return };
                last
            }
        };
        for block in blocks {
            let bands = at.blocks.entry(*block).or_default();
            if !bands.contains(&named.place.band) {
                bands.push(named.place.band.clone());
            }
        }
    }

    /// Gets a block of a band: it may be there already, or under way.
    pub fn get(
        &mut self,
        client: &Arc<Client>,
        named: &Named,
        layout: &Layout,
        block: Block,
    ) -> Result<Result<Got, Error>, StoreError> {
        let name = (named.place.clone(), block);
        if let Some(got) = self.had.remove(&name) {
            return Ok(Ok(got));
        }
        if !self.asked.contains_key(&name) {
            self.expect(named, &[block]);
            self.ask(client, named, layout)?;
        }
        let Some(asked) = self.asked.get(&name).and_then(|number| self.under_way.remove(number)) else {
            let (what, why) = (named.place.to_string(), "it was not asked for".to_owned());
            return Ok(Err(Error::Bad { what, why }));
        };
        for band in &asked.bands {
            self.asked.remove(&(Place { band: band.clone(), ..named.place.clone() }, block));
        }
        let Pixels { bands, bytes } = match asked.call.wait()? {
            Ok(pixels) => pixels,
            Err(error) => return Ok(Err(error)),
        };
        let share = bytes / asked.bands.len().max(1) as u64;
        for (band, samples) in asked.bands.into_iter().zip(bands) {
            self.had.insert((Place { band, ..named.place.clone() }, block), (samples, share));
        }
        let missing = || Error::Bad { what: named.place.to_string(), why: "it did not come".to_owned() };
        Ok(self.had.remove(&name).ok_or_else(missing))
    }

    /// Asks for all that is wanted of an image's bands that lie as this one does.
    fn ask(&mut self, client: &Arc<Client>, named: &Named, layout: &Layout) -> Result<(), StoreError> {
        let Some(wanted) = self.wanted.get_mut(&named.place.asset) else { return Ok(()) };
        let is_it = |wanted: &Wanted| wanted.grid == named.grid && wanted.bytes == named.bytes;
        let Some(at) = wanted.iter().position(is_it) else { return Ok(()) };
        let Wanted { grid, bytes, blocks } = wanted.swap_remove(at);
        for (block, bands) in blocks {
            let (x, y, width, height) = layout.rect(block);
            let window = Window { x, y, width, height };
            let at_once = (LARGEST_REQUEST / (bytes * width * height)).max(1);
            for bands in bands.chunks(at_once) {
                self.begin(client, &named.place.asset, bands, &grid, block, window)?;
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        client: &Arc<Client>,
        asset: &str,
        bands: &[String],
        grid: &Grid,
        block: Block,
        window: Window,
    ) -> Result<(), StoreError> {
        let (client, name, grid, wanted) = (Arc::clone(client), asset.to_owned(), grid.clone(), bands.to_vec());
        let call = remote::spawn(async move { client.pixels(&name, &wanted, &grid, window).await })?;
        self.numbered += 1;
        for band in bands {
            let place = Place { asset: asset.to_owned(), band: band.clone() };
            self.asked.insert((place, block), self.numbered);
        }
        self.under_way.insert(self.numbered, Asked { bands: bands.to_vec(), call });
        Ok(())
    }

    /// Forgets what concerns a band: nobody will ask for it any more. What no band waits for is called off.
    pub fn forget(&mut self, place: &Place) {
        self.had.retain(|(had, _), _| had != place);
        for wanted in self.wanted.get_mut(&place.asset).into_iter().flatten() {
            wanted.blocks.values_mut().for_each(|bands| bands.retain(|band| *band != place.band));
            wanted.blocks.retain(|_, bands| !bands.is_empty());
        }
        self.wanted.retain(|_, wanted| wanted.iter().any(|wanted| !wanted.blocks.is_empty()));
        self.asked.retain(|(asked, _), _| asked != place);
        let still: HashSet<usize> = self.asked.values().copied().collect();
        self.under_way.retain(|number, _| still.contains(number));
    }
}
