//! Environments, organizations and what else has tables of its own.

use zonegate_payload::record::AccessPointRecord;
use zonegate_repository::port::{AccessPoint, Answer, License, Slice};
use zonegate_repository::{Selection, Tables};

use crate::session::{SqlSession, environments, slice_arguments};
use crate::value::{Argument, Stored};

impl SqlSession {
    pub(crate) async fn environments_and_organizations(&mut self) -> Answer<Tables> {
        let statements = self.statements(None);
        let doing = "reading environments";
        let mut tables = Tables {
            environments: self
                .connection
                .fetch(doing, &statements.environments, Vec::new(), |row| {
                    Ok((row.required(0)?.into(), row.filled(1)?.into()))
                })
                .await?,
            ..Tables::default()
        };
        for (statement, hrids) in [
            (&statements.environment_hrids, &mut tables.environment_hrids),
            (&statements.organization_hrids, &mut tables.organization_hrids),
        ] {
            if let Some(sql) = statement {
                let pairs = self
                    .connection
                    .fetch(doing, sql, Vec::new(), |row| Ok((row.required(0)?, row.filled(1)?)));
                *hrids = pairs.await?;
            }
        }
        Ok(tables)
    }

    pub(crate) async fn installation_id(&mut self) -> Answer<Option<String>> {
        let statements = self.statements(None);
        let Some(sql) = &statements.installation else { return Ok(None) };
        let ids = self.connection.fetch("reading the installation", sql, Vec::new(), |row| row.required(0));
        Ok(ids.await?.into_iter().next())
    }

    pub(crate) async fn licenses_of_organizations(
        &mut self,
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<License<Stored>>> {
        let statements = self.statements(selection);
        let Some(sql) = &statements.licenses else { return Ok(Vec::new()) };
        let mut arguments = slice_arguments(slice);
        arguments.extend(selection.map(|selection| Argument::ids(&selection.organizations)));
        let licenses = self.connection.fetch("reading licences", sql, arguments, |row| {
            let (organization, text) = (row.required(0)?.into(), row.filled(1)?);
            Ok(row.time(2)?.map(|updated| License { organization, text, updated }))
        });
        Ok(licenses.await?.into_iter().flatten().collect())
    }

    pub(crate) async fn access_points_of_environments(
        &mut self,
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<AccessPoint<Stored>>> {
        let statements = self.statements(selection);
        let Some(sql) = &statements.access_points else { return Ok(Vec::new()) };
        let mut arguments = slice_arguments(slice);
        arguments.extend(environments(selection));
        let points = self.connection.fetch("reading access points", sql, arguments, |row| {
            let record = AccessPointRecord {
                id: row.required(0)?.into(),
                environment_id: row.filled(1)?,
                target: row.filled(2)?,
                host: row.filled(3)?,
                created: row.filled(4)? == "CREATED",
            };
            Ok(row.time(5)?.map(|updated| AccessPoint { record, updated }))
        });
        Ok(points.await?.into_iter().flatten().collect())
    }
}
