//! The life of a request, from its head to the head of its response (`data-plane.md` section 4.1).

use std::cell::OnceCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::Instant;
use zonegate_definition::ExecutionMode;
use zonegate_generation::{Generation, Routed, Served};
use zonegate_policy::{Failure, RequestView, ResponseView, Selection};

use crate::admission::ConnectionSignals;
use crate::answer;
use crate::body::AnswerBody;
use crate::counters::Gauge;
use crate::deployment::{CompiledApi, CompiledPlan, Compiler};
use crate::forward::{Announced, Outgoing};
use crate::identity;
use crate::query;
use crate::security;
use crate::server::worker::Worker;
use crate::upstream::call::{self, call};
use crate::upstream::exchange::{Framing, RequestBody};
use crate::upstream::failure::CallError;

/// A client's connection, as its requests see it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) address: SocketAddr,
    pub(crate) signals: Rc<ConnectionSignals>,
    /// The hash of its address, computed when it is first needed.
    pub(crate) address_hash: OnceCell<HeaderValue>,
}

/// A request under way.
struct Life<'a> {
    client: &'a Client,
    generation: &'a Generation<Compiler>,
    served: &'a Served<Compiler>,
    api: &'a CompiledApi,
    /// Some policy of the API or of its products may look at the request: it has to see the gateway's own headers.
    has_flows: bool,
    context_path: &'a str,
    request: http::request::Parts,
    transaction_id: HeaderValue,
    request_id: HeaderValue,
    /// Set once the security chain has passed.
    client_identifier: Option<HeaderValue>,
    organization_selection: Selection,
    plan_selection: Selection,
    api_selection: Selection,
    deadline: Option<Instant>,
    started: Instant,
}

/// The head and body of a response that is being made.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    reason: Option<hyper::ext::ReasonPhrase>,
    body: AnswerBody,
    /// Made by the gateway because something failed.
    failed: bool,
}

/// Serves one request. Whatever happens, there is an answer.
pub(crate) async fn serve(
    client: Rc<Client>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let worker = &client.worker;
    if let Some(status) = client.signals.refusal(&request) {
        worker.counters.refused.fetch_add(1, Ordering::Relaxed);
        return Ok(answer::closing(status));
    }
    let (request, body) = request.into_parts();
    // A tunnel to an upstream is nothing that a gateway of APIs offers.
    if request.method == Method::CONNECT {
        worker.counters.refused.fetch_add(1, Ordering::Relaxed);
        return Ok(answer::closing(StatusCode::NOT_IMPLEMENTED));
    }
    let generation = worker.generation();
    // The first `Host` counts, whatever the request target says; none at all is any host (`data-plane-live.md`).
    let host = request.headers.get(header::HOST).map(HeaderValue::as_bytes);
    let Some(Routed { served, context_path }) =
        generation.route(Some(&worker.server_id), host, request.uri.path())
    else {
        worker.counters.unrouted.fetch_add(1, Ordering::Relaxed);
        return Ok(answer::not_found(&worker.settings));
    };
    let _under_way = Gauge::up(&worker.counters.in_flight);
    let request_id = worker.ids.borrow_mut().next();
    let life = Life {
        client: &client,
        generation: &generation,
        served,
        api: &served.compiled,
        has_flows: served.compiled.has_flows
            || served.products.iter().any(|product| product.compiled.has_flows()),
        context_path,
        transaction_id: request
            .headers
            .get(&worker.settings.transaction_header)
            .unwrap_or(&request_id)
            .clone(),
        request_id,
        request,
        client_identifier: None,
        organization_selection: Selection::default(),
        plan_selection: Selection::default(),
        api_selection: Selection::default(),
        started: Instant::now(),
        deadline: None,
    };
    Ok(life.run(body).await)
}

