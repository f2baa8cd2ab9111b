//! The memory that the bodies of all calls take together.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A budget of bytes for the bodies of requests and answers. Cheap to clone; the clones share it.
#[derive(Clone, Debug)]
pub(super) struct Memory(Arc<Semaphore>);

/// Why a body is not read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// It has more bytes than one body may have.
    TooLarge,
    /// The other bodies leave no room for it.
    Full,
}

impl Memory {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / KIB)))
    }

    /// A buffer for a body of at most `limit` bytes, with room for those that it declares.
    ///
    /// # Errors
    ///
    /// Fails if it declares more than `limit`, or more than there is room for.
    pub(super) fn buffer(&self, limit: usize, declared: Option<u64>) -> Result<Buffer, Overflow> {
        let mut buffer = Buffer {
            bytes: Vec::new(),
            room: Room {
                memory: self.clone(),
                held: None,
            },
            limit,
        };
        if let Some(declared) = declared {
            let declared = usize::try_from(declared).map_err(|_| Overflow::TooLarge)?;
            buffer.set_capacity(declared)?;
        }
        Ok(buffer)
    }
}

/// A part of the budget. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    memory: Memory,
    held: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for so many bytes in all. Does not wait: a body that waits would hold what another one waits for.
    ///
    /// # Errors
    ///
    /// Fails with [`Overflow::Full`] if the others leave no room for it.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Overflow> {
        let held = self.held.as_ref().map_or(0, |held| held.num_permits());
        let more = bytes.div_ceil(KIB).saturating_sub(held);
        let more = u32::try_from(more).map_err(|_| Overflow::Full)?;
        let all = Arc::clone(&self.memory.0);
        let permit = all.try_acquire_many_owned(more);
        let permit = permit.map_err(|_| Overflow::Full)?;
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        Ok(())
    }
}

/// A body that is being read. It has room for the whole capacity.
#[derive(Debug)]
pub(super) struct Buffer {
    // Freed before the room is given back.
    bytes: Vec<u8>,
    room: Room,
    limit: usize,
}

impl Buffer {
    /// # Errors
    ///
    /// Fails if the body becomes larger than its limit, or than there is room for.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), Overflow> {
        let len = self.bytes.len().saturating_add(chunk.len());
        if len > self.bytes.capacity() {
            let doubled = self.bytes.capacity().saturating_mul(2);
            self.set_capacity(len.max(doubled.min(self.limit)))?;
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// The bytes, which keep the room until their last clone is dropped.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    pub(super) fn into_parts(self) -> (Vec<u8>, Room) {
        (self.bytes, self.room)
    }

    fn set_capacity(&mut self, capacity: usize) -> Result<(), Overflow> {
        if capacity > self.limit {
            return Err(Overflow::TooLarge);
        }
        self.room.grow_to(capacity)?;
        let more = capacity.saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(more);
        Ok(())
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// One permit.
const KIB: usize = 1024;

#[cfg(test)]
impl Memory {
    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.0.available_permits() * KIB
    }

    /// Room that nothing is in.
    pub(super) fn room(&self) -> Room {
        let memory = self.clone();
        Room { memory, held: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_as_large_as_its_limit_and_no_larger() {
        let memory = Memory::new(64 * KIB);
        for declared in [None, Some(10), Some(3)] {
            let mut buffer = memory.buffer(10, declared).expect("room");
            for _ in 0..10 {
                buffer.push(b"a").expect("room");
            }
            assert_eq!(buffer.push(b"a"), Err(Overflow::TooLarge));
            assert_eq!(buffer.into_bytes(), vec![b'a'; 10]);
        }
        for declared in [11, u64::MAX] {
            let fault = memory.buffer(10, Some(declared)).map(drop);
            assert_eq!(fault, Err(Overflow::TooLarge));
        }
    }

    #[test]
    fn a_buffer_that_is_full_doubles_as_far_as_its_limit() {
        let memory = Memory::new(64 * KIB);
        for (limit, capacity) in [(64 * KIB, 4 * KIB), (3 * KIB, 3 * KIB)] {
            let mut buffer = memory.buffer(limit, Some(2048)).expect("room");
            buffer.push(&[0; 2 * KIB]).expect("room");
            assert_eq!(memory.left(), 62 * KIB);
            buffer.push(b"a").expect("room");
            assert_eq!(memory.left(), 64 * KIB - capacity);
        }
    }

    #[test]
    fn bodies_together_are_as_large_as_the_budget_and_no_larger() {
        let memory = Memory::new(4 * KIB);
        let limit = 3 * KIB;
        let declared = memory.buffer(limit, Some(3 * 1024)).expect("room");
        assert_eq!(memory.left(), KIB);
        let refused = memory.buffer(limit, Some(1025)).map(drop);
        assert_eq!(refused, Err(Overflow::Full));
        let mut undeclared = memory.buffer(limit, None).expect("room");
        undeclared.push(&[0; KIB]).expect("room");
        assert_eq!(undeclared.push(b"a"), Err(Overflow::Full));
        drop(declared);
        undeclared.push(b"a").expect("room");
        assert_eq!(memory.left(), 2 * KIB);
    }

    #[test]
    fn the_room_is_given_back_with_the_last_clone_of_the_bytes() {
        let memory = Memory::new(4 * KIB);
        let mut buffer = memory.buffer(KIB, Some(1)).expect("room");
        buffer.push(b"a").expect("room");
        let bytes = buffer.into_bytes();
        let clone = bytes.clone();
        drop(bytes);
        assert_eq!(memory.left(), 3 * KIB);
        drop(clone);
        assert_eq!(memory.left(), 4 * KIB);
    }
}
