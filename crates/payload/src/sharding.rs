//! Sharding tags: which entities are for this gateway (`management-repository.md` section 10.2).

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The `tags` setting. Case, accents, spaces and hyphens do not count when tags are compared, as in APIM, whose
/// comparison follows the locale of its process; ours is the same everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardingTags {
    included: BTreeSet<String>,
    excluded: BTreeSet<String>,
}

impl ShardingTags {
    /// Reads the entries of the setting; `!tag` excludes. Empty ones are skipped.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> Self {
        let mut tags = Self::default();
        for entry in entries {
            let entry = entry.trim();
            let (set, name) = match entry.strip_prefix('!') {
                Some(name) => (&mut tags.excluded, name),
                None => (&mut tags.included, entry),
            };
            let name = folded(name);
            if !name.is_empty() {
                set.insert(name);
            }
        }
        tags
    }

    /// Whether there are none, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.included.is_empty() && self.excluded.is_empty()
    }

    /// Whether an entity with these tags is for this gateway. One without tags is not, if this gateway includes some.
    pub fn accept<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> bool {
        if self.is_empty() {
            return true;
        }
        let tags = tags.into_iter().map(folded).collect::<Vec<_>>();
        (self.included.is_empty() || tags.iter().any(|tag| self.included.contains(tag)))
            && !tags.iter().any(|tag| self.excluded.contains(tag))
    }

    /// Whether a plan with these tags is for this gateway: one without tags always is.
    pub fn accept_plan<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> bool {
        let tags = tags.into_iter().collect::<Vec<_>>();
        tags.is_empty() || self.accept(tags)
    }
}

/// A tag without what does not count.
fn folded(tag: &str) -> String {
    tag.trim()
        .nfd()
        .filter(|character| !is_combining_mark(*character) && !character.is_whitespace() && *character != '-')
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untagged_entity_is_left_out_by_inclusions_and_taken_by_exclusions() {
        assert!(ShardingTags::default().accept([]));
        assert!(!ShardingTags::new(["eu"]).accept([]));
        assert!(ShardingTags::new(["!eu"]).accept([]));
        assert!(ShardingTags::new(["eu"]).accept_plan([]));
    }

    #[test]
    fn inclusion_and_exclusion_must_both_hold() {
        let tags = ShardingTags::new([" eu ", "!test", ""]);
        assert!(tags.accept(["eu"]));
        assert!(tags.accept(["eu", "prod"]));
        assert!(!tags.accept(["eu", "test"]));
        assert!(!tags.accept(["us"]));
        assert!(!tags.accept_plan(["us"]));
    }

    #[test]
    fn case_accents_spaces_and_hyphens_do_not_count() {
        let tags = ShardingTags::new(["us-east", "\u{e9}cole"]);
        assert!(tags.accept(["USEAST"]));
        assert!(tags.accept(["us east"]));
        assert!(tags.accept(["Ecole"]));
        assert!(!tags.accept(["us_east"]), "an underscore does");
    }
}
