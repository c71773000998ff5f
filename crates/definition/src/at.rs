//! Where in a definition something stands: written out only when something is refused there.

use std::fmt;

use crate::refusal::{Reason, Refusal, excerpt};

/// A place in a definition, as a chain of steps from its root. Costs nothing to make; its text is the JSON path, for
/// example `plans[1].security`.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Whole,
    Member(&'a str),
    Element(usize),
}

impl At<'static> {
    /// The definition itself.
    pub const WHOLE: Self = Self { parent: None, step: Step::Whole };
}

impl<'a> At<'a> {
    /// A member of the definition, or whatever else the path begins with.
    pub const fn root(name: &'a str) -> Self {
        Self { parent: None, step: Step::Member(name) }
    }

    /// A member of the object that stands here.
    #[must_use]
    pub const fn member(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Member(name) }
    }

    /// An element of the array that stands here.
    #[must_use]
    pub const fn element(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Element(index) }
    }

    /// The refusal of what stands here.
    pub fn refuse(&self, reason: Reason) -> Refusal {
        Refusal::new(reason, self.to_string())
    }

    const fn is_whole(&self) -> bool {
        matches!(self.step, Step::Whole)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parent = self.parent.filter(|parent| !parent.is_whole());
        if let Some(parent) = parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Whole => Ok(()),
            Step::Member(name) => {
                if parent.is_some() {
                    f.write_str(".")?;
                }
                // Some are keys of the definition's own choice.
                if name.len() <= 32 && !name.contains(char::is_control) {
                    f.write_str(name)
                } else {
                    f.write_str(&excerpt(name))
                }
            }
            Step::Element(index) => write!(f, "[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_a_json_path() {
        let plans = At::WHOLE.member("plans");
        let plan = plans.element(1);
        assert_eq!(plan.member("security").to_string(), "plans[1].security");
        assert_eq!(At::root("plans").to_string(), plans.to_string());
        assert_eq!(At::WHOLE.to_string(), "");
        let long = "x".repeat(100);
        assert!(plans.member(&long).to_string().len() < 80, "names are shortened");
        assert_eq!(At::WHOLE.refuse(Reason::Missing("id")).to_string(), "`id` is missing");
    }
}
