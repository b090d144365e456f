//! A file with a profile of one's own.

use super::Scalar;
use crate::text::{At, Named, shape};

shape! {
    /// A file with a profile of one's own.
    CustomFileRaw, "a profile file", "E0201", {
        /// The profile.
        profile: CustomRaw,
    }
}

shape! {
    /// A profile of one's own: another one with changes.
    CustomRaw, "a profile", "E0201", {
        /// Its name, none of a shipped profile.
        name: At<String>,
        /// The shipped profile that it starts from, such as `swarm` or `kubernetes@1.30`.
        from: At<String>,
        /// What it calls its release. Default: that of `from`.
        version: Option<String>,
        /// Its own words for things.
        words: Option<WordsRaw>,
        /// Which node a replica gets, and who waits for one how, as another profile has it.
        placement: Option<GroupRaw>,
        /// Who notices a dead node, and when.
        detection: Option<GroupRaw>,
        /// What a dead node costs its replicas.
        eviction: Option<GroupRaw>,
        /// How replicas are kept at their number.
        replication: Option<GroupRaw>,
        /// What happens to containers that end.
        restart: Option<GroupRaw>,
        /// How workloads move to a new template.
        rollout: Option<GroupRaw>,
        /// Habits of the agent.
        agent: Option<GroupRaw>,
        /// How clients find replicas.
        discovery: Option<GroupRaw>,
        /// Store, clients, and what the control plane is made of.
        control: Option<GroupRaw>,
        /// Weights of scores by their names; 0 removes one. Those not named keep theirs.
        scores: Named<At<u32>>,
        /// Values of flags, those of groups from other profiles included.
        set: Named<At<Scalar>>,
    }
}

shape! {
    /// Where a group of values comes from.
    GroupRaw, "a group of a profile", "E0201", {
        /// The shipped profile that has them.
        from: At<String>,
    }
}

shape! {
    /// An orchestrator's own words.
    WordsRaw, "`words`", "E0201", {
        /// A replica: `pod`, `task`, `allocation`.
        pod: Option<String>,
        /// A workload: `deployment`, `service`, `job`.
        workload: Option<String>,
        /// What an unhealthy node is called: `NotReady`, `Down`.
        unhealthy: Option<String>,
    }
}
