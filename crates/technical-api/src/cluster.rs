//! `/_node/cluster`: the gateways of the zone in the original's form.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::answer;
use crate::routes::Context;
use crate::view::ClusterMember;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'v> {
    cluster_id: &'v str,
    running: bool,
    #[serde(rename = "self")]
    this: Shown<'v>,
    members: Vec<Shown<'v>>,
}

#[derive(Clone, Copy, Serialize)]
struct Shown<'v> {
    primary: bool,
    running: bool,
    version: &'v str,
    /// The original has an id of its own for members; here it is the gateway's.
    id: &'v str,
    host: &'v str,
    #[serde(rename = "self")]
    is_self: bool,
    attributes: Attributes<'v>,
}

#[derive(Clone, Copy, Serialize)]
struct Attributes<'v> {
    gio_node_id: &'v str,
    gio_node_hostname: &'v str,
}

impl<'v> Shown<'v> {
    fn new(member: &'v ClusterMember, is_self: bool) -> Self {
        Self {
            primary: member.primary,
            running: true,
            version: &member.version,
            id: &member.node,
            host: &member.host,
            is_self,
            attributes: Attributes { gio_node_id: &member.node, gio_node_hostname: &member.hostname },
        }
    }
}

/// This gateway and the others of its zone.
pub(crate) async fn cluster(State(context): State<Context>) -> Response {
    let cluster = context.view.cluster();
    let this = Shown::new(&cluster.this, true);
    let mut members = vec![this];
    members.extend(cluster.others.iter().map(|member| Shown::new(member, false)));
    // As the original: the primary first, then the others in a lasting order.
    members.sort_by_key(|member| (!member.primary, member.id));
    answer::json(StatusCode::OK, &Body { cluster_id: &cluster.id, running: true, this, members })
}
