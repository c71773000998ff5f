//! Which crate of the workspace may depend on which.

use cargo_metadata::{DependencyKind, Metadata};

use super::Findings;

/// What a crate may depend on.
struct Rule {
    /// The package.
    package: &'static str,
    /// The packages of the workspace that it may use.
    uses: &'static [&'static str],
    /// Foreign packages that it may not use directly, because it is a core without I/O, format or clock.
    bans: &'static [&'static str],
}

const fn rule(package: &'static str, uses: &'static [&'static str]) -> Rule {
    Rule { package, uses, bans: &[] }
}

/// What would make a core depend on how it is run.
const OUTSIDE_WORLD: &[&str] =
    &["tokio", "tokio-util", "serde", "serde_json", "rand", "chrono", "hyper", "sqlx", "mongodb", "rustis"];

/// The arrows of ARCHITECTURE.md, from the bottom up.
const PRODUCT: &[Rule] = &[
    Rule { package: "zonegate-model", uses: &[], bans: OUTSIDE_WORLD },
    rule("zonegate-payload", &["zonegate-model"]),
    rule("zonegate-definition", &["zonegate-model", "zonegate-payload"]),
    Rule { package: "zonegate-sync", uses: &["zonegate-model"], bans: OUTSIDE_WORLD },
    rule("zonegate-sync-driver", &["zonegate-model", "zonegate-sync"]),
    rule("zonegate-generation", &["zonegate-model", "zonegate-payload", "zonegate-definition"]),
    rule("zonegate-config", &["zonegate-model"]),
    rule("zonegate-repository", &["zonegate-model", "zonegate-payload", "zonegate-sync"]),
    rule(
        "zonegate-repository-sql",
        &["zonegate-model", "zonegate-payload", "zonegate-sync", "zonegate-repository"],
    ),
    rule(
        "zonegate-repository-mongodb",
        &["zonegate-model", "zonegate-payload", "zonegate-sync", "zonegate-repository"],
    ),
    rule("zonegate-store-redis", &["zonegate-model", "zonegate-sync"]),
    rule("zonegate-policy", &["zonegate-model", "zonegate-definition"]),
    rule(
        "zonegate-proxy",
        &[
            "zonegate-model",
            "zonegate-definition",
            "zonegate-generation",
            "zonegate-policy",
            "zonegate-telemetry",
        ],
    ),
    rule("zonegate-telemetry", &["zonegate-model"]),
    rule(
        "zonegate-technical-api",
        &["zonegate-model", "zonegate-sync", "zonegate-generation", "zonegate-telemetry", "zonegate-payload"],
    ),
    rule(
        "zonegate",
        &[
            "zonegate-config",
            "zonegate-definition",
            "zonegate-generation",
            "zonegate-model",
            "zonegate-payload",
            "zonegate-policy",
            "zonegate-proxy",
            "zonegate-repository",
            "zonegate-repository-mongodb",
            "zonegate-repository-sql",
            "zonegate-store-redis",
            "zonegate-sync",
            "zonegate-sync-driver",
            "zonegate-technical-api",
            "zonegate-telemetry",
        ],
    ),
];

/// Crates that never reach a user. Product crates may use them in their tests only.
const DEVELOPMENT: &[Rule] = &[
    rule("zonegate-testkit", &[]),
    rule("zonegate-management-writer", &[]),
    rule("zonegate-simulation", &["zonegate-model", "zonegate-sync"]),
    rule(
        "zonegate-fuzz",
        &[
            "zonegate-config",
            "zonegate-definition",
            "zonegate-generation",
            "zonegate-model",
            "zonegate-payload",
            "zonegate-policy",
            "zonegate-proxy",
            "zonegate-repository-mongodb",
            "zonegate-store-redis",
            "zonegate-testkit",
        ],
    ),
    rule("zonegate-tests", &["zonegate-management-writer", "zonegate-testkit"]),
    rule(
        "xtask",
        &[
            "zonegate-management-writer",
            "zonegate-testkit",
            "zonegate-simulation",
            // For the benchmarks, which measure them in their own process.
            "zonegate-model",
            "zonegate-sync",
            "zonegate-sync-driver",
            "zonegate-generation",
            "zonegate-store-redis",
            "zonegate-policy",
            "zonegate-proxy",
        ],
    ),
];

/// Compares the dependencies that the manifests declare with the tables.
pub(super) fn check(metadata: &Metadata) -> Findings {
    let mut findings = Findings::default();
    let members = metadata.workspace_packages();
    let arrows = members.iter().flat_map(|package| {
        let from = package.name.as_str();
        package.dependencies.iter().map(move |dependency| Arrow {
            from,
            to: &dependency.name,
            kind: dependency.kind,
        })
    });
    let names: Vec<&str> = members.iter().map(|package| package.name.as_str()).collect();
    findings.errors.extend(names.iter().filter(|name| find(name).is_none()).map(|name| {
        format!("{name} is in no table: say in xtask/src/check_layers/arrows.rs and in ARCHITECTURE.md what it may depend on")
    }));
    findings.errors.extend(arrows.filter_map(|arrow| refusal(&arrow, &names)));
    findings
}

struct Arrow<'a> {
    from: &'a str,
    to: &'a str,
    kind: DependencyKind,
}

