//! Path patterns of flows (`data-plane.md` section 4.2): literal segments, and `:name` for any one segment.

use zonegate_definition::PathOperator;

/// A compiled pattern over the path-info.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    operator: PathOperator,
    parts: Box<[Part]>,
    /// Segments as written, for [`better`](Self::fits_better_than) in best-match mode.
    segments: Box<[Box<str>]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Text with its slashes, compared byte for byte.
    Literal(Box<str>),
    /// One segment, not empty.
    Parameter,
}

impl PathPattern {
    /// Compiles a pattern. Slashes at the ends and double ones do not count.
    pub fn compile(pattern: &str, operator: PathOperator) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        for segment in pattern.split('/').filter(|segment| !segment.is_empty()) {
            literal.push('/');
            if segment.starts_with(':') {
                parts.push(Part::Literal(std::mem::take(&mut literal).into()));
                parts.push(Part::Parameter);
            } else {
                literal.push_str(segment);
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        Self { operator, parts: parts.into(), segments: pattern.split('/').map(Into::into).collect() }
    }

    /// Whether the pattern matches every path-info.
    pub fn matches_everything(&self) -> bool {
        self.parts.is_empty() && self.operator == PathOperator::StartsWith
    }

    /// Whether the pattern matches: as a prefix that need not end at a segment, or as the whole, one `/` at the end
    /// not counting.
    pub fn matches(&self, path_info: &str) -> bool {
        let mut rest = path_info;
        for part in &self.parts {
            rest = match part {
                Part::Literal(text) => match rest.strip_prefix(&**text) {
                    Some(rest) => rest,
                    None => return false,
                },
                Part::Parameter => match rest.find(|c: char| !is_parameter(c)).unwrap_or(rest.len()) {
                    0 => return false,
                    end => &rest[end..],
                },
            };
        }
        match self.operator {
            PathOperator::StartsWith => true,
            PathOperator::Equals => rest.is_empty() || rest == "/",
        }
    }

    /// How well the pattern fits a path-info that it matches: segment by segment from the left, 2 where it is the
    /// same, 1 for a parameter, 0 otherwise.
    pub(crate) fn scores<'a>(&'a self, path_info: &'a str) -> impl Iterator<Item = u8> + 'a {
        let mut actual = path_info.split('/');
        self.segments.iter().map(move |segment| match actual.next() {
            None => 2,
            Some(actual) if actual == &**segment => 2,
            Some(_) if segment.starts_with(':') => 1,
            Some(_) => 0,
        })
    }

    /// Whether this pattern fits a path-info better than another one; both match it. The first segment in which they
    /// differ decides, and if none does, the longer pattern (`data-plane.md` section 4.3).
    pub(crate) fn fits_better_than(&self, other: &Self, path_info: &str) -> bool {
        let mut theirs = other.scores(path_info);
        for mine in self.scores(path_info) {
            match theirs.next() {
                None => return true,
                Some(theirs) if mine != theirs => return mine > theirs,
                Some(_) => {}
            }
        }
        false
    }
}

/// Characters of a segment that a parameter stands for.
fn is_parameter(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~%!$&'()* +,;=:@|".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn starts(pattern: &str, path: &str) -> bool {
        PathPattern::compile(pattern, PathOperator::StartsWith).matches(path)
    }

    fn equals(pattern: &str, path: &str) -> bool {
        PathPattern::compile(pattern, PathOperator::Equals).matches(path)
    }

    #[test]
    fn a_prefix_is_not_aligned_on_segments_and_the_root_matches_everything() {
        assert!(starts("/foo", "/foobar"));
        assert!(starts("/foo/", "/foo"));
        assert!(!starts("/foo/b", "/foob"));
        for path in ["", "/", "/x", "//x"] {
            assert!(starts("/", path) && starts("", path), "{path}");
        }
    }

    #[test]
    fn the_whole_path_may_end_with_one_slash() {
        assert!(equals("/foo", "/foo") && equals("/foo", "/foo/") && equals("foo", "/foo"));
        assert!(!equals("/foo", "/foo//") && !equals("/foo", "/foobar") && !equals("/foo", "/foo/bar"));
        assert!(equals("/", "") && equals("/", "/") && !equals("/", "/x"));
    }

    #[test]
    fn a_parameter_is_one_segment_of_the_known_characters() {
        assert!(equals("/users/:id/orders", "/users/a%20b-1/orders"));
        assert!(!equals("/users/:id/orders", "/users//orders"));
        assert!(!equals("/users/:id/orders", "/users/a/b/orders"));
        assert!(!equals("/:id", "/a\u{e9}"), "the original's character class is plain ASCII");
        assert!(starts("/:id", "/a\u{e9}"), "as a prefix the part before it is enough");
        assert!(!equals("/:a/x", "/b"));
    }

    #[test]
    fn a_dot_stands_for_itself() {
        assert!(equals("/v1.0", "/v1.0") && !equals("/v1.0", "/v1x0"));
    }

    proptest! {
        #[test]
        fn a_pattern_without_parameters_equals_itself(path in "(/[a-z0-9.%-]{1,5}){1,4}") {
            prop_assert!(equals(&path, &path));
            let longer = format!("{path}x");
            prop_assert!(starts(&path, &longer));
            prop_assert!(!equals(&path, &longer));
        }

        #[test]
        fn any_pattern_and_path_are_compared_without_panic(pattern in ".{0,40}", path in ".{0,40}") {
            let _ = starts(&pattern, &path) | equals(&pattern, &path);
        }

        #[test]
        fn the_better_fit_is_never_mutual(one in "(/(a|b|:c)){0,4}", other in "(/(a|b|:c)){0,4}", path in "(/(a|b)){0,4}") {
            let one = PathPattern::compile(&one, PathOperator::StartsWith);
            let other = PathPattern::compile(&other, PathOperator::StartsWith);
            prop_assert!(!(one.fits_better_than(&other, &path) && other.fits_better_than(&one, &path)));
        }
    }
}
