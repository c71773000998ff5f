//! The demo's story: what happens to the zone, in order, and what each gateway must do then.
//!
//! A step that does not come to its end within [`follow::PATIENCE`] ends the story. Wrong answers in the traffic do not;
//! they are counted, and spoil the outcome.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::task::JoinSet;
use zonegate_management_writer::ManagementWriter;

use super::catalogue::{self, BROKEN, FAX_BRIDGE, NEWSLETTER, UNKNOWN_POLICY};
use super::failure::DemoError;
use super::follow::{self, Followed};
use super::lane::Lane;
use super::outcome::{Finding, Outcome, finding};
use super::question::Question;
use super::record::Record;
use super::screen::{Screen, millis};
use super::sight::Sight;
use super::traffic::Traffic;
use super::zone::{DELAY, Zone};
use crate::stopwatch::Stopwatch;

/// A moment between two steps, in which the traffic goes on and people can look.
const BREATH: Duration = Duration::from_millis(700);
/// How long nothing happens, to see that nothing happens.
const QUIET: Duration = Duration::from_millis(2500);
/// The time between two looks at a gateway for the screen.
const LOOK: Duration = Duration::from_millis(250);
/// Takeover and publishing after the loss of the primary: lease time plus one second (Z3).
const TAKEOVER: Duration = Duration::from_secs(3);
/// What "within milliseconds" is at most, from the first gateway to the last one (Z5).
const PUSH: Duration = Duration::from_millis(100);

/// The line of the table for what holds from the first to the last second.
const ALL_ALONG: &str = "all along: traffic to every gateway";

/// The zone with everything that looks at it.
#[derive(Debug)]
pub(crate) struct Story {
    /// The zone.
    pub(crate) zone: Zone,
    /// What happened.
    pub(crate) outcome: Outcome,
    record: Arc<Record>,
    screen: Arc<Screen>,
    traffic: Traffic,
    lookers: JoinSet<()>,
    killed: Option<usize>,
}

impl Story {
    /// A story that did not begin.
    pub(crate) fn new(zone: Zone, record: Arc<Record>, screen: Arc<Screen>) -> Self {
        Self {
            zone,
            outcome: Outcome::default(),
            traffic: Traffic::new(Arc::clone(&record)),
            record,
            screen,
            lookers: JoinSet::new(),
            killed: None,
        }
    }

    /// Tells it.
    pub(crate) async fn tell(&mut self, gateways: usize) -> Result<(), DemoError> {
        self.lookers.spawn(Arc::clone(&self.screen).keep_drawing());
        let told = self.steps(gateways).await;
        self.traffic.stop().await;
        self.lookers.shutdown().await;
        self.screen.clear();
        told
    }

    async fn steps(&mut self, gateways: usize) -> Result<(), DemoError> {
        let start = format!("start {gateways} gateways at once");
        self.step(&start, "A4, Z2", async |story: &mut Self| story.start(gateways).await).await?;
        self.step("read what they say", "S1, S3", Self::read).await?;
        self.step("change nothing", "S4", Self::nothing).await?;
        self.step("deploy an API", "S2, Z5", Self::deploy).await?;
        self.step("revoke a key", "S5, Z5", Self::revoke).await?;
        self.step("undeploy an API", "S5, S6, Z5", Self::undeploy).await?;
        self.step("kill the primary (SIGKILL)", "Z3, Z4", Self::kill).await?;
        self.step("pause a subscription", "S5, Z5", Self::pause).await?;
        self.step("start the killed gateway again", "A4, S5", Self::start_again).await?;
        self.step("stop the repository", "A1", Self::stop_repository).await?;
        self.step("start one more gateway meanwhile", "A1", Self::start_another).await?;
        self.step("empty the zone store as well (FLUSHALL)", "Z6", Self::flush).await?;
        self.step("bring the repository back", "A1", Self::bring_back).await?;
        self.step("resume the subscription", "Z5", Self::resume).await
    }

