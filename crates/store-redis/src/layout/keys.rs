//! Names of keys and channels (`zone-store.md` section 3.1 v2, section 3.2; `ARCHITECTURE.md`). Keeps Z8.

use std::borrow::Cow;

use zonegate_model::{Kind, RowKey, Token, ZoneName};

use super::escape::{part, pattern, unpart};

/// APIM's prefix of rows, which its index covers.
const EVENTS: &str = "distributed_event:";

/// The keys of one zone.
#[derive(Clone, Debug)]
pub(crate) struct ZoneKeys {
    /// The zone.
    pub(crate) zone: ZoneName,
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
    /// What the keys of this zone's rows match. Foreign rows may match too.
    pub(crate) rows_pattern: String,
    /// The prefix of rows as we write them.
    rows: String,
    /// The prefix of rows as APIM writes them.
    apim_rows: String,
}

impl ZoneKeys {
    /// The keys of `zone`.
    pub(crate) fn new(zone: ZoneName) -> Self {
        let name = part(zone.as_str());
        let own = |what: &str| format!("zonegate:{name}:{what}");
        Self {
            lease: own("lease"),
            epoch: own("epoch"),
            manifest: own("manifest"),
            log: own("log"),
            logged: own("logged"),
            members: own("members"),
            seen: own("seen"),
            alive: own("alive:"),
            sync_state: format!("distributed_sync_state:{zone}"),
            rows_pattern: format!("{EVENTS}{}:*", pattern(zone.as_str())),
            rows: format!("{EVENTS}{name}:"),
            apim_rows: format!("{EVENTS}{zone}:"),
            zone,
        }
    }

    /// The channel on which the holder of a grant is subscribed.
    pub(crate) fn alive(&self, token: Token) -> String {
        format!("{}{token}", self.alive)
    }

    /// The key of a row.
    pub(crate) fn row(&self, key: &RowKey) -> String {
        let (kind, id) = (key.kind.name(), part(&key.id));
        match &key.scope {
            // `API` is literal, also where the scope is an API product.
            Some(scope) => format!("{}API:{}:{kind}:{id}", self.rows, part(scope)),
            None => format!("{}{kind}:{id}", self.rows),
        }
    }

    /// The row of a kind that lies under `key`, if the key alone says so beyond doubt: written by us or by APIM, it could
    /// be no other one.
    pub(crate) fn identify(&self, kind: Kind, key: &str) -> Option<RowKey> {
        // A `%` is a code of ours or APIM's own text; only the hash tells which.
        let rest = key.strip_prefix(&self.rows).filter(|rest| !rest.contains('%'))?;
        let of_kind = |rest: &str| {
            let id = rest.strip_prefix(kind.name())?.strip_prefix(':')?;
            (!id.contains(':')).then(|| id.into())
        };
        if kind.is_scoped() {
            let (scope, rest) = rest.strip_prefix("API:")?.split_once(':')?;
            Some(RowKey { kind, scope: Some(scope.into()), id: of_kind(rest)? })
        } else {
            Some(RowKey { kind, scope: None, id: of_kind(rest)? })
        }
    }

    /// Whether `key` is where a row of a kind without scope lies, so that no two hashes can be the same row.
    pub(crate) fn is_at(&self, key: &str, kind: Kind, id: &str) -> bool {
        let is = |rows: &str, id: &str| {
            let rest = key.strip_prefix(rows).and_then(|rest| rest.strip_prefix(kind.name()));
            rest.and_then(|rest| rest.strip_prefix(':')) == Some(id)
        };
        is(&self.rows, &part(id)) || is(&self.apim_rows, id)
    }

    /// The scope of a subscription or API key, from the key that its hash lies under. `None` if that is not the key of
    /// such a row. Kind and id are known from the hash, so nothing has to be guessed.
    pub(crate) fn scope_of<'k>(&self, key: &'k str, kind: Kind, id: &str) -> Option<Cow<'k, str>> {
        let between = |rows: &str, id: &str| {
            let rest = key.strip_prefix(rows)?.strip_prefix("API:")?;
            rest.strip_suffix(id)?.strip_suffix(':')?.strip_suffix(kind.name())?.strip_suffix(':')
        };
        match between(&self.rows, &part(id)) {
            Some(scope) if !scope.contains(':') => Some(unpart(scope)),
            _ => between(&self.apim_rows, id).map(Cow::Borrowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(zone: &str) -> ZoneKeys {
        ZoneKeys::new(ZoneName::new(zone))
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
                let found = keys.identify(key.kind, &name);
                prop_assert!(found.is_none() || found == Some(key), "{name}");
            }
        }

        #[test]
        fn any_key_may_be_asked_for_its_scope(key in "distributed_event:(z:)?(API:)?.{0,20}", id in ".{0,4}") {
            let _ = keys("z").scope_of(&key, Kind::ApiKey, &id);
            let _ = keys("z").identify(Kind::ApiKey, &key);
        }
    }
}
