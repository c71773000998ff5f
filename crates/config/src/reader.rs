//! Reads typed values from the properties, gathers what is wrong, and notes what is in force.
//!
//! A reading never fails: where the value is wrong the error is noted and the default goes on, so that all errors of a
//! file are found at once. Conversions are Spring's where APIM's gateway accepts a value, and stricter where it would
//! silently do something else.

mod convert;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use secrecy::SecretString;

use crate::Origin;
use crate::diagnostic::{Diagnostic, MASK, names_a_secret, without_credentials};
use crate::known_keys::{self, Status};
use crate::property::{Properties, Value};
use crate::report::EffectiveSetting;
use crate::yaml::scalar;

pub(crate) struct Reader<'a> {
    properties: &'a Properties,
    diagnostics: Vec<Diagnostic>,
    effective: BTreeMap<String, EffectiveSetting>,
    /// Keys that a diagnostic was given for, so that a key read twice is reported once.
    reported: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(properties: &'a Properties) -> Self {
        Self { properties, diagnostics: Vec::new(), effective: BTreeMap::new(), reported: BTreeSet::new() }
    }

    pub(crate) fn finish(self) -> (Vec<Diagnostic>, Vec<EffectiveSetting>) {
        (self.diagnostics, self.effective.into_values().collect())
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// An error or warning about the value of a key, with its place.
    pub(crate) fn about(&mut self, key: &str, diagnostic: Diagnostic) {
        if !self.reported.insert(key.to_owned()) {
            return;
        }
        let diagnostic = match self.properties.get(key) {
            Some(value) => diagnostic.key(value.key.as_str()).origin(&value.origin),
            None => diagnostic.key(key),
        };
        self.diagnostics.push(diagnostic);
    }

    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.properties.get(key).map_or(Origin::Default, |value| value.origin)
    }

    /// Whether a key has a value, be it empty.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.properties.contains(key)
    }

    pub(crate) fn names_below(&self, prefix: &str) -> Vec<String> {
        self.properties.names_below(prefix)
    }

    /// The value of a key with everything checked that does not depend on its type. `None` where there is none, or
    /// where it cannot be used (which is noted then).
    fn value(&mut self, key: &str) -> Option<Value> {
        debug_assert!(
            known_keys::find(key).is_some_and(
                |known| known.status == Status::Honoured || matches!(known.status, Status::Refused(_))
            ),
            "{key} is read but not in the table of known keys"
        );
        let value = self.properties.get(key)?;
        if let Some(cycle) = &value.expansion.cycle {
            let cycle = format!("placeholders refer to each other in a circle: {cycle}");
            self.about(key, Diagnostic::error(cycle).hint("give one of them a value of its own"));
            return None;
        }
        if value.expansion.too_long {
            self.about(key, Diagnostic::error("its placeholders expand to more than this gateway accepts"));
            return None;
        }
        if let Some(scheme) =
            ["secret://", "kubernetes://"].into_iter().find(|scheme| value.text.starts_with(scheme))
        {
            self.about(
                key,
                Diagnostic::error(format!("values of the form {scheme}… are not supported yet"))
                    .hint("write the value itself, or give it by an environment variable"),
            );
            return None;
        }
        if let Some(name) = value.expansion.unresolved.first() {
            let message = format!("the placeholder ${{{name}}} has no value and stays as it is");
            let hint = format!("define `{name}`, or give a default: ${{{name}:…}}");
            self.about(key, Diagnostic::warning(message).hint(hint));
        }
        Some(value)
    }

    /// Like [`Self::value`], with empty text as absent.
    fn filled(&mut self, key: &str) -> Option<Value> {
        self.value(key).filter(|value| !value.text.trim().is_empty())
    }

    fn note(&mut self, key: &str, shown: impl Display, origin: &Origin) {
        self.effective.insert(
            key.to_owned(),
            EffectiveSetting { key: key.to_owned(), value: shown.to_string(), origin: origin.to_string() },
        );
    }

    /// A value that `convert` can make something of, else the default. `expected` completes "expected …".
    pub(crate) fn parse<T: Display>(
        &mut self,
        key: &str,
        default: T,
        expected: &str,
        convert: impl FnOnce(&str, bool) -> Option<T>,
    ) -> T {
        let Some(value) = self.filled(key) else {
            self.note(key, &default, &Origin::Default);
            return default;
        };
        let secret = names_a_secret(key);
        if let Some(converted) = convert(value.text.trim(), value.plain) {
            if secret {
                self.note(key, MASK, &value.origin);
            } else {
                self.note(key, &converted, &value.origin);
            }
            return converted;
        }
        let shown = if secret { MASK.to_owned() } else { shorten(&without_credentials(&value.text)) };
        self.reported.remove(key);
        let diagnostic = Diagnostic::error(format!("`{shown}` is not {expected}"));
        let without = default.to_string();
        let diagnostic = if without.is_empty() {
            diagnostic
        } else {
            diagnostic.hint(format!("without this key it is `{without}`"))
        };
        self.about(key, diagnostic);
        default
    }

    pub(crate) fn boolean(&mut self, key: &str, default: bool) -> bool {
        self.parse(key, default, "`true` or `false`", convert::boolean)
    }

    /// A port. 0 is allowed where this gateway listens.
    pub(crate) fn listening_port(&mut self, key: &str, default: u16) -> u16 {
        self.parse(key, default, "a port number (0 to 65535)", |text, plain| {
            convert::integer(text, plain).and_then(|value| u16::try_from(value).ok())
        })
    }

    /// The port of a server to connect to.
    pub(crate) fn port(&mut self, key: &str, default: u16) -> u16 {
        self.parse(key, default, "a port number (1 to 65535)", |text, plain| {
            convert::integer(text, plain)
                .and_then(|value| u16::try_from(value).ok())
                .filter(|port| *port != 0)
        })
    }

    pub(crate) fn number(&mut self, key: &str, default: u32, least: u32, most: u32) -> u32 {
        let expected = format!("a whole number from {least} to {most}");
        self.parse(key, default, &expected, |text, plain| {
            convert::integer(text, plain)
                .and_then(|value| u32::try_from(value).ok())
                .filter(|value| (least..=most).contains(value))
        })
    }

    /// A number of ms of which 0 or less means "none".
    pub(crate) fn milliseconds_or_none(&mut self, key: &str, default: u32) -> Option<Duration> {
        let value = self.parse(key, i64::from(default), "a number of milliseconds", |text, plain| {
            convert::integer(text, plain)
                .and_then(|value| i64::try_from(value).ok())
                .filter(|value| *value <= MILLISECONDS_LIMIT)
        });
        u64::try_from(value).ok().filter(|value| *value > 0).map(Duration::from_millis)
    }

    /// A number of ms from `least` on.
    pub(crate) fn milliseconds(&mut self, key: &str, default: u32, least: u32) -> Duration {
        let expected = format!("a number of milliseconds, {least} or more");
        let value = self.parse(key, i64::from(default), &expected, |text, plain| {
            convert::integer(text, plain)
                .and_then(|value| i64::try_from(value).ok())
                .filter(|value| (i64::from(least)..=MILLISECONDS_LIMIT).contains(value))
        });
        Duration::from_millis(u64::try_from(value).unwrap_or_default())
    }

    /// A duration whose unit, a constant of Java's `TimeUnit`, has a key of its own. `default` and `least` are in the
    /// unit given, as in APIM's gateway.
    pub(crate) fn duration(&mut self, key: &str, unit_key: &str, default: u32, least: u32) -> Duration {
        let unit = self.parse(unit_key, convert::Unit::default(), convert::Unit::EXPECTED, |text, _| {
            convert::Unit::from_text(text)
        });
        let expected = format!("a whole number, {least} or more");
        let value = self.parse(key, i64::from(default), &expected, |text, plain| {
            convert::integer(text, plain)
                .and_then(|value| i64::try_from(value).ok())
                .filter(|value| *value >= i64::from(least))
        });
        let value = u64::try_from(value).unwrap_or_default();
        if let Some(duration) = unit.duration(value).filter(|duration| *duration <= LONGEST) {
            return duration;
        }
        self.about(
            key,
            Diagnostic::error(format!("{value} {unit} is longer than a year"))
                .hint(format!("check the unit in `{unit_key}`")),
        );
        Duration::from_millis(u64::from(default))
    }

    /// One of some words, in any case.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &str,
        default: &str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let words = choices.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>();
        let expected = match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        };
        let find = |text: &str| choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        let word = self.parse(key, default.to_owned(), &expected, |text, _| {
            // An unquoted `none` stays text in YAML 1.1, `off` does not; compare what is written.
            find(text).map(|(word, _)| (*word).to_owned())
        });
        find(&word).map(|(_, choice)| *choice)
    }

    /// Text, or the default where it is absent or empty.
    pub(crate) fn text(&mut self, key: &str, default: &str) -> String {
        self.optional_text(key).unwrap_or_else(|| {
            self.note(key, default, &Origin::Default);
            default.to_owned()
        })
    }

    /// Text; `None` where it is absent or empty.
    pub(crate) fn optional_text(&mut self, key: &str) -> Option<String> {
        let value = self.filled(key)?;
        self.warn_about_typed(key, &value);
        let shown = if names_a_secret(key) { MASK.to_owned() } else { without_credentials(&value.text) };
        self.note(key, shown, &value.origin);
        Some(value.text)
    }

    /// Text whose default has placeholders. `None` where the value cannot be used.
    pub(crate) fn text_with_placeholders(&mut self, key: &str, default: &str) -> Option<String> {
        if self.has(key) && self.value(key).is_none() {
            return None;
        }
        Some(self.optional_text(key).unwrap_or_else(|| {
            let expanded = self.expand(key, default);
            self.note(key, &expanded, &Origin::Default);
            expanded
        }))
    }

    /// A text that is not a property, with its placeholders expanded.
    pub(crate) fn expand(&self, key: &str, text: &str) -> String {
        self.properties.expand(key, text).0
    }

    /// Text of which empty means something else than absent: `None` where it is empty.
    pub(crate) fn text_or_empty(&mut self, key: &str, default: &str) -> Option<String> {
        match self.value(key) {
            None => {
                self.note(key, default, &Origin::Default);
                Some(default.to_owned())
            }
            Some(value) if value.text.trim().is_empty() => {
                self.note(key, "", &value.origin);
                None
            }
            Some(_) => self.optional_text(key),
        }
    }

    /// A secret; `None` where it is absent or empty.
    pub(crate) fn secret(&mut self, key: &str) -> Option<SecretString> {
        let value = self.filled(key)?;
        self.warn_about_typed(key, &value);
        self.note(key, MASK, &value.origin);
        Some(SecretString::from(value.text))
    }

    /// A name or address of a host.
    pub(crate) fn host(&mut self, key: &str, default: &str) -> String {
        self.parse(key, default.to_owned(), "a host name or an IP address without a port", |text, _| {
            let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
            let address = text.parse::<std::net::IpAddr>().is_ok();
            let name = text.len() <= 255
                && text
                    .chars()
                    .all(|character| character.is_alphanumeric() || matches!(character, '-' | '.' | '_'));
            (address || name).then(|| text.to_owned())
        })
    }

    /// The name of an HTTP header.
    pub(crate) fn header_name(&mut self, key: &str, default: &str) -> String {
        self.parse(key, default.to_owned(), "a header name", convert::header_name)
    }

    /// The name of an HTTP header, or `None` where it is set and empty.
    pub(crate) fn header_name_or_empty(&mut self, key: &str, default: &str) -> Option<String> {
        let empty = self.value(key).is_some_and(|value| value.text.trim().is_empty());
        if empty {
            let origin = self.origin(key);
            self.note(key, "", &origin);
            return None;
        }
        Some(self.header_name(key, default))
    }

    /// A list in one text, separated by commas. A YAML list is understood too, with a warning, since APIM's gateway
    /// takes it for nothing and so for "all".
    pub(crate) fn comma_separated(&mut self, key: &str) -> Vec<String> {
        let first = format!("{key}[0]");
        if self.has(&first) && self.filled(key).is_none() {
            let mut items = Vec::new();
            let mut origin = Origin::Default;
            for index in 0.. {
                let Some(value) = self.properties.get(&format!("{key}[{index}]")) else { break };
                if index == 0 {
                    origin = value.origin.clone();
                    self.push(
                        Diagnostic::warning("a list here is not read by APIM's gateway; this one reads it")
                            .key(key)
                            .origin(&value.origin)
                            .hint(format!("write `{key}: a,b`")),
                    );
                }
                items.push(value.text.trim().to_owned());
            }
            items.retain(|item| !item.is_empty());
            self.note(key, items.join(","), &origin);
            return items;
        }
        let Some(text) = self.optional_text(key) else { return Vec::new() };
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// A key that this gateway cannot do justice to unless it has its default.
    pub(crate) fn refuse_true(&mut self, key: &str) -> bool {
        if !self.boolean(key, false) {
            return false;
        }
        self.refuse(key);
        true
    }

    /// Notes the error for a key in the table of refused ones.
    pub(crate) fn refuse(&mut self, key: &str) {
        let known = known_keys::find(key);
        let why = match known.map(|known| known.status) {
            Some(Status::Refused(why)) => why,
            _ => "not supported",
        };
        let hint = match known.map(|known| known.default) {
            Some(default) if !default.is_empty() => format!("set it to `{default}` or remove it"),
            _ => "remove it".to_owned(),
        };
        self.about(key, Diagnostic::error(why).hint(hint));
    }

    /// Unquoted text that APIM's gateway reads as a number or a boolean and so changes.
    fn warn_about_typed(&mut self, key: &str, value: &Value) {
        if !value.plain || scalar::text(&value.text) == value.text {
            return;
        }
        let message = if names_a_secret(key) {
            "APIM's gateway takes this for a number or a boolean and changes it; this one takes it as it is"
                .to_owned()
        } else {
            format!(
                "APIM's gateway takes `{}` for `{}`; this one takes it as it is",
                value.text,
                scalar::text(&value.text)
            )
        };
        self.about(key, Diagnostic::warning(message).hint("put it in quotes"));
    }
}

/// A year in milliseconds.
const MILLISECONDS_LIMIT: i64 = 365 * 24 * 3600 * 1000;
const LONGEST: Duration = Duration::from_hours(365 * 24);

fn shorten(text: &str) -> String {
    const LENGTH: usize = 60;
    if text.chars().count() <= LENGTH {
        return text.to_owned();
    }
    text.chars().take(LENGTH).chain(['…']).collect()
}