    /// Does one step, shows it and writes it down.
    async fn step(
        &mut self,
        name: &str,
        promises: &'static str,
        work: impl AsyncFnOnce(&mut Self) -> Result<Vec<Finding>, DemoError>,
    ) -> Result<(), DemoError> {
        self.screen.begin_step(name);
        match work(self).await {
            Ok(findings) => {
                for finding in findings {
                    let line =
                        format!("\x1b[32m✓\x1b[0m {name}: {} ({})", finding.measured, finding.promises);
                    self.screen.say(&line);
                    self.outcome.add(name, finding);
                }
                tokio::time::sleep(BREATH).await;
                Ok(())
            }
            Err(error) => {
                self.screen.say(&format!("\x1b[31m✗\x1b[0m {name}: {error} ({promises})"));
                self.outcome.broken(name, promises, "not as expected; see below");
                Err(error)
            }
        }
    }

    /// All gateways at once over an empty store.
    async fn start(&mut self, gateways: usize) -> Result<Vec<Finding>, DemoError> {
        let since = Stopwatch::start();
        let mut started = Vec::new();
        for _ in 0..gateways {
            started.push(self.start_gateway()?);
        }
        let ready = self.wait_ready(&started, since).await?;
        let lanes = self.zone.open_lanes();
        let what = "one primary that knows all members, and the others not reading the repository";
        let (_, zone) = follow::whole_zone(&lanes, what, since, |zone| {
            let (primaries, others): (Vec<_>, Vec<_>) =
                zone.iter().partition(|(_, sight)| sight.is_primary());
            primaries.len() == 1
                && primaries.iter().all(|(_, sight)| sight.members == gateways)
                && others.len() == gateways - 1
                && others.iter().all(|(_, sight)| sight.repository_up.is_none())
        })
        .await?;
        let primary = zone.iter().find(|(_, sight)| sight.is_primary());
        Ok(vec![
            finding("A4", format!("all ready after {}; whole from the first answer on", millis(ready))),
            finding(
                "Z2",
                format!(
                    "of {gateways} gateways only {} reads the repository ({})",
                    primary.map_or("", |(lane, _)| lane.name.as_str()),
                    self.zone.repository.text()
                ),
            ),
        ])
    }

    /// What the gateways say of what they serve and what they refuse.
    async fn read(&mut self) -> Result<Vec<Finding>, DemoError> {
        let since = Stopwatch::start();
        let lanes = self.zone.open_lanes();
        let what = "the same rows everywhere, a dictionary and an organization among them";
        let (_, zone) = follow::whole_zone(&lanes, what, since, |zone| {
            let first = zone.first().map(|(_, sight)| &sight.rows);
            let named = |kind| first.is_some_and(|rows| rows.get(kind) == Some(&1));
            zone.iter().all(|(_, sight)| Some(&sight.rows) == first)
                && named("DICTIONARY")
                && named("ORGANIZATION")
        })
        .await?;
        let rows = zone.into_iter().next().map(|(_, sight)| sight.rows).unwrap_or_default();
        let what = format!("`{FAX_BRIDGE}` refused everywhere because of the policy `{UNKNOWN_POLICY}`");
        follow::whole_zone(&lanes, &what, since, |zone| {
            let said =
                |sight: &Sight| sight.refused.get(FAX_BRIDGE).is_some_and(|why| why.contains(UNKNOWN_POLICY));
            zone.iter().all(|(_, sight)| said(sight))
        })
        .await?;
        let (_, _, sight) = follow::primary(&lanes, &format!("that refuses `{BROKEN}`"), since, |sight| {
            sight.refused.contains_key(BROKEN)
        })
        .await?;
        let counts: Vec<String> = rows.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let reason = |id: &str| sight.refused.get(id).cloned().unwrap_or_default();
        Ok(vec![
            finding("S1 (in part)", format!("the same rows everywhere: {}", counts.join(", "))),
            finding("S3", format!("{FAX_BRIDGE} is refused: {}", reason(FAX_BRIDGE))),
            finding("S3", format!("{BROKEN} is refused: {}", reason(BROKEN))),
        ])
    }

