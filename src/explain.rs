//! `shakedown explain`: what the code of a diagnostic means, and what to do about it.

use crate::console::Console;
use crate::failure::{Exit, Failure};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A code such as `E0201` [default: a list of all codes]
    code: Option<String>,
}

pub(crate) fn explain(args: &Args, console: &mut Console) -> Result<Exit, Failure> {
    let Some(code) = &args.code else {
        for page in shakedown_scenarios::CODES {
            console.line(format_args!("{}  {}", page.code, page.title));
        }
        return Ok(Exit::Passed);
    };
    let Some(text) = shakedown_scenarios::explain(code.trim()) else {
        let help = "codes stand in brackets behind `error` or `warning`, as in `error[E0201]`";
        return Err(Failure::usage(format!("there is no code `{code}` to explain"), help));
    };
    console.line(text.trim_end());
    Ok(Exit::Passed)
}
