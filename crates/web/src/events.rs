//! Server-sent events: the progress of jobs, for pages and programs that follow it.

use std::convert::Infallible;
use std::time::Duration;

use app::job::Progress;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use domain::job::JobState;
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use tokio::sync::{broadcast, watch};

use crate::Web;

/// What one event says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProgressJson {
    /// Which job.
    pub job: String,
    /// `waiting`, `running`, `done` or `failed`.
    pub state: &'static str,
    /// What it does now, or what came of it.
    pub progress: String,
}

impl From<Progress> for ProgressJson {
    fn from(progress: Progress) -> Self {
        Self { job: progress.job.to_string(), state: progress.state.name(), progress: progress.text }
    }
}

/// Whether a job in this state says nothing more.
pub fn is_over(state: JobState) -> bool {
    match state {
        JobState::Waiting | JobState::Running => false,
        JobState::Done | JobState::Failed => true,
    }
}

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// One job, until it is over.
    One(String),
    /// Every job, for as long as somebody listens.
    All,
}

/// Streams `progress` events, first the one that is known already; an `end` event closes the stream of one job.
/// Subscribe to the progress before looking at the job, or what happens between is missed.
pub fn stream(
    web: &Web,
    follow: Follow,
    now: Option<(ProgressJson, JobState)>,
    progress: broadcast::Receiver<Progress>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let first = now.as_ref().map(|(known, _)| known.clone());
    let follower = Follower {
        ended: now.is_some_and(|(_, state)| is_over(state)),
        follow,
        progress,
        stopping: web.options().stopping.clone(),
        said_end: false,
    };
    let first = stream::iter(first.map(|known| event("progress", &known)));
    let rest =
        stream::unfold(follower, |mut follower| async move { Some((follower.next().await?, follower)) });
    Sse::new(first.chain(rest).map(Ok)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

struct Follower {
    follow: Follow,
    progress: broadcast::Receiver<Progress>,
    stopping: Option<watch::Receiver<bool>>,
    ended: bool,
    said_end: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        if self.said_end {
            return None;
        }
        if self.ended {
            self.said_end = true;
            return Some(Event::default().event("end").data("{}"));
        }
        loop {
            let received = tokio::select! {
                received = self.progress.recv() => received,
                () = stopped(self.stopping.as_mut()) => return None,
            };
            match received {
                Ok(progress) if self.is_followed(&progress) => {
                    self.ended = self.follow != Follow::All && is_over(progress.state);
                    return Some(event("progress", &progress.into()));
                }
                // Others' news; or too much came at once: what is missed is older than what comes next.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    fn is_followed(&self, progress: &Progress) -> bool {
        match &self.follow {
            Follow::All => true,
            Follow::One(job) => progress.job.as_str() == job,
        }
    }
}

/// Waits for the server to stop; for ever, when nobody will say it.
async fn stopped(stopping: Option<&mut watch::Receiver<bool>>) {
    match stopping {
        // An error means that the sender is gone: the server is no more.
        Some(stopping) => drop(stopping.wait_for(|stops| *stops).await),
        None => std::future::pending().await,
    }
}

fn event(name: &str, data: &ProgressJson) -> Event {
    // Texts and names only: this always is JSON.
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}
