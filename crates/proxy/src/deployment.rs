//! What a deployment makes of an API: everything that requests need, resolved once.
//!
//! The model says all that a definition asks for. What cannot be done yet is refused here, where it would be done
//! (S3): by [`unserved`] for what concerns the whole API, and by whoever compiles a plan, a flow or an endpoint.

pub(crate) mod balance;
pub(crate) mod endpoint;
mod unserved;

use std::sync::Arc;

use http::HeaderName;
use zonegate_definition::{
    Api, ApiKeySource, ApiProduct, At, DefinitionVersion, ExecutionMode, FlowMode, Limitation, Plan, Reason,
    Refusal, Security,
};
use zonegate_generation::{Compile, Surroundings};
use zonegate_policy::{Level, Registry};

use crate::counters::{ApiCounters, Counters};
use crate::settings::GatewaySettings;
use crate::upstream::Upstreams;
use balance::Group;

/// Makes deployed APIs of definitions. Keep one for the life of the process: it knows the endpoints whose connections
/// survive a redeployment, and the counters that go on.
#[derive(Debug)]
pub struct Compiler {
    registry: Registry,
    settings: Arc<GatewaySettings>,
    upstreams: Upstreams,
    counters: Arc<Counters>,
}

/// An API as requests meet it.
#[derive(Debug)]
pub struct CompiledApi {
    pub(crate) version: DefinitionVersion,
    pub(crate) mode: ExecutionMode,
    /// How flows are chosen, also those of plans of products.
    pub(crate) flow_mode: FlowMode,
    /// In the order in which they are tried.
    pub(crate) plans: Box<[CompiledPlan]>,
    pub(crate) organization_flows: Level,
    pub(crate) flows: Level,
    pub(crate) match_required: bool,
    pub(crate) reject_null_byte: bool,
    /// Some policy may look at the request: it has to see the gateway's own headers.
    pub(crate) has_flows: bool,
    /// The default group.
    pub(crate) group: Group,
    pub(crate) counters: Arc<ApiCounters>,
}

/// The plans of an API product as requests meet them, whatever the member. How their flows are chosen is up to the member.
#[derive(Debug)]
pub struct CompiledProduct {
    plans: Box<[CompiledPlan]>,
    /// The same for members that choose the flow that matches best; `None` where there is no flow to choose.
    for_best_match: Option<Box<[CompiledPlan]>>,
}

impl CompiledProduct {
    /// In the order in which they are tried.
    pub(crate) fn plans(&self, mode: FlowMode) -> &[CompiledPlan] {
        match (&self.for_best_match, mode) {
            (Some(plans), FlowMode::BestMatch) => plans,
            _ => &self.plans,
        }
    }

    /// Some policy may look at the request.
    pub(crate) fn has_flows(&self) -> bool {
        self.for_best_match.is_some()
    }
}

/// A plan as the security chain tries it.
#[derive(Debug)]
pub(crate) struct CompiledPlan {
    pub(crate) id: Arc<str>,
    pub(crate) security: PlanSecurity,
    pub(crate) flows: Level,
}

/// The proof that a plan asks for, with names resolved.
#[derive(Debug)]
pub(crate) enum PlanSecurity {
    KeyLess,
    ApiKey { header: HeaderName, source: ApiKeySource, propagate: bool },
}

impl Compiler {
    /// A compiler with these policies and settings; counts go to `counters`.
    pub fn new(registry: Registry, settings: Arc<GatewaySettings>, counters: Arc<Counters>) -> Self {
        Self { registry, settings, upstreams: Upstreams::default(), counters }
    }

