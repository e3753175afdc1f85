//! Blocks of a TIFF on another machine: asked for before they are needed, several requests at a time, within the room
//! that the task has for them.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use artifacts::remote::{Call, spawn};
use web::{Counts, counted};

use super::spans::{Span, spans};
use crate::read::ReadError;
use crate::read::layout::Block;
use crate::read::remote::{Piece, Remote, Version};

/// Room for what comes before it is needed, in bytes; shared by the rasters of a task.
pub(super) type Room = Rc<Cell<u64>>;

/// Room that is taken, until this is dropped.
struct Taken {
    room: Room,
    bytes: u64,
}

impl Taken {
    /// Takes what there is where it is needed now, even if that is too little.
    fn now(room: &Room, bytes: u64) -> Self {
        let bytes = bytes.min(room.get());
        room.set(room.get() - bytes);
        Self { room: Rc::clone(room), bytes }
    }

    /// Takes room ahead of time, if there is enough.
    fn ahead(room: &Room, bytes: u64) -> Option<Self> {
        (bytes <= room.get()).then(|| Self::now(room, bytes))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.set(self.room.get() + self.bytes);
    }
}

type Asked = Call<Result<Piece, ReadError>>;

/// How far a span is.
enum State {
    Expected,
    UnderWay(Asked, Taken),
    Here(Vec<u8>, Taken),
}

/// The blocks of a file that are expected, under way, or here.
pub(super) struct Coming {
    remote: Arc<Remote>,
    version: Version,
    counts: Arc<Counts>,
    room: Room,
    spans: VecDeque<(Span, State)>,
}

impl Coming {
    pub(super) fn new(remote: Arc<Remote>, version: Version, counts: Arc<Counts>, room: Room) -> Self {
        Self { remote, version, counts, room, spans: VecDeque::new() }
    }

    /// Begins to ask for blocks, as far as there is room. What was expected before is not any more.
    pub(super) fn expect(&mut self, blocks: impl IntoIterator<Item = (Block, (u64, u32))>) {
        self.spans = spans(blocks).into_iter().map(|span| (span, State::Expected)).collect();
        self.ask_ahead();
    }

    fn ask_ahead(&mut self) {
        for at in 0..self.spans.len() {
            let (span, state) = &self.spans[at];
            if !matches!(state, State::Expected) {
                continue;
            }
            let Some(taken) = Taken::ahead(&self.room, span.range.end - span.range.start) else { return };
            // Where it cannot be begun now, it is when the block is needed, and tells why.
            let Ok(asked) = self.ask(span.range.clone()) else { return };
            self.spans[at].1 = State::UnderWay(asked, taken);
        }
    }

    fn ask(&self, range: Range<u64>) -> Result<Asked, ReadError> {
        let (remote, version) = (Arc::clone(&self.remote), self.version.clone());
        let get = async move { remote.get(range, Some(&version)).await };
        spawn(counted(Arc::clone(&self.counts), get)).map_err(|e| ReadError::given_up(self.remote.href(), &e))
    }

    /// Puts the bytes of a block that lie in `range` of the file into `bytes`, which has room for just them.
    pub(super) fn block(&mut self, block: Block, range: Range<u64>, bytes: &mut [u8]) -> Result<(), ReadError> {
        if range.is_empty() {
            return Ok(());
        }
        let holds = |(span, _): &(Span, State)| span.blocks.iter().any(|(held, _)| *held == block);
        let Some(at) = self.spans.iter().position(holds) else {
            let piece = self.wait(self.ask(range)?)?;
            bytes.copy_from_slice(&piece.bytes);
            return Ok(());
        };
        let Some((mut span, state)) = self.spans.remove(at) else { return Ok(()) };
        let (piece, taken) = self.here(&span, state)?;
        let start = (range.start - span.range.start) as usize;
        bytes.copy_from_slice(&piece[start..start + bytes.len()]);
        span.blocks.retain(|(held, _)| *held != block);
        if span.blocks.is_empty() {
            drop((piece, taken));
        } else {
            self.spans.insert(at, (span, State::Here(piece, taken)));
        }
        self.ask_ahead();
        Ok(())
    }

    /// The bytes of a span, waited for.
    fn here(&self, span: &Span, state: State) -> Result<(Vec<u8>, Taken), ReadError> {
        let (asked, taken) = match state {
            State::Here(bytes, taken) => return Ok((bytes, taken)),
            State::UnderWay(asked, taken) => (asked, taken),
            State::Expected => {
                let taken = Taken::now(&self.room, span.range.end - span.range.start);
                (self.ask(span.range.clone())?, taken)
            }
        };
        Ok((self.wait(asked)?.bytes, taken))
    }

    fn wait(&self, asked: Asked) -> Result<Piece, ReadError> {
        asked.wait().map_err(|e| ReadError::given_up(self.remote.href(), &e))?
    }
}
