//! Handles: what C programs hold, looked up and checked, never dereferenced.
//!
//! A handle names a slot and the generation of what was put there. When that is taken out, the slot's generation counts
//! on, so an old handle fits no longer, whatever comes into the slot. Both numbers are mixed with a random number of the
//! process: a handle of another process, or one made up, fits none.
//!
//! Slots lie in pieces that are never moved or freed, so that finding one takes no lock; each has a lock of its own,
//! under which its object is used. Threads meet only where they use the same object, or, for the moment of a push or
//! pop, the same list of free slots. Each slot and each list has a cache line of its own: on a shared one, two threads
//! that lock two objects would wait for each other's processor at every call.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::abi::SecHandle;

/// Slots in the first piece; each further one has twice as many as the one before.
const FIRST: u32 = 64;
/// With these, 2^30 objects.
const PIECES: usize = 24;
/// A piece comes in parts of up to FIRST times 2 to this: 64 KiB. The last one of a million slots, made in one go, would hold up the
/// call that needs it, and all that wait for it, for tens of milliseconds.
const PART: u32 = 4;
/// Lists of free slots.
const LISTS: usize = 8;

/// The objects of one kind that handles stand for.
///
/// Where all threads use one object, and only look at it, such as a service's credentials, they would take turns at its lock.
/// So a table can keep `OTHERS` further copies of each, of which a thread always uses the same one.
pub(crate) struct Table<T, const OTHERS: usize = 0> {
    pieces: [OnceLock<Box<[Part<T, OTHERS>]>>; PIECES],
    secret: OnceLock<[usize; 2]>,
    /// The first slot that was never used.
    unused: OwnLine<AtomicU32>,
    free: [OwnLine<Mutex<Vec<u32>>>; LISTS],
}

type Part<T, const OTHERS: usize> = OnceLock<Box<[Slot<T, OTHERS>]>>;

/// Shares its cache line with nothing: 64 bytes on nearly all processors.
#[repr(align(64))]
struct OwnLine<T>(T);

/// What a handle stands for is gone when it is gone from `first`.
struct Slot<T, const OTHERS: usize> {
    first: OwnLine<Mutex<Entry<T>>>,
    others: [OwnLine<Mutex<Entry<T>>>; OTHERS],
}

struct Entry<T> {
    /// Counts what was in the slot before.
    generation: u32,
    value: Option<T>,
}

impl<T, const OTHERS: usize> Slot<T, OTHERS> {
    fn new() -> Self {
        let entry = || OwnLine(Mutex::new(Entry { generation: 0, value: None }));
        Self { first: entry(), others: [(); OTHERS].map(|()| entry()) }
    }

    /// The copy of this thread.
    fn own(&self) -> &OwnLine<Mutex<Entry<T>>> {
        if OTHERS == 0 {
            return &self.first;
        }
        self.others.get(this_thread() % (OTHERS + 1)).unwrap_or(&self.first)
    }
}

impl<T> OwnLine<Mutex<Entry<T>>> {
    /// An object that was in use when a panic came may be in any state, so it is dropped; its slot stays empty for ever.
    fn lock(&self) -> MutexGuard<'_, Entry<T>> {
        let Self(mutex) = self;
        mutex.lock().unwrap_or_else(|poisoned| {
            let mut entry = poisoned.into_inner();
            entry.value = None;
            mutex.clear_poison();
            entry
        })
    }
}

impl<T> Table<T> {
    /// Puts an object in. `None` where there is no room.
    pub(crate) fn insert(&self, value: T) -> Option<SecHandle> {
        let mut value = Some(value);
        self.insert_each(|| value.take())
    }
}

impl<T, const OTHERS: usize> Table<T, OTHERS> {
    pub(crate) const fn new() -> Self {
        Self {
            pieces: [const { OnceLock::new() }; PIECES],
            secret: OnceLock::new(),
            unused: OwnLine(AtomicU32::new(0)),
            free: [const { OwnLine(Mutex::new(Vec::new())) }; LISTS],
        }
    }

    /// Puts an object in, each copy of it as `make` gives it. `None` where there is no room.
    pub(crate) fn insert_each(&self, mut make: impl FnMut() -> Option<T>) -> Option<SecHandle> {
        let index = self.take_free().or_else(|| self.take_unused())?;
        let slot = self.slot(index, true)?;
        for copy in &slot.others {
            copy.lock().value = make();
        }
        let mut entry = slot.first.lock();
        entry.value = make();
        Some(self.handle(index, entry.generation))
    }

    /// Uses the object that `handle` stands for, or this thread's copy of it, which nobody else uses meanwhile. `None` if it
    /// stands for none.
    pub(crate) fn with<R>(&self, handle: SecHandle, use_it: impl FnOnce(&mut T) -> R) -> Option<R> {
        let (index, generation) = self.place(handle)?;
        let mut entry = self.slot(index, false)?.own().lock();
        if entry.generation != generation {
            return None;
        }
        entry.value.as_mut().map(use_it)
    }

