//! The log as it is written: one line an event, text and JSON, without secrets (L3). Captures instead of printing.

use std::io::Write;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Captured {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

fn logged(settings: &LogSettings, events: impl FnOnce()) -> String {
    let redaction = Redaction::new();
    redaction.learn(&SecretString::from("s3cr\"et"));
    let captured = Captured::default();
    let subscriber = settings.subscriber(redaction, captured.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, events);
    captured.text()
}

#[test]
fn text_is_one_line_an_event_with_level_and_fields() {
    let text = logged(&LogSettings::default(), || {
        tracing::info!(revision = 7, "applied");
        tracing::debug!("not at this level");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("INFO") && text.contains("applied revision=7"), "{text}");
}

#[test]
fn json_is_one_object_a_line_with_the_fields_beside_the_message() {
    let settings = LogSettings { format: LogFormat::Json, ..LogSettings::default() };
    let text = logged(&settings, || tracing::warn!(zone = "a\nb", "left"));
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "left");
    assert_eq!(line["zone"], "a\nb");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn l3_a_registered_secret_is_masked_in_message_field_debug_and_json() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let settings = LogSettings { format, ..LogSettings::default() };
        let text = logged(&settings, || {
            tracing::error!(field = "s3cr\"et", debug = ?Some("s3cr\"et"), "password s3cr\"et refused");
        });
        assert!(!text.contains("s3cr"), "{text}");
        assert_eq!(text.matches("********").count(), 3, "{text}");
    }
}

#[test]
fn a_filter_names_levels_by_part_and_a_wrong_one_is_refused() {
    let settings = LogSettings { filter: "warn,zonegate_sync=debug".to_owned(), ..LogSettings::default() };
    let levels = settings.levels().unwrap();
    assert_eq!(levels["ROOT"], "WARN");
    assert_eq!(levels["zonegate_sync"], "DEBUG");

    let wrong = LogSettings { filter: "zonegate=loud".to_owned(), ..LogSettings::default() };
    let error = wrong.levels().unwrap_err().to_string();
    assert!(error.contains("zonegate=loud"), "{error}");
}

#[test]
fn formats_are_named_exactly() {
    assert_eq!("json".parse(), Ok(LogFormat::Json));
    assert_eq!("text".parse(), Ok(LogFormat::Text));
    assert!("JSON ".parse::<LogFormat>().is_err());
}
