//! From a name to the tree of a scenario, with everything that can be wrong before its shape is looked at.

use crate::problem::{Mark, Problems};
use crate::text::{self, Files, Node};

/// All documents of a file. `None`, with a problem filed, when it cannot be read or is not YAML.
pub(crate) fn documents(name: &str, files: &dyn Files, problems: &mut Problems) -> Option<Vec<Node>> {
    let text = text::read(name, files, problems)?;
    let source = problems.add_source(name, text.clone());
    let mut documents = text::parse(source, &text, problems)?;
    documents.retain(|document| !document.is_null());
    if documents.is_empty() {
        problems
            .error("E0105", Mark::file(source), format!("`{name}` is empty"))
            .expected("expected a scenario, a manifest or a part of a scenario")
            .help("`shakedown list` names scenarios to start from");
        return None;
    }
    Some(documents)
}

/// The tree of a scenario.
pub(crate) fn scenario(name: &str, files: &dyn Files, problems: &mut Problems) -> Option<Node> {
    let mut documents = documents(name, files, problems)?;
    if documents.iter().any(is_manifest) {
        problems
            .error("E0112", documents[0].mark, "this is a Kubernetes manifest, not a scenario")
            .expected("expected `shakedown: 1`")
            .help(
                "write a scenario with `workloads: [{ manifest: FILE }]`, or look at this file with `shakedown check`",
            );
        return None;
    }
    if let Some(second) = documents.get(1) {
        problems
            .error("E0111", second.mark, "a scenario is one YAML document, and this file has several")
            .expected("expected the end of the file")
            .help("remove the `---` lines, or put each scenario into a file of its own");
        return None;
    }
    let document = documents.pop()?;
    if is_compose(&document) {
        misplaced_compose(document.mark, problems);
        return None;
    }
    if !super::is_mapping(&document) {
        problems
            .error("E0112", document.mark, format!("{} is no scenario", document.describe()))
            .expected("expected a mapping that begins with `shakedown: 1`")
            .help("`shakedown list` names scenarios to start from");
        return None;
    }
    Some(document)
}

/// Says that a Compose file stands where something else belongs.
pub(crate) fn misplaced_compose(mark: Mark, problems: &mut Problems) {
    problems
        .error("E0506", mark, "this is a Compose file, which says what runs, but not where and what happens")
        .expected("expected a scenario, or a Kubernetes manifest under `manifest`")
        .help("write a scenario with `workloads: [{ compose: FILE }]`, or look at this file with `shakedown check`");
}

/// True for an object of the Kubernetes API.
pub(crate) fn is_manifest(node: &Node) -> bool {
    node.get("kind").is_some() && node.get("apiVersion").is_some() && node.get("shakedown").is_none()
}

/// True for a Compose file: services that are a mapping, or a version, without the first line of anything else.
pub(crate) fn is_compose(node: &Node) -> bool {
    let services = node.get("services").is_some_and(super::is_mapping);
    (services || node.get("version").is_some()) && node.get("shakedown").is_none() && node.get("apiVersion").is_none()
}