    /// Takes the object out: no handle stands for it any more.
    pub(crate) fn take(&self, handle: SecHandle) -> Option<T> {
        self.take_if(handle, |_| Ok::<(), ()>(())).and_then(Result::ok).map(|(value, ())| value)
    }

    /// Takes the object out if `may_go` says so, and leaves it where it is otherwise.
    pub(crate) fn take_if<R, E>(
        &self,
        handle: SecHandle,
        may_go: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Option<Result<(T, R), E>> {
        let (index, generation) = self.place(handle)?;
        let slot = self.slot(index, false)?;
        let mut entry = slot.first.lock();
        if entry.generation != generation {
            return None;
        }
        let answer = match may_go(entry.value.as_mut()?) {
            Ok(answer) => answer,
            Err(error) => return Some(Err(error)),
        };
        let value = entry.value.take()?;
        // A slot whose generations are used up is never used again.
        let next = entry.generation.checked_add(1);
        entry.generation = next.unwrap_or(u32::MAX);
        drop(entry);
        for copy in &slot.others {
            let mut entry = copy.lock();
            entry.generation = next.unwrap_or(u32::MAX);
            let value = entry.value.take();
            drop(entry);
            drop(value);
        }
        if next.is_some() {
            lock(self.list_of(index)).push(index);
        }
        Some(Ok((value, answer)))
    }

    /// From the list of this thread, or any that nobody uses just now.
    fn take_free(&self) -> Option<u32> {
        let own = this_thread() % LISTS;
        let mut others = self.free.iter().enumerate().filter(|(list, _)| *list != own);
        let first = self.free.get(own).and_then(|list| lock(&list.0).pop());
        first.or_else(|| others.find_map(|(_, list)| list.0.try_lock().ok()?.pop()))
    }

    fn take_unused(&self) -> Option<u32> {
        let limit = FIRST.checked_mul((1 << PIECES) - 1)?;
        self.unused
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |unused| {
                (unused < limit).then_some(unused + 1)
            })
            .ok()
    }

    fn list_of(&self, index: u32) -> &Mutex<Vec<u32>> {
        let [first, ..] = &self.free;
        &self.free.get(index as usize % LISTS).unwrap_or(first).0
    }

    /// The slot; its part of its piece is made where `make` says so.
    fn slot(&self, index: u32, make: bool) -> Option<&Slot<T, OTHERS>> {
        let piece = (index / FIRST).checked_add(1)?.ilog2();
        let offset = index.checked_sub(FIRST.checked_mul((1 << piece) - 1)?)?;
        let slots = FIRST << piece.min(PART);
        let cell = self.pieces.get(piece as usize)?;
        let parts = if make {
            cell.get_or_init(|| {
                (0..FIRST << piece).step_by(slots as usize).map(|_| OnceLock::new()).collect()
            })
        } else {
            cell.get()?
        };
        let part = parts.get((offset >> slots.ilog2()) as usize)?;
        let part =
            if make { part.get_or_init(|| (0..slots).map(|_| Slot::new()).collect()) } else { part.get()? };
        part.get((offset % slots) as usize)
    }

    fn handle(&self, index: u32, generation: u32) -> SecHandle {
        let [lower, upper] = self.secret();
        // Never zero, whatever the secret: see there.
        SecHandle { lower: (index as usize) ^ lower, upper: (generation as usize) ^ upper }
    }

    fn place(&self, handle: SecHandle) -> Option<(u32, u32)> {
        let [lower, upper] = self.secret();
        let index = u32::try_from(handle.lower ^ lower).ok()?;
        let generation = u32::try_from(handle.upper ^ upper).ok()?;
        Some((index, generation))
    }

    /// What index and generation are mixed with. The highest bit of the first is set and the next is not, so that no handle
    /// is {0, 0} or {-1, -1}: an index has at most 30 bits.
    fn secret(&self) -> [usize; 2] {
        *self.secret.get_or_init(|| {
            let random = RandomState::new();
            #[allow(clippy::cast_possible_truncation, reason = "as many random bits as there are")]
            let [lower, upper] = [1, 2].map(|part: u8| random.hash_one(part) as usize);
            [lower | 1 << (usize::BITS - 1), upper].map(|part| part & !(1 << (usize::BITS - 2)))
        })
    }
}

