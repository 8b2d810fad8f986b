//! Certificate policies (RFC 5280, 6.1, as rewritten by RFC 9618: a graph with one node per policy and level, so that
//! no set of mappings makes it grow beyond what the certificates themselves say; CVE-2023-0464).

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Oid};
use super::search::Budget;

/// anyPolicy, 2.5.29.32.0.
pub(super) const ANY_POLICY: [u8; 4] = [0x55, 0x1d, 0x20, 0x00];

/// What whoever asks wants of the policies.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Any of these; none means that every policy will do.
    pub(super) policies: BTreeSet<Oid>,
    pub(super) explicit: bool,
    pub(super) no_mapping: bool,
    pub(super) no_any: bool,
}

/// One certificate of the path below the anchor.
pub(super) struct Step<'a> {
    pub(super) facts: &'a Facts,
    pub(super) is_self_issued: bool,
}

/// One policy at one level of the graph.
struct Node {
    /// What the next certificate may call it.
    expected: BTreeSet<Oid>,
    parents: BTreeSet<Oid>,
}

type Level = BTreeMap<Oid, Node>;

/// Whether the policies along the path hold; `path` is the certificate below the anchor first. A budget that ends is
/// noted in it.
pub(super) fn holds(path: &[Step<'_>], wanted: &Wanted, budget: &mut Budget) -> bool {
    let is_asked =
        |step: &Step<'_>| step.facts.policy_constraints.is_some() || !step.facts.mappings.is_empty();
    if !wanted.explicit && !path.iter().any(is_asked) {
        // Nobody demands a policy: the counter does not reach zero, whatever the graph would be.
        return true;
    }
    let mut graph = Graph::new();
    let mut counters = Counters::new(path.len(), wanted);
    for (index, step) in path.iter().enumerate() {
        let is_last = index + 1 == path.len();
        let facts = step.facts;
        let is_any_allowed = counters.inhibit_any > 0 || (!is_last && step.is_self_issued);
        if !graph.grow(facts.policies.as_deref(), is_any_allowed, budget) {
            return false;
        }
        if counters.explicit == 0 && graph.is_empty() {
            return false;
        }
        if is_last {
            counters.end(facts);
        } else {
            if facts.mappings.iter().any(|(from, to)| *from == ANY_POLICY || *to == ANY_POLICY) {
                return false;
            }
            graph.map(&facts.mappings, counters.mapping > 0);
            counters.next(step);
        }
    }
    counters.explicit > 0 || graph.satisfies(wanted)
}

/// How many more certificates until each rule begins (RFC 5280, 6.1.2).
struct Counters {
    explicit: usize,
    mapping: usize,
    inhibit_any: usize,
}

impl Counters {
    fn new(length: usize, wanted: &Wanted) -> Self {
        let from = |at_once: bool| if at_once { 0 } else { length + 1 };
        Self {
            explicit: from(wanted.explicit),
            mapping: from(wanted.no_mapping),
            inhibit_any: from(wanted.no_any),
        }
    }

    /// RFC 5280, 6.1.4, h to j.
    fn next(&mut self, step: &Step<'_>) {
        if !step.is_self_issued {
            for counter in [&mut self.explicit, &mut self.mapping, &mut self.inhibit_any] {
                *counter = counter.saturating_sub(1);
            }
        }
        let lower = |counter: &mut usize, limit: Option<u32>| {
            // No more than 32 bits.
            *counter = limit.map_or(*counter, |limit| (*counter).min(limit as usize));
        };
        if let Some(constraints) = &step.facts.policy_constraints {
            lower(&mut self.explicit, constraints.value.require_explicit);
            lower(&mut self.mapping, constraints.value.inhibit_mapping);
        }
        lower(&mut self.inhibit_any, step.facts.inhibit_any_policy);
    }

    /// RFC 5280, 6.1.5, a and b.
    fn end(&mut self, facts: &Facts) {
        self.explicit = self.explicit.saturating_sub(1);
        let required =
            facts.policy_constraints.as_ref().and_then(|constraints| constraints.value.require_explicit);
        if required == Some(0) {
            self.explicit = 0;
        }
    }
}

/// The valid policy graph; no levels means that no policy is valid any more.
struct Graph {
    levels: Vec<Level>,
}

impl Graph {
    fn new() -> Self {
        let any = ANY_POLICY.to_vec();
        let root = Node { expected: BTreeSet::from([any.clone()]), parents: BTreeSet::new() };
        Self { levels: vec![Level::from([(any, root)])] }
    }

    fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Adds the level of the next certificate (RFC 9618, 5.1, d and e). `false` when the budget ends.
    fn grow(&mut self, policies: Option<&[Oid]>, is_any_allowed: bool, budget: &mut Budget) -> bool {
        let (Some(policies), Some(last)) = (policies, self.levels.last()) else {
            self.levels.clear();
            return true;
        };
        let expecting = expecting(last);
        let work: usize = expecting.values().map(BTreeSet::len).sum();
        if !budget.charge(work + policies.len()) {
            return false;
        }
        let mut level = Level::new();
        for policy in policies.iter().filter(|policy| **policy != ANY_POLICY) {
            let parents = match expecting.get(policy) {
                Some(parents) => parents.iter().map(|parent| (*parent).clone()).collect(),
                None if last.contains_key(&ANY_POLICY[..]) => BTreeSet::from([ANY_POLICY.to_vec()]),
                None => continue,
            };
            level.insert(policy.clone(), Node { expected: BTreeSet::from([policy.clone()]), parents });
        }
        if is_any_allowed && policies.iter().any(|policy| *policy == ANY_POLICY) {
            for (policy, parents) in &expecting {
                level.entry((*policy).clone()).or_insert_with(|| Node {
                    expected: BTreeSet::from([(*policy).clone()]),
                    parents: parents.iter().map(|parent| (*parent).clone()).collect(),
                });
            }
        }
        self.levels.push(level);
        self.prune();
        true
    }

    /// Applies the mappings of a CA to its own level (RFC 9618, 5.2, b).
    fn map(&mut self, mappings: &[(Oid, Oid)], is_allowed: bool) {
        let mut targets: BTreeMap<&Oid, BTreeSet<Oid>> = BTreeMap::new();
        for (from, to) in mappings {
            targets.entry(from).or_default().insert(to.clone());
        }
        let Some(level) = self.levels.last_mut() else { return };
        let any = level.get(&ANY_POLICY[..]).map(|node| node.parents.clone());
        for (from, to) in targets {
            if !is_allowed {
                level.remove(from);
            } else if let Some(node) = level.get_mut(from) {
                node.expected = to;
            } else if let Some(parents) = &any {
                level.insert(from.clone(), Node { expected: to, parents: parents.clone() });
            }
        }
        self.prune();
    }

    /// Takes away what leads to nothing at the last level.
    fn prune(&mut self) {
        for index in (1..self.levels.len()).rev() {
            let used: BTreeSet<Oid> =
                self.levels[index].values().flat_map(|node| node.parents.clone()).collect();
            let above = &mut self.levels[index - 1];
            let before = above.len();
            above.retain(|policy, _| used.contains(policy));
            if above.len() == before {
                break;
            }
        }
        if self.levels.last().is_none_or(Level::is_empty) {
            self.levels.clear();
        }
    }

    /// Whether something of what is wanted is left (RFC 9618, 5.3, g).
    fn satisfies(&self, wanted: &Wanted) -> bool {
        let Some(last) = self.levels.last() else { return false };
        if wanted.policies.is_empty() || last.contains_key(&ANY_POLICY[..]) {
            return true;
        }
        // What the authorities call a policy is its name at the level where anyPolicy was left.
        let from_any =
            self.levels.iter().flatten().filter(|(_, node)| node.parents.contains(&ANY_POLICY[..]));
        from_any.map(|(policy, _)| policy).any(|policy| wanted.policies.contains(policy))
    }
}

/// Which nodes of the level expect each policy.
fn expecting(level: &Level) -> BTreeMap<&Oid, BTreeSet<&Oid>> {
    let mut expecting: BTreeMap<&Oid, BTreeSet<&Oid>> = BTreeMap::new();
    for (policy, node) in level {
        for expected in &node.expected {
            expecting.entry(expected).or_default().insert(policy);
        }
    }
    expecting
}

#[cfg(test)]
mod tests {
    use super::super::search::Memory;
    use super::*;

    fn oid(number: u8) -> Oid {
        vec![0x2a, number]
    }

    fn says(policies: &[u8], mappings: &[(u8, u8)]) -> Facts {
        let named = |number: &u8| if *number == 0 { ANY_POLICY.to_vec() } else { oid(*number) };
        let mappings = mappings.iter().map(|(from, to)| (named(from), named(to))).collect();
        Facts { policies: Some(policies.iter().map(named).collect()), mappings, ..Facts::default() }
    }

    fn holds_for(path: &[Facts], wanted: &[u8]) -> bool {
        let wanted = Wanted {
            policies: wanted.iter().map(|number| oid(*number)).collect(),
            explicit: true,
            ..Wanted::default()
        };
        let steps: Vec<Step<'_>> = path.iter().map(|facts| Step { facts, is_self_issued: false }).collect();
        holds(&steps, &wanted, &mut Budget::new(Memory::default()))
    }

    #[test]
    fn a_policy_must_be_said_by_everyone() {
        assert!(holds_for(&[says(&[1], &[]), says(&[1, 2], &[])], &[1]));
        assert!(!holds_for(&[says(&[1], &[]), says(&[1, 2], &[])], &[2]));
        assert!(!holds_for(&[says(&[1], &[]), says(&[2], &[])], &[]));
        assert!(!holds_for(&[says(&[1], &[]), Facts::default()], &[]));
        assert!(holds_for(&[says(&[0], &[]), says(&[3], &[])], &[3]), "any of them");
        assert!(holds_for(&[says(&[0], &[]), says(&[0], &[])], &[9]));
    }

    #[test]
    fn mappings_are_followed() {
        let mapped = [says(&[1], &[(1, 2)]), says(&[2], &[])];
        assert!(holds_for(&mapped, &[1]) && !holds_for(&mapped, &[2]));
        assert!(!holds_for(&[says(&[1], &[(1, 2)]), says(&[1], &[])], &[]));
        assert!(holds_for(&[says(&[0], &[(4, 5)]), says(&[5], &[])], &[4]), "by anyPolicy");
        assert!(!holds_for(&[says(&[1], &[(0, 2)]), says(&[2], &[])], &[]), "from anyPolicy");
        let steps = mapped.each_ref().map(|facts| Step { facts, is_self_issued: false });
        let wanted = Wanted { explicit: true, no_mapping: true, ..Wanted::default() };
        assert!(!holds(&steps, &wanted, &mut Budget::new(Memory::default())));
    }

    #[test]
    fn mappings_of_everything_to_everything_do_not_explode() {
        let policies: Vec<u8> = (1..=60).collect();
        let all: Vec<(u8, u8)> =
            policies.iter().flat_map(|from| policies.iter().map(|to| (*from, *to))).collect();
        let path: Vec<Facts> = (0..9).map(|_| says(&policies, &all)).collect();
        let steps: Vec<Step<'_>> = path.iter().map(|facts| Step { facts, is_self_issued: false }).collect();
        let mut budget = Budget::new(Memory::default());
        assert!(holds(&steps, &Wanted { explicit: true, ..Wanted::default() }, &mut budget));
        assert!(
            !budget.is_exhausted,
            "the work grows with what the certificates say, not with the ways through it"
        );
        while budget.charge(10_000) {}
        assert!(!holds(&steps, &Wanted::default(), &mut budget), "the budget is spent");
    }
}
