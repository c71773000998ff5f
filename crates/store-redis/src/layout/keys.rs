//! Names of keys and channels, in both layouts (`zone-store.md` section 3; `ARCHITECTURE.md`). Keeps Z8 in the newer one.

use std::borrow::Cow;

use zonegate_model::{Kind, RowKey, Token, ZoneName};

use super::escape::{part, pattern, unpart};
use super::row::kind_of;
use crate::settings::Layout;

/// APIM's prefix of rows, which its index covers.
const EVENTS: &str = "distributed_event:";

/// The keys of one zone.
#[derive(Clone, Debug)]
pub(crate) struct ZoneKeys {
    /// The zone.
    pub(crate) zone: ZoneName,
    /// How rows are laid out.
    pub(crate) layout: Layout,
    /// Hash `node epoch token ttl alive`; expires.
    pub(crate) lease: String,
    /// Counter of grants.
    pub(crate) epoch: String,
    /// Hash.
    pub(crate) manifest: String,
    /// Stream.
    pub(crate) log: String,
    /// Sorted set `<revision>:<end>` by begin, one per entry of the log, in bytes: by it the log is trimmed.
    pub(crate) logged: String,
    /// Hash node → JSON.
    pub(crate) members: String,
    /// Sorted set node → time of the last heartbeat by Redis' clock, milliseconds.
    pub(crate) seen: String,
    /// APIM's sync state. APIM looks it up by this very key, so the zone stands in it as it is; nothing follows it, so
    /// two zones still never share one.
    pub(crate) sync_state: String,
    /// Channels on which primaries show that they live; the token follows.
    pub(crate) alive: String,
    /// Stream of the keys of rows, in the order in which we created them, several in an entry.
    pub(crate) rows: String,
    /// What the keys of this zone's rows match. Foreign rows may match too.
    pub(crate) rows_pattern: String,
    /// Rows as we write them.
    ours: Prefixes,
    /// Rows as APIM writes them: the zone stands in them as it is.
    apims: Prefixes,
}

/// What keys of rows begin with.
#[derive(Clone, Debug)]
struct Prefixes {
    /// Before `<KIND>:<id>`.
    alone: String,
    /// Before `<scope>:<KIND>:<id>`. `API` is literal, also where the scope is an API product.
    scoped: String,
}

impl Prefixes {
    fn new(zone: &str, layout: Layout) -> Self {
        match layout {
            Layout::V4_12 => {
                Self { alone: format!("{EVENTS}{zone}:"), scoped: format!("{EVENTS}{zone}:API:") }
            }
            // An absent scope leaves two colons.
            Layout::V4_11 => Self { alone: format!("{EVENTS}:"), scoped: format!("{EVENTS}API:") },
        }
    }
}

impl ZoneKeys {
    /// The keys of `zone`.
    pub(crate) fn new(zone: ZoneName, layout: Layout) -> Self {
        let name = part(zone.as_str());
        // Rows of the two layouts are two states, so each has a lease and a manifest of its own. No zone's name is taken for
        // the other's, because a name has no colon here.
        let prefix = match layout {
            Layout::V4_12 => format!("zonegate:{name}:"),
            Layout::V4_11 => format!("{OLDER}{name}:"),
        };
        let own = |what: &str| format!("{prefix}{what}");
        Self {
            lease: own("lease"),
            epoch: own("epoch"),
            manifest: own("manifest"),
            log: own("log"),
            logged: own("logged"),
            members: own("members"),
            seen: own("seen"),
            rows: own("rows"),
            alive: own("alive:"),
            sync_state: format!("distributed_sync_state:{zone}"),
            rows_pattern: match layout {
                Layout::V4_12 => format!("{EVENTS}{}:*", pattern(zone.as_str())),
                Layout::V4_11 => format!("{EVENTS}*"),
            },
            ours: Prefixes::new(&name, layout),
            apims: Prefixes::new(zone.as_str(), layout),
            layout,
            zone,
        }
    }

    /// The channel on which the holder of a grant is subscribed.
    pub(crate) fn alive(&self, token: Token) -> String {
        format!("{}{token}", self.alive)
    }

    /// Whether a hash with this `clusterId` is of this zone. In the older layout no hash has one.
    pub(crate) fn owns(&self, zone: Option<&str>) -> bool {
        match self.layout {
            Layout::V4_12 => zone == Some(self.zone.as_str()),
            Layout::V4_11 => zone.is_none(),
        }
    }

    /// The key of a row.
    pub(crate) fn row(&self, key: &RowKey) -> String {
        let (kind, id) = (key.kind.name(), part(&key.id));
        match &key.scope {
            Some(scope) => format!("{}{}:{kind}:{id}", self.ours.scoped, part(scope)),
            None => format!("{}{kind}:{id}", self.ours.alone),
        }
    }

    /// Whether a row of this zone may lie under `key`.
    pub(crate) fn may_hold(&self, key: &str) -> bool {
        [&self.ours.alone, &self.ours.scoped, &self.apims.alone, &self.apims.scoped]
            .iter()
            .any(|prefix| key.starts_with(prefix.as_str()))
    }

