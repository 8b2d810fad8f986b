//! A server that is ready to be asked, and the form in which its answers are wanted.

use anyhow::bail;
use reqwest::Method;
use serde_json::Value;

use super::api::{Answer, Api, items, text};
use super::detail::Detail;
use super::list::Kind;
use super::refused::Refused;
use super::table::{self, Column};
use crate::cli::ink::Ink;
use crate::cli::output;

/// For whom the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Tables and sentences.
    People,
    /// The API's JSON as it is.
    Json,
}

/// A server and the wanted form of answers.
pub struct Session {
    /// The server.
    pub api: Api,
    /// The form.
    pub output: Output,
}

/// Names shown when several things fit a name, at most.
const SHOWN: usize = 5;

impl Session {
    /// Prints a list: an array, or a page with `items` and perhaps `next`.
    pub fn list(&self, answer: &Answer, columns: &[Column]) -> anyhow::Result<()> {
        if self.output == Output::Json {
            return Ok(output::line(&answer.text)?);
        }
        output::line(table::render(items(&answer.value), columns, Ink::for_output()))?;
        if let Some(next) = answer.value.get("next").and_then(Value::as_str) {
            output::line(format_args!("\nThere are more: add --after {}", pki::name::inert(next)))?;
        }
        Ok(())
    }

    /// Prints one thing with all that is known of it.
    pub fn detail(&self, answer: &Answer, detail: &Detail) -> anyhow::Result<()> {
        match self.output {
            Output::Json => Ok(output::line(&answer.text)?),
            Output::People => Ok(output::text(&detail.render(&answer.value, Ink::for_output()))?),
        }
    }

    /// Prints one thing that a person named.
    pub async fn show(&self, kind: &Kind, named: &str, detail: &Detail) -> anyhow::Result<()> {
        let id = self.id(kind, named).await?;
        self.detail(&self.api.get(&[kind.path, &id], &[]).await?, detail)
    }

    /// Removes one thing that a person named, and says so.
    pub async fn remove(&self, kind: &Kind, named: &str, sentence: &str) -> anyhow::Result<()> {
        let id = self.id(kind, named).await?;
        let answer = self.api.call(Method::DELETE, &[kind.path, &id]).await?;
        self.done(&answer, sentence)
    }

    /// Says that something was done. Programs get the answer, if it had one.
    pub fn done(&self, answer: &Answer, sentence: &str) -> anyhow::Result<()> {
        match self.output {
            Output::Json if answer.text.is_empty() => Ok(()),
            Output::Json => Ok(output::line(&answer.text)?),
            Output::People => Ok(output::line(pki::name::inert(sentence))?),
        }
    }

    /// Says which file was made; programs know it.
    pub fn wrote(&self, path: &std::path::Path) -> anyhow::Result<()> {
        match self.output {
            Output::Json => Ok(()),
            Output::People => Ok(output::line(format_args!("{} was written.", path.display()))?),
        }
    }

    /// The id of what a person named: by its id, by its name, or by the first eight or more digits of its hash.
    pub async fn id(&self, kind: &Kind, named: &str) -> anyhow::Result<String> {
        if (kind.is_id)(named) {
            return Ok(named.to_owned());
        }
        let mut found = self.search(kind, kind.by_name(named), |item| text(item, kind.name) == named).await?;
        if found.is_empty() && kind.has_prefix(named) {
            found = self.search(kind, kind.all(), |item| text(item, kind.id).starts_with(named)).await?;
        }
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => bail!("there is no {} called {named:?}; look at `claviger {} list`", kind.noun, kind.noun),
            several => {
                let shown = several.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
                bail!("{} things fit {named:?}; say which: {shown}", several.len())
            }
        }
    }

    /// The ids of everything that fits, page by page.
    async fn search(
        &self,
        kind: &Kind,
        mut query: Vec<(&'static str, String)>,
        fits: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        loop {
            let answer = self.api.get(&[kind.path], &query).await?;
            let fitting = items(&answer.value).iter().filter(|item| fits(item));
            found.extend(fitting.map(|item| text(item, kind.id).to_owned()));
            query.retain(|(name, _)| *name != "after");
            match answer.value.get("next").and_then(Value::as_str) {
                Some(next) => query.push(("after", next.to_owned())),
                None => return Ok(found),
            }
        }
    }

    /// Ends a command: a refusal is said in the server's own words, and programs get its body too.
    pub fn ended(self, result: anyhow::Result<()>) -> anyhow::Result<std::process::ExitCode> {
        let error = match result {
            Ok(()) => return Ok(std::process::ExitCode::SUCCESS),
            Err(error) => error,
        };
        let Some(refused) = error.downcast_ref::<Refused>() else { return Err(error) };
        if self.output == Output::Json {
            output::line(refused.body().trim_end())?;
        }
        refused.tell();
        Ok(std::process::ExitCode::FAILURE)
    }
}
