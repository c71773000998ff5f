//! What a conversion says in the log.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use zonegate_payload::convert::{self, Settings};
use zonegate_payload::record::{EventRecord, EventText, EventType, Place};
use zonegate_payload::{PropertyCipher, ShardingTags};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn l3_a_property_that_cannot_be_decrypted_is_named_without_its_value() {
    let definition = json!({
        "id": "api-1", "type": "proxy", "definitionVersion": "4.0.0",
        "properties": [
            { "key": "right", "value": "vLJAXQh8OPSV6zhosZt82Q==", "encrypted": true },
            { "key": "wrong", "value": "c2VjcmV0LXZhbHVl", "encrypted": true },
        ],
        "plans": [{ "id": "free", "status": "published", "security": { "type": "key-less" } }],
    });
    let payload = json!({
        "definitionVersion": "4.0.0", "type": "proxy", "lifecycleState": "STARTED", "definition": definition.to_string(),
    });
    let event = EventRecord {
        id: "api-1".into(),
        kind: EventType::PublishApi,
        payload: EventText::Text(payload.to_string()),
        properties: BTreeMap::new(),
        created_at: None,
    };
    let cipher = PropertyCipher::new(&PropertyCipher::DEFAULT_SECRET.into()).unwrap();
    let settings = Settings { tags: ShardingTags::default(), cipher };

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        convert::api(&event, &settings, |_| Place::default()).unwrap();
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    for told in ["api-1", "wrong", "api.properties.encryption.secret"] {
        assert!(text.contains(told), "{text}");
    }
    for secret in ["c2VjcmV0LXZhbHVl", "secret-value", "hello"] {
        assert!(!text.contains(secret), "{text}");
    }
}