    /// The row that lies under `key`, if the key alone says so beyond doubt: written by us or by APIM, it could be no other
    /// one.
    pub(crate) fn identify(&self, key: &str) -> Option<RowKey> {
        // A `%` is a code of ours or APIM's own text, a colon too many is APIM's; only the hash tells which.
        let parts = |rest: &str| !rest.contains('%');
        if let Some(rest) = key.strip_prefix(&self.ours.scoped).filter(|rest| parts(rest))
            && let Some((scope, rest)) = rest.split_once(':')
            && let Some((kind, id)) = rest.split_once(':')
            && !id.contains(':')
        {
            let kind = kind_of(kind).filter(|kind| kind.is_scoped())?;
            return Some(RowKey { kind, scope: Some(scope.into()), id: id.into() });
        }
        let rest = key.strip_prefix(&self.ours.alone).filter(|rest| parts(rest))?;
        let (kind, id) = rest.split_once(':').filter(|(_, id)| !id.contains(':'))?;
        let kind = kind_of(kind).filter(|kind| !kind.is_scoped())?;
        Some(RowKey { kind, scope: None, id: id.into() })
    }

    /// Whether `key` is where a row of a kind without scope lies, so that no two hashes can be the same row.
    pub(crate) fn is_at(&self, key: &str, kind: Kind, id: &str) -> bool {
        let is = |prefix: &str, id: &str| {
            let rest = key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(kind.name()));
            rest.and_then(|rest| rest.strip_prefix(':')) == Some(id)
        };
        is(&self.ours.alone, &part(id)) || is(&self.apims.alone, id)
    }

    /// The scope of a subscription or API key, from the key that its hash lies under. `None` if that is not the key of
    /// such a row. Kind and id are known from the hash, so nothing has to be guessed.
    pub(crate) fn scope_of<'k>(&self, key: &'k str, kind: Kind, id: &str) -> Option<Cow<'k, str>> {
        let between = |prefix: &str, id: &str| {
            let rest = key.strip_prefix(prefix)?;
            rest.strip_suffix(id)?.strip_suffix(':')?.strip_suffix(kind.name())?.strip_suffix(':')
        };
        match between(&self.ours.scoped, &part(id)) {
            Some(scope) if !scope.contains(':') => Some(unpart(scope)),
            _ => between(&self.apims.scoped, id).map(Cow::Borrowed),
        }
    }
}

/// An entry of the list of rows, for keys of rows.
pub(crate) fn list_keys(keys: &[String]) -> String {
    let keys = keys.iter().filter_map(|key| key.strip_prefix(EVENTS));
    keys.fold(String::new(), |entry, key| entry + &key.len().to_string() + ":" + key)
}

/// The keys in an entry of the list of rows: each `<length>:<key>`, without [`EVENTS`]. What cannot be read ends it.
pub(crate) fn listed_keys(entry: &[u8]) -> impl Iterator<Item = String> {
    let mut rest = entry;
    std::iter::from_fn(move || {
        let colon = rest.iter().take(8).position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
        let (key, after) = rest[colon + 1..].split_at_checked(length)?;
        rest = after;
        Some(format!("{EVENTS}{}", std::str::from_utf8(key).ok()?))
    })
}

/// What our keys begin with in the older layout; the zone follows.
const OLDER: &str = "zonegate:4.11:";

/// What manifests of all zones and layouts match.
pub(crate) const MANIFESTS: &str = "zonegate:*:manifest";

