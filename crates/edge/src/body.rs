//! Request bodies that come too slowly are cut.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// How slowly a body may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPace {
    /// How long we wait for bytes in any case.
    pub grace: Duration,
    /// Each so many bytes give one more second.
    pub bytes_per_second: u64,
}

impl Default for BodyPace {
    fn default() -> Self {
        Self { grace: Duration::from_secs(30), bytes_per_second: 1024 }
    }
}

/// Why a body ended before its end. `web` finds it among the sources of its own body error.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It came too slowly: status 408.
    #[error("the request body came too slowly")]
    TooSlow,
    /// The connection or the framing broke.
    #[error("the request body broke off")]
    Broken(#[source] BoxError),
}

/// A body with a pace. Only waiting counts: time that the reader takes for itself does not.
pub(crate) struct PacedBody<B> {
    inner: B,
    pace: BodyPace,
    received: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> PacedBody<B> {
    pub(crate) fn new(inner: B, pace: BodyPace) -> Self {
        Self { inner, pace, received: 0, waited: Duration::ZERO, waiting_since: None, timer: None }
    }

    fn allowed(&self) -> Duration {
        let earned = self.received / self.pace.bytes_per_second.max(1);
        self.pace.grace.saturating_add(Duration::from_secs(earned))
    }

    fn stop_waiting(&mut self) {
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
    }

    /// Ready when too much time was spent waiting.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let due = since + self.allowed().saturating_sub(self.waited);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx)
    }
}

impl<B> Body for PacedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.stop_waiting();
                if let Some(Ok(frame)) = &frame {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    self.received = self.received.saturating_add(length as u64);
                }
                let broken = |error: B::Error| BodyError::Broken(error.into());
                Poll::Ready(frame.map(|frame| frame.map_err(broken)))
            }
            Poll::Pending => {
                let late = self.poll_late(cx);
                late.map(|()| Some(Err(BodyError::TooSlow)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
