//! What has tables of its own and stands alone: node metadata, licences, access points.

use std::sync::Arc;

use zonegate_model::RowState;
use zonegate_payload::convert;
use zonegate_payload::record::AccessPointRecord;
use zonegate_sync::port::{Change, ChangeSink, Stamp, StampedChange, Window};

use crate::failure::ReadEnd;
use crate::reader::Run;
use crate::units::refused_by;
use crate::value::{Argument, Stored};

/// Licences or access points that are read at once.
const PAGE: i64 = 500;

impl Run<'_> {
    /// The installation's id, with the organizations that this gateway is for if it is not for all.
    pub(crate) async fn node_metadata(&mut self, sink: &mut impl ChangeSink) -> Result<(), ReadEnd> {
        let Some(sql) = self.statements.installation.clone() else { return Ok(()) };
        let ids =
            self.session.fetch("reading the installation", &sql, Vec::new(), |row| row.required(0)).await?;
        let Some(id) = ids.into_iter().next() else { return Ok(()) };
        let organizations = self.places.filter().map(|filter| &filter.organizations);
        let organizations = organizations.into_iter().flatten().map(ToString::to_string).collect();
        let change = match convert::node_metadata(&id, organizations) {
            Ok(row) => Change::Rows(vec![row]),
            Err(refusal) => refused_by(&refusal),
        };
        sink.push(vec![StampedChange { stamp: stamp("installation", &id, 0), change }]).await?;
        Ok(())
    }

    /// Licences from a time and before another. `window`: skip those that it has seen.
    pub(crate) async fn licenses(
        &mut self,
        from: &Stored,
        before: &Stored,
        window: Option<&Window>,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let Some(sql) = self.statements.licenses.clone() else { return Ok(()) };
        let mut after = String::new();
        loop {
            let mut arguments = bounds(from, before, after);
            arguments.extend(self.places.filter().map(|filter| Argument::ids(&filter.organizations)));
            let page = self
                .session
                .fetch("reading licences", &sql, arguments, |row| {
                    Ok((row.required(0)?, row.required(1)?, row.time(2)?))
                })
                .await?;
            let Some((last, ..)) = page.last() else { return Ok(()) };
            after = last.clone();
            let mut changes = Vec::new();
            for (organization, text, updated) in page {
                let stamp = stamp("license", &organization, updated.map_or(0, |time| self.millis(&time)));
                if !seen(window, &stamp) {
                    let row = convert::license(&organization, text);
                    changes.push(StampedChange { stamp, change: Change::Rows(vec![row]) });
                }
            }
            sink.push(changes).await?;
        }
    }

    /// Access points, likewise. Without a window deleted ones are not mentioned.
    pub(crate) async fn access_points(
        &mut self,
        from: &Stored,
        before: &Stored,
        window: Option<&Window>,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let Some(sql) = self.statements.access_points.clone() else { return Ok(()) };
        let mut after = String::new();
        loop {
            let mut arguments = bounds(from, before, after);
            arguments.extend(self.environments());
            let page = self
                .session
                .fetch("reading access points", &sql, arguments, |row| {
                    let record = AccessPointRecord {
                        id: row.required(0)?.into(),
                        environment_id: row.required(1)?,
                        target: row.required(2)?,
                        host: row.required(3)?,
                        created: row.required(4)? == "CREATED",
                    };
                    Ok((record, row.time(5)?))
                })
                .await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = last.id.to_string();
            let mut changes = Vec::new();
            for (record, updated) in page {
                let stamp = stamp("access-point", &record.id, updated.map_or(0, |time| self.millis(&time)));
                if seen(window, &stamp) {
                    continue;
                }
                let change = match convert::access_point(record) {
                    Ok(row) if window.is_none() && row.state == RowState::Removed => continue,
                    Ok(row) => Change::Rows(vec![row]),
                    Err(refusal) => refused_by(&refusal),
                };
                changes.push(StampedChange { stamp, change });
            }
            sink.push(changes).await?;
        }
    }
}

fn bounds(from: &Stored, before: &Stored, after: String) -> Vec<Argument> {
    vec![
        Argument::Time(from.clone()),
        Argument::Time(before.clone()),
        Argument::Text(after),
        Argument::Number(PAGE),
    ]
}

/// The stamp of a record.
pub(crate) fn stamp(kind: &str, id: &str, at: i64) -> Stamp {
    Stamp { record: Arc::from(format!("{kind}/{id}")), at }
}

/// Whether a window has this version of a record already.
pub(crate) fn seen(window: Option<&Window>, stamp: &Stamp) -> bool {
    window.is_some_and(|window| window.seen.get(&stamp.record) == Some(&stamp.at))
}
