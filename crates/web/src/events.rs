//! Server-sent events: the progress of jobs, for pages and programs that follow it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::job::Progress;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use domain::Authorized;
use domain::job::{Job, JobState};
use domain::permission::uses;
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

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

impl From<&Job> for ProgressJson {
    fn from(job: &Job) -> Self {
        let said = if job.progress.is_empty() { &job.trouble } else { &job.progress };
        Self { job: job.id.to_string(), state: job.state.name(), progress: said.clone() }
    }
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
pub enum Follow {
    /// One job, until it is over: as it was when it was looked up, and the leave to look again.
    One(Box<Job>, Authorized<uses::ViewCertificates>),
    /// Every job, for as long as somebody listens.
    All(Authorized<uses::ViewCertificates>),
}

/// How often a job that is followed is looked up. What it says is told in this process only, and of many words some
/// are dropped; its row has the end, wherever it ran.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long one stream lasts. Browsers and programs open it again, and are recognised anew: a session that has ended is
/// noticed then.
const LONGEST: Duration = Duration::from_secs(300);

/// Streams `progress` events, first the one that is known already; an `end` event closes the stream of one job.
/// Subscribe to the progress before looking at the job, or what happens between is missed.
pub fn stream(
    web: &Web,
    follow: Follow,
    progress: broadcast::Receiver<Progress>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let stopping = web.options().stopping.clone();
    let follower = Follower::new(Arc::clone(web.app()), follow, progress, stopping);
    Sse::new(follower.every(LOOK_EVERY)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

struct Follower {
    app: Arc<App>,
    follow: Follow,
    progress: broadcast::Receiver<Progress>,
    stopping: Option<watch::Receiver<bool>>,
    /// What was said last; of all jobs nothing is remembered.
    said: Option<ProgressJson>,
    ended: bool,
    said_end: bool,
    until: Instant,
}

/// Why a follower woke up.
enum Woken {
    /// A job said something.
    Told(Progress),
    /// It is time to look, or something was missed.
    Look,
    /// Nobody will say anything any more.
    Closed,
}

impl Follower {
    fn new(
        app: Arc<App>,
        follow: Follow,
        progress: broadcast::Receiver<Progress>,
        stopping: Option<watch::Receiver<bool>>,
    ) -> Self {
        let (said, ended) = match &follow {
            Follow::One(job, _) => (Some(ProgressJson::from(&**job)), is_over(job.state)),
            Follow::All(_) => (None, false),
        };
        Self {
            app,
            follow,
            progress,
            stopping,
            said,
            ended,
            said_end: false,
            until: Instant::now() + LONGEST,
        }
    }

    /// The events, while the job is looked up so often.
    fn every(self, period: Duration) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
        let first = stream::iter(self.said.as_ref().map(|known| event("progress", known)));
        let mut look = tokio::time::interval_at(Instant::now() + period, period);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let rest = stream::unfold((self, look), |(mut follower, mut look)| async move {
            Some((follower.next(&mut look).await?, (follower, look)))
        });
        first.chain(rest).map(Ok)
    }

    async fn next(&mut self, look: &mut Interval) -> Option<Event> {
        if self.said_end {
            return None;
        }
        while !self.ended {
            let woken = tokio::select! {
                received = self.progress.recv() => match received {
                    Ok(progress) => Woken::Told(progress),
                    Err(RecvError::Lagged(_)) => Woken::Look,
                    Err(RecvError::Closed) => Woken::Closed,
                },
                _ = look.tick() => Woken::Look,
                () = tokio::time::sleep_until(self.until) => return None,
                () = stopped(self.stopping.as_mut()) => return None,
            };
            if matches!(woken, Woken::Look) && !self.may_still().await {
                return None;
            }
            let news = match woken {
                Woken::Told(progress) => self.hear(progress),
                Woken::Look => self.look().await,
                Woken::Closed => return None,
            };
            if let Some(news) = news {
                return Some(event("progress", &news));
            }
        }
        self.said_end = true;
        Some(Event::default().event("end").data("{}"))
    }

    /// Whether the listener would still be let in. When the database cannot say, the next look may do.
    async fn may_still(&self) -> bool {
        let (Follow::One(_, by) | Follow::All(by)) = &self.follow;
        app::access::stands(&self.app, by.actor()).await.unwrap_or(true)
    }

    /// What a job said, if it is one that is followed.
    fn hear(&mut self, progress: Progress) -> Option<ProgressJson> {
        match &self.follow {
            Follow::All(_) => Some(progress.into()),
            Follow::One(job, _) if job.id == progress.job => {
                self.ended = is_over(progress.state);
                let news = ProgressJson::from(progress);
                self.said = Some(news.clone());
                Some(news)
            }
            Follow::One(..) => None,
        }
    }

    /// What the job's row says, if that is new since the last look.
    async fn look(&mut self) -> Option<ProgressJson> {
        let Follow::One(known, by) = &mut self.follow else { return None };
        match app::job::find(&self.app, by, &known.id).await {
            Ok(job) => {
                let is_new = ProgressJson::from(&**known) != ProgressJson::from(&job);
                **known = job;
                self.ended = is_over(known.state);
                let news = ProgressJson::from(&**known);
                // A job says more than its row: what was said is not taken back by an older row.
                if !is_new || self.said.as_ref() == Some(&news) {
                    return None;
                }
                self.said = Some(news.clone());
                Some(news)
            }
            Err(app::Error::NotFound { .. }) => {
                self.ended = true;
                None
            }
            // The database is busy or away: the next look may do.
            Err(_) => None,
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

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use domain::Role;
    use serde_json::json;

    use super::*;
    use crate::testing::House;

    const LONG: Duration = Duration::from_secs(3_600);

    /// A job that waits, and leave to follow it.
    async fn waiting(house: &House) -> Follow {
        let key = house.key(&Role::ALL).await;
        let made =
            house.call("POST", "/api/v1/lineages", &key, json!({ "name": "a", "names": ["a.org"] })).await;
        assert!(made.status.is_success(), "{}", made.json());
        let by = house.fixture.may(uses::ViewCertificates).unwrap();
        let page = app::Page { after: None, limit: 1 };
        let jobs =
            app::job::list(&house.fixture.app, &by, app::filter::JobFilter::default(), page).await.unwrap();
        let job = jobs.into_iter().next().unwrap();
        assert_eq!(job.state, JobState::Waiting);
        Follow::One(Box::new(job), by)
    }

    async fn text(follower: Follower, period: Duration) -> String {
        let body = Sse::new(follower.every(period)).into_response().into_body();
        let read = tokio::time::timeout(Duration::from_secs(30), axum::body::to_bytes(body, 1 << 20));
        String::from_utf8(read.await.expect("the stream ends").unwrap().to_vec()).unwrap()
    }

    fn assert_followed_to_the_end(text: &str) {
        let states: Vec<&str> =
            text.split("\"state\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(states, ["waiting", "done"], "{text}");
        assert!(text.trim_end().ends_with("event: end\ndata: {}"), "{text}");
    }

    #[tokio::test]
    async fn a_job_of_another_node_is_followed_to_its_end() {
        let house = House::new().await;
        let follow = waiting(&house).await;
        // Of what is told here, nothing comes from there.
        let (_elsewhere, progress) = broadcast::channel(1);
        let follower = Follower::new(Arc::clone(&house.fixture.app), follow, progress, None);
        house.fixture.run_due().await.unwrap();
        assert_followed_to_the_end(&text(follower, Duration::from_millis(5)).await);
    }

    #[tokio::test]
    async fn who_missed_the_end_looks_at_once() {
        let house = House::new().await;
        let follow = waiting(&house).await;
        let (told, progress) = broadcast::channel(1);
        let follower = Follower::new(Arc::clone(&house.fixture.app), follow, progress, None);
        house.fixture.run_due().await.unwrap();
        let other =
            Progress { job: "0".repeat(32).parse().unwrap(), state: JobState::Done, text: String::new() };
        for _ in 0..3 {
            told.send(other.clone()).unwrap();
        }
        assert_followed_to_the_end(&text(follower, LONG).await);
    }

    #[tokio::test]
    async fn who_is_let_in_no_more_hears_no_more() {
        let house = House::new().await;
        let app = &house.fixture.app;
        let (made, _) = house.fixture.api_key(&[Role::Observer]).await.unwrap();
        let actor = domain::Actor::ApiKey { id: made.id.clone(), roles: made.roles.clone() };
        let by = domain::permission::authorize(&actor, uses::ViewCertificates, "").unwrap();
        let (_told, progress) = broadcast::channel(1);
        let follower = Follower::new(Arc::clone(app), Follow::All(by), progress, None);
        assert!(follower.may_still().await);
        let revoke = house.fixture.may(uses::RevokeApiKey).unwrap();
        app::api_key::revoke(app, &revoke, &made.id).await.unwrap();
        // The stream ends by itself: nobody tells anything, and nobody stops the server.
        assert_eq!(text(follower, Duration::from_millis(5)).await, "");
    }
}
