//! Text that nobody should write.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{load, with};

#[test]
fn l1_deep_nesting_is_an_error() {
    let mut deep = String::new();
    for level in 0..5000 {
        let _ = writeln!(deep, "{}a:", " ".repeat(level));
    }
    assert!(load(&deep, &[]).unwrap_err().to_string().contains("levels of nesting"));
    let flow = format!("a: {}", "[".repeat(100_000));
    assert!(load(&flow, &[]).is_err());
    let flow = format!("a: {}", "{".repeat(100_000));
    assert!(load(&flow, &[]).is_err());
}

#[test]
fn l1_aliases_do_not_fill_the_memory() {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..20 {
        let items = vec![format!("*a{}", level - 1); 10].join(",");
        let _ = writeln!(text, "a{level}: &a{level} [{items}]");
    }
    assert!(load(&text, &[]).unwrap_err().to_string().contains("aliases expand"));
}

#[test]
fn l1_placeholders_do_not_fill_the_memory() {
    let mut text = with("tenant: ${b0}\n");
    for level in 0..30 {
        let next = level + 1;
        let _ = writeln!(text, "b{level}: ${{b{next}}}${{b{next}}}${{b{next}}}${{b{next}}}");
    }
    text.push_str("b30: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
    assert!(load(&text, &[]).is_err());
}

/// Lines that look like configuration, with all that can be wrong in them.
fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        r"( |\t){0,4}[a-z<>&*!|\-\[\]{}'\x22#?%@.$]{0,6}:? ?[a-zA-Z0-9${}\[\]:'\x22&*!|>#\-]{0,12}",
        r" {0,6}(- )?(cert|key|certificates|password|users|http|port|servers|tags|<<|404|on): ?(a|\$\{a\}|\|||&x|\*x|\{|\[|1|é)?",
        ".{0,20}",
    ];
    proptest::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn l1_no_text_makes_loading_panic(text in lines(), value in "[${}a-z.:]{0,20}") {
        let outcome = load(&text, &[("gravitee_http_port", value.as_str()), ("a", value.as_str())]);
        let report = match outcome {
            Ok(loaded) => loaded.report,
            Err(error) => *error.report,
        };
        let _ = report.render(true);
        let _ = report.resolved(true);
    }

    #[test]
    fn l1_no_file_makes_loading_panic(text in any::<String>()) {
        if let Err(error) = load(&text, &[]) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn l1_samples_with_a_line_cut_or_moved_do_not_panic(line in 0_usize..60, cut in 0_usize..40, indent in 0_usize..8) {
        for sample in [include_str!("../../samples/full.yml"), include_str!("../../samples/published.yml"), include_str!("../../samples/many-errors.yml")] {
            let changed: Vec<String> = sample.lines().enumerate().map(|(number, text)| {
                if number == line {
                    // What names a secret stays: without its name nobody can know it.
                    let cut: String = text.chars().skip(if text.contains("planted") || text.contains("users") { 0 } else { cut }).collect();
                    format!("{}{cut}", " ".repeat(indent))
                } else {
                    text.to_owned()
                }
            }).collect();
            if let Err(error) = load(&changed.join("\n"), &[]) {
                let shown = error.to_string();
                prop_assert!(!shown.contains("planted-"), "{}", shown);
            }
        }
    }
}