impl Life<'_> {
    async fn run(mut self, body: Incoming) -> Response<AnswerBody> {
        let settings = &self.client.worker.settings;
        self.deadline = settings.request_timeout.map(|timeout| self.started + timeout);
        let original_host = if self.has_flows {
            self.request.headers.insert(settings.transaction_header.clone(), self.transaction_id.clone());
            self.request.headers.insert(settings.request_header.clone(), self.request_id.clone());
            self.request.headers.get(header::HOST).cloned()
        } else {
            None
        };
        let mut answer = match self.attempt(body, original_host.as_ref()).await {
            Ok(answer) => answer,
            Err(failure) => self.render(&failure, HeaderMap::new()),
        };
        self.add_own_headers(&mut answer.headers);
        answer = self.run_organization_response(answer);
        self.api.counters.answered(answer.status, self.started.elapsed());
        answer.into_response()
    }

    /// Steps 2 to 8: up to a response, or to the failure that the client is told of.
    async fn attempt(
        &mut self,
        body: Incoming,
        original_host: Option<&HeaderValue>,
    ) -> Result<Answer, Box<Failure>> {
        let api = self.api;
        if !api.organization_flows.is_empty() {
            let mut selection = std::mem::take(&mut self.organization_selection);
            let outcome = api.organization_flows.on_request(&mut self.view(), &mut selection);
            self.organization_selection = selection;
            outcome?;
        }
        if api.reject_null_byte && has_null_byte(&self.request) {
            return Err(Box::new(Failure::with_message(
                StatusCode::BAD_REQUEST,
                "REQUEST_NULL_BYTE_REJECTED",
                "The request contains invalid characters.",
            )));
        }
        let worker = &self.client.worker;
        let granted = security::grant(
            self.generation,
            self.served,
            &worker.settings,
            &self.request.headers,
            &self.request.uri,
            || worker.wall_millis(),
        )?;
        self.client_identifier = Some(self.identify_client(granted.subscription));
        if let Some(name) = granted.remove_header {
            self.request.headers.remove(name);
        }
        let plan = granted.plan;
        if self.has_flows {
            self.run_request_flows(plan)?;
        }
        if api.match_required && self.plan_selection.is_empty() && self.api_selection.is_empty() {
            return Err(Box::new(Failure::silent(
                StatusCode::NOT_FOUND,
                "FLOW_EXECUTION_FLOW_MATCHED_FAILURE",
            )));
        }
        let without = granted.remove_parameter.then_some(worker.settings.api_key_parameter.as_str());
        match self.call_upstream(body, without, original_host).await {
            Ok(response) => {
                let mut answer = Answer {
                    status: response.head.status,
                    headers: response.head.headers,
                    // Only the old engine keeps it (section 2.6).
                    reason: response.head.reason.filter(|_| api.mode == ExecutionMode::V3),
                    body: AnswerBody::of_upstream(response.body),
                    failed: false,
                };
                if self.has_flows {
                    self.run_response_flows(plan, &mut answer)?;
                }
                Ok(answer)
            }
            Err(error) => {
                api.counters.failed(error);
                Err(Box::new(error.failure()))
            }
        }
    }

    fn view(&mut self) -> RequestView<'_> {
        RequestView {
            method: &self.request.method,
            context_path: self.context_path,
            path_info: path_info(self.context_path, self.request.uri.path()),
            headers: &mut self.request.headers,
        }
    }

    fn run_request_flows(&mut self, plan: &CompiledPlan) -> Result<(), Box<Failure>> {
        let mut of_plan = std::mem::take(&mut self.plan_selection);
        let mut of_api = std::mem::take(&mut self.api_selection);
        let api = self.api;
        let mut view = self.view();
        let outcome = plan
            .flows
            .on_request(&mut view, &mut of_plan)
            .and_then(|()| api.flows.on_request(&mut view, &mut of_api));
        self.plan_selection = of_plan;
        self.api_selection = of_api;
        outcome
    }

    /// The old engine runs them in the opposite order (`data-plane.md` section 1.11).
    fn run_response_flows(&self, plan: &CompiledPlan, answer: &mut Answer) -> Result<(), Box<Failure>> {
        let mut view = ResponseView { status: &mut answer.status, headers: &mut answer.headers };
        let of_plan = (&plan.flows, &self.plan_selection);
        let of_api = (&self.api.flows, &self.api_selection);
        let (first, second) = match self.api.mode {
            ExecutionMode::V3 => (of_api, of_plan),
            ExecutionMode::V4 => (of_plan, of_api),
        };
        first.0.on_response(&mut view, first.1)?;
        second.0.on_response(&mut view, second.1)
    }

    /// Organization flows see every response; in the old engine none that is a failure of the gateway's own.
    fn run_organization_response(&self, mut answer: Answer) -> Answer {
        if self.organization_selection.is_empty() || (self.api.mode == ExecutionMode::V3 && answer.failed) {
            return answer;
        }
        let mut view = ResponseView { status: &mut answer.status, headers: &mut answer.headers };
        match self.api.organization_flows.on_response(&mut view, &self.organization_selection) {
            Ok(()) => answer,
            Err(failure) => {
                let mut headers = answer.headers;
                headers.remove(header::CONTENT_ENCODING);
                self.render(&failure, headers)
            }
        }
    }

    fn render(&self, failure: &Failure, mut headers: HeaderMap) -> Answer {
        let body = answer::render(failure, answer::accepts_json(&self.request.headers), &mut headers);
        Answer { status: failure.status, headers, reason: None, body: AnswerBody::Whole(body), failed: true }
    }

    fn add_own_headers(&self, headers: &mut HeaderMap) {
        let settings = &self.client.worker.settings;
        if let Some(identifier) = &self.client_identifier {
            // One that the upstream sent stays beside it, as recorded from the original.
            headers.append(settings.client_identifier_header.clone(), identifier.clone());
        }
        headers.insert(settings.transaction_header.clone(), self.transaction_id.clone());
        headers.insert(settings.request_header.clone(), self.request_id.clone());
    }

    /// What the client says of itself, or the subscription's id, or the hash of its address (section 3.9).
    fn identify_client(&self, subscription: Option<HeaderValue>) -> HeaderValue {
        let settings = &self.client.worker.settings;
        let headers = &self.request.headers;
        let name = &settings.client_identifier_header;
        let given = || {
            let query = self.request.uri.query()?;
            let value = query::first_ignoring_case(query, name.as_str())?;
            HeaderValue::from_str(value).ok()
        };
        if let Some(given) = headers.get(name).cloned().or_else(given) {
            given
        } else if let Some(subscription) = subscription {
            subscription
        } else if let Some(address) =
            settings.trust_x_forwarded_for.then(|| identity::forwarded_for(headers)).flatten()
        {
            identity::hashed(address)
        } else {
            let client = self.client;
            let hash = || identity::hashed(identity::address_text(client.address.ip()).as_bytes());
            client.address_hash.get_or_init(hash).clone()
        }
    }

    async fn call_upstream(
        &self,
        body: Incoming,
        without_parameter: Option<&str>,
        original_host: Option<&HeaderValue>,
    ) -> Result<call::Response, CallError> {
        let worker = &self.client.worker;
        let api = self.api;
        let endpoint =
            api.group.choose(|bound| worker.ids.borrow_mut().below(bound)).ok_or(CallError::NoEndpoint)?;
        let destination = endpoint.destination.as_ref().ok_or(CallError::NoAddress)?;
        let headers = &self.request.headers;
        let coding = HeaderValue::from_static("chunked");
        let (announced, framing) = match body.size_hint().exact() {
            // A length of 0 is passed on where the client sent it, and not made up where it did not.
            Some(0) if !headers.contains_key(header::CONTENT_LENGTH) => (Announced::Nothing, None),
            Some(length) => (Announced::Length(length), (length > 0).then_some(Framing::Sized)),
            None => {
                let coding = headers.get(header::TRANSFER_ENCODING).unwrap_or(&coding);
                (Announced::Coding(coding), Some(Framing::Chunked))
            }
        };
        let settings = &worker.settings;
        let own = [
            (&settings.transaction_header, &self.transaction_id),
            (&settings.request_header, &self.request_id),
        ];
        let outgoing = Outgoing {
            method: &self.request.method,
            uri: &self.request.uri,
            path_info: path_info(self.context_path, self.request.uri.path()),
            headers,
            host_changed: self.has_flows && headers.get(header::HOST) != original_host,
            // Where policies run, the headers are in the request already, as the policies left them.
            own: if self.has_flows { &[] } else { &own },
            without_parameter,
            announced,
            version: api.version,
            mode: api.mode,
        };
        let body = framing.map(|framing| RequestBody {
            incoming: body,
            framing,
            expects_continue: self.request.version == http::Version::HTTP_11
                && headers
                    .get(header::EXPECT)
                    .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")),
        });
        call(
            &worker.pool,
            &destination.upstream,
            &self.request.method,
            |out| outgoing.write(endpoint, destination, out),
            body,
            self.deadline,
            self.started,
        )
        .await
    }
}

impl Answer {
    fn into_response(self) -> Response<AnswerBody> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(reason);
        }
        response
    }
}

/// The part of the path behind the context path (section 2.2).
fn path_info<'p>(context_path: &str, path: &'p str) -> &'p str {
    if context_path == "/" && path == "/" {
        return "";
    }
    path.get(context_path.len() - 1..).unwrap_or_default()
}

/// Whether the raw URI has a NUL or `%00`, or a header value has (section 2.10). NUL itself never gets here.
fn has_null_byte(request: &http::request::Parts) -> bool {
    let has = |bytes: &[u8]| memchr::memmem::find(bytes, b"%00").is_some();
    has(request.uri.path().as_bytes())
        || request.uri.query().is_some_and(|query| has(query.as_bytes()))
        || request.headers.values().any(|value| has(value.as_bytes()))
}
