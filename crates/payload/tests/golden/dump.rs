//! Reads the `INSERT` statements of a PostgreSQL dump (`pg_dump --column-inserts`).

use std::collections::BTreeMap;

/// All rows, by table.
pub(super) struct Dump(BTreeMap<String, Vec<DumpRow>>);

/// One row: column → value; NULL is left out.
pub(super) struct DumpRow(BTreeMap<String, String>);

impl Dump {
    /// Reads a dump.
    pub(super) fn read(text: &str) -> Self {
        let (mut tables, mut rest) = (BTreeMap::<String, Vec<DumpRow>>::new(), text);
        while let Some(at) = rest.find("INSERT INTO public.") {
            let statement = &rest[at + "INSERT INTO public.".len()..];
            let (table, statement) = statement.split_once(" (").expect("columns");
            let (columns, statement) = statement.split_once(") VALUES (").expect("values");
            let (values, end) = values(statement);
            let row = columns.split(", ").zip(values);
            let row = row.filter_map(|(column, value)| Some((column.trim_matches('"').to_owned(), value?)));
            tables.entry(table.to_owned()).or_default().push(DumpRow(row.collect()));
            rest = end;
        }
        Self(tables)
    }

    /// The rows of a table; none if it has none.
    pub(super) fn table(&self, name: &str) -> impl Iterator<Item = &DumpRow> {
        self.0.get(name).into_iter().flatten()
    }
}

/// The values up to the closing bracket, and what follows it.
fn values(mut text: &str) -> (Vec<Option<String>>, &str) {
    let mut values = Vec::new();
    loop {
        if let Some(quoted) = text.strip_prefix('\'') {
            let (mut value, mut rest) = (String::new(), quoted);
            loop {
                let (part, after) = rest.split_once('\'').expect("a closing quote");
                value.push_str(part);
                let Some(more) = after.strip_prefix('\'') else {
                    rest = after;
                    break;
                };
                value.push('\'');
                rest = more;
            }
            values.push(Some(value));
            text = rest;
        } else {
            let end = text.find([',', ')']).expect("the end of a value");
            values.push((&text[..end] != "NULL").then(|| text[..end].to_owned()));
            text = &text[end..];
        }
        match text.strip_prefix(", ") {
            Some(next) => text = next,
            None => return (values, text),
        }
    }
}

impl DumpRow {
    /// A value; `None` for NULL.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        self.0.get(column).cloned()
    }

    /// A value that is never NULL.
    pub(super) fn required(&self, column: &str) -> String {
        self.text(column).unwrap_or_else(|| panic!("`{column}` is NULL"))
    }

    /// A time without a zone, which was UTC there.
    pub(super) fn millis(&self, column: &str) -> Option<i64> {
        let text = self.text(column)?;
        let time = chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").expect("a time");
        Some(time.and_utc().timestamp_millis())
    }
}
