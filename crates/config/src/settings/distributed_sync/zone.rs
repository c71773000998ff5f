//! Which zone this gateway belongs to, and in which layout it lies.
//!
//! `distributed-sync.zone` wins. Else it is APIM's cluster id by APIM's rules, so that this gateway shares a zone with
//! APIM's: with `cluster.type: hazelcast` the name in the Hazelcast file with APIM's suffixes. With `standalone` APIM's
//! id is the word `standalone` for every gateway, which puts unrelated gateways into one zone; so the label `zone` is
//! preferred to it where there is one.

use std::path::Path;

use zonegate_model::ZoneName;

use super::{Layout, Zone, ZoneSource, hazelcast};
use crate::Origin;
use crate::diagnostic::Diagnostic;
use crate::reader::Reader;

const OWN: &str = "distributed-sync.zone";
const LABEL: &str = "zone";
const TYPE: &str = "cluster.type";
const FILE: &str = "cluster.hazelcast.config-path";
const VERSIONING: &str = "cluster.hazelcast.cluster-name-versioning";

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Zone> {
    let named = |name: String, source, origin| Some(Zone { name: ZoneName::new(name), source, origin });
    if let Some(name) = reader.optional_text(OWN) {
        return named(name, ZoneSource::DistributedSyncZone, reader.origin(OWN));
    }
    let by_hazelcast = reader.choice(TYPE, "standalone", &[("standalone", false), ("hazelcast", true)])?;
    if by_hazelcast {
        return from_hazelcast(reader);
    }
    if let Some(label) = reader.optional_text(LABEL) {
        return named(label, ZoneSource::ZoneLabel, reader.origin(LABEL));
    }
    reader.about(
        OWN,
        Diagnostic::warning("the zone has no name, so it is called `standalone`").hint(
            "set `distributed-sync.zone`: all gateways that share this Redis without a name are in one zone",
        ),
    );
    named("standalone".to_owned(), ZoneSource::Standalone, Origin::Default)
}

/// The layout of the zone's rows. APIM has no setting for it: it is a matter of its version.
pub(super) fn layout(reader: &mut Reader<'_>) -> Layout {
    let layouts = [("4.12", Layout::V4_12), ("4.11", Layout::V4_11)];
    reader.choice("distributed-sync.layout", "4.12", &layouts).unwrap_or_default()
}

fn from_hazelcast(reader: &mut Reader<'_>) -> Option<Zone> {
    let versioning = reader.boolean(VERSIONING, true);
    let path = reader.text_with_placeholders(FILE, "${gravitee.home}/config/hazelcast-cluster.xml")?;
    let hint = "correct the path, or name the zone by `distributed-sync.zone`";
    let name = match hazelcast::cluster_name(Path::new(&path)) {
        Ok(name) => name,
        Err(error) => {
            let message = format!("the zone's name is to be read from {path}: {error}");
            reader.about(FILE, Diagnostic::error(message).hint(hint));
            return None;
        }
    };
    let name = reader.expand(FILE, &name);
    if name.contains("${") {
        let message = format!("the cluster name in {path} is `{name}`, and that has no value");
        reader.about(FILE, Diagnostic::error(message).hint(hint));
        return None;
    }
    Some(Zone {
        name: ZoneName::new(cluster_id(&name, versioning)),
        source: ZoneSource::HazelcastClusterName,
        origin: reader.origin(FILE),
    })
}

/// APIM's cluster id for a Hazelcast cluster name, as of APIM 4.11 with Hazelcast 5.7.
fn cluster_id(name: &str, versioning: bool) -> String {
    let mut id = name.to_owned();
    if !id.contains("cluster") {
        id.push_str("-cluster-manager");
    }
    if versioning {
        id.push_str("-hz57");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::cluster_id;

    #[test]
    fn c3_the_cluster_id_has_apim_s_suffixes() {
        assert_eq!(cluster_id("gio-apim-gateway", true), "gio-apim-gateway-cluster-manager-hz57");
        assert_eq!(cluster_id("gio-apim-gateway-cluster", true), "gio-apim-gateway-cluster-hz57");
        assert_eq!(cluster_id("gio-apim-gateway", false), "gio-apim-gateway-cluster-manager");
        assert_eq!(cluster_id("my-cluster-1", false), "my-cluster-1");
    }
}
