//! Long work: follows a job to its end with a line of progress, and tells whether it came to something.

use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pki::name::inert;
use serde_json::Value;

use super::api::{Answer, items, text};
use super::session::{Output, Session};
use crate::cli::output;

/// How often is looked. A job is rarely done sooner, and the server's limit is far away.
const PAUSE: Duration = Duration::from_millis(300);

/// Whether to stay.
#[derive(Debug, Args)]
pub struct Wait {
    /// Only start it; `claviger job watch` follows it later
    #[arg(long)]
    no_wait: bool,
}

/// What to do when a try failed and another one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtTrouble {
    /// End, and say why: nobody wants to sit before it for an hour.
    End,
    /// Go on to the end.
    Stay,
}

impl Session {
    /// Follows what a request began: the job, then the deployments that it led to.
    ///
    /// # Errors
    /// When the job or a deployment failed, or waits for another try.
    pub async fn follow(&self, begun: &Answer, led_to: &LedTo<'_>, wait: &Wait) -> anyhow::Result<()> {
        let job = text(&begun.value, "id").to_owned();
        if wait.no_wait {
            return self.done(begun, &format!("It was begun. Follow it with `claviger job watch {job}`."));
        }
        let line = Line::new(self.output);
        let ended = self.follow_job(&job, AtTrouble::End, &line).await?;
        let result = self.follow_deployments(led_to, &line).await;
        line.clear();
        match &result {
            Ok(said) => self.done(&ended, said.as_deref().unwrap_or_else(|| outcome(&ended.value)))?,
            Err(_) if self.output == Output::Json => output::line(&ended.text)?,
            Err(_) => {}
        }
        result.map(drop)
    }

    /// Follows a job that leads to nothing else, unless nobody wants to stay.
    ///
    /// # Errors
    /// When the job failed.
    pub async fn follow_alone(&self, begun: &Answer, wait: &Wait) -> anyhow::Result<()> {
        let job = text(&begun.value, "id");
        if wait.no_wait {
            return self.done(begun, &format!("It was begun. Follow it with `claviger job watch {job}`."));
        }
        self.watch(job).await
    }

    /// Follows one job and nothing else.
    pub async fn watch(&self, job: &str) -> anyhow::Result<()> {
        let line = Line::new(self.output);
        let ended = self.follow_job(job, AtTrouble::Stay, &line).await?;
        line.clear();
        self.done(&ended, outcome(&ended.value))
    }

