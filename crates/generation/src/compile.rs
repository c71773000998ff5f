//! What the data plane makes of APIs and API products: the generation is generic over it.

use std::sync::Arc;

use zonegate_definition::{Api, ApiProduct, Organization, Refusal};

/// Makes something executable of an API: chains of policies, upstream pools, … Called off the request path, once for
/// each new version of an API or of its organization, possibly from several threads at once.
pub trait Compile: Send + Sync + 'static {
    /// What is made of an API.
    type Compiled: Send + Sync + 'static;
    /// What is made of an API product: its plans. Shared by all its members, so nothing in it may depend on one.
    type CompiledProduct: Send + Sync + 'static;

    /// Makes it, or says why that cannot be (S3), for example because a policy is not known.
    fn compile(&self, api: &Arc<Api>, surroundings: &Surroundings<'_>) -> Result<Self::Compiled, Refusal>;

    /// The same for the plans of a product.
    fn compile_product(&self, product: &Arc<ApiProduct>) -> Result<Self::CompiledProduct, Refusal>;
}

/// What an API depends on besides itself. When it changes, the API is compiled anew. Dictionaries are not in it: they
/// change without their APIs, and are read from the generation. Neither are products: they are compiled by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The API's organization, if it has platform flows.
    pub organization: Option<&'a Arc<Organization>>,
}
