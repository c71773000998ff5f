//! Chains of policies: the flows of one level, compiled when an API is deployed.
//!
//! A request selects flows in its request phase and runs the same ones in its response phase; nothing is selected
//! twice (`data-plane.md` section 4.1).

use http::Method;
use zonegate_definition::{At, DefinitionVersion, Flow, FlowMode, Reason, Refusal, Selector};

use crate::registry::Step;
use crate::{Failure, PathPattern, Registry, RequestView, ResponseView, Verdict};

/// The flows of one level: those of an organization, a plan or an API.
#[derive(Debug, Default)]
pub struct Level {
    flows: Box<[CompiledFlow]>,
    mode: FlowMode,
}

#[derive(Debug)]
struct CompiledFlow {
    selector: Option<HttpSelector>,
    request: Box<[Step]>,
    response: Box<[Step]>,
}

#[derive(Debug)]
struct HttpSelector {
    path: PathPattern,
    /// Empty: all.
    methods: Box<[Method]>,
}

/// The flows of a level that a request selected. Without any it allocates nothing.
#[derive(Debug, Default)]
pub struct Selection(Vec<u32>);

impl Selection {
    /// Whether no flow was selected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Level {
    /// Compiles the flows of a level; `at` is their place in a definition of this version, for messages.
    pub fn compile(
        flows: &[Flow],
        mode: FlowMode,
        registry: &Registry,
        version: DefinitionVersion,
        at: &At<'_>,
    ) -> Result<Self, Refusal> {
        let flows = flows
            .iter()
            .map(|flow| CompiledFlow::compile(flow, registry, version, &at.element(flow.index)))
            .collect::<Result<_, _>>()?;
        Ok(Self { flows, mode })
    }

    /// Whether the level has no flow at all.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Selects flows and runs their request steps. What was selected up to a failure is in `selection`.
    pub fn on_request(
        &self,
        request: &mut RequestView<'_>,
        selection: &mut Selection,
    ) -> Result<(), Box<Failure>> {
        if self.flows.is_empty() {
            return Ok(());
        }
        match self.mode {
            FlowMode::Default => {
                // A flow is selected just before it runs, so that it sees what earlier flows changed.
                for (index, flow) in self.flows.iter().enumerate() {
                    if flow.matches(request) {
                        selection.0.push(index as u32);
                        flow.on_request(request)?;
                    }
                }
                Ok(())
            }
            FlowMode::BestMatch => match self.best(request) {
                Some(index) => {
                    selection.0.push(index as u32);
                    self.flows[index].on_request(request)
                }
                None => Ok(()),
            },
        }
    }

    /// Runs the response steps of the selected flows, in the order of declaration.
    pub fn on_response(
        &self,
        response: &mut ResponseView<'_>,
        selection: &Selection,
    ) -> Result<(), Box<Failure>> {
        for index in &selection.0 {
            if let Some(flow) = self.flows.get(*index as usize) {
                for step in &flow.response {
                    if let Verdict::Fail(failure) = step.on_response(response) {
                        return Err(failure);
                    }
                }
            }
        }
        Ok(())
    }

    /// The flow that fits best; the first one among equals. One without a path is never chosen, as in the original.
    fn best(&self, request: &RequestView<'_>) -> Option<usize> {
        let mut best: Option<(usize, &PathPattern)> = None;
        for (index, flow) in self.flows.iter().enumerate() {
            let Some(selector) = flow.selector.as_ref().filter(|_| flow.matches(request)) else { continue };
            if best.is_none_or(|(_, other)| selector.path.fits_better_than(other, request.path_info)) {
                best = Some((index, &selector.path));
            }
        }
        best.map(|(index, _)| index)
    }
}

impl CompiledFlow {
    fn compile(
        flow: &Flow,
        registry: &Registry,
        version: DefinitionVersion,
        at: &At<'_>,
    ) -> Result<Self, Refusal> {
        let mut selector = None;
        let at_selectors = at.member("selectors");
        for (index, written) in flow.selectors.iter().enumerate() {
            // V2 has no list of selectors, their members are the flow's own.
            let at = match version {
                DefinitionVersion::V2 => *at,
                DefinitionVersion::V4 => at_selectors.element(index),
            };
            match written {
                Selector::Http(http) => selector = Some(HttpSelector::compile(http, &at)?),
                Selector::Condition(_) => return Err(at.member("condition").refuse(Reason::Condition)),
                Selector::Other(label) => return Err(at.refuse(Reason::SelectorType(label.clone()))),
            }
        }
        let steps = |steps: &[zonegate_definition::Step], phase: &str| {
            let at = at.member(phase);
            steps
                .iter()
                .map(|step| registry.build(step, &at.element(step.index)))
                .collect::<Result<Box<[Step]>, _>>()
        };
        let (request, response) = version.phases();
        Ok(Self {
            selector,
            request: steps(&flow.request, request)?,
            response: steps(&flow.response, response)?,
        })
    }

    fn matches(&self, request: &RequestView<'_>) -> bool {
        self.selector.as_ref().is_none_or(|selector| {
            (selector.methods.is_empty() || selector.methods.contains(request.method))
                && selector.path.matches(request.path_info)
        })
    }

    fn on_request(&self, request: &mut RequestView<'_>) -> Result<(), Box<Failure>> {
        for step in &self.request {
            if let Verdict::Fail(failure) = step.on_request(request) {
                return Err(failure);
            }
        }
        Ok(())
    }
}

impl HttpSelector {
    fn compile(selector: &zonegate_definition::HttpSelector, at: &At<'_>) -> Result<Self, Refusal> {
        // The original uses segments as regular expressions. A dot stands for itself here; the rest would not.
        if selector.path.contains(['*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$', '\\']) {
            return Err(at.refuse(Reason::FlowPath));
        }
        Ok(Self {
            path: PathPattern::compile(&selector.path, selector.operator),
            // A label that is no method matches none.
            methods: selector
                .methods
                .iter()
                .filter_map(|method| Method::from_bytes(method.as_bytes()).ok())
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests;