/// No panic can come while a list is pushed to or popped from; if one does, the list is in order all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number for each thread.
fn this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static THIS: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    // Not available while the thread ends.
    let known = THIS.try_with(Cell::get).unwrap_or(0);
    if known != usize::MAX {
        return known;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % LISTS;
    let _ = THIS.try_with(|this| this.set(number));
    number
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_handle_stands_for_its_object_and_for_nothing_afterwards() {
        let table = Table::new();
        let one = table.insert(1).unwrap();
        let two = table.insert(2).unwrap();
        assert_eq!(table.with(one, |value| *value), Some(1));
        assert_eq!(table.take(one), Some(1));
        assert_eq!(table.take(one), None, "a second time");
        let three = table.insert(3).unwrap();
        assert_eq!(three.lower, one.lower, "the slot is used again");
        assert_eq!(table.with(one, |value| *value), None, "the old handle fits no longer");
        assert_eq!([two, three].map(|handle| table.with(handle, |value| *value)), [Some(2), Some(3)]);
    }

    #[test]
    fn handles_of_other_tables_and_made_up_ones_stand_for_nothing() {
        let (table, other): (Table<i32>, Table<i32>) = (Table::new(), Table::new());
        for value in 0..200 {
            let handle = table.insert(value).unwrap();
            assert_ne!(handle, SecHandle { lower: 0, upper: 0 });
            assert_eq!(other.with(handle, |value| *value), None);
        }
        for (lower, upper) in [(0, 0), (usize::MAX, usize::MAX), (1, 0), (0, 1), (4096, 4096)] {
            assert_eq!(table.with(SecHandle { lower, upper }, |value| *value), None);
        }
    }

    #[test]
    fn what_may_not_go_stays() {
        let table = Table::new();
        let handle = table.insert(5).unwrap();
        assert_eq!(table.take_if(handle, |_| Err::<(), _>("no")), Some(Err("no")));
        assert_eq!(table.with(handle, |value| *value), Some(5));
    }

    #[test]
    fn a_slot_with_no_generation_left_is_not_used_again() {
        let table = Table::new();
        let handle = table.insert(1).unwrap();
        let (index, _) = table.place(handle).unwrap();
        table.slot(index, false).unwrap().first.lock().generation = u32::MAX;
        let last = table.handle(index, u32::MAX);
        assert_eq!(table.take(last), Some(1));
        assert_ne!(table.insert(2).unwrap().lower, last.lower);
        assert_eq!(table.with(last, |value| *value), None);
    }

    #[test]
    fn an_object_in_which_a_panic_came_is_gone_and_no_other() {
        let table = Table::new();
        let (one, two) = (table.insert(1).unwrap(), table.insert(2).unwrap());
        let panicking = || table.with(one, |_| panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
        assert_eq!(table.with(one, |value| *value), None);
        assert_eq!(table.take(one), None);
        assert_eq!(table.with(two, |value| *value), Some(2));
    }

    #[test]
    fn slots_freed_by_another_thread_are_used_again() {
        let table = Table::new();
        for _ in 0..50 {
            let handles: Vec<_> = (0..100).map(|value| table.insert(value).unwrap()).collect();
            std::thread::scope(|scope| {
                scope.spawn(|| handles.iter().for_each(|handle| assert!(table.take(*handle).is_some())));
            });
        }
        assert!(table.unused.0.load(Ordering::Relaxed) <= 200, "{:?}", table.unused.0);
    }

    #[test]
    fn copies_come_and_go_together() {
        static TABLE: Table<Arc<u64>, 3> = Table::new();
        for round in 0..100 {
            let object = Arc::new(round);
            let handle = TABLE.insert_each(|| Some(Arc::clone(&object))).unwrap();
            // More threads than copies: each copy is used.
            let seen = || std::thread::spawn(move || TABLE.with(handle, |value| **value)).join().unwrap();
            assert!((0..8).all(|_| seen() == Some(round)));
            assert_eq!(TABLE.take(handle).as_deref(), Some(&round));
            assert!((0..8).all(|_| seen().is_none()), "a handle still fits");
            assert_eq!(Arc::strong_count(&object), 1, "a copy is left");
            assert_eq!(TABLE.take(handle), None);
        }
        assert_eq!(TABLE.unused.0.load(Ordering::Relaxed), 1, "the slot is used again");
    }

    #[test]
    fn each_index_has_a_slot_of_its_own() {
        let table: Table<u32> = Table::new();
        let count = FIRST * 200;
        let handles: Vec<_> = (0..count).map(|value| table.insert(value).unwrap()).collect();
        assert!(
            (0..count)
                .zip(&handles)
                .all(|(value, handle)| table.with(*handle, |found| *found) == Some(value))
        );
        let unused = table.handle(count + 2 * (FIRST << PART), 0);
        assert_eq!(table.with(unused, |found| *found), None, "a part that was not made");
        assert!(handles.iter().all(|handle| table.take(*handle).is_some()));
        assert_eq!(table.unused.0.load(Ordering::Relaxed), count);
    }

    #[test]
    fn a_slot_fills_cache_lines_alone() {
        assert_eq!(size_of::<Slot<u64, 0>>(), 64);
        assert_eq!(size_of::<Slot<u64, 7>>(), 8 * 64);
        assert_eq!(align_of::<Slot<u64, 7>>(), 64);
    }

    #[test]
    fn many_threads_at_once_get_objects_of_their_own() {
        let table = Table::new();
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..2000 {
                        let value = thread << 32 | round;
                        let handle = table.insert(value).unwrap();
                        assert_eq!(table.with(handle, |value| *value), Some(value));
                        if round % 3 != 0 {
                            assert_eq!(table.take(handle), Some(value));
                            assert_eq!(table.take(handle), None);
                        }
                    }
                });
            }
        });
    }
}
