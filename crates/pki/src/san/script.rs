//! Host names that look like others: letters of several scripts in one label, or all of them look-alikes
//! (Unicode UTS 39, 5.2, "highly restrictive", with the scripts in which people have host names).

/// A script as one bit, so that what a label uses can be summed.
type Script = u16;

const LATIN: Script = 1;
const GREEK: Script = 1 << 1;
const CYRILLIC: Script = 1 << 2;
const ARMENIAN: Script = 1 << 3;
const HEBREW: Script = 1 << 4;
const ARABIC: Script = 1 << 5;
const INDIC: Script = 1 << 6;
const GEORGIAN: Script = 1 << 7;
const HANGUL: Script = 1 << 8;
const KANA: Script = 1 << 9;
const BOPOMOFO: Script = 1 << 10;
const HAN: Script = 1 << 11;
const CHEROKEE: Script = 1 << 12;
/// All the others. Nobody mixes them with anything but their own.
const OTHER: Script = 1 << 13;

/// First and last code point, ascending. What stands between is [`OTHER`].
const RANGES: [(u32, u32, Script); 38] = [
    (0x0041, 0x005a, LATIN),
    (0x0061, 0x007a, LATIN),
    (0x00aa, 0x00aa, LATIN),
    (0x00ba, 0x00ba, LATIN),
    (0x00c0, 0x02af, LATIN),
    (0x0370, 0x03ff, GREEK),
    (0x0400, 0x052f, CYRILLIC),
    (0x0531, 0x058f, ARMENIAN),
    (0x0590, 0x05ff, HEBREW),
    (0x0600, 0x06ff, ARABIC),
    (0x0750, 0x077f, ARABIC),
    (0x08a0, 0x08ff, ARABIC),
    (0x0900, 0x0dff, INDIC),
    (0x10a0, 0x10ff, GEORGIAN),
    (0x1100, 0x11ff, HANGUL),
    (0x13a0, 0x13ff, CHEROKEE),
    (0x1c80, 0x1c8f, CYRILLIC),
    (0x1c90, 0x1cbf, GEORGIAN),
    (0x1d00, 0x1d25, LATIN),
    (0x1d26, 0x1d2a, GREEK),
    (0x1d2b, 0x1d2b, CYRILLIC),
    (0x1d2c, 0x1d5c, LATIN),
    (0x1e00, 0x1eff, LATIN),
    (0x1f00, 0x1fff, GREEK),
    (0x2c60, 0x2c7f, LATIN),
    (0x2d00, 0x2d2f, GEORGIAN),
    (0x2de0, 0x2dff, CYRILLIC),
    (0x3005, 0x3007, HAN),
    (0x3041, 0x30ff, KANA),
    (0x3105, 0x312f, BOPOMOFO),
    (0x31a0, 0x31bf, BOPOMOFO),
    (0x3400, 0x4dbf, HAN),
    (0x4e00, 0x9fff, HAN),
    (0xa640, 0xa69f, CYRILLIC),
    (0xa720, 0xa7ff, LATIN),
    (0xab70, 0xabbf, CHEROKEE),
    (0xac00, 0xd7ff, HANGUL),
    (0x2_0000, 0x3_1fff, HAN),
];

/// What belongs together: Japanese, Chinese and Korean are written with several scripts, and with Latin letters.
const TOGETHER: [Script; 3] = [LATIN | HAN | KANA, LATIN | HAN | BOPOMOFO, LATIN | HAN | HANGUL];

/// Letters that most people take for Latin ones.
const LOOKALIKES: &str = "асԁеһіјӏорԛѕԝхуүѵѡьҽгп αονρικυωητ օսհոցզ";

/// Whether a host name in its readable form has a label that may be taken for another; says in what way.
pub(super) fn deceptive(readable: &str) -> Option<&'static str> {
    if readable.split('.').any(is_mixed) {
        return Some("a label has letters of several scripts, and may be meant to look like another name");
    }
    // Below a top-level domain of their own such letters are at home.
    let is_at_home = readable.rsplit('.').next().is_some_and(|last| !last.is_ascii());
    (!is_at_home && readable.split('.').any(is_lookalike))
        .then_some("a label is written in letters that look like Latin ones and are none")
}

fn is_mixed(label: &str) -> bool {
    let used = label.chars().filter(|c| c.is_alphabetic()).map(script).fold(0, |all, one| all | one);
    used.count_ones() > 1 && !TOGETHER.iter().any(|together| used & !together == 0)
}

fn is_lookalike(label: &str) -> bool {
    let mut letters = label.chars().filter(|c| c.is_alphabetic()).peekable();
    letters.peek().is_some() && letters.all(|letter| !letter.is_ascii() && LOOKALIKES.contains(letter))
}

fn script(letter: char) -> Script {
    let code = u32::from(letter);
    let place = RANGES.partition_point(|(_, last, _)| *last < code);
    match RANGES.get(place) {
        Some((first, _, script)) if *first <= code => *script,
        Some(_) | None => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_ascend() {
        assert!(RANGES.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert!(RANGES.iter().all(|(first, last, _)| first <= last));
    }

    #[test]
    fn names_as_people_write_them_pass() {
        for name in [
            "bücher.example",
            "παράδειγμα.example",
            "яндекс.example",
            "россия.рф",
            "оса.рф",
            "日本語テスト.example",
            "abcテスト.jp",
            "한국漢字a.kr",
            "例え1.com",
            "עברית.example",
            "plain-ascii-1.example",
            "123.example",
        ] {
            assert_eq!(deceptive(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_look_like_others_are_found() {
        for name in [
            // Latin with one Cyrillic, Greek, Armenian or Cherokee letter.
            "g\u{43e}ogle.com",
            "micr\u{3bf}soft.com",
            "g\u{585}\u{585}gle.com",
            "a\u{13aa}.com",
            // "apple" and "epic", wholly Cyrillic.
            "\u{430}\u{440}\u{440}\u{4cf}\u{435}.com",
            "\u{435}\u{440}\u{456}\u{441}.com",
            // Kana with Greek.
            "テ\u{3b1}.jp",
        ] {
            assert!(deceptive(name).is_some(), "{name}");
        }
    }
}
