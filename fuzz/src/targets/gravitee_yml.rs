//! `gravitee.yml`. What follows a line `---variables` is `name=value` lines of the environment. Messages are bounded, and
//! settings that are read are read the same way again.

use std::path::Path;

use zonegate_config::load_text;

pub(super) fn run(bytes: &[u8]) {
    let text = super::text(bytes);
    // A file of Hazelcast's is opened by name: nothing outside of the input may decide what happens.
    if text.contains("config-path") || text.contains("CONFIG") || text.contains("hazelcast") {
        return;
    }
    let (file, variables) = text.split_once("---variables\n").unwrap_or((&text, ""));
    let variables = || {
        variables
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let read = || load_text(Path::new("gravitee.yml"), file, variables(), None);
    match (read(), read()) {
        (Ok(one), Ok(other)) => assert_eq!(format!("{:?}", one.settings), format!("{:?}", other.settings)),
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        _ => panic!("the same file is once right and once wrong"),
    }
}