/// Of whom a manifest under `key` is, as people read it: the zone, in the layout that it names. `None`: it is none.
pub(crate) fn owner_of_manifest(key: &str) -> Option<(String, Layout)> {
    let (layout, name) = match key.strip_prefix(OLDER) {
        Some(rest) if rest != "manifest" => (Layout::V4_11, rest),
        _ => (Layout::V4_12, key.strip_prefix("zonegate:")?),
    };
    let name = name.strip_suffix(":manifest")?;
    (!name.contains(':')).then(|| (unpart(name).into_owned(), layout))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(zone: &str) -> ZoneKeys {
        ZoneKeys::new(ZoneName::new(zone), Layout::V4_12)
    }

    #[test]
    fn c3_ordinary_names_give_apims_keys() {
        let keys = keys("zone-a");
        let row = |key| keys.row(&key);
        assert_eq!(row(RowKey::new(Kind::Api, "api-1")), "distributed_event:zone-a:API:api-1");
        assert_eq!(
            row(RowKey::scoped(Kind::Subscription, "api-1", "sub-7")),
            "distributed_event:zone-a:API:api-1:SUBSCRIPTION:sub-7"
        );
        assert_eq!(
            row(RowKey::scoped(Kind::ApiKey, "api-1", "key-3")),
            "distributed_event:zone-a:API:api-1:API_KEY:key-3"
        );
        assert_eq!(row(RowKey::new(Kind::License, "DEFAULT")), "distributed_event:zone-a:LICENSE:DEFAULT");
        assert_eq!(keys.sync_state, "distributed_sync_state:zone-a");
        assert_eq!(keys.rows_pattern, "distributed_event:zone-a:*");
    }

    #[test]
    fn c3_the_scope_is_found_in_keys_that_apim_wrote() {
        let keys = keys("a:b%c");
        let scope = keys.scope_of("distributed_event:a:b%c:API:x:y:API_KEY:k:1", Kind::ApiKey, "k:1");
        assert_eq!(scope.as_deref(), Some("x:y"));
        assert_eq!(keys.scope_of("distributed_event:a:b%c:API:x", Kind::ApiKey, "x"), None);
        assert_eq!(keys.scope_of("distributed_event:other:API:x:API_KEY:k", Kind::ApiKey, "k"), None);
    }

    #[test]
    fn a_row_lies_where_we_or_apim_put_it_and_nowhere_else() {
        let keys = keys("a:b");
        for (key, id) in
            [("distributed_event:a%3Ab:API:x%3Ay", "x:y"), ("distributed_event:a:b:API:x:y", "x:y")]
        {
            assert!(keys.is_at(key, Kind::Api, id), "{key}");
            assert!(!keys.is_at(key, Kind::ApiKey, id), "{key}");
            assert!(!keys.is_at(key, Kind::Api, "y"), "{key}");
        }
    }

    #[test]
    fn l1_a_spoiled_list_of_keys_ends_where_it_is_spoiled() {
        let keys = |entry: &[u8]| listed_keys(entry).collect::<Vec<_>>();
        let listed = ["distributed_event:z:A:b".to_owned(), "distributed_event:\n:c".to_owned()];
        assert_eq!(list_keys(&listed), "5:z:A:b3:\n:c");
        assert_eq!(keys(b"5:z:A:b3:\n:c"), listed);
        for spoiled in [b"".as_slice(), b"5:z:A", b":", b"x:a", b"99999999999:a", b"1:\xff", b"-1:a"] {
            assert!(keys(spoiled).is_empty(), "{}", String::from_utf8_lossy(spoiled));
        }
    }

    #[test]
    fn z8_zones_whose_names_meet_in_a_key_have_keys_of_their_own() {
        let (outer, inner) = (keys("a"), keys("a:API:b"));
        assert_ne!(
            outer.row(&RowKey::scoped(Kind::ApiKey, "b", "c")),
            inner.row(&RowKey::new(Kind::ApiKey, "c"))
        );
        assert_ne!(keys("a:lease").lease, keys("a").lease);
        assert_ne!(keys("a%3Ab").lease, keys("a:b").lease);
    }

    proptest! {
        #[test]
        fn s6_two_rows_never_share_a_key(
            a in ("(?s)[a%:*]{0,4}", "(?s)[a%:A]{0,4}", any::<bool>()),
            b in ("(?s)[a%:*]{0,4}", "(?s)[a%:A]{0,4}", any::<bool>()),
        ) {
            let key = |(scope, id, scoped): &(String, String, bool)| match scoped {
                true => RowKey::scoped(Kind::ApiKey, scope.as_str(), id.as_str()),
                false => RowKey::new(Kind::Api, id.as_str()),
            };
            let keys = keys("z");
            prop_assert_eq!(key(&a) == key(&b), keys.row(&key(&a)) == keys.row(&key(&b)));
        }

        #[test]
        fn a_scope_is_found_again(zone in "[a:%]{1,4}", scope in "(?s).{0,10}|[a:%3A]{0,6}", id in "(?s).{0,10}|[a:%]{0,6}") {
            let keys = keys(&zone);
            let row = keys.row(&RowKey::scoped(Kind::Subscription, scope.as_str(), id.as_str()));
            let found = keys.scope_of(&row, Kind::Subscription, &id);
            prop_assert_eq!(found.map(Cow::into_owned), Some(scope));
        }

        #[test]
        fn s6_a_key_that_identifies_a_row_is_the_key_of_that_row_only(
            zone in "[a:%]{1,3}",
            scope in "[a:%3A*]{0,5}",
            id in "[a:%3A*]{0,5}",
            by_apim in any::<bool>(),
        ) {
            let keys = keys(&zone);
            for key in [RowKey::scoped(Kind::ApiKey, &*scope, &*id), RowKey::new(Kind::Api, &*id)] {
                let name = match (&key.scope, by_apim) {
                    (_, false) => keys.row(&key),
                    (Some(scope), true) => format!("distributed_event:{zone}:API:{scope}:API_KEY:{id}"),
                    (None, true) => format!("distributed_event:{zone}:API:{id}"),
                };
                let found = keys.identify(&name);
                prop_assert!(found.is_none() || found == Some(key), "{name}");
            }
        }

        #[test]
        fn any_key_may_be_asked_for_its_scope(key in "distributed_event:(z:)?(API:)?.{0,20}", id in ".{0,4}") {
            let _ = keys("z").scope_of(&key, Kind::ApiKey, &id);
            let _ = keys("z").identify(&key);
            let _ = ZoneKeys::new(ZoneName::new("z"), Layout::V4_11).identify(&key);
        }
    }
}
