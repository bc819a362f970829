//! The integration tests: one binary, as each is a link of the whole program.

mod architecture;
mod command_line;
mod fixture;
mod main_job;
mod mappings;
