//! Several calls of a store at once: each waits for the store, not for the machine.

use crate::remote::{as_here, off};

/// How many.
const AT_ONCE: usize = 8;

/// Does the same with every thing, a few at a time: what came of each, in order.
pub fn at_once<T: Sync, R: Send>(things: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (mut done, off) = (Vec::with_capacity(things.len()), off());
    let each_as_here = |thing| as_here(off.as_ref(), || each(thing));
    for things in things.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let running: Vec<_> = things.iter().map(|thing| scope.spawn(|| each_as_here(thing))).collect();
            for (thread, thing) in running.into_iter().zip(things) {
                // A thread that has panicked has done nothing: it is done here.
                done.push(thread.join().unwrap_or_else(|_| each(thing)));
            }
        });
    }
    done
}
