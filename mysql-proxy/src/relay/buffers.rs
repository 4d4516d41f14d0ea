//! Buffers of one worker. A session owns one only while bytes are in flight, so an idle session
//! costs no buffer, and a busy one finds a warm one.

use std::cell::RefCell;

/// Bytes of one buffer: a read of a bulk answer takes so much at once.
pub const SIZE: usize = 32 * 1024;

/// Buffers kept for the next session; more are given back to the allocator.
const KEPT: usize = 32;

thread_local! {
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`SIZE`] bytes, of whatever content.
#[must_use]
pub fn take() -> Box<[u8]> {
    FREE.with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| vec![0; SIZE].into_boxed_slice())
}

/// Gives a buffer back. One that was grown for a large packet is freed.
pub fn give(buffer: Box<[u8]>) {
    FREE.with_borrow_mut(|free| {
        if free.len() < KEPT && buffer.len() == SIZE {
            free.push(buffer);
        }
    });
}
