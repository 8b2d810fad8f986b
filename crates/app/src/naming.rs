//! Names that must be unique, where the one that is wanted is taken.

use crate::Error;

/// How long a name may be, in characters.
const LONGEST: usize = 100;
/// Names with a number that are tried: who has more of one name is no person.
const NUMBERED: u32 = 9;
/// Characters of what is its own that make a name unique.
const OWN: usize = 16;

/// The name that is wanted; where that is taken, with a number behind it, and where many are taken, with the first digits
/// of what nothing else has: the hash of its key or certificate. However many there are, few are asked for.
pub(crate) fn free(
    wanted: &str,
    own: &str,
    is_free: impl Fn(&str) -> Result<bool, Error>,
) -> Result<String, Error> {
    if is_free(wanted)? {
        return Ok(wanted.to_owned());
    }
    for number in 2..=NUMBERED {
        let numbered = with_end(wanted, &format!(" ({number})"));
        if is_free(&numbered)? {
            return Ok(numbered);
        }
    }
    let told_apart = with_end(wanted, &format!(" {}", own.get(..OWN).unwrap_or(own)));
    if is_free(&told_apart)? { Ok(told_apart) } else { Ok(with_end(wanted, &format!(" {own}"))) }
}

fn with_end(wanted: &str, end: &str) -> String {
    let kept: String = wanted.chars().take(LONGEST.saturating_sub(end.chars().count())).collect();
    kept + end
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const OWN_HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn names_stay_unique_and_short_and_few_are_asked_for() {
        let (taken, asked) = (RefCell::new(Vec::<String>::new()), RefCell::new(0));
        let is_free = |name: &str| {
            *asked.borrow_mut() += 1;
            Ok(!taken.borrow().iter().any(|taken| taken == name))
        };
        for wanted in ["shop", &"\u{e9}".repeat(100)] {
            taken.borrow_mut().clear();
            for number in 0..2_000_u32 {
                let own = format!("{number:016x}{OWN_HASH}");
                *asked.borrow_mut() = 0;
                let name = free(wanted, &own, is_free).unwrap();
                assert!(name.chars().count() <= LONGEST && !taken.borrow().contains(&name), "{name}");
                assert!(*asked.borrow() <= 10, "{} for {name}", asked.borrow());
                taken.borrow_mut().push(name);
            }
        }
        taken.borrow_mut().clear();
        let next = || {
            let name = free("shop", OWN_HASH, is_free).unwrap();
            taken.borrow_mut().push(name.clone());
            name
        };
        let names: Vec<String> = (0..11).map(|_| next()).collect();
        assert_eq!(names[..3], ["shop", "shop (2)", "shop (3)"]);
        assert_eq!(names[8..10], ["shop (9)", "shop 0123456789abcdef"]);
        assert_eq!(names[10], format!("shop {OWN_HASH}"));
    }
}
