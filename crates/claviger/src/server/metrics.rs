//! `/metrics`: numbers for operators, in OpenMetrics text. Labels come from fixed sets, never from names or addresses.

use std::sync::Arc;

use app::App;
use app::strangers::{Refused, Strangers};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::Moment;
use domain::clock::{DAY, SECOND};
use domain::job::JobState;
use edge::{EdgeCounters, HandshakeFailure};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::certificate::ExpiryWeek;

/// How far back certificates that ended and were not replaced are counted.
const PAST: i64 = 520 * 7 * DAY;
/// How far ahead certificates are counted.
const FUTURE: i64 = 2_600 * 7 * DAY;

type Label = [(&'static str, &'static str); 1];

#[derive(Clone)]
struct Sources {
    app: Arc<App>,
    edge: Arc<EdgeCounters>,
}

/// What the store says at one moment.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    lineages: i64,
    in_trouble: i64,
    jobs: Vec<(JobState, i64)>,
    endings: Vec<(&'static str, i64)>,
}

/// The router of `/metrics`.
pub fn router(app: Arc<App>, edge: Arc<EdgeCounters>) -> Router {
    Router::new().route("/metrics", get(show)).with_state(Sources { app, edge })
}

async fn show(State(sources): State<Sources>) -> Response {
    let unavailable = (StatusCode::SERVICE_UNAVAILABLE, "the numbers cannot be read now\n");
    let counts = match count(&sources.app).await {
        Ok(counts) => counts,
        Err(error) => {
            tracing::warn!(%error, "metrics cannot be read");
            return unavailable.into_response();
        }
    };
    let mut registry = Registry::with_prefix("claviger");
    register_edge(&mut registry, &sources.edge);
    register_counts(&mut registry, &counts);
    register_strangers(&mut registry, sources.app.strangers());
    register_clockwork(&mut registry, sources.app.last_tick(), sources.app.store().commits());
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => unavailable.into_response(),
    }
}

async fn count(app: &App) -> Result<Counts, store::Error> {
    let now = app.now();
    app.store()
        .read("metrics", move |tx| {
            let weeks = store::certificate::expiries(tx, now.plus(-PAST), now.plus(FUTURE))?;
            Ok(Counts {
                lineages: store::lineage::count(tx)?,
                in_trouble: store::lineage::trouble_count(tx)?,
                jobs: store::job::count_by_state(tx)?,
                endings: endings(&weeks, now),
            })
        })
        .await
}

/// Certificates in use by how soon they end. Every class is there, also with none in it.
fn endings(weeks: &[ExpiryWeek], now: Moment) -> Vec<(&'static str, i64)> {
    let classes = [("ended", 0), ("7d", 7), ("28d", 28), ("91d", 91), ("later", i64::MAX / DAY)];
    let mut from = i64::MIN;
    let mut counted = Vec::with_capacity(classes.len());
    for (name, days) in classes {
        let until = days.saturating_mul(DAY);
        let within = |week: &&ExpiryWeek| (from..until).contains(&week.week.since(now));
        counted.push((name, weeks.iter().filter(within).map(|week| week.count).sum()));
        from = until;
    }
    counted
}

fn register_edge(registry: &mut Registry, edge: &EdgeCounters) {
    let handshakes = Family::<Label, Counter>::default();
    handshakes.get_or_create(&[("result", "ok")]).inc_by(edge.handshakes());
    for kind in HandshakeFailure::ALL {
        handshakes.get_or_create(&[("result", kind.name())]).inc_by(edge.failed(kind));
    }
    registry.register("edge_handshakes", "TLS handshakes at the edge", handshakes);
    let failures: Counter = Counter::default();
    failures.inc_by(edge.backend_failures());
    registry.register("edge_backend_failures", "Connections whose backend could not be reached", failures);
    register_gauge(
        registry,
        ("edge_connections", "Connections open at the edge"),
        saturating(edge.connections()),
    );
}

fn register_counts(registry: &mut Registry, counts: &Counts) {
    register_gauge(registry, ("lineages", "Lineages"), counts.lineages);
    register_gauge(registry, ("lineages_in_trouble", "Lineages that need a person"), counts.in_trouble);
    let jobs = Family::<Label, Gauge>::default();
    for state in JobState::ALL {
        let number =
            counts.jobs.iter().find(|(counted, _)| counted == state).map_or(0, |(_, number)| *number);
        jobs.get_or_create(&[("state", state.name())]).set(number);
    }
    registry.register("jobs", "Jobs by state", jobs);
    let certificates = Family::<Label, Gauge>::default();
    for (name, number) in &counts.endings {
        certificates.get_or_create(&[("ends_within", *name)]).set(*number);
    }
    registry.register("certificates", "Certificates in use by how soon they end", certificates);
}

fn register_strangers(registry: &mut Registry, strangers: &Strangers) {
    let refused = Family::<Label, Counter>::default();
    for kind in Refused::ALL {
        refused.get_or_create(&[("kind", kind.name())]).inc_by(strangers.total(*kind));
    }
    registry.register("strangers_refused", "Requests of strangers that were refused", refused);
}

fn register_clockwork(registry: &mut Registry, last_tick: Option<Moment>, made: store::Made) {
    // As Prometheus counts time: seconds since 1970. 0 before the first one.
    let seconds = last_tick.map_or(0, |at| at.0.div_euclid(SECOND));
    let help = "When the scheduler last looked for due work";
    register_gauge(registry, ("scheduler_last_tick_timestamp_seconds", help), seconds);
    for (name, help, count) in [
        ("store_commits", "Commits of the database", made.commits),
        ("store_transactions", "Transactions that shared those commits", made.transactions),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
}

fn register_gauge(registry: &mut Registry, (name, help): (&str, &str), value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn saturating(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(days_from_now: i64, count: i64) -> ExpiryWeek {
        let week = Moment(1_000 * DAY).plus(days_from_now * DAY);
        ExpiryWeek { week, environment: String::new(), issuer: None, troubled: false, count }
    }

    #[test]
    fn every_certificate_is_in_exactly_one_class() {
        let weeks =
            [week(-70, 1), week(-7, 2), week(0, 4), week(7, 8), week(28, 16), week(84, 32), week(91, 64)];
        let counted = endings(&weeks, Moment(1_000 * DAY));
        assert_eq!(counted, [("ended", 3), ("7d", 4), ("28d", 8), ("91d", 48), ("later", 64)]);
    }

    #[test]
    fn the_text_has_every_label_from_the_start() {
        let mut registry = Registry::with_prefix("claviger");
        register_edge(&mut registry, &EdgeCounters::default());
        register_counts(&mut registry, &Counts { jobs: vec![(JobState::Failed, 3)], ..Counts::default() });
        let strangers = Strangers::default();
        strangers.note(Refused::Guess, Moment(0));
        register_strangers(&mut registry, &strangers);
        let made = store::Made { commits: 2, transactions: 5 };
        register_clockwork(&mut registry, Some(Moment(1_795_262_400_999)), made);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "claviger_edge_handshakes_total{result=\"no_certificate\"} 0",
            "claviger_jobs{state=\"failed\"} 3",
            "claviger_jobs{state=\"waiting\"} 0",
            "claviger_lineages_in_trouble 0",
            "claviger_strangers_refused_total{kind=\"guess\"} 1",
            "claviger_strangers_refused_total{kind=\"foreign\"} 0",
            "claviger_scheduler_last_tick_timestamp_seconds 1795262400",
            "claviger_store_commits_total 2",
            "claviger_store_transactions_total 5",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }
}
