//! Jobs: leases, fences, and that two claimers never get one job.

use std::collections::HashSet;

use domain::Moment;
use domain::id::JobId;
use domain::job::{Job, JobKind, JobState};
use store::job::{self, JobFilter, NewJob};
use store::{Error, Page, Tx};
use testkit::fresh_stores;

fn new(number: i64) -> NewJob {
    NewJob {
        id: JobId::of(format!("job-{number:04}")),
        kind: JobKind::LineageRenew,
        subject: format!("lin-{number}"),
        due: Moment(number),
        actor: "scheduler".to_owned(),
        created: Moment(number),
    }
}

fn claim(tx: &Tx, now: i64, until: i64) -> Result<Vec<Job>, Error> {
    job::claim(tx, Moment(now), Moment(until), 10)
}

fn life(tx: &Tx) -> Result<(), Error> {
    let one = job::add(tx, &new(5))?;
    let same = NewJob { id: JobId::of("job-other"), ..new(5) };
    assert_eq!(job::add(tx, &same)?, one, "the waiting one is returned");
    let rekey = NewJob { kind: JobKind::LineageRekey, ..same };
    assert_ne!(job::add(tx, &rekey)?, one);
    assert!(claim(tx, 4, 100)?.is_empty(), "nothing is due");
    assert_eq!(job::next_due(tx)?, Some(Moment(5)));
    let claimed = claim(tx, 5, 100)?;
    assert_eq!(claimed.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["job-0005", "job-other"]);
    assert_eq!((claimed[0].attempts, claimed[0].fence, claimed[0].state), (1, 1, JobState::Running));
    assert_eq!(job::next_due(tx)?, Some(Moment(100)), "the end of the leases");
    assert!(job::progress(tx, &one, 1, "Asking the CA.")?);
    assert!(job::extend(tx, &one, 1, Moment(150))?);
    let again = claim(tx, 120, 200)?;
    assert_eq!(again.len(), 1, "only the lease that ended");
    assert_eq!(again[0].fence, 2);
    let other = &again[0].id;
    assert!(!job::finish(tx, other, 1, "done", Moment(121))?, "an older fence writes no more");
    assert!(!job::holds(tx, other, 1)? && job::holds(tx, other, 2)?);
    assert!(!job::extend(tx, other, 1, Moment(999))? && !job::progress(tx, other, 1, "x")?);
    assert!(!job::retry(tx, other, 1, Moment(999), "x")? && !job::fail(tx, other, 1, "x", Moment(999))?);
    assert!(job::fail(tx, other, 2, "no way", Moment(130))?);
    assert!(!job::finish(tx, other, 2, "done", Moment(131))?, "it has ended");
    assert!(job::retry(tx, &one, 1, Moment(300), "the CA was away")?);
    let waiting = job::find(tx, &one)?.expect("the job");
    assert_eq!(
        (waiting.state, waiting.due, waiting.trouble.as_str()),
        (JobState::Waiting, Moment(300), "the CA was away")
    );
    assert!(job::hasten(tx, &one, Moment(140))? && !job::hasten(tx, &one, Moment(141))?);
    let last = claim(tx, 140, 400)?;
    assert_eq!((last.len(), last[0].attempts, last[0].fence), (1, 2, 2));
    assert!(job::finish(tx, &one, 2, "done", Moment(145))?);
    assert_eq!(job::next_due(tx)?, None);
    assert_eq!(job::open_of(tx, JobKind::LineageRenew, "lin-5")?, None);
    assert_eq!(job::count_by_state(tx)?, [(JobState::Done, 1), (JobState::Failed, 1)]);
    let renewed = NewJob { id: JobId::of("job-next"), ..new(5) };
    assert_eq!(job::add(tx, &renewed)?, renewed.id, "the one before has ended");
    assert_eq!(job::remove_ended_before(tx, Moment(140))?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_job() {
    for fresh in fresh_stores().await {
        fresh.store.tx("jobs", life).await.expect("all holds");
    }
}

fn taken_up(tx: &Tx) -> Result<(), Error> {
    let one = job::add(tx, &new(5))?;
    assert_eq!(claim(tx, 5, 1_000)?.len(), 1);
    assert_eq!(job::release_all(tx, Moment(6))?, 1);
    assert!(!job::holds(tx, &one, 1)?, "whoever held it writes no more");
    let again = claim(tx, 6, 1_000)?;
    assert_eq!((again.len(), again[0].fence), (1, 3));
    Ok(())
}

#[tokio::test]
async fn what_a_killed_process_held_is_claimed_again_at_once() {
    for fresh in fresh_stores().await {
        fresh.store.tx("taken_up", taken_up).await.unwrap();
    }
}

fn handed(tx: &Tx) -> Result<(), Error> {
    let one = job::add(tx, &new(5))?;
    assert_eq!(claim(tx, 5, 1_000)?.len(), 1);
    assert!(job::hand_to(tx, &one, "user:ada", Moment(6))?);
    assert!(!job::finish(tx, &one, 1, "done", Moment(7))?, "whoever held it writes no more");
    let again = claim(tx, 6, 1_000)?;
    assert_eq!((again.len(), again[0].actor.as_str(), again[0].fence), (1, "user:ada", 3));
    assert!(job::finish(tx, &one, 3, "done", Moment(8))?);
    assert!(!job::hand_to(tx, &one, "user:bob", Moment(9))?, "it has ended");
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_handed_to_another_starts_anew_for_him() {
    for fresh in fresh_stores().await {
        fresh.store.tx("handed", handed).await.unwrap();
    }
}

fn listed(tx: &Tx) -> Result<(), Error> {
    for number in 1..=5 {
        job::add(tx, &new(number))?;
    }
    let first = job::list(tx, &JobFilter::default(), &Page::first(2))?;
    assert_eq!(first.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["job-0005", "job-0004"]);
    let page = Page { after: Some(job::cursor(&first[1])), limit: 9 };
    assert_eq!(job::list(tx, &JobFilter::default(), &page)?.len(), 3);
    let narrow = JobFilter { state: Some(JobState::Waiting), subject: Some("lin-3".to_owned()) };
    assert_eq!(job::list(tx, &narrow, &Page::first(9))?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_newest_first() {
    for fresh in fresh_stores().await {
        fresh.store.tx("jobs", listed).await.expect("all holds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_claimers_never_get_one_job() {
    for fresh in fresh_stores().await {
        let added: Result<(), Error> = fresh
            .store
            .tx("add", |tx| (0..400).try_for_each(|number| job::add(tx, &new(number)).map(|_| ())))
            .await;
        added.expect("400 jobs");
        let claimers: Vec<_> = (0..4)
            .map(|_| {
                let store = fresh.store.clone();
                tokio::spawn(async move {
                    let mut got = Vec::new();
                    loop {
                        let run = |tx: &Tx<'_>| job::claim(tx, Moment(1_000), Moment(2_000), 7);
                        let jobs = store.tx("claim", run).await.expect("a claim");
                        if jobs.is_empty() {
                            return got;
                        }
                        got.extend(jobs.into_iter().map(|job| job.id));
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for claimer in claimers {
            all.extend(claimer.await.expect("no panic"));
        }
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (400, 400));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_for_one_thing_get_one_job() {
    for fresh in fresh_stores().await {
        let askers: Vec<_> = (0..12)
            .map(|number| {
                let store = fresh.store.clone();
                let wish = NewJob { subject: "lin-same".to_owned(), ..new(number) };
                tokio::spawn(async move { store.tx("ask", move |tx| job::add(tx, &wish)).await })
            })
            .collect();
        let mut ids = HashSet::new();
        for asker in askers {
            ids.insert(asker.await.expect("no panic").expect("a job"));
        }
        assert_eq!(ids.len(), 1);
    }
}
