//! The paths of the technical API. Each exists with and without a slash at its end, as in the original.

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{MethodRouter, get};

use crate::authentication::{self, Gate};
use crate::monitor::Sampler;
use crate::server::Settings;
use crate::view::NodeView;
use crate::{answer, apis, cluster, configuration, health, logging, metrics, monitor, node, sync};

/// What every endpoint can ask.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) view: Arc<dyn NodeView>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) sampler: Arc<Sampler>,
    pub(crate) scrapes: Arc<tokio::sync::Semaphore>,
}

/// Path and endpoint. `docs/technical-api.md` describes each, and a test compares them.
fn endpoints() -> [(&'static str, MethodRouter<Context>); 11] {
    [
        ("/_node", get(node::node)),
        ("/_node/health", get(health::health)),
        ("/_node/sync", get(sync::sync)),
        ("/_node/cluster", get(cluster::cluster)),
        ("/_node/apis", get(apis::list)),
        ("/_node/apis/{id}", get(apis::one)),
        ("/_node/configuration", get(configuration::configuration)),
        ("/_node/metrics/prometheus", get(metrics::prometheus)),
        ("/_node/monitor", get(monitor::monitor)),
        ("/_node/logging", get(logging::levels)),
        ("/_node/license", get(node::license)),
    ]
}

pub(crate) fn router(context: Context) -> Router {
    let gate = Gate::new(&context.settings.access);
    endpoints()
        .into_iter()
        .fold(Router::new(), |router, (path, endpoint)| {
            router.route(&format!("{path}/"), endpoint.clone()).route(path, endpoint)
        })
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        // Outermost, so that a caller without credentials does not learn which paths exist.
        .layer(middleware::from_fn_with_state(gate, authentication::require))
        .with_state(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_describes_every_endpoint_and_no_other() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/technical-api.md");
        let documentation = std::fs::read_to_string(file).unwrap();
        let described: Vec<_> = documentation.lines().filter(|line| line.starts_with("## `GET ")).collect();
        let expected: Vec<_> = endpoints().iter().map(|(path, _)| format!("## `GET {path}`")).collect();
        assert_eq!(described, expected);
    }
}
