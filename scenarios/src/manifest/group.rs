//! Groups of pods that are placed together (`scheduling.k8s.io`, `PodGroup`).
//!
//! Read by hand: the versions of this API differ in what else they have, but not in the gang policy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use shakedown_engine::model::GroupSpec;

use super::{Lowering, de};
use crate::text::Node;

impl Lowering<'_> {
    pub(super) fn pod_group(&mut self, node: &Node) {
        let metadata = node.get("metadata").map(de::typed::<ObjectMeta>);
        let Some(Ok(metadata)) = metadata else {
            return self.required(node, "metadata.name", "name or generateName is required");
        };
        let Some((namespace, name)) = self.declared_once("PodGroup", node, &metadata) else { return };
        self.survey(node, "PodGroup", "PodGroup");
        let spec = node.get("spec");
        let policy = spec.and_then(|spec| spec.get("schedulingPolicy"));
        let gang = policy.and_then(|policy| policy.get("gang")).and_then(|gang| gang.get("minCount"));
        // The group of the sig-scheduling plugins has the number at its head.
        let count = gang.or_else(|| spec.and_then(|spec| spec.get("minMember")));
        let min_count = match count {
            None => 1,
            Some(written) => {
                let parsed = written.scalar().and_then(|text| text.parse::<i64>().ok());
                let Some(count) = parsed.filter(|&count| count >= 1).and_then(|count| u32::try_from(count).ok()) else {
                    let path = "spec.schedulingPolicy.gang.minCount";
                    let value = written.scalar().unwrap_or_default().to_owned();
                    return self.invalid(node, path, &value, "must be greater than zero");
                };
                count
            }
        };
        let names = &mut self.catalog.names;
        let spec = GroupSpec { name: names.intern(&name), namespace: names.intern(&namespace), min_count };
        let id = self.catalog.groups.push(spec);
        self.context.groups.insert((namespace, name), id);
    }
}
