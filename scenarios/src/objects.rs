//! Kubernetes objects without a scenario around them: a recorded cluster into a catalog.
//!
//! Pods, services and the rest take the very path that users' manifests take; only nodes are read as objects, since a
//! recording has no `cluster` section. Start at [`lower_objects`].

use std::sync::Arc;

use shakedown_engine::ids::{ImageId, NodeId, WorkloadId};
use shakedown_engine::model::Catalog;

use crate::manifest::Lowering;
use crate::plan::Note;
use crate::problem::{Diagnostics, Problem, Problems};
use crate::text::{self, Node};

/// What objects came to.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Nodes, each with the images that it has.
    pub nodes: Vec<(NodeId, Vec<ImageId>)>,
    /// Everything that runs pods, in the order of the text.
    pub workloads: Vec<WorkloadId>,
    /// What has no effect here.
    pub notes: Vec<Note>,
}

/// Adds all objects of a text (YAML or JSON, `List`s included) to the catalog: nodes first, then the others.
///
/// # Errors
/// Everything that is wrong with them, each with its place.
pub fn lower_objects(name: &str, text: &str, catalog: &mut Catalog) -> Result<Objects, Diagnostics> {
    let mut problems = Problems::default();
    let text: Arc<str> = text.into();
    let source = problems.add_source(name, Arc::clone(&text));
    let mut objects = Objects::default();
    if let Some(documents) = text::parse(source, &text, &mut problems) {
        let mut lowering = Lowering::new(catalog, &mut problems);
        let (nodes, rest): (Vec<Node>, Vec<Node>) = documents.into_iter().flat_map(items).partition(is_node);
        objects.nodes = nodes.iter().filter_map(|node| lowering.node(node)).collect();
        objects.workloads = lowering.documents(&rest).workloads;
        lowering.finish(&|_| 0);
        let unmodelled = std::mem::take(&mut lowering.unmodelled);
        unmodelled.report(&mut problems);
    }
    let notes: Vec<Problem> = problems.verdict()?;
    objects.notes = notes.into_iter().map(Note::from).collect();
    Ok(objects)
}

/// The objects of a list, and anything else as it is.
fn items(document: Node) -> Vec<Node> {
    match document.get("kind").and_then(Node::scalar) {
        Some("List") => document.get("items").map(|items| items.items().to_vec()).unwrap_or_default(),
        _ => vec![document],
    }
}

fn is_node(object: &Node) -> bool {
    object.get("kind").and_then(Node::scalar) == Some("Node")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = r#"{"kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": "a",
            "containers": [{"name": "c", "image": "web"}]}},
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "labels": {"topology.kubernetes.io/zone": "z"}},
            "spec": {"unschedulable": true, "taints": [{"key": "k", "effect": "NoExecute"}]},
            "status": {"allocatable": {"cpu": "1500m", "memory": "2Gi", "pods": "7"},
                "images": [{"names": ["web"], "sizeBytes": 42}]}}]}"#;

    #[test]
    fn a_node_is_known_before_the_pods_that_name_it() {
        let mut catalog = Catalog::new();
        let objects = lower_objects("cluster.json", CLUSTER, &mut catalog).expect("it is valid");
        let (id, images) = &objects.nodes[0];
        let node = &catalog.nodes[*id];
        assert_eq!((node.allocatable.cpu.0, node.allocatable.memory.0, node.max_pods), (1500, 2 << 30, 7));
        assert!(node.unschedulable && node.taints.len() == 1 && node.allocatable.extended.is_empty());
        assert_eq!(catalog.images[images[0]].size.0, 42);
        assert_eq!(objects.workloads.len(), 1);
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        let text = CLUSTER.replace("NoExecute", "NoSuch").replace("2Gi", "2Gib");
        let error = lower_objects("cluster.json", &text, &mut Catalog::new()).expect_err("it is not valid");
        let text = error.to_string();
        assert!(text.contains("cluster.json:") && text.contains("NoSuch") && text.contains("2Gib"), "{text}");
    }
}
