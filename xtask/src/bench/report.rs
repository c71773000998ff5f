//! The table of outcomes, for people and as JSON.

use std::io::IsTerminal;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, Color, ContentArrangement, Table};
use serde_json::{Value, json};

use super::machine::Machine;
use super::{Outcome, Quickness};

/// The width of a table that no terminal shows.
const WIDTH: u16 = 170;

/// Prints the table, and below it how each row was taken.
pub(super) fn print_table(outcomes: &[Outcome], machine: &Machine, quickness: Quickness) {
    anstream::println!("\n{}\n", table(outcomes));
    anstream::println!("How it was taken (all on one machine, in one run; {machine})");
    if quickness == Quickness::Quick {
        anstream::println!(
            "  --quick: small sizes and few rounds, which show that it works and not how well"
        );
    }
    for outcome in outcomes {
        for (index, line) in outcome.taken.iter().enumerate() {
            let row = if index == 0 { outcome.row.name() } else { "" };
            anstream::println!("  {row:<3} {line}");
        }
    }
    if outcomes.iter().any(|outcome| !outcome.costs.is_empty()) {
        anstream::println!("\nWhere it goes");
    }
    for outcome in outcomes {
        for (index, line) in outcome.costs.iter().enumerate() {
            let row = if index == 0 { outcome.row.name() } else { "" };
            anstream::println!("  {row:<3} {line}");
        }
    }
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "row",
        "work",
        "measured",
        "reference, same run",
        "ratio",
        "goal",
        "met",
    ]);
    if !std::io::stdout().is_terminal() {
        table.set_width(WIDTH);
    }
    for outcome in outcomes {
        for line in &outcome.lines {
            let met = match line.met {
                Some(true) => Cell::new("yes").fg(Color::Green),
                Some(false) => Cell::new("no").fg(Color::Red),
                None => Cell::new("–"),
            };
            let texts = [&line.work, &line.measured, &line.reference, &line.ratio, &line.goal];
            let mut cells = vec![Cell::new(outcome.row.name())];
            cells.extend(texts.map(Cell::new));
            cells.push(met);
            table.add_row(cells);
        }
    }
    table
}

/// The same for programs.
pub(super) fn json(outcomes: &[Outcome], machine: &Machine, quickness: Quickness) -> Value {
    json!({
        "machine": machine,
        "quick": quickness == Quickness::Quick,
        "rows": outcomes,
    })
}
