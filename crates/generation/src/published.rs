//! The one place where the data plane and the sync process meet: the current generation, swapped whole (S2).

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use crate::generation::Generation;

/// The current generation. Clones share it.
pub struct Published<T>(Arc<ArcSwap<Generation<T>>>);

impl<T> Clone for Published<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Published<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Published").field(&*self.0.load()).finish()
    }
}

impl<T> Published<T> {
    pub(crate) fn new(generation: Arc<Generation<T>>) -> Self {
        Self(Arc::new(ArcSwap::new(generation)))
    }

    /// The current generation. For requests use a [`reader`](Self::reader), which is cheaper.
    pub fn load(&self) -> Arc<Generation<T>> {
        self.0.load_full()
    }

    /// A reader for one worker.
    pub fn reader(&self) -> Reader<T> {
        Reader(Cache::new(self.0.clone()))
    }

    pub(crate) fn swap(&self, generation: Arc<Generation<T>>) -> Arc<Generation<T>> {
        self.0.swap(generation)
    }
}

/// One worker's view of the current generation. A look costs one atomic read as long as nothing was published. It
/// holds on to what it saw last, so that an idle worker keeps an old generation alive until it looks again.
pub struct Reader<T>(Cache<Arc<ArcSwap<Generation<T>>>, Arc<Generation<T>>>);

impl<T> Reader<T> {
    /// The current generation. Look once per request, and use what you got to its end.
    pub fn current(&mut self) -> &Arc<Generation<T>> {
        self.0.load()
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
