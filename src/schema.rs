//! `shakedown schema`: the JSON Schema of scenario files, for editors.

use crate::console::Console;
use crate::failure::{Exit, Failure};

pub(crate) fn print(console: &mut Console) -> Result<Exit, Failure> {
    console.line(shakedown_scenarios::schema().trim_end());
    Ok(Exit::Passed)
}