    /// Nothing is changed, so nothing may be published.
    async fn nothing(&mut self) -> Result<Vec<Finding>, DemoError> {
        let lanes = self.zone.open_lanes();
        let revisions = async || {
            let looks = lanes.iter().map(|lane| lane.look());
            let sights = futures_util::future::join_all(looks).await;
            sights.into_iter().map(|sight| sight.and_then(|sight| sight.applied)).collect::<Vec<_>>()
        };
        let before = revisions().await;
        tokio::time::sleep(QUIET).await;
        let after = revisions().await;
        if before != after || before.contains(&None) {
            let expected = format!("the same revisions after {QUIET:?} without a change: {before:?}");
            return Err(DemoError::Broken { expected, found: format!("{after:?}"), gateway: None });
        }
        let looks = QUIET.as_millis() / DELAY.as_millis();
        Ok(vec![finding("S4", format!("no new revision after {looks} more looks at the repository"))])
    }

    async fn deploy(&mut self) -> Result<Vec<Finding>, DemoError> {
        let api = self.zone.catalogue.returns();
        let followed = self
            .change(Question::Returns, 200, async |management| management.deploy_api(&api).await.map(drop))
            .await?;
        Ok(vec![told("S2, Z5", "with its subscription and key", &followed)])
    }

    async fn revoke(&mut self) -> Result<Vec<Finding>, DemoError> {
        let key = catalogue::key_id("warehouse-tablet");
        let followed = self
            .change(Question::StockWithTabletKey, 401, async |management| management.revoke_key(&key).await)
            .await?;
        Ok(vec![told("S5, Z5", "refused", &followed)])
    }

    async fn undeploy(&mut self) -> Result<Vec<Finding>, DemoError> {
        let followed = self
            .change(Question::Newsletter, 404, async |management| management.undeploy_api(NEWSLETTER).await)
            .await?;
        Ok(vec![told("S5, S6, Z5", "newsletter gone, newsletter-archive untouched", &followed)])
    }

    /// The primary dies, and a change is made while nobody is.
    async fn kill(&mut self) -> Result<Vec<Finding>, DemoError> {
        let (_, primary, _) =
            follow::primary(&self.zone.open_lanes(), "to kill", Stopwatch::start(), |_| true).await?;
        self.killed = Some(primary.index);
        let since = Stopwatch::start();
        self.zone.kill(primary.index)?;
        let rest = self.zone.open_lanes();
        let key = catalogue::key_id("call-centre");
        let takeover = follow::primary(&rest, "after the kill", since, |_| true);
        let change = async {
            self.announce(Question::CustomersWithCallCentreKey, 401);
            self.zone.management.revoke_key(&key).await?;
            follow::followed(&rest, Question::CustomersWithCallCentreKey, 401, since).await
        };
        let ((taken, next, _), followed) = tokio::try_join!(takeover, change)?;
        self.zone.settle(Question::CustomersWithCallCentreKey, 401);
        Ok(vec![
            finding(
                "Z3",
                format!(
                    "{} is primary after {} (promised: {} s)",
                    next.name,
                    millis(taken),
                    TAKEOVER.as_secs()
                ),
            )
            .within(taken, TAKEOVER),
            finding(
                "Z3, Z4",
                format!(
                    "a key revoked in the gap: refused by the last of {} after {} (counted from the kill)",
                    followed.gateways,
                    millis(followed.last)
                ),
            )
            .within(followed.last, TAKEOVER),
        ])
    }

    async fn pause(&mut self) -> Result<Vec<Finding>, DemoError> {
        let subscription = catalogue::subscription_id("kiosk", "loyalty");
        let followed = self
            .change(Question::LoyaltyWithKioskKey, 401, async |management| {
                management.pause_subscription(&subscription).await
            })
            .await?;
        Ok(vec![told("S5, Z5", "published by the new primary", &followed)])
    }

