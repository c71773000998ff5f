//! What the data plane makes of an API: the generation is generic over it.

use std::sync::Arc;

use zonegate_definition::{Api, Organization, Refusal};

/// Makes something executable of an API: chains of policies, upstream pools, … Called off the request path, once for
/// each new version of an API or of its organization, possibly from several threads at once.
pub trait Compile: Send + Sync + 'static {
    /// What is made.
    type Compiled: Send + Sync + 'static;

    /// Makes it, or says why that cannot be (S3), for example because a policy is not known.
    fn compile(&self, api: &Arc<Api>, surroundings: &Surroundings<'_>) -> Result<Self::Compiled, Refusal>;
}

/// What an API depends on besides itself. When it changes, the API is compiled anew. Dictionaries are not in it: they
/// change without their APIs, and are read from the generation.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The API's organization, if it has platform flows.
    pub organization: Option<&'a Arc<Organization>>,
}
