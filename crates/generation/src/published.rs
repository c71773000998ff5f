//! The one place where the data plane and the sync process meet: the current generation, swapped whole (S2).

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use crate::compile::Compile;
use crate::generation::Generation;

/// The current generation. Clones share it.
pub struct Published<C: Compile>(Arc<ArcSwap<Generation<C>>>);

impl<C: Compile> Clone for Published<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Compile> fmt::Debug for Published<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Published").field(&*self.0.load()).finish()
    }
}

impl<C: Compile> Published<C> {
    pub(crate) fn new(generation: Arc<Generation<C>>) -> Self {
        Self(Arc::new(ArcSwap::new(generation)))
    }

    /// The current generation. For requests use a [`reader`](Self::reader), which is cheaper.
    pub fn load(&self) -> Arc<Generation<C>> {
        self.0.load_full()
    }

    /// A reader for one worker.
    pub fn reader(&self) -> Reader<C> {
        Reader(Cache::new(self.0.clone()))
    }

    pub(crate) fn swap(&self, generation: Arc<Generation<C>>) -> Arc<Generation<C>> {
        self.0.swap(generation)
    }
}

/// One worker's view of the current generation. A look costs one atomic read as long as nothing was published. It
/// holds on to what it saw last, so that an idle worker keeps an old generation alive until it looks again.
pub struct Reader<C: Compile>(Cache<Arc<ArcSwap<Generation<C>>>, Arc<Generation<C>>>);

impl<C: Compile> Reader<C> {
    /// The current generation. Look once per request, and use what you got to its end.
    pub fn current(&mut self) -> &Arc<Generation<C>> {
        self.0.load()
    }
}

impl<C: Compile> Clone for Reader<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Compile> fmt::Debug for Reader<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