/// Why an arrow may not be, if so.
fn refusal(arrow: &Arrow<'_>, members: &[&str]) -> Option<String> {
    let Arrow { from, to, kind } = *arrow;
    let rule = find(from)?;
    if rule.bans.contains(&to) && kind != DependencyKind::Development {
        return Some(format!(
            "{from} depends on {to}: a core knows no I/O, no format and no clock; put that into an adapter or the binary"
        ));
    }
    if !members.contains(&to) || rule.uses.contains(&to) {
        return None;
    }
    if kind == DependencyKind::Development && DEVELOPMENT.iter().any(|rule| rule.package == to) {
        return None;
    }
    let allowed =
        if rule.uses.is_empty() { "nothing of the workspace".to_owned() } else { rule.uses.join(", ") };
    Some(format!("{from} depends on {to}; it may depend on: {allowed} (ARCHITECTURE.md)"))
}

fn find(package: &str) -> Option<&'static Rule> {
    PRODUCT.iter().chain(DEVELOPMENT).find(|rule| rule.package == package)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: &[&str] =
        &["zonegate-model", "zonegate-sync", "zonegate-store-redis", "zonegate-testkit", "zonegate-proxy"];

    fn refused(from: &str, to: &str, kind: DependencyKind) -> bool {
        refusal(&Arrow { from, to, kind }, MEMBERS).is_some()
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_refused() {
        assert!(refused("zonegate-sync", "zonegate-store-redis", DependencyKind::Normal));
        assert!(refused("zonegate-model", "zonegate-sync", DependencyKind::Normal));
        assert!(refused("zonegate-sync", "zonegate-proxy", DependencyKind::Development));
        assert!(!refused("zonegate-store-redis", "zonegate-sync", DependencyKind::Normal));
    }

    #[test]
    fn development_crates_are_for_tests_only() {
        assert!(refused("zonegate-store-redis", "zonegate-testkit", DependencyKind::Normal));
        assert!(!refused("zonegate-store-redis", "zonegate-testkit", DependencyKind::Development));
    }

    #[test]
    fn the_cores_know_no_outside_world() {
        for core in ["zonegate-sync", "zonegate-model"] {
            assert!(refused(core, "tokio", DependencyKind::Normal));
            assert!(refused(core, "serde", DependencyKind::Normal));
            assert!(!refused(core, "serde_json", DependencyKind::Development));
        }
        assert!(!refused("zonegate-store-redis", "tokio", DependencyKind::Normal));
    }

    #[test]
    fn the_tables_only_name_crates_that_they_have_and_point_downwards() {
        let names: Vec<&str> = PRODUCT.iter().map(|rule| rule.package).collect();
        for (place, rule) in PRODUCT.iter().enumerate() {
            for used in rule.uses {
                assert!(names.contains(used), "{used}");
                // Two surfaces may be used by what stands before them in the picture; cycles cargo refuses itself.
                let below = names.iter().position(|name| name == used).is_some_and(|other| other < place);
                assert!(below || *used == "zonegate-telemetry", "{} uses {used}", rule.package);
            }
        }
    }
}
