//! Operations on nodes, pods and workloads beyond faults and rollouts, as written.
//!
//! Start at the fields of `EntryRaw` that use these shapes.

use super::select::node_shape;
use super::words::words;
use super::{AmountRaw, KillPodsRaw, PriorityRaw};
use crate::text::{At, shape};

node_shape! {
    /// A taint is set on nodes.
    TaintRaw, "`taint`", {
        /// As kubectl writes it: `key=value:NoExecute`.
        taint: At<String>,
    }
}

node_shape! {
    /// A label is set on nodes, or taken away.
    LabelRaw, "`label_nodes`", {
        /// Its key.
        key: At<String>,
        /// Its value; without one the label is taken away.
        value: Option<At<String>>,
    }
}

node_shape! {
    /// Taints are removed from nodes.
    UntaintRaw, "`untaint`", {
        /// Their key, whatever the effect; or `key:NoExecute`.
        taint: At<String>,
    }
}

/// Writes a shape that has all fields of a pod selector and some of its own.
macro_rules! pod_shape {
    ($(#[$doc:meta])* $name:ident, $called:literal, { $($(#[$field_doc:meta])* $field:ident: $ty:ty,)* }) => {
        shape! {
            $(#[$doc])*
            $name, $called, "E0201", {
                $($(#[$field_doc])* $field: $ty,)*
                /// Of this workload.
                workload: Option<At<String>>,
                /// Behind this service.
                service: Option<At<String>>,
                /// With these labels.
                labels: crate::text::Named<At<String>>,
                /// On these nodes.
                on: Option<At<super::NodesRaw>>,
                /// So many, chosen at random.
                count: Option<At<u32>>,
                /// So many percent, rounded up, chosen at random.
                percent: Option<At<crate::text::Percent>>,
                /// `one` or `all`.
                pick: Option<At<super::Pick>>,
            }
        }

        impl $name {
            /// The pods alone.
            pub(crate) fn selection(&self) -> KillPodsRaw {
                let Self { workload, service, labels, on, count, percent, pick, .. } = self.clone();
                KillPodsRaw { workload, service, labels, on, count, percent, pick, how: None, grace: None }
            }
        }
    };
}

pod_shape! {
    /// Pods whose eviction is asked for once; their budgets may refuse it.
    EvictRaw, "`evict`", {}
}

pod_shape! {
    /// What deleting pods costs, as long as they live.
    DeletionCostRaw, "`deletion_cost`", {
        /// Pods with a lower cost go first when replicas are too many. Without it: 0.
        cost: At<PriorityRaw>,
    }
}

words! {
    /// How pods of a set get a new template.
    UpdateType, "a way to update", { RollingUpdate = "RollingUpdate", OnDelete = "OnDelete", }
}

shape! {
    /// How a stateful set or daemon set is updated from now on. What is left out stays as it is.
    UpdateStrategyRaw, "`update_strategy`", "E0201", {
        /// Of which workload.
        workload: At<String>,
        /// `RollingUpdate`, or `OnDelete`: only pods that somebody deletes change.
        r#type: Option<UpdateType>,
        /// Of a stateful set: only ordinals from this one on are updated.
        partition: Option<At<u32>>,
        /// Pods that may be away at once: a number, or a percentage.
        max_unavailable: Option<At<AmountRaw>>,
        /// Of a daemon set: pods that may be there in addition, a number or a percentage.
        max_surge: Option<At<AmountRaw>>,
    }
}

words! {
    /// Whether pods of a priority class take the place of others.
    PreemptionRaw, "a preemption policy", { Lower = "PreemptLowerPriority", Never = "Never", }
}

shape! {
    /// A priority class with `globalDefault: true` is created: new pods without a class get it.
    DefaultPriorityRaw, "`default_priority`", "E0201", {
        /// Name of the class.
        class: At<String>,
        /// Higher goes first.
        value: At<PriorityRaw>,
        /// `PreemptLowerPriority` (default) or `Never`.
        preemption: Option<PreemptionRaw>,
    }
}
