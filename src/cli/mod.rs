//! The command line. The only part that prints.
//!
//! Exit codes: 0 done or drained, 1 failed, 2 not understood, 64 configuration or mappings refused.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a command line is for")]

mod audit;
mod config;
mod demo;
mod health;
mod listen;
mod mapping;
mod message_files;
mod message_times;
mod messages;
mod notification;
mod operator_api;
#[cfg(test)]
mod packaging_tests;
mod reload;
mod run;
mod send;
mod service_manager;
mod sessions;
mod store;
mod terminal;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, DEFAULT, DEFAULT_NAME, Layer, Layers, Problem, Problems};
use crate::node::StartError;

/// Prefix of the environment variables that are settings.
const PREFIX: &str = "FHIRCAST_GATEWAY__";

/// Turns the context announcements of older hospital systems into FHIRcast events, and serves them from an embedded hub.
#[derive(Parser)]
#[command(version, name = "fhircast-gateway", after_help = "Without a command, the gateway runs.")]
struct Arguments {
    #[command(flatten)]
    settings: SettingsArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where settings come from, beside the built-in defaults.
#[derive(Args)]
struct SettingsArguments {
    /// The site's configuration file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, over the file and the environment; repeatable
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway (the same as no command)
    Run,
    /// Show the main job end to end, with a simulated RIS and a subscriber
    Demo,
    /// Subscribe to a session by the standard protocol, and print its notifications
    Listen(listen::ListenArguments),
    /// Send HL7 v2 files over MLLP, and print each acknowledgement
    Send(send::SendArguments),
    /// List the sessions of the running gateway, or tell a user's topic
    Sessions(sessions::SessionsArguments),
    /// List who follows in the running gateway, and who acknowledges
    Subscribers(sessions::SubscribersArguments),
    /// Find out what became of a message; have it handled again
    Messages(Box<messages::MessagesArguments>),
    /// Check or back up the store's database
    Store(store::StoreArguments),
    /// Make the running gateway load its mappings again: all of them, or none if anything is wrong
    Reload(reload::ReloadArguments),
    /// Say whether the running gateway is ready: exit code 0 if it is, else 1
    Health(health::HealthArguments),
    /// Look at the audit log
    Audit(audit::AuditArguments),
    /// Print the effective configuration, and where each value comes from
    Config,
    /// Check configuration and mappings, every mistake at once, without starting anything
    Check(mapping::CheckArguments),
    /// Show what a message becomes
    Map(mapping::MapArguments),
    /// Run the cases of the mappings
    Test(mapping::TestArguments),
    /// Write, compare and look up mappings
    Mapping(mapping::MappingArguments),
    /// Verify how well a hub, ours or another, follows FHIRcast, clause by clause
    Verify(verify::VerifyArguments),
}

impl Command {
    /// Whether it talks to nobody: a peer that closes its connection must not end a command as a closed output does.
    fn only_prints(&self) -> bool {
        match self {
            Self::Messages(arguments) => arguments.only_read(),
            Self::Audit(_) | Self::Check(_) | Self::Config | Self::Map(_) | Self::Mapping(_) | Self::Store(_) => true,
            Self::Test(_) => true,
            _ => false,
        }
    }
}

/// Why a command ended without having done its work.
pub(crate) enum Failure {
    /// The configuration or the mappings are wrong: exit code 64.
    Refused(String),
    /// Anything else: exit code 1.
    Failed(String),
    /// What went wrong has been shown already: exit code 1.
    Shown,
}

impl Failure {
    /// As a check fails: with exit code 1, whatever is wrong.
    fn of_a_check(self) -> Self {
        match self {
            Self::Refused(text) => Self::Failed(text),
            failed => failed,
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Configuration(_) | StartError::ConfigurationAndMappings(..) | StartError::Mappings(_) => {
                Self::Refused(error.to_string())
            }
            _ => Self::Failed(format!("error: {error}")),
        }
    }
}

/// Runs the command line of these arguments, in this environment.
pub fn main(arguments: impl IntoIterator<Item = OsString>, environment: Vec<(String, String)>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is to be done where even this cannot be printed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if arguments.command.as_ref().is_some_and(Command::only_prints) {
        // `fhircast-gateway messages | head` ends quietly, as other commands do.
        sigpipe::reset();
    }
    match dispatch(arguments, &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Refused(text)) => {
            eprintln!("{text}");
            ExitCode::from(64)
        }
        Err(Failure::Failed(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
        Err(Failure::Shown) => ExitCode::FAILURE,
    }
}

fn dispatch(arguments: Arguments, environment: &[(String, String)]) -> Result<(), Failure> {
    let settings = arguments.settings;
    let layers = |settings: SettingsArguments| layers(&settings, environment);
    match arguments.command.unwrap_or(Command::Run) {
        Command::Run => layers(settings).and_then(|(layers, problems)| block_on(run::run(layers, problems))),
        Command::Demo => block_on(demo::demo()),
        Command::Listen(listen) => block_on(listen::listen(listen)),
        Command::Send(send) => block_on(send::send(send)),
        Command::Sessions(sessions) => {
            layers(settings).and_then(|(layers, problems)| block_on(sessions::sessions(sessions, &layers, problems)))
        }
        Command::Subscribers(subscribers) => layers(settings)
            .and_then(|(layers, problems)| block_on(sessions::subscribers(subscribers, &layers, problems))),
        Command::Reload(reload) => {
            layers(settings).and_then(|(layers, problems)| block_on(reload::reload(reload, &layers, problems)))
        }
        Command::Health(health) => {
            layers(settings).and_then(|(layers, problems)| block_on(health::health(health, &layers, problems)))
        }
        Command::Mapping(arguments) => {
            layers(settings).and_then(|(layers, problems)| mapping::mapping(&arguments, &layers, problems))
        }
        Command::Verify(verify) => block_on(verify::verify(verify)),
        Command::Messages(messages) => {
            let operator = messages::system_user(environment);
            layers(settings)
                .and_then(|(layers, problems)| block_on(messages::messages(*messages, operator, &layers, problems)))
        }
        Command::Store(store) => {
            layers(settings).and_then(|(layers, problems)| store::store(&store, &layers, problems))
        }
        Command::Audit(audit) => {
            layers(settings).and_then(|(layers, problems)| audit::audit(&audit, &layers, problems))
        }
        Command::Config => layers(settings).and_then(|(layers, problems)| config::config(&layers, problems)),
        Command::Check(check) => {
            // Finding mistakes is what it is for: they are no reason to tell it from a test that fails.
            let checked = layers(settings).and_then(|(layers, problems)| mapping::check(&check, &layers, problems));
            checked.map_err(Failure::of_a_check)
        }
        Command::Map(map) => layers(settings).and_then(|(layers, problems)| mapping::map(&map, &layers, problems)),
        Command::Test(test) => layers(settings).and_then(|(layers, problems)| mapping::test(&test, &layers, problems)),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("error: cannot start: {error}")))?;
    runtime.block_on(future)
}

/// All layers of the configuration: built-in defaults, the site's file, the environment, flags.
fn layers(settings: &SettingsArguments, environment: &[(String, String)]) -> Result<(Layers, Problems), Failure> {
    let mut problems = Problems::default();
    let default = Layer::file(DEFAULT_NAME, DEFAULT, &mut problems);
    let site = settings.config.as_deref().map(|path| site_file(path, &mut problems)).transpose()?;
    let mut layers = Layers::new(default, site);
    for (name, value) in environment {
        if let Some(rest) = name.strip_prefix(PREFIX) {
            layers.push(Layer::variable(PREFIX, rest, value));
        }
    }
    for setting in &settings.set {
        match Layer::flag(setting) {
            Ok(layer) => layers.push(layer),
            Err(error) => problems.push(Problem::new(error.to_string())),
        }
    }
    Ok((layers, problems))
}

/// The configuration, where it is right.
fn configured(layers: &Layers, mut problems: Problems) -> Result<Config, Failure> {
    let config = Config::read(layers, &mut problems).filter(|_| problems.is_empty());
    config.ok_or_else(|| Failure::Refused(problems.to_string()))
}

fn site_file(path: &std::path::Path, problems: &mut Problems) -> Result<Layer, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Refused(format!("error: cannot read {}: {error}", path.display())))?;
    Ok(Layer::file(&path.to_string_lossy(), &text, problems))
}