    async fn start_again(&mut self) -> Result<Vec<Finding>, DemoError> {
        let index = self.killed.unwrap_or_default();
        let since = Stopwatch::start();
        self.zone.start_again(index)?;
        let ready = self.wait_ready(&[index], since).await?;
        let Some(lane) = self.zone.lanes.get(index) else { return Ok(Vec::new()) };
        let (_, sight) =
            follow::until(lane, "a member of its zone", since, |sight| sight.applied.is_some()).await?;
        Ok(vec![finding(
            "A4, S5",
            format!(
                "{} is ready as {} after {}; what was revoked and paused meanwhile is refused",
                lane.name,
                sight.role,
                millis(ready)
            ),
        )])
    }

    async fn stop_repository(&mut self) -> Result<Vec<Finding>, DemoError> {
        let lanes = self.zone.open_lanes();
        self.zone.management.close().await;
        let since = Stopwatch::start();
        self.zone.repository.stop()?;
        let (noticed, primary, _) = follow::primary(&lanes, "that misses the repository", since, |sight| {
            sight.repository_up == Some(false)
        })
        .await?;
        Ok(vec![finding(
            "A1",
            format!(
                "{}; {} noticed after {}, all {} go on serving",
                self.zone.repository.outage(),
                primary.name,
                millis(noticed),
                lanes.len()
            ),
        )])
    }

    async fn start_another(&mut self) -> Result<Vec<Finding>, DemoError> {
        let since = Stopwatch::start();
        let index = self.start_gateway()?;
        let ready = self.wait_ready(&[index], since).await?;
        let Some(lane) = self.zone.lanes.get(index) else { return Ok(Vec::new()) };
        Ok(vec![finding(
            "A1",
            format!("{} is ready and serves after {}, from the zone store alone", lane.name, millis(ready)),
        )])
    }

    async fn bring_back(&mut self) -> Result<Vec<Finding>, DemoError> {
        let since = Stopwatch::start();
        self.zone.repository.bring_back()?;
        self.zone.management = ManagementWriter::connect(&self.zone.repository.url()).await?;
        let lanes = self.zone.open_lanes();
        let (noticed, primary, _) =
            follow::primary(&lanes, "that reads the repository again", since, |sight| {
                sight.repository_up == Some(true)
            })
            .await?;
        Ok(vec![finding("A1", format!("{} reads it again after {}", primary.name, millis(noticed)))])
    }

    /// With the repository still away, there is nowhere to take the state from but the gateways' memory.
    async fn flush(&mut self) -> Result<Vec<Finding>, DemoError> {
        let lanes = self.zone.open_lanes();
        let (_, _, sight) =
            follow::primary(&lanes, "of a store", Stopwatch::start(), |sight| sight.store.is_some()).await?;
        let before = sight.store;
        let since = Stopwatch::start();
        self.zone.redis.cli(&["FLUSHALL"])?;
        let (last, _) =
            follow::whole_zone(&lanes, "one new filling of the store, served by all", since, |zone| {
                let store = zone.first().and_then(|(_, sight)| sight.store.as_ref());
                store.is_some_and(|store| Some(store) != before.as_ref())
                    && zone.iter().all(|(_, sight)| sight.store.as_ref() == store && sight.applied.is_some())
            })
            .await?;
        let keys = self.zone.redis.cli(&["DBSIZE"])?.integer().unwrap_or_default();
        Ok(vec![finding(
            "Z6",
            format!(
                "filled again from memory ({keys} keys) and followed by all after {}; nobody dropped anything",
                millis(last)
            ),
        )])
    }

    async fn resume(&mut self) -> Result<Vec<Finding>, DemoError> {
        let subscription = catalogue::subscription_id("kiosk", "loyalty");
        let followed = self
            .change(Question::LoyaltyWithKioskKey, 200, async |management| {
                management.resume_subscription(&subscription).await
            })
            .await?;
        // Nobody is left behind: all name the same primary.
        let since = Stopwatch::start();
        let lanes = self.zone.open_lanes();
        let (_, zone) = follow::whole_zone(&lanes, "one primary, whom all name", since, |zone| {
            let named = zone.first().and_then(|(_, sight)| sight.primary.as_ref());
            named.is_some()
                && zone.iter().all(|(_, sight)| sight.primary.as_ref() == named)
                && zone.iter().filter(|(_, sight)| sight.is_primary()).count() == 1
        })
        .await?;
        let primary = zone.iter().find(|(_, sight)| sight.is_primary());
        let primary = primary.map_or("", |(lane, _)| lane.name.as_str());
        Ok(vec![
            told("A1, Z5", "served again", &followed),
            finding("Z1", format!("all {} agree that {} is primary, and it alone", lanes.len(), primary)),
        ])
    }

