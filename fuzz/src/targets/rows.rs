//! Rows of every kind, through the builder into a generation. The input is lines: the number of a kind, an id, a scope and
//! a payload, separated by tabs; an empty payload removes. The state is the same when the rows come again (S4).

use std::sync::Arc;

use zonegate_definition::{Api, ApiProduct, Refusal};
use zonegate_generation::{Builder, Compile, Settings, Surroundings};
use zonegate_model::{Digests, Kind, Row, RowKey};

/// Serves everything that can be read.
struct Anything;

impl Compile for Anything {
    type Compiled = ();
    type CompiledProduct = ();

    fn compile(&self, _: &Arc<Api>, _: &Surroundings<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn compile_product(&self, _: &Arc<ApiProduct>) -> Result<(), Refusal> {
        Ok(())
    }
}

pub(super) fn run(bytes: &[u8]) {
    let text = super::text(bytes);
    let rows = || text.lines().filter_map(row).take(200).collect::<Vec<_>>();
    let mut builder = Builder::new(Anything, Settings::default());
    builder.begin(true);
    builder.rows(rows());
    builder.commit(None, Digests::default());
    let first = builder.published().load();
    builder.begin(false);
    builder.rows(rows());
    let again = builder.commit(None, Digests::default());
    assert!(again.added.is_empty() && again.removed.is_empty(), "the same rows change nothing: {again:?}");
    let second = builder.published().load();
    assert_eq!(first.api_count(), second.api_count());
    for api in second.apis() {
        let products = api.products.iter().map(|product| product.scope());
        for scope in products.chain([api.scope()]) {
            let _ = second.credentials(scope).and_then(|credentials| credentials.find_key(b"key"));
        }
    }
}

fn row(line: &str) -> Option<Row> {
    let mut parts = line.splitn(4, '\t');
    let kind = Kind::ALL[parts.next()?.parse::<usize>().ok()? % Kind::ALL.len()];
    let (id, scope, payload) = (parts.next()?, parts.next()?, parts.next()?);
    let key = if kind.is_scoped() { RowKey::scoped(kind, scope, id) } else { RowKey::new(kind, id) };
    Some(if payload.is_empty() { Row::removed(key) } else { Row::deployed(key, payload) })
}
