//! The JSON Schema of scenario files, from the same shapes that read them.

use crate::raw::{CustomFileRaw, ScenarioRaw};

/// The JSON Schema (2020-12) of a scenario file.
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(ScenarioRaw);
    schema.insert("title".into(), "Shakedown scenario".into());
    // Both are optional for the reader, so that their absence has a problem with words of its own.
    schema.insert("required".into(), serde_json::json!(["shakedown", "duration"]));
    if let Some(version) = schema.pointer_mut("/properties/shakedown") {
        *version = serde_json::json!({ "description": "Version of the format.", "const": 1 });
    }
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

/// The JSON Schema (2020-12) of a file with a profile of one's own.
pub fn profile_schema() -> String {
    let mut schema = schemars::schema_for!(CustomFileRaw);
    schema.insert("title".into(), "Shakedown profile".into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}
