//! Bodies of the gateway's responses.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::upstream::body::{EndedEarly, UpstreamBody};

/// A response body: none, a small one that is there, or an upstream's as it comes.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    Whole(Bytes),
    Upstream(Box<UpstreamBody>),
}

impl AnswerBody {
    pub(crate) const EMPTY: Self = Self::Whole(Bytes::new());

    pub(crate) fn of_upstream(mut body: UpstreamBody) -> Self {
        match body.take_whole() {
            Some(whole) => Self::Whole(whole),
            None => Self::Upstream(Box::new(body)),
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = EndedEarly;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EndedEarly>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Upstream(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Upstream(body) => body.size_hint(),
        }
    }
}
