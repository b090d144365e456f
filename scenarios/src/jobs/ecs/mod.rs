//! ECS: a service and the task definition that it names become a workload.
//!
//! Both stand in one file, as `{ "taskDefinition": {...}, "service": {...} }`, lists of them included (`taskDefinitions`,
//! `services`), or as documents of their own. Source of fields and defaults: the API reference of Amazon ECS,
//! aws/aws-sdk-go:models/apis/ecs/2014-11-13/api-2.json. Start at [`files`].

mod definition;
mod expression;
mod keys;
mod service;

use super::read::{Reader, written};
use crate::text::{Node, Value};

/// Lowers all services of a file.
pub(super) fn files(reader: &mut Reader<'_, '_>, documents: &[Node]) {
    let mut definitions: Vec<&Node> = Vec::new();
    let mut services: Vec<&Node> = Vec::new();
    for document in documents.iter().flat_map(|document| match &document.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![document],
    }) {
        gather(document, &mut definitions, &mut services);
    }
    if services.is_empty() {
        let mark = documents.first().map(|document| document.mark).unwrap_or_default();
        reader
            .low
            .problems
            .error("E0202", mark, "no service runs these tasks")
            .expected("expected `{ \"taskDefinition\": {...}, \"service\": {...} }`")
            .help("`aws ecs describe-services` and `describe-task-definition` print both; put them into one file");
        return;
    }
    for service in services {
        service::lower(reader, service, &definitions);
    }
}

/// Sorts what a document has into task definitions and services.
fn gather<'n>(document: &'n Node, definitions: &mut Vec<&'n Node>, services: &mut Vec<&'n Node>) {
    let is_map = |node: &&Node| matches!(node.value, Value::Map(_));
    if written(document, "containerDefinitions").is_some() {
        return definitions.push(document);
    }
    if written(document, "serviceName").is_some() {
        return services.push(document);
    }
    definitions.extend(written(document, "taskDefinition").filter(is_map));
    definitions.extend(written(document, "taskDefinitions").map(Node::items).unwrap_or_default());
    services.extend(written(document, "service").filter(is_map));
    services.extend(written(document, "services").map(Node::items).unwrap_or_default());
}
