//! Marathon apps, groups and pods: each app or pod becomes a workload.
//!
//! Source of fields and defaults: mesosphere/marathon:docs/docs/rest-api/public/api/v2/types (app.raml, pod.raml,
//! group.raml). Start at [`file`].

mod app;
mod constraint;
mod keys;
mod pod;
mod treatment;

use super::read::{Reader, written};
use crate::problem::Mark;
use crate::text::{Node, Value};

/// Label by which replicas are known.
const LABEL: &str = "marathon.app";

/// Lowers apps, groups and pods.
pub(super) fn file(reader: &mut Reader<'_, '_>, document: &Node) {
    if let Value::List(items) = &document.value {
        items.iter().for_each(|item| entry(reader, item, ""));
        return;
    }
    // As `GET /v2/apps/ID` answers.
    match written(document, "app") {
        Some(app) if document.get("id").is_none() => entry(reader, app, ""),
        _ => entry(reader, document, ""),
    }
}

/// An app, a pod or a group below a path.
fn entry(reader: &mut Reader<'_, '_>, node: &Node, above: &str) {
    let has = |key: &str| written(node, key).is_some();
    if has("apps") || has("groups") || has("pods") {
        group(reader, node, above);
    } else if has("containers") {
        pod::lower(reader, node, above);
    } else {
        app::lower(reader, node, above);
    }
}

fn group(reader: &mut Reader<'_, '_>, node: &Node, above: &str) {
    if !reader.keys(node, &keys::GROUP) {
        return;
    }
    let path = match reader.text(node, "id") {
        Some(id) => absolute(id, above),
        None => above.to_owned(),
    };
    for key in ["apps", "pods", "groups"] {
        for item in reader.list(node, key) {
            entry(reader, item, &path);
        }
    }
}

/// A path of its own begins with a slash; others are below their group's.
fn absolute(id: &str, above: &str) -> String {
    if id.starts_with('/') { id.to_owned() } else { format!("{}/{id}", above.trim_end_matches('/')) }
}

/// The absolute id of an app or pod, its name and its place. The name is that of its tasks: `/shop/web` is `shop_web`.
/// Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/task/Task.scala, ids of instances.
fn identity(reader: &mut Reader<'_, '_>, node: &Node, above: &str) -> Option<(String, String, Mark)> {
    let Some(id) = reader.text(node, "id") else {
        reader.missing(node, "id", "an app");
        return None;
    };
    let mark = written(node, "id").map_or(node.mark, |id| id.mark);
    let id = absolute(id, above);
    let name = id.trim_matches('/').replace('/', "_");
    Some((id, name, mark))
}
