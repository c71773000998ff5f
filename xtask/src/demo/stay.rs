//! What to try by hand while `--stay` leaves everything running.

use super::question::{Question, Route};
use super::zone::{NAME, Zone};

/// Questions that are worth typing.
const TRY: [Question; 8] = [
    Question::Orders,
    Question::Payments,
    Question::PaymentsWithoutKey,
    Question::Returns,
    Question::StockWithTabletKey,
    Question::Newsletter,
    Question::Timetable,
    Question::FaxBridge,
];

/// Prints addresses, keys and commands.
pub(crate) fn print(zone: &Zone) {
    anstream::println!("\nEverything goes on running; Ctrl-C ends it.\n");
    for gateway in &zone.gateways {
        anstream::println!(
            "  {}: traffic {}, technical API http://{}, process {}, home {}",
            gateway.name(),
            gateway.url(),
            gateway.technical_address(),
            gateway.process_id(),
            gateway.home().display()
        );
    }
    let Some(gateway) = zone.gateways.last() else { return };
    anstream::println!("\n  Requests, with the status that every gateway must answer by now:\n");
    for question in TRY {
        anstream::println!("    {}   # {}", curl(&gateway.url(), question.route()), zone.status_of(question));
    }
    let technical = gateway.technical_address();
    anstream::println!("\n  What a gateway says (admin:adminadmin):\n");
    for path in ["sync", "apis", "health?probes=sync-process", "metrics/prometheus"] {
        anstream::println!("    curl -s -u admin:adminadmin 'http://{technical}/_node/{path}'");
    }
    anstream::println!("\n  The zone store (zone `{NAME}`) and the management repository:\n");
    anstream::println!(
        "    REDISCLI_AUTH={} {} -p {} --scan --pattern '*{NAME}*'",
        zone.redis.password().unwrap_or_default(),
        zone.redis.cli_path().display(),
        zone.redis.port()
    );
    anstream::println!("    {}", zone.repository_command());
    anstream::println!("\n  A failover: kill -9 {}\n", primary_process(zone));
}

fn curl(url: &str, route: Route) -> String {
    let host = route.host.map(|host| format!(" -H 'Host: {host}'")).unwrap_or_default();
    let key = route.key.map(|key| format!(" -H 'X-Gravitee-Api-Key: {key}'")).unwrap_or_default();
    format!("curl -si{host}{key} {url}{}", route.path)
}

/// The primary's process, as far as is known from the last look.
fn primary_process(zone: &Zone) -> u32 {
    let leads = |index: usize| {
        zone.lanes.get(index).and_then(|lane| lane.sight()).is_some_and(|sight| sight.is_primary())
    };
    let found = zone.gateways.iter().enumerate().find(|(index, _)| leads(*index));
    found.or(zone.gateways.iter().enumerate().next()).map_or(0, |(_, gateway)| gateway.process_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curl_line_names_host_and_key() {
        let route = Route { path: "/a", host: Some("h.example"), key: Some("k") };
        let line = curl("http://127.0.0.1:1", route);
        assert_eq!(line, "curl -si -H 'Host: h.example' -H 'X-Gravitee-Api-Key: k' http://127.0.0.1:1/a");
    }
}
