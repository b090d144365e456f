//! What the API server changes or refuses when a pod is created: priority, runtime class, bounds of the namespace.
//!
//! Order of the plugins: kubernetes/kubernetes:pkg/kubeapiserver/options/plugins.go. Tolerations of lost nodes are added
//! by the engine, because the profile says for how long.

use k8s_openapi::api::core::v1::PodSpec;

use super::pod::Source;
use super::{Lowering, place};
use crate::text::Node;

impl Lowering<'_> {
    /// Changes a pod as admission does; true when it may preempt others.
    pub(super) fn admit(&mut self, source: &mut Source<'_>, at: &Node) -> Option<bool> {
        self.default_amounts(source.namespace, &mut source.spec);
        self.runtime(source, at)?;
        self.priority(source, at)
    }

    /// Source: kubernetes/kubernetes:plugin/pkg/admission/priority/admission.go.
    fn priority(&mut self, source: &mut Source<'_>, at: &Node) -> Option<bool> {
        let spec = &mut source.spec;
        let named = spec.priority_class_name.clone().filter(|class| !class.is_empty());
        let class = named.clone().or_else(|| self.context.default_priority.clone());
        let found = class.as_ref().and_then(|class| self.context.priorities.get(class)).copied();
        if let (Some(class), None) = (&named, found) {
            let why = format!("the class `{class}` is in no manifest; its pods have priority 0");
            self.unmodelled.field("priorityClassName", &why, place(at, &["priorityClassName"]));
        }
        if spec.priority_class_name.is_none() {
            spec.priority_class_name = class;
        }
        // A priority without a class is what objects read from a cluster have.
        let value = found.map(|class| class.value);
        let priority = if named.is_some() { value } else { spec.priority.or(value) };
        if let (Some(_), Some(value), Some(written)) = (&named, value, spec.priority)
            && value != written
        {
            let why = format!(
                "the integer value of priority ({written}) must not be provided in pod spec; priority admission controller \
                 computed {value} from the given PriorityClass name"
            );
            self.forbidden(source.at, "spec.priority", &why);
            return None;
        }
        spec.priority = priority;
        let policy = spec.preemption_policy.clone().filter(|policy| !policy.is_empty());
        match policy {
            Some(policy) => {
                let policy = self.word(source.at, "spec.preemptionPolicy", &policy, &["Never", "PreemptLowerPriority"]);
                Some(policy? != "Never")
            }
            None => Some(found.is_none_or(|class| class.preempts)),
        }
    }

    /// Source: kubernetes/kubernetes:plugin/pkg/admission/runtimeclass/admission.go.
    fn runtime(&mut self, source: &mut Source<'_>, at: &Node) -> Option<()> {
        let PodSpec { runtime_class_name, overhead, node_selector, tolerations, .. } = &mut source.spec;
        let Some(name) = runtime_class_name.clone() else { return Some(()) };
        let Some(class) = self.context.runtimes.get(&name).cloned() else {
            let why = format!("the class `{name}` is in no manifest; its pods have no overhead");
            self.unmodelled.field("runtimeClassName", &why, place(at, &["runtimeClassName"]));
            return Some(());
        };
        if let Some(fixed) = class.overhead.and_then(|overhead| overhead.pod_fixed) {
            *overhead = Some(fixed);
        }
        let scheduling = class.scheduling.unwrap_or_default();
        let mut selector = node_selector.take().unwrap_or_default();
        for (key, value) in scheduling.node_selector.into_iter().flatten() {
            let conflict = selector.get(&key).is_some_and(|own| *own != value);
            if conflict {
                let why = "pod rejected: conflict: runtimeClass.scheduling.nodeSelector";
                self.forbidden(source.at, "spec.nodeSelector", why);
                return None;
            }
            selector.insert(key, value);
        }
        *node_selector = (!selector.is_empty()).then_some(selector);
        if let Some(more) = scheduling.tolerations {
            tolerations.get_or_insert_default().extend(more);
        }
        Some(())
    }
}