    /// Makes a change and waits until every gateway that is asked follows.
    async fn change(
        &mut self,
        question: Question,
        status: u16,
        write: impl AsyncFnOnce(&ManagementWriter) -> Result<(), zonegate_management_writer::WriteError>,
    ) -> Result<Followed, DemoError> {
        self.announce(question, status);
        write(&self.zone.management).await?;
        let since = Stopwatch::start();
        let followed = follow::followed(&self.zone.open_lanes(), question, status, since).await?;
        self.zone.settle(question, status);
        Ok(followed)
    }

    /// From now on the new answer is right too.
    fn announce(&self, question: Question, status: u16) {
        for lane in &self.zone.lanes {
            lane.expected.change(question, status);
        }
    }

    fn start_gateway(&mut self) -> Result<usize, DemoError> {
        let index = self.zone.start_gateway()?;
        if let Some(lane) = self.zone.lanes.get(index) {
            self.screen.add(lane);
            self.traffic.send_to(lane);
            self.lookers.spawn(keep_looking(Arc::clone(lane)));
        }
        Ok(index)
    }

    /// Waits until these gateways are ready, asks each one everything once, and has them asked from then on.
    async fn wait_ready(&mut self, started: &[usize], since: Stopwatch) -> Result<Duration, DemoError> {
        let chosen = self.zone.gateways.iter_mut().enumerate().filter(|(index, _)| started.contains(index));
        let ready = try_join_all(chosen.map(async |(index, gateway)| {
            gateway.wait_ready(follow::PATIENCE).await.map(|()| (index, since.elapsed()))
        }))
        .await?;
        for (index, _) in &ready {
            let Some(lane) = self.zone.lanes.get(*index) else { continue };
            for question in Question::ALL {
                follow::answered(lane, *question, self.zone.status_of(*question)).await?;
            }
            self.zone.open(*index);
        }
        Ok(ready.iter().map(|(_, time)| *time).max().unwrap_or_default())
    }

    /// Writes down what holds for the whole time.
    pub(crate) fn close(&mut self) {
        let sum = |of: fn(&Lane) -> u64| self.zone.lanes.iter().map(|lane| of(lane)).sum::<u64>();
        let (served, failed) = (sum(Lane::served), sum(Lane::failed));
        let mut measured = format!("{served} requests answered as they must be at that moment, {failed} not");
        let lost = sum(Lane::cut_off);
        if lost > 0 {
            let _ = write!(measured, "; {lost} more were under way in the killed process");
        }
        if failed == 0 && served > 0 {
            self.outcome.add(ALL_ALONG, finding("S2, S5, Z4, A1", measured));
        } else {
            self.outcome.broken(ALL_ALONG, "S2, S5, Z4, A1", &measured);
        }
        if let Some((gateway, status)) = self.zone.ended_gateway() {
            self.outcome.broken(ALL_ALONG, "Z4", &format!("{gateway} ended by itself with {status}"));
        }
    }

    /// The record of the run.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }
}

/// A change and how it was followed.
fn told(promises: &'static str, what: &str, followed: &Followed) -> Finding {
    let measured = format!(
        "{what}: last of {} gateways after {}, {} after the first",
        followed.gateways,
        millis(followed.last),
        millis(followed.spread())
    );
    finding(promises, measured).within(followed.spread(), PUSH)
}

/// Looks at a gateway for the screen, until ended.
async fn keep_looking(lane: Arc<Lane>) {
    loop {
        lane.look().await;
        tokio::time::sleep(LOOK).await;
    }
}