    async fn follow_job(&self, job: &str, at_trouble: AtTrouble, line: &Line) -> anyhow::Result<Answer> {
        loop {
            let seen = self.api.get(&["jobs", job], &[]).await?;
            let field = |name| text(&seen.value, name);
            line.say(if field("progress").is_empty() { field("state") } else { field("progress") });
            match field("state") {
                "done" => return Ok(seen),
                "failed" => {
                    line.clear();
                    return Err(self.failed(&seen, &format!("it was given up: {}", field("trouble")))?);
                }
                "waiting" if at_trouble == AtTrouble::End && !field("trouble").is_empty() => {
                    line.clear();
                    let due = field("due_at");
                    let said = format!(
                        "it did not work: {}. It is tried again at {due}; `claviger job watch {job}` follows it",
                        field("trouble").trim_end_matches('.')
                    );
                    return Err(self.failed(&seen, &said)?);
                }
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Programs get the job as it is, in any case.
    fn failed(&self, job: &Answer, said: &str) -> anyhow::Result<anyhow::Error> {
        if self.output == Output::Json {
            output::line(&job.text)?;
        }
        Ok(anyhow!("{}", inert(said)))
    }

    /// Waits until the current certificate is where it belongs, or is said not to be.
    async fn follow_deployments(&self, led_to: &LedTo<'_>, line: &Line) -> anyhow::Result<Option<String>> {
        let path = ["lineages", led_to.lineage];
        let planned = self.api.get(&path, &[]).await?;
        for deployment in led_to.deployments(&planned.value) {
            let query = [("subject", text(deployment, "id").to_owned())];
            let jobs = self.api.get(&["jobs"], &query).await?;
            for job in items(&jobs.value).iter().filter(|job| !is_ended(job)) {
                self.follow_job(text(job, "id"), AtTrouble::End, line).await?;
            }
        }
        let after = self.api.get(&path, &[]).await?;
        let deployments = led_to.deployments(&after.value);
        let bad = |one: &&&Value| matches!(text(one, "state"), "failed" | "rolled_back");
        if let Some(failed) = deployments.iter().find(bad) {
            bail!("on target “{}”: {}", inert(text(failed, "target_label")), inert(text(failed, "trouble")));
        }
        let verified = deployments.iter().filter(|one| text(one, "state") == "verified").count();
        Ok((verified > 0).then(|| {
            let hash = current(&after.value).unwrap_or_default();
            format!(
                "Certificate {hash} was seen from outside on {verified} of {} targets.",
                deployments.len()
            )
        }))
    }
}

/// Which deployments a job leads to.
pub struct LedTo<'a> {
    /// Of which lineage.
    pub lineage: &'a str,
    /// The certificate before a renewal: while it is the current one, nothing new is deployed.
    pub before: Option<String>,
    /// On one target only.
    pub target: Option<&'a str>,
}

impl LedTo<'_> {
    /// The deployments of the lineage's current certificate.
    fn deployments<'v>(&self, lineage: &'v Value) -> Vec<&'v Value> {
        let current = current(lineage).filter(|hash| self.before.as_deref() != Some(hash));
        let is_meant = |one: &&Value| {
            let here = self.target.is_none_or(|target| text(one, "target") == target);
            here && current.is_some_and(|hash| text(one, "certificate") == hash)
        };
        lineage.get("deployments").map_or(&[][..], items).iter().filter(is_meant).collect()
    }
}

/// The hash of a lineage's current certificate.
pub fn current(lineage: &Value) -> Option<&str> {
    lineage.pointer("/current/hash").and_then(Value::as_str)
}

fn is_ended(job: &Value) -> bool {
    matches!(text(job, "state"), "done" | "failed")
}

/// What came of a job, in one sentence.
fn outcome(job: &Value) -> &str {
    match text(job, "progress") {
        "" => "Done.",
        progress => progress,
    }
}

/// The line of progress: on a terminal it moves; else each new sentence is a line of its own. On standard error.
struct Line {
    bar: ProgressBar,
    said: std::cell::RefCell<String>,
    is_quiet: bool,
}

impl Line {
    fn new(output: Output) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar, said: std::cell::RefCell::default(), is_quiet: output == Output::Json }
    }

    fn say(&self, sentence: &str) {
        let sentence = inert(sentence);
        let mut said = self.said.borrow_mut();
        if sentence == said.as_str() {
            return;
        }
        if !self.bar.is_hidden() {
            self.bar.set_message(sentence.to_string());
        } else if !self.is_quiet {
            eprintln!("{sentence}");
        }
        *said = sentence.into_owned();
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_deployments_of_the_new_certificate_count() {
        let lineage = json!({ "current": { "hash": "aa" }, "deployments": [
            { "id": "dep-1", "certificate": "aa", "target": "edge" },
            { "id": "dep-2", "certificate": "bb", "target": "edge" },
            { "id": "dep-3", "certificate": "aa", "target": "tgt-1" },
        ] });
        let ids = |before: Option<&str>, target| {
            let led_to = LedTo { lineage: "lin-1", before: before.map(str::to_owned), target };
            let found = led_to.deployments(&lineage);
            found.into_iter().map(|one| text(one, "id").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(Some("bb"), None), ["dep-1", "dep-3"]);
        assert_eq!(ids(None, Some("tgt-1")), ["dep-3"]);
        assert_eq!(ids(Some("aa"), None), [""; 0]);
    }
}
