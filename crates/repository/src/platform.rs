//! What has records of its own and stands alone: node metadata, licences, access points.

use zonegate_model::RowState;
use zonegate_payload::convert;
use zonegate_sync::port::{Change, ChangeSink, StampedChange, Window};

use crate::cursor::Cursor;
use crate::port::{Database, Session};
use crate::reader::{ReadEnd, Run, Time};
use crate::stamps::{recorded_at, seen, stamp};
use crate::units::refused_by;

/// Licences or access points that are read at once.
const PAGE: usize = 500;

impl<D: Database> Run<'_, D> {
    /// The installation's id, with the organizations that this gateway is for if it is not for all.
    pub(crate) async fn node_metadata(&mut self, sink: &mut impl ChangeSink) -> Result<(), ReadEnd> {
        let Some(id) = self.session.installation().await? else { return Ok(()) };
        let organizations = self.selection.iter().flat_map(|selection| &selection.organizations);
        let change = match convert::node_metadata(&id, organizations.map(ToString::to_string).collect()) {
            Ok(row) => Change::Rows(vec![row]),
            Err(refusal) => refused_by(&refusal),
        };
        sink.push(vec![StampedChange { stamp: stamp("installation", &id, 0), change }]).await?;
        Ok(())
    }

    /// Licences between two times. `window`: skip those that it has seen.
    pub(crate) async fn licenses(
        &mut self,
        span: &(Time<D>, Time<D>),
        window: Option<&Window>,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let mut cursor = Cursor::new(span, PAGE);
        loop {
            let mut page = self.session.licenses(cursor.slice(), self.selection.as_deref()).await?;
            if !cursor.advance(&mut page) {
                return Ok(());
            }
            let mut changes = Vec::with_capacity(page.len());
            for license in page {
                let at = self.session.millis(&license.updated);
                let stamp = stamp("license", &license.organization, at);
                if !seen(window, &stamp) {
                    let row = convert::license(&license.organization, license.text);
                    let change = Change::Rows(vec![row.recorded(recorded_at(Some(at)))]);
                    changes.push(StampedChange { stamp, change });
                }
            }
            sink.push(changes).await?;
        }
    }

    /// Access points, likewise. Without a window deleted ones are not mentioned.
    pub(crate) async fn access_points(
        &mut self,
        span: &(Time<D>, Time<D>),
        window: Option<&Window>,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let mut cursor = Cursor::new(span, PAGE);
        loop {
            let mut page = self.session.access_points(cursor.slice(), self.selection.as_deref()).await?;
            if !cursor.advance(&mut page) {
                return Ok(());
            }
            let mut changes = Vec::with_capacity(page.len());
            for point in page {
                let at = self.session.millis(&point.updated);
                let stamp = stamp("access-point", &point.record.id, at);
                if seen(window, &stamp) {
                    continue;
                }
                let change = match convert::access_point(point.record) {
                    Ok(row) if window.is_none() && row.state == RowState::Removed => continue,
                    Ok(row) => Change::Rows(vec![row.recorded(recorded_at(Some(at)))]),
                    Err(refusal) => refused_by(&refusal),
                };
                changes.push(StampedChange { stamp, change });
            }
            sink.push(changes).await?;
        }
    }
}
