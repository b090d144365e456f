//! The JSON Schema of scenario files, from the same shapes that read them.

use crate::raw::ScenarioRaw;

/// The JSON Schema (2020-12) of a scenario file.
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(ScenarioRaw);
    schema.insert("title".into(), "Shakedown scenario".into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}
