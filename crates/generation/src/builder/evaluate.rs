//! From an API row to a verdict: read, then compiled. The only costly part of a commit, and free of side effects, so
//! that the first load can do it on all cores.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use zonegate_definition::{Api, NotHere, Read, Reason, Refusal, read_api, read_member_api};
use zonegate_model::Payload;
use zonegate_payload::ApiPayload;

use super::staging::describe;
use super::{Builder, Slot};
use crate::compile::{Compile, Surroundings};
use crate::served::Served;

/// Rows for which one thread is enough.
const FEW: usize = 64;

/// What an API row means.
pub(super) enum Verdict<C: Compile> {
    Serve(Arc<Served<C>>),
    NotHere(NotHere),
    Refused { name: Option<Arc<str>>, refusal: Refusal },
}

/// Why an API is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Only the places where it may be changed.
    Places,
    /// Products that it is, or was, a member of changed; perhaps its places too.
    Products,
    /// Its row changed.
    Row,
    /// Its organization changed, and perhaps its row too.
    Organization,
}

impl<C: Compile> Builder<C> {
    /// Verdicts on all these, on several threads if nothing is served yet that they could slow down.
    pub(super) fn evaluate_all(&self, ids: &[(Arc<str>, Cause)]) -> Vec<(Arc<str>, Cause, Verdict<C>)> {
        // How many cores there are is asked only where it matters: the answer takes reading files.
        let threads = if self.number == 0 && ids.len() > FEW {
            thread::available_parallelism().map_or(1, NonZero::get)
        } else {
            1
        };
        let evaluate = |(id, cause): &(Arc<str>, Cause)| {
            let slot = self.slots.get(id)?;
            Some((id.clone(), *cause, self.evaluate(id, slot, *cause)))
        };
        if threads == 1 {
            return ids.iter().filter_map(evaluate).collect();
        }
        let share = ids.len().div_ceil(threads);
        thread::scope(|scope| {
            let workers: Vec<_> = ids
                .chunks(share)
                .map(|ids| scope.spawn(move || ids.iter().filter_map(evaluate).collect::<Vec<_>>()))
                .collect();
            let results = workers.into_iter().map(|worker| match worker.join() {
                Ok(verdicts) => verdicts,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            results.flatten().collect()
        })
    }

    fn evaluate(&self, id: &str, slot: &Slot<C>, cause: Cause) -> Verdict<C> {
        if let (Cause::Places | Cause::Products, None, Some(served)) = (cause, &slot.refused, &slot.served) {
            return match self.standing(&served.api) {
                Ok(products) if products.same(&served.products) => Verdict::Serve(served.clone()),
                Ok(products) => Verdict::Serve(Arc::new(Served {
                    api: served.api.clone(),
                    compiled: served.compiled.clone(),
                    products,
                    payload: served.payload.clone(),
                    scope: served.scope,
                })),
                Err(reason) => Verdict::NotHere(reason),
            };
        }
        match self.read(id, &slot.payload) {
            Ok(Read::NotHere(reason)) => Verdict::NotHere(reason),
            Ok(Read::Serve(api)) => {
                let api: Arc<Api> = Arc::from(api);
                match self.compile(&api) {
                    Ok(compiled) => Verdict::Serve(Arc::new(Served {
                        products: self.products_of(&api),
                        scope: self.seed.hash(id.as_bytes()),
                        api,
                        compiled,
                        payload: slot.payload.clone(),
                    })),
                    Err(refusal) => Verdict::Refused { name: Some(api.name.clone()), refusal },
                }
            }
            Err((name, refusal)) => Verdict::Refused { name: name.map(Into::into), refusal },
        }
    }

    fn read(&self, id: &str, payload: &Payload) -> Result<Read, (Option<String>, Refusal)> {
        let payload: ApiPayload = serde_json::from_str(payload.as_str())
            .map_err(|error| (None, Refusal::new(Reason::Malformed(describe(&error)), "")))?;
        let name = || zonegate_definition::name_of(&payload);
        let member = self.is_member(id, payload.environment_id.as_ref());
        let read = if member { read_member_api } else { read_api };
        let read = read(&payload, &self.settings.node).map_err(|refusal| (name(), refusal))?;
        match &read {
            Read::Serve(api) if &*api.id != id => {
                let reason = Reason::Other("the definition has another id than its row".to_owned());
                Err((name(), Refusal::new(reason, "id")))
            }
            _ => Ok(read),
        }
    }

    /// Compiles an API within its organization. An organization that cannot be read takes its APIs along: its flows
    /// may be what keeps intruders out (S3).
    pub(super) fn compile(&self, api: &Arc<Api>) -> Result<Arc<C::Compiled>, Refusal> {
        let slot = api.organization.as_ref().and_then(|id| self.organizations.get(id));
        let organization = slot.and_then(|slot| slot.organization.as_ref());
        if let (Some(slot), None) = (slot, organization) {
            let problem = slot.refusal.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(Refusal::new(
                Reason::Other(format!("the organization's flows are refused: {problem}")),
                "",
            ));
        }
        self.compile.compile(api, &Surroundings { organization }).map(Arc::new)
    }
}
