//! The order of releases: which tag is the newest, which lie between two.

use crate::model::id::Tag;
use std::cmp::Ordering;

/// A release's version: `v?MAJOR.MINOR.PATCH[-pre][+build]`, ordered as in Semantic Versioning 2.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    pre: Vec<Identifier>,
}

/// One dot-separated part of a pre-release. Numbers come before words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

impl Version {
    /// The version that `tag` names; `None` for any other tag (`latest`, `2026-11-22`, `v1.2`).
    #[must_use]
    pub fn of(tag: &str) -> Option<Self> {
        let text = tag.strip_prefix('v').unwrap_or(tag);
        let text = text.split_once('+').map_or(text, |(version, _build)| version);
        let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
        let numbers: Vec<u64> = core.split('.').map(number).collect::<Option<_>>()?;
        let pre = pre.map_or(Some(Vec::new()), |pre| pre.split('.').map(identifier).collect())?;
        Some(Self { numbers: numbers.try_into().ok()?, pre })
    }

    /// Whether it is a release, not a candidate for one.
    #[must_use]
    pub fn is_release(&self) -> bool {
        self.pre.is_empty()
    }
}

fn number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn identifier(part: &str) -> Option<Identifier> {
    if let Some(number) = number(part) {
        return Some(Identifier::Number(number));
    }
    let is_word = !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_word.then(|| Identifier::Word(part.to_owned()))
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_pre = match (self.is_release(), other.is_release()) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => self.pre.cmp(&other.pre),
        };
        self.numbers.cmp(&other.numbers).then(by_pre)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The newest release among `tags`. A candidate (`v1.0.0-rc.1`) is taken only where there is no release at all: nobody who names no tag asks
/// for one. Of two spellings of one version, the later in the alphabet is taken.
#[must_use]
pub fn newest<'a>(tags: impl IntoIterator<Item = &'a Tag>) -> Option<&'a Tag> {
    let versions = tags.into_iter().filter_map(|tag| Version::of(tag.as_str()).map(|version| (version, tag)));
    versions.max_by(|(a, x), (b, y)| a.is_release().cmp(&b.is_release()).then_with(|| a.cmp(b)).then_with(|| x.cmp(y))).map(|(_, tag)| tag)
}

/// Whether `tag` lies between `previous` and `target`, both left out. A tag that is no version lies nowhere.
#[must_use]
pub fn is_between(tag: &Tag, previous: &Tag, target: &Tag) -> bool {
    let (tag, previous, target) = (Version::of(tag.as_str()), Version::of(previous.as_str()), Version::of(target.as_str()));
    matches!((tag, previous, target), (Some(tag), Some(previous), Some(target)) if previous < tag && tag < target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> Vec<Tag> {
        names.iter().map(|name| Tag::new(*name).unwrap()).collect()
    }

    #[test]
    fn versions_are_ordered_by_number_not_by_letter() {
        let ordered =
            ["v0.4.0-alpha", "v0.4.0-alpha.1", "v0.4.0-alpha.beta", "v0.4.0-rc.2", "v0.4.0-rc.10", "v0.4.0", "v0.4.1", "v0.10.0", "1.0.0"];
        for pair in ordered.windows(2) {
            assert!(Version::of(pair[0]) < Version::of(pair[1]), "{pair:?}");
        }
        assert_eq!(Version::of("v1.0.0+build.5"), Version::of("1.0.0"));
    }

    #[test]
    fn what_is_no_version_is_ignored() {
        for name in [
            "latest",
            "v1.2",
            "v1.2.3.4",
            "2026-11-22",
            "v1.2.x",
            "v1..3",
            "v1.2.3-",
            "v+1.2.3",
            "v99999999999999999999.0.0",
            "vv1.2.3",
            "",
        ] {
            assert_eq!(Version::of(name), None, "{name}");
        }
    }

    #[test]
    fn s3_14_the_newest_release_is_taken_and_a_candidate_only_for_want_of_one() {
        let newest = |names: &[&str]| newest(&tags(names)).map(ToString::to_string);
        assert_eq!(newest(&["v0.9.0", "v0.10.0", "v0.11.0-rc.1", "nightly"]).as_deref(), Some("v0.10.0"));
        assert_eq!(newest(&["v0.1.0-rc.1", "v0.1.0-rc.2", "zzz"]).as_deref(), Some("v0.1.0-rc.2"));
        assert_eq!(newest(&["1.0.0", "v1.0.0"]).as_deref(), Some("v1.0.0"));
        assert_eq!(newest(&["nightly"]), None);
    }

    #[test]
    fn between_leaves_both_ends_out() {
        let [a, b, c, odd] =
            [&tags(&["v0.3.27"])[0], &tags(&["v0.3.28"])[0], &tags(&["v0.4.0"])[0], &tags(&["nightly"])[0]].map(Clone::clone);
        assert!(is_between(&b, &a, &c));
        assert!(!is_between(&a, &a, &c) && !is_between(&c, &a, &c) && !is_between(&odd, &a, &c) && !is_between(&b, &c, &a));
    }
}
