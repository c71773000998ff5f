//! The cluster name in a Hazelcast configuration file; nothing else of it matters here.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;

/// Far above any real file.
const SIZE_LIMIT: u64 = 1024 * 1024;
/// What Hazelcast calls a cluster that is not named.
const DEFAULT_NAME: &str = "dev";

/// Why there is no name.
#[derive(Debug, thiserror::Error)]
pub(super) enum HazelcastFileError {
    /// The file could not be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The file is larger than any real one.
    #[error("it is larger than {SIZE_LIMIT} bytes")]
    TooLarge,
    /// Not XML.
    #[error("it is not valid XML near byte {position}")]
    Xml {
        /// Where reading stopped.
        position: u64,
    },
    /// Another kind of file.
    #[error("it has no `hazelcast` element")]
    NotHazelcast,
}

/// The name in the file, or Hazelcast's default where it has none.
pub(super) fn cluster_name(path: &Path) -> Result<String, HazelcastFileError> {
    let mut text = String::new();
    File::open(path)?.take(SIZE_LIMIT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SIZE_LIMIT {
        return Err(HazelcastFileError::TooLarge);
    }
    parse(&text)
}

fn parse(text: &str) -> Result<String, HazelcastFileError> {
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    let mut root_seen = false;
    let mut in_name = false;
    let mut name: Option<String> = None;
    loop {
        let event =
            reader.read_event().map_err(|_| HazelcastFileError::Xml { position: reader.error_position() })?;
        match event {
            Event::Start(start) => {
                let local = start.local_name();
                root_seen |= depth == 0 && local.as_ref() == b"hazelcast";
                in_name = root_seen && depth == 1 && name.is_none() && local.as_ref() == b"cluster-name";
                if in_name {
                    name = Some(String::new());
                }
                depth += 1;
            }
            Event::Empty(empty) => root_seen |= depth == 0 && empty.local_name().as_ref() == b"hazelcast",
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                in_name = false;
            }
            Event::Text(text) if in_name => {
                let text = text
                    .decode()
                    .map_err(|_| HazelcastFileError::Xml { position: reader.buffer_position() })?;
                name.get_or_insert_default().push_str(&text);
            }
            Event::CData(text) if in_name => {
                let text = text
                    .decode()
                    .map_err(|_| HazelcastFileError::Xml { position: reader.buffer_position() })?;
                name.get_or_insert_default().push_str(&text);
            }
            Event::GeneralRef(reference) if in_name => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(character),
                    _ => match reference.as_ref() {
                        b"amp" => Some('&'),
                        b"lt" => Some('<'),
                        b"gt" => Some('>'),
                        b"quot" => Some('"'),
                        b"apos" => Some('\''),
                        _ => None,
                    },
                };
                let Some(character) = character else {
                    return Err(HazelcastFileError::Xml { position: reader.buffer_position() });
                };
                name.get_or_insert_default().push(character);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if !root_seen {
        return Err(HazelcastFileError::NotHazelcast);
    }
    let name = name.unwrap_or_default();
    let name = name.trim();
    Ok(if name.is_empty() { DEFAULT_NAME } else { name }.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse;

    #[test]
    fn c3_the_cluster_name_is_found() {
        let text = "<?xml version=\"1.0\"?><!-- <cluster-name>no</cluster-name> -->\n\
            <hazelcast xmlns=\"x\"><network><cluster-name>no</cluster-name></network>\n\
            <cluster-name> gio-apim &amp; co </cluster-name></hazelcast>";
        assert_eq!(parse(text).unwrap(), "gio-apim & co");
        assert_eq!(
            parse("<h:hazelcast><h:cluster-name><![CDATA[a]]></h:cluster-name></h:hazelcast>").unwrap(),
            "a"
        );
        assert_eq!(parse("<hazelcast/>").unwrap(), "dev");
        assert!(parse("<other><cluster-name>a</cluster-name></other>").is_err());
        assert!(parse("not xml").is_err());
        assert!(parse("<hazelcast><cluster-name>a</other></hazelcast>").is_err());
    }

    proptest! {
        #[test]
        fn l1_no_text_makes_the_reader_panic(text in "(<hazelcast>|<cluster-name>|</cluster-name>|&amp;|&#x;|<!\\[CDATA\\[|.){0,40}") {
            let _ = parse(&text);
        }
    }
}
