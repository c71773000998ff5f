//! The statements that a PostgreSQL server was given, out of its own log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zonegate_testkit::postgres::Postgres;

use super::super::failure::MeasureError;
use crate::stopwatch::Stopwatch;

/// What each line of the log begins with; seconds since 1970 and the session follow.
const MARK: &str = "#bench ";

/// A server's log, in which every statement is.
pub(super) struct StatementLog {
    file: PathBuf,
}

/// A statement.
#[derive(Debug, PartialEq)]
struct Statement {
    /// When, in seconds.
    at: f64,
    session: String,
    /// Its first words.
    kind: String,
}

/// What was counted in some whole cycles.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cycles {
    /// How many cycles.
    pub(super) count: usize,
    /// Statements in all of them.
    pub(super) statements: usize,
    /// The numbers of statements that cycles had.
    pub(super) each: BTreeSet<usize>,
    /// Sessions that they came from.
    pub(super) sessions: usize,
    /// Statements by their first words.
    pub(super) kinds: BTreeMap<String, usize>,
}

impl StatementLog {
    /// Lets the server log everything from now on.
    pub(super) fn open(server: &Postgres) -> Result<Self, MeasureError> {
        server.execute("postgres", "ALTER SYSTEM SET log_statement = 'all'")?;
        server.execute("postgres", &format!("ALTER SYSTEM SET log_line_prefix = '{MARK}%n %p '"))?;
        server.execute("postgres", "SELECT pg_reload_conf()")?;
        Ok(Self { file: server.log().to_owned() })
    }

    /// Waits for so many whole cycles, from now on, and counts what is in them. `delay` is the pause between cycles.
    pub(super) async fn cycles(&self, wanted: usize, delay: Duration) -> Result<Cycles, MeasureError> {
        let begin = self.text()?.len();
        let watch = Stopwatch::start();
        let pause = delay.as_secs_f64() / 2.0;
        loop {
            tokio::time::sleep(delay).await;
            let text = self.text()?;
            let lines = text.get(begin..).unwrap_or_default().lines();
            let statements: Vec<Statement> = lines.filter_map(statement).collect();
            let bursts: Vec<&[Statement]> =
                statements.chunk_by(|before, after| after.at - before.at < pause).collect();
            // The first and the last may be cut.
            if bursts.len() >= wanted + 2 {
                return Ok(count(bursts.get(1..=wanted).unwrap_or_default()));
            }
            if watch.elapsed() > delay * 10 * (wanted as u32 + 10) {
                let found = bursts.len();
                let text =
                    format!("only {found} cycles were seen in {:?}, {wanted} were wanted", watch.elapsed());
                return Err(MeasureError::Unexpected(text));
            }
        }
    }

    fn text(&self) -> Result<String, MeasureError> {
        let read = std::fs::read(&self.file).map_err(MeasureError::system("read PostgreSQL's log"))?;
        Ok(String::from_utf8_lossy(&read).into_owned())
    }
}

impl Cycles {
    /// The most statements in a cycle.
    pub(super) fn most(&self) -> usize {
        self.each.last().copied().unwrap_or_default()
    }
}

impl fmt::Display for Cycles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<_> = self.each.iter().map(usize::to_string).collect();
        write!(f, "{}", each.join(" or "))
    }
}

fn count(cycles: &[&[Statement]]) -> Cycles {
    let mut sessions = BTreeSet::new();
    let mut found = Cycles { count: cycles.len(), ..Cycles::default() };
    for cycle in cycles {
        found.each.insert(cycle.len());
        found.statements += cycle.len();
        for statement in *cycle {
            sessions.insert(&statement.session);
            *found.kinds.entry(statement.kind.clone()).or_default() += 1;
        }
    }
    found.sessions = sessions.len();
    found
}

/// The statement that a line of the log is about. Further lines of its text have no mark.
fn statement(line: &str) -> Option<Statement> {
    let (at, rest) = line.strip_prefix(MARK)?.split_once(' ')?;
    let (session, rest) = rest.split_once(' ')?;
    let rest = rest.trim_start().strip_prefix("LOG:")?.trim_start();
    let text = match rest.strip_prefix("statement: ") {
        Some(text) => text,
        None => rest.strip_prefix("execute ")?.split_once(": ")?.1,
    };
    // Enough to tell tables apart: the first word, and the one after FROM where it stands in this line.
    let mut words = text.split_whitespace();
    let first = words.next()?.to_owned();
    let table = text.split_whitespace().skip_while(|word| *word != "FROM").nth(1);
    let kind = table.map_or_else(|| first.clone(), |table| format!("{first} {table}"));
    Some(Statement { at: at.parse().ok()?, session: session.to_owned(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_and_cut_into_cycles() {
        let lines = [
            "#bench 1000.500 7 LOG:  execute sqlx_s_1: SELECT e.id FROM events_latest e",
            "\t    WHERE e.id = $1",
            "#bench 1000.600 7 DETAIL:  parameters: $1 = 'LOG:  statement: x'",
            "#bench 1000.601 8 LOG:  statement: BEGIN",
            "#bench 1001.600 7 LOG:  execute <unnamed>: SELECT 1",
            "2026 LOG:  statement: of somebody else",
        ];
        let found: Vec<_> = lines.iter().filter_map(|line| statement(line)).collect();
        let kinds: Vec<_> = found.iter().map(|statement| statement.kind.as_str()).collect();
        assert_eq!(kinds, ["SELECT events_latest", "BEGIN", "SELECT"]);
        let bursts: Vec<_> = found.chunk_by(|before, after| after.at - before.at < 0.5).collect();
        let counted = count(&bursts);
        assert_eq!((counted.count, counted.statements, counted.sessions), (2, 3, 2));
        assert_eq!((counted.to_string(), counted.most()), ("1 or 2".to_owned(), 2));
    }
}
