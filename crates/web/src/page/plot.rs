//! The expiry plot: SVG made here, with the same as a table below it.

use askama::Template;
use askama::filters::HtmlSafe;
use domain::Moment;

use crate::page::when::{counted, utc_words};

/// Inner sizes of the picture, in its own units.
const LEFT: u32 = 36;
const WIDTH: u32 = 1000;
const TOP: u32 = 12;
const BASE: u32 = 162;

/// What ends in one week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// The first moment of the week.
    pub start: Moment,
    /// Renews by itself.
    pub by_itself: u32,
    /// Needs a person.
    pub needs_person: u32,
    /// Should have been renewed by now.
    pub late: u32,
}

impl Bar {
    fn all(&self) -> u32 {
        self.by_itself + self.needs_person + self.late
    }

    fn day(&self) -> String {
        utc_words(self.start).chars().take(10).collect()
    }
}

struct Part {
    class: &'static str,
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    words: String,
}

struct Mark {
    x: u32,
    y: u32,
    words: String,
}

/// The plot.
#[derive(Template)]
#[template(path = "part/plot.html")]
pub struct Plot {
    bars: Vec<Bar>,
    parts: Vec<Part>,
    counts: Vec<Mark>,
    days: Vec<Mark>,
    summary: String,
}

impl HtmlSafe for Plot {}

impl Plot {
    /// Draws the weeks in their order.
    pub fn new(bars: Vec<Bar>) -> Self {
        let most = bars.iter().map(Bar::all).max().unwrap_or(0);
        let top = nice_top(most);
        let step = (WIDTH - LEFT) / u32::try_from(bars.len().max(1)).unwrap_or(1).max(1);
        let mut parts = Vec::new();
        let mut days = Vec::new();
        for (index, bar) in (0..).zip(&bars) {
            let x = LEFT + index * step;
            stack(bar, (x, step), top, &mut parts);
            if index % 5 == 0 {
                let words = if index == 0 { "now".to_owned() } else { bar.day() };
                days.push(Mark { x, y: BASE + 20, words });
            }
        }
        let counts = [0, top / 2, top].map(|count| Mark {
            x: LEFT - 8,
            y: height_of(count, top),
            words: count.to_string(),
        });
        let summary = summary(&bars);
        Self { bars, parts, counts: counts.into(), days, summary }
    }

    /// Whether nothing ends in these weeks.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// The parts of one bar from the base up: what is worst stands lowest, where the eye begins.
fn stack(bar: &Bar, (x, step): (u32, u32), top: u32, parts: &mut Vec<Part>) {
    let mut count = 0;
    let kinds = [
        ("late", bar.late, "late"),
        ("person", bar.needs_person, "needs a person"),
        ("self", bar.by_itself, "renews by itself"),
    ];
    for (class, many, words) in kinds.into_iter().filter(|(_, many, _)| *many > 0) {
        let (from, to) = (height_of(count, top), height_of(count + many, top));
        let words = format!("Week of {}: {many} {words}", bar.day());
        // A gap of one unit between parts, and nothing so small that it cannot be seen.
        let height = (from - to).saturating_sub(1).max(2);
        parts.push(Part { class, x, y: to, width: step.saturating_sub(3).max(2), height, words });
        count += many;
    }
}

fn height_of(count: u32, top: u32) -> u32 {
    BASE - u32::try_from(u64::from(BASE - TOP) * u64::from(count) / u64::from(top.max(1)))
        .unwrap_or(BASE - TOP)
}

/// The next of 2, 4, 10, 20, 40, 100, ... so that half of it is a whole number.
fn nice_top(most: u32) -> u32 {
    let steps = (0..9).flat_map(|power| {
        [2, 4].map(|digit| digit * 10_u32.pow(power)).into_iter().chain([10 * 10_u32.pow(power)])
    });
    let mut steps = steps.collect::<Vec<_>>();
    steps.sort_unstable();
    steps.into_iter().find(|step| *step >= most).unwrap_or(u32::MAX)
}

fn summary(bars: &[Bar]) -> String {
    let sum = |of: fn(&Bar) -> u32| bars.iter().map(|bar| u64::from(of(bar))).sum::<u64>();
    format!(
        "In the next {} end {}: {} late, {} in need of a person",
        counted(bars.len() as u64, "week"),
        counted(sum(Bar::all), "certificate"),
        sum(|bar| bar.late),
        sum(|bar| bar.needs_person),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stack_without_leaving_the_picture() {
        let bar = |by_itself, needs_person, late| Bar { start: Moment(0), by_itself, needs_person, late };
        let plot = Plot::new(vec![bar(10_000, 1, 1), bar(0, 0, 0), bar(3, 2, 1)]);
        assert_eq!(plot.parts.iter().filter(|part| part.x == LEFT).count(), 3);
        assert!(plot.parts.iter().all(|part| part.y >= TOP && part.y + part.height <= BASE + 2));
        let html = plot.to_string();
        assert!(html.contains("<svg") && html.contains("1970-01-01") && !html.contains("style="), "{html}");
    }

    #[test]
    fn the_scale_fits_and_halves() {
        for most in [0, 1, 3, 5, 11, 99, 10_000] {
            let top = nice_top(most);
            assert!(top >= most && top.is_multiple_of(2) && top <= most.max(1) * 5, "{most}: {top}");
        }
    }
}
