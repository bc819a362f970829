//! `config` and `check`: what is configured, and whether it is right.

use super::Failure;
use super::mapping::print_warnings;
use crate::config::{Layers, Problems, print_effective};
use crate::node::Plan;

pub(super) fn config(layers: &Layers, problems: Problems) -> Result<(), Failure> {
    print!("{}", print_effective(layers));
    Plan::check(layers, problems).map(drop).map_err(Failure::from)
}

pub(super) fn check(layers: &Layers, problems: Problems) -> Result<(), Failure> {
    let plan = Plan::check(layers, problems)?;
    print_warnings(plan.mappings());
    for mapping in plan.mappings().mappings() {
        println!("ok  {:<24} {}", mapping.name(), mapping.file());
    }
    println!("Configuration and mappings are right.");
    Ok(())
}
