//! `/_node/sync`: the original's members, and ours under `zone`. 200 once a whole state is active, else 503.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use zonegate_telemetry::secret_text::mask_in_urls;

use crate::answer;
use crate::routes::Context;
use crate::view;

/// Most refused APIs in an answer; `refusedCount` has them all.
const MOST_REFUSALS: usize = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    initial_done: bool,
    counter: u64,
    /// The original's name for the time up to which was read, -1 before the first time.
    next_sync_time: i64,
    last_on_error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error_message: Option<String>,
    /// Never counted by the original.
    total_on_errors: u64,
    zone: view::Zone,
}

/// The sync process.
pub(crate) async fn sync(State(context): State<Context>) -> Response {
    let view::Sync { initial_done, cycles, last_on_error, last_error, mut zone } = context.view.sync();
    zone.refused_count = zone.refused_count.max(zone.refused.len() as u64);
    zone.refused.truncate(MOST_REFUSALS);
    // Messages come from drivers and definitions too; a URL in them may hold a password.
    let failures =
        [&mut zone.repository, &mut zone.zone_store].into_iter().filter_map(|of| of.last_failure.as_mut());
    let texts =
        zone.refused.iter_mut().map(|refusal| &mut refusal.reason).chain(failures.map(|f| &mut f.message));
    for text in texts {
        *text = mask_in_urls(text);
    }
    let body = Body {
        initial_done,
        counter: cycles,
        next_sync_time: zone.synced.map_or(-1, |window| window.to),
        last_on_error,
        last_error_message: last_error.filter(|_| last_on_error).map(|text| mask_in_urls(&text)),
        total_on_errors: 0,
        zone,
    };
    let status = if initial_done { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::pretty_json(status, &body)
}
