//! A heap array that the kernel reads and writes through pointers kept in message headers.

use std::ptr::{self, NonNull};

/// A fixed array of plain values, reached only through its own pointer: a pointer handed out stays valid, wherever the
/// slab itself moves to, until the slab is dropped. (References into a `Vec` would end the kernel's.)
#[derive(Debug)]
pub(super) struct Slab<T: Copy> {
    start: NonNull<T>,
    length: usize,
}

impl<T: Copy> Slab<T> {
    pub(super) fn new(value: T, length: usize) -> Self {
        let values: Box<[T]> = vec![value; length].into_boxed_slice();
        let start = NonNull::from(Box::leak(values)).cast();
        Self { start, length }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Where value `index` stands.
    pub(super) fn pointer(&self, index: usize) -> *mut T {
        assert!(index < self.length, "index {index} of a slab of {}", self.length);
        // SAFETY: within the array, by the line above.
        unsafe { self.start.as_ptr().add(index) }
    }

    pub(super) fn at(&self, index: usize) -> &T {
        // SAFETY: a value of the array, aligned and initialised by `new`; the kernel writes only during calls that
        // are given `&mut` of the slab's owner, so nothing writes during this borrow.
        unsafe { &*self.pointer(index) }
    }

    pub(super) fn at_mut(&mut self, index: usize) -> &mut T {
        // SAFETY: as in `at`; and `&mut self` keeps every other reference away.
        unsafe { &mut *self.pointer(index) }
    }
}

impl<T: Copy> Drop for Slab<T> {
    fn drop(&mut self) {
        let values = ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.length);
        // SAFETY: `new` leaked a box of exactly this array, and this is the only place that takes it back.
        drop(unsafe { Box::from_raw(values) });
    }
}
