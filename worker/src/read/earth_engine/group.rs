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
    /// Bytes of all their samples.
    bytes: usize,
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
    /// Bytes of samples that may be there or under way before they are needed.
    room: usize,
}

impl Group {
    /// Lets so many bytes of samples be there or under way before they are needed.
    pub const fn set_room(&mut self, bytes: usize) {
        self.room = bytes;
    }

    /// Bytes of samples that are there or under way.
    fn held(&self) -> usize {
        let under_way: usize = self.under_way.values().map(|asked| asked.bytes).sum();
        under_way + self.had.values().map(|(samples, _)| samples.bytes()).sum::<usize>()
    }

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
            self.ask(client, named, layout, block)?;
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

    /// Asks for a block of all bands that want it and lie as this one does, and for as many of the others as there is
    /// room for. Where there is none, for this band alone.
    fn ask(&mut self, client: &Arc<Client>, named: &Named, layout: &Layout, needed: Block) -> Result<(), StoreError> {
        let Some(wanted) = self.wanted.get_mut(&named.place.asset) else { return Ok(()) };
        let is_it = |wanted: &Wanted| wanted.grid == named.grid && wanted.bytes == named.bytes;
        let Some(at) = wanted.iter().position(is_it) else { return Ok(()) };
        let mut blocks = wanted.swap_remove(at).blocks;
        let room = self.room.saturating_sub(self.held());
        let bytes = |block| {
            let (.., width, height) = layout.rect(block);
            named.bytes * width * height
        };
        for (block, bands) in turn(&mut blocks, (needed, &named.place.band), room, bytes) {
            for bands in bands.chunks((LARGEST_REQUEST / bytes(block)).max(1)) {
                self.begin(client, named, layout, bands, block)?;
            }
        }
        if !blocks.is_empty() {
            let left = Wanted { grid: named.grid.clone(), bytes: named.bytes, blocks };
            self.wanted.entry(named.place.asset.clone()).or_default().push(left);
        }
        Ok(())
    }

    fn begin(
        &mut self,
        client: &Arc<Client>,
        named: &Named,
        layout: &Layout,
        bands: &[String],
        block: Block,
    ) -> Result<(), StoreError> {
        let (x, y, width, height) = layout.rect(block);
        let window = Window { x, y, width, height };
        let Named { place: Place { asset, .. }, grid, bytes } = named.clone();
        let (client, name, wanted) = (Arc::clone(client), asset.clone(), bands.to_vec());
        let call = remote::spawn(async move { client.pixels(&name, &wanted, &grid, window).await })?;
        self.numbered += 1;
        for band in bands {
            self.asked.insert((Place { asset: asset.clone(), band: band.clone() }, block), self.numbered);
        }
        let (bands, bytes) = (bands.to_vec(), bytes * width * height * bands.len());
        self.under_way.insert(self.numbered, Asked { bands, bytes, call });
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

/// Takes out of what is wanted what is to be asked for now: the block that is needed, of all bands that want it, and
/// those that follow, as far as there is room; without any, that block of the band alone that needs it.
fn turn(
    wanted: &mut BTreeMap<Block, Vec<String>>,
    (needed, band): (Block, &String),
    mut room: usize,
    bytes: impl Fn(Block) -> usize,
) -> Vec<(Block, Vec<String>)> {
    let order: Vec<Block> = wanted.range(needed..).chain(wanted.range(..needed)).map(|(block, _)| *block).collect();
    let mut asked = Vec::new();
    for block in order {
        let Some(bands) = wanted.get_mut(&block) else { continue };
        let all = bytes(block) * bands.len();
        if all > room && block != needed {
            break;
        }
        if all > room {
            bands.retain(|other| other != band);
            asked.push((block, vec![band.clone()]));
        } else {
            asked.push((block, std::mem::take(bands)));
        }
        room = room.saturating_sub(all);
    }
    wanted.retain(|_, bands| !bands.is_empty());
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_asked_for_as_there_is_room_for() {
        let block = |x| Block { x, y: 0 };
        let bands = |names: &str| names.chars().map(String::from).collect::<Vec<_>>();
        let wanted: BTreeMap<Block, Vec<String>> = (0..4).map(|x| (block(x), bands("rgb"))).collect();
        let turn = |room| {
            let mut left = wanted.clone();
            (turn(&mut left, (block(2), &"g".to_owned()), room, |_| 10), left)
        };
        let (all, left) = turn(120);
        assert_eq!(
            all.iter().map(|(block, bands)| (block.x, bands.len())).collect::<Vec<_>>(),
            [(2, 3), (3, 3), (0, 3), (1, 3)]
        );
        assert!(left.is_empty());
        let (some, left) = turn(75);
        assert_eq!(some, [(block(2), bands("rgb")), (block(3), bands("rgb"))]);
        assert_eq!(left, BTreeMap::from([(block(0), bands("rgb")), (block(1), bands("rgb"))]));
        let (one, left) = turn(0);
        assert_eq!(one, [(block(2), bands("g"))]);
        assert_eq!((left.len(), &left[&block(2)]), (4, &bands("rb")));
    }
}
