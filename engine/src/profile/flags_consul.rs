//! Flags of Consul, where it answers for names and nodes: fields of its agents' configuration, and constants.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`]; the lists are joined in `flags.rs`.

use super::{Field, Flag, Kind, VARIANT, field};
use crate::profile::Absence;

/// Gossip and names.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    flag!(
        "gossip.probe_interval",
        "Each member probes one other in this time.",
        "hashicorp/memberlist:config.go, ProbeInterval",
        Kind::Period,
        in discovery.absence, Absence::Gossip(gossip) => gossip.probe_interval
    ),
    flag!(
        "gossip.suspicion_mult",
        "Scales with the logarithm of the cluster how long a suspect may defend itself.",
        "hashicorp/memberlist:config.go, SuspicionMult",
        Kind::Positive,
        in discovery.absence, Absence::Gossip(gossip) => gossip.suspicion_mult
    ),
    flag!(
        "gossip.suspicion_max_mult",
        "A suspicion that nobody confirms lasts so many times longer.",
        "hashicorp/memberlist:config.go, SuspicionMaxTimeoutMult",
        Kind::Positive,
        in discovery.absence, Absence::Gossip(gossip) => gossip.suspicion_max_mult
    ),
    flag!(
        "gossip.gossip_interval",
        "Time between two rounds of news.",
        "hashicorp/memberlist:config.go, GossipInterval",
        Kind::Period,
        in discovery.absence, Absence::Gossip(gossip) => gossip.gossip_interval
    ),
    flag!(
        "gossip.gossip_nodes",
        "Members that each tells in a round.",
        "hashicorp/memberlist:config.go, GossipNodes",
        Kind::Positive,
        in discovery.absence, Absence::Gossip(gossip) => gossip.gossip_nodes
    ),
    flag!(
        "gossip.gossip_to_the_dead_time",
        "The dead are told news for so long.",
        "hashicorp/memberlist:config.go, GossipToTheDeadTime",
        Kind::Span,
        in discovery.absence, Absence::Gossip(gossip) => gossip.to_the_dead
    ),
    flag!(
        "gossip.reconnect_interval",
        "A member that was declared dead is tried again about once in this time.",
        "hashicorp/serf:serf/config.go, ReconnectInterval",
        Kind::Period,
        in discovery.absence, Absence::Gossip(gossip) => gossip.reconnect
    ),
    flag!(
        "consul.sync-lag",
        "Time from a change of an allocation until Consul answers accordingly.",
        "nomad:command/agent/consul/service_client.go pushes at once; an assumption",
        Kind::Span,
        discovery.lag
    ),
    flag!(
        "dns_config.service_ttl",
        "How long clients keep a resolved name.",
        "hashicorp/consul:agent/config/default.go: 0",
        Kind::Seconds,
        discovery.dns_ttl
    ),
];
