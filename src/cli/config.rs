//! `config`: what is configured, and where each value comes from.

use super::Failure;
use crate::config::{Layers, Problems, print_effective};
use crate::node::Plan;

pub(super) fn config(layers: &Layers, problems: Problems) -> Result<(), Failure> {
    print!("{}", print_effective(layers));
    Plan::check(layers, problems).map(drop).map_err(Failure::from)
}
