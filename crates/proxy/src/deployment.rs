//! What a deployment makes of an API: everything that requests need, resolved once.

pub(crate) mod balance;
pub(crate) mod endpoint;

use std::sync::Arc;

use http::HeaderName;
use zonegate_definition::{Api, ApiKeySource, DefinitionVersion, ExecutionMode, Reason, Refusal, Security};
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

    fn plan_security(&self, security: &Security, at: &str) -> Result<PlanSecurity, Refusal> {
        match security {
            Security::KeyLess => Ok(PlanSecurity::KeyLess),
            Security::ApiKey(key) => {
                let header = match &key.header {
                    Some(name) => HeaderName::from_bytes(name.as_bytes())
                        .map_err(|_| Refusal::new(Reason::Header, format!("{at}.security")))?,
                    None => self.settings.api_key_header.clone(),
                };
                Ok(PlanSecurity::ApiKey { header, source: key.source, propagate: key.propagate })
            }
        }
    }
}

impl Compile for Compiler {
    type Compiled = CompiledApi;

    fn compile(&self, api: &Arc<Api>, surroundings: &Surroundings<'_>) -> Result<CompiledApi, Refusal> {
        // Cross-origin requests would be answered wrongly without its rules (S3).
        if api.cors.is_some() {
            return Err(Refusal::new(Reason::Cors, "cors"));
        }
        let mut plans = Vec::with_capacity(api.plans.len());
        for (index, plan) in api.plans.iter().enumerate() {
            let at = format!("plans[{index}]");
            plans.push(CompiledPlan {
                id: plan.id.clone(),
                security: self.plan_security(&plan.security, &at)?,
                flows: Level::compile(&plan.flows, api.flow_mode, &self.registry, &format!("{at}.flows"))?,
            });
        }
        let organization_flows = match surroundings.organization {
            Some(organization) => Level::compile(
                &organization.flows,
                organization.flow_mode,
                &self.registry,
                &format!("organization {}.flows", organization.id),
            )?,
            None => Level::default(),
        };
        let flows = Level::compile(&api.flows, api.flow_mode, &self.registry, "flows")?;
        let has_flows = !organization_flows.is_empty()
            || !flows.is_empty()
            || plans.iter().any(|plan| !plan.flows.is_empty());
        Ok(CompiledApi {
            version: api.generation,
            mode: api.execution_mode,
            plans: plans.into(),
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
}
