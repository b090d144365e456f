//! The `shakedown` program. Everything is in the library beside it; this only turns its outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    shakedown::main()
}
