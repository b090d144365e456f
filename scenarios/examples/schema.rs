//! Prints the JSON Schema of scenario files: `cargo run -p shakedown-scenarios --example schema > scenarios/schema.json`.

fn main() {
    print!("{}", shakedown_scenarios::schema());
}
