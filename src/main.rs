//! The command line's entry: the only place that reads the environment.

use std::process::ExitCode;

fn main() -> ExitCode {
    fhircast_gateway::cli::main(std::env::args_os(), std::env::vars().collect())
}