    /// A plan of an API or of an API product; `at` is its place.
    fn plan(
        &self,
        plan: &Plan,
        mode: FlowMode,
        version: DefinitionVersion,
        at: &At<'_>,
    ) -> Result<CompiledPlan, Refusal> {
        if plan.selection_rule.is_some() {
            return Err(at.member("selectionRule").refuse(Reason::SelectionRule));
        }
        Ok(CompiledPlan {
            id: plan.id.clone(),
            security: self.plan_security(&plan.security, &at.member("security"))?,
            flows: Level::compile(&plan.flows, mode, &self.registry, version, &at.member("flows"))?,
        })
    }

    fn plans(
        &self,
        plans: &[Plan],
        mode: FlowMode,
        version: DefinitionVersion,
    ) -> Result<Box<[CompiledPlan]>, Refusal> {
        let at = At::root("plans");
        plans.iter().map(|plan| self.plan(plan, mode, version, &at.element(plan.index))).collect()
    }

    fn plan_security(&self, security: &Security, at: &At<'_>) -> Result<PlanSecurity, Refusal> {
        match security {
            Security::KeyLess => Ok(PlanSecurity::KeyLess),
            Security::ApiKey(key) => {
                let header = match &key.header {
                    Some(name) => {
                        HeaderName::from_bytes(name.as_bytes()).map_err(|_| at.refuse(Reason::Header))?
                    }
                    None => self.settings.api_key_header.clone(),
                };
                Ok(PlanSecurity::ApiKey { header, source: key.source, propagate: key.propagate })
            }
            Security::Mtls(_) | Security::Jwt(_) | Security::OAuth2(_) | Security::Other { .. } => {
                Err(at.refuse(Reason::PlanSecurity(security.label().to_owned())))
            }
        }
    }
}

impl Compile for Compiler {
    type Compiled = CompiledApi;
    type CompiledProduct = CompiledProduct;

    fn compile(&self, api: &Arc<Api>, surroundings: &Surroundings<'_>) -> Result<CompiledApi, Refusal> {
        unserved::check(api)?;
        let plans = self.plans(&api.plans, api.flow_mode, api.generation)?;
        let organization_flows = match surroundings.organization {
            Some(organization) => Level::compile(
                &organization.flows,
                organization.flow_mode,
                &self.registry,
                DefinitionVersion::V2,
                &At::root(&format!("organization {}.flows", organization.id)),
            )?,
            None => Level::default(),
        };
        let flows =
            Level::compile(&api.flows, api.flow_mode, &self.registry, api.generation, &At::root("flows"))?;
        let has_flows = !organization_flows.is_empty()
            || !flows.is_empty()
            || plans.iter().any(|plan| !plan.flows.is_empty());
        let limitations = unserved::limitations(api);
        if !limitations.is_empty() {
            report(api, &limitations);
        }
        Ok(CompiledApi {
            version: api.generation,
            mode: api.execution_mode,
            flow_mode: api.flow_mode,
            plans,
            organization_flows,
            flows,
            match_required: api.match_required,
            reject_null_byte: api.reject_null_byte,
            has_flows,
            group: match api.groups.first() {
                Some(group) => Group::compile(api, group, &self.upstreams)?,
                None => Group::default(),
            },
            counters: self.counters.of_api(&api.id),
        })
    }

    fn compile_product(&self, product: &Arc<ApiProduct>) -> Result<CompiledProduct, Refusal> {
        let plans = |mode| self.plans(&product.plans, mode, DefinitionVersion::V4);
        let all = plans(FlowMode::Default)?;
        let has_flows = all.iter().any(|plan| !plan.flows.is_empty());
        let for_best_match = has_flows.then(|| plans(FlowMode::BestMatch)).transpose()?;
        Ok(CompiledProduct { plans: all, for_best_match })
    }
}

/// Says what an API is served without. Once per deployment.
fn report(api: &Api, limitations: &[Limitation]) {
    let list: Vec<String> = limitations.iter().map(ToString::to_string).collect();
    tracing::info!(
        api = &*api.id,
        name = &*api.name,
        limitations = list.join("; "),
        "served with limitations"
    );
}

#[cfg(test)]
mod tests;
