//! Steady traffic to all gateways, from clients that know what the right answer is.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::catalogue::{INVOICES_HEADER, ORGANIZATION_HEADER};
use super::client::{Answer, Client};
use super::expectation::Expected;
use super::lane::Lane;
use super::question::Question;
use super::record::Record;
use crate::stopwatch::Stopwatch;

/// Keep-alive connections to each gateway.
const CONNECTIONS: usize = 4;
/// The time between two requests on one connection: 100 requests a second to each gateway.
const PACE: Duration = Duration::from_millis(40);

/// The clients of all gateways; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Traffic {
    record: Arc<Record>,
    clients: JoinSet<()>,
}

impl Traffic {
    /// Without clients yet.
    pub(crate) fn new(record: Arc<Record>) -> Self {
        Self { record, clients: JoinSet::new() }
    }

    /// Sends traffic to a gateway whenever its lane is open.
    pub(crate) fn send_to(&mut self, lane: &Arc<Lane>) {
        for number in 0..CONNECTIONS {
            self.clients.spawn(client(Arc::clone(lane), Arc::clone(&self.record), number));
        }
    }

    /// Ends all clients.
    pub(crate) async fn stop(&mut self) {
        self.clients.shutdown().await;
    }
}

/// One client: all questions in turn, each answer judged.
async fn client(lane: Arc<Lane>, record: Arc<Record>, number: usize) {
    let mut connection = Client::new(lane.address);
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Connections begin at different questions, so that neighbours do not ask the same.
    let turns = Question::ALL.iter().cycle().skip(number * Question::ALL.len() / CONNECTIONS);
    for question in turns {
        pace.tick().await;
        if !lane.is_open() {
            connection.close();
            continue;
        }
        let serial = record.serial();
        let before = lane.expected.of(*question);
        let watch = Stopwatch::start();
        let answer = connection.ask(question.route(), &format!("n={serial}")).await;
        let after = lane.expected.of(*question);
        let problem = match answer {
            Ok(answer) => judge(*question, &answer, before, after, serial).err(),
            Err(_) if !lane.is_open() => {
                lane.count_cut_off();
                continue;
            }
            Err(error) => Some(error.to_string()),
        };
        match problem {
            None => {
                lane.count_served(watch.elapsed());
                record.request_served();
            }
            Some(found) => {
                lane.count_failed();
                record.complain(&lane.name, question.text(), after.text(), found);
            }
        }
    }
}

/// Says what is wrong with an answer.
fn judge(
    question: Question,
    answer: &Answer,
    before: Expected,
    after: Expected,
    serial: u64,
) -> Result<(), String> {
    let status = answer.status.as_u16();
    if !before.allows(after, status) {
        return Err(format!("{status} {}", beginning(&answer.body)));
    }
    if status != 200 {
        return Ok(());
    }
    // It is the upstream's answer to this very request …
    let marker = format!("n={serial}\"");
    if !answer.body.windows(marker.len()).any(|part| part == marker.as_bytes()) {
        return Err(format!("200 with somebody else's body: {}", beginning(&answer.body)));
    }
    // … and it went through the flows.
    let wanted = (question == Question::Invoices).then_some(INVOICES_HEADER);
    for (name, value) in std::iter::once(ORGANIZATION_HEADER).chain(wanted) {
        if answer.headers.get(name).is_none_or(|found| found != value) {
            return Err(format!("200 without the header `{name}: {value}`"));
        }
    }
    Ok(())
}

fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;
    use crate::demo::expectation::Expectations;

    fn answer(status: StatusCode, body: &'static str, stamped: bool) -> Answer {
        let mut headers = HeaderMap::new();
        if stamped {
            headers.insert(ORGANIZATION_HEADER.0, HeaderValue::from_static(ORGANIZATION_HEADER.1));
        }
        Answer { status, headers, body: body.into() }
    }

    #[test]
    fn an_answer_is_right_with_its_status_its_own_body_and_the_organizations_header() {
        let expected = Expectations::new(&[200]).of(Question::ALL[0]);
        let judged = |answer| judge(Question::ALL[0], &answer, expected, expected, 7);
        assert_eq!(judged(answer(StatusCode::OK, r#"{"url":"/a?n=7"}"#, true)), Ok(()));
        assert!(judged(answer(StatusCode::OK, r#"{"url":"/a?n=77"}"#, true)).is_err());
        assert!(judged(answer(StatusCode::OK, r#"{"url":"/a?n=7"}"#, false)).is_err());
        assert!(judged(answer(StatusCode::NOT_FOUND, "", true)).is_err());
    }
}
