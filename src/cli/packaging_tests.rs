//! What is packaged agrees with the program: each command line is one that it understands, and each file, path, time and user is
//! the same everywhere it is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use clap::Parser as _;
use toml::Table;

use super::{Arguments, Command, configured};
use crate::config::{Config, DEFAULT, DEFAULT_NAME, Layer, Layers, Problems};
use crate::node::DRAIN;

const UNIT: &str = include_str!("../../config/packaging/fhircast-gateway.service");
const CONTAINERFILE: &str = include_str!("../../config/packaging/Containerfile");
const SITE: &str = include_str!("../../config/packaging/gateway.toml");
const SYSUSERS: &str = include_str!("../../config/packaging/sysusers.d/fhircast-gateway.conf");
const POSTINST: &str = include_str!("../../config/packaging/debian/postinst");
const PAGE: &str = include_str!("../../config/packaging/README.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");

/// Where the package puts the program.
const PROGRAM: &str = "/usr/bin/fhircast-gateway";
/// Where the site's settings are.
const SITE_FILE: &str = "/etc/fhircast-gateway/gateway.toml";
const USER: &str = "fhircast-gateway";

fn understood(words: &[impl AsRef<str>]) -> Arguments {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    Arguments::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// The values of a setting of the unit.
fn unit(key: &str) -> Vec<&'static str> {
    UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn one(key: &str) -> &'static str {
    let values = unit(key);
    assert_eq!(values.len(), 1, "{key}: {values:?}");
    values[0]
}

fn seconds(text: &str) -> Duration {
    Duration::try_from(text.parse::<jiff::SignedDuration>().unwrap()).unwrap()
}

/// The words of the last line of the container file that starts so, indented as given.
fn instruction(start: &str) -> Vec<String> {
    let words = CONTAINERFILE.lines().filter_map(|line| line.strip_prefix(start)).next_back().unwrap();
    serde_json::from_str(words).unwrap_or_else(|error| panic!("{start}: {error}"))
}

fn site() -> Config {
    let mut problems = Problems::default();
    let default = Layer::file(DEFAULT_NAME, DEFAULT, &mut problems);
    let layers = Layers::new(default, Some(Layer::file(SITE_FILE, SITE, &mut problems)));
    configured(&layers, problems).unwrap_or_else(|_| panic!("the packaged settings are refused"))
}

fn manifest() -> Table {
    let manifest: Table = MANIFEST.parse().unwrap();
    manifest["package"]["metadata"]["deb"].as_table().unwrap().clone()
}

#[test]
fn the_program_understands_every_command_of_the_unit() {
    let commands: Vec<&str> = ["ExecStart", "ExecReload"].into_iter().flat_map(unit).collect();
    let ours: Vec<Vec<&str>> = commands.iter().map(|line| line.split(' ').collect()).collect();
    let ours: Vec<Arguments> = ours.iter().filter(|words| words[0] == PROGRAM).map(|words| understood(words)).collect();
    assert!(ours.iter().all(|it| it.settings.config.as_deref() == Some(Path::new(SITE_FILE))));
    assert!(matches!(ours[0].command, Some(Command::Run)), "the first one starts it");
    assert!(matches!(ours[1].command, Some(Command::Reload(_))));
    assert_eq!(commands[1], "/bin/kill -HUP $MAINPID");
}

#[test]
fn the_program_understands_every_command_of_the_container() {
    let entry = instruction("ENTRYPOINT ");
    let started = understood(&[entry, instruction("CMD ")].concat());
    assert!(matches!(started.command, Some(Command::Run)));
    let health = understood(&instruction("  CMD "));
    assert!(matches!(health.command, Some(Command::Health(_))));
    for arguments in [started, health] {
        assert_eq!(arguments.settings.config.as_deref(), Some(Path::new(SITE_FILE)));
    }
}

#[test]
fn the_program_understands_every_command_of_the_page() {
    let (mut inside, mut count) = (false, 0);
    for line in PAGE.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
            continue;
        }
        let line = line.split(" #").next().unwrap_or_default();
        for command in line.split(" && ").filter_map(|command| command.strip_prefix("gateway ")).filter(|_| inside) {
            understood(&["fhircast-gateway"].into_iter().chain(command.split_whitespace()).collect::<Vec<_>>());
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}

#[test]
fn the_times_of_the_unit_leave_room_for_a_drain() {
    for key in ["TimeoutStopSec", "WatchdogSec"] {
        assert!(seconds(one(key)) > DRAIN, "{key}");
    }
    assert_eq!(one("RestartPreventExitStatus"), "2 64", "what cannot start is not started again and again");
}

#[test]
fn user_and_paths_are_the_same_in_unit_package_and_settings() {
    let config = site();
    let state = Path::new("/var/lib").join(one("StateDirectory"));
    assert_eq!(config.store.directory, state);
    assert_eq!(one("WorkingDirectory"), state.to_str().unwrap());
    assert_eq!(config.mappings.directory, Path::new("/etc/fhircast-gateway/mappings"));
    assert_eq!((one("User"), one("Group")), (USER, USER));
    assert!(SYSUSERS.contains(&format!("\nu {USER} - ")) && SYSUSERS.contains(state.to_str().unwrap()));
    assert!(POSTINST.contains(&format!("chown root:{USER} /etc/fhircast-gateway\n")));
    assert!(CONTAINERFILE.contains(&format!("VOLUME {}\n", state.display())));
    assert!(
        CONTAINERFILE.contains(&format!("/image{SITE_FILE} ")) && CONTAINERFILE.contains(&format!("/image{PROGRAM} "))
    );
}

#[test]
fn the_package_puts_each_file_where_the_unit_looks_for_it() {
    let deb = manifest();
    let mut places = BTreeMap::new();
    for asset in deb["assets"].as_array().unwrap() {
        let words: Vec<&str> = asset.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let (source, place) = (words[0], words[1]);
        assert!(
            source.starts_with("target/") || Path::new(env!("CARGO_MANIFEST_DIR")).join(source).is_file(),
            "{source}"
        );
        let name = Path::new(source).file_name().unwrap().to_str().unwrap();
        let place = if place.ends_with('/') { format!("/{place}{name}") } else { format!("/{place}") };
        places.insert(place, words[2].to_owned());
    }
    assert_eq!(places.get(PROGRAM).map(String::as_str), Some("755"));
    assert!(places.contains_key(SITE_FILE) && places.contains_key("/usr/lib/sysusers.d/fhircast-gateway.conf"));
    assert_eq!(deb["conf-files"].as_array().unwrap(), &[SITE_FILE.into()]);
    let page = one("Documentation").strip_prefix("file://").unwrap();
    assert!(places.contains_key(page), "{page}");
}

#[test]
fn the_page_names_only_metrics_that_there_are() {
    let metrics = include_str!("../../config/metrics.md");
    let names = PAGE.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let names: Vec<&str> = names.filter(|word| word.starts_with("fhircast_gateway_")).collect();
    assert!(names.len() > 5);
    for name in names {
        let known = |suffix: &str| metrics.contains(&format!("`{}`", name.trim_end_matches(suffix)));
        assert!(known("") || known("_bucket") || known("_count"), "{name}");
    }
}
