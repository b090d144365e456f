//! From a selector to the nodes and pods that it means at this instant.
//!
//! Results are in id order. "Some of them" is a draw by lot: each candidate has a fixed lot in each fault, and the
//! lowest lots are hit. So one candidate more or less changes at most one target, which keeps runs that differ in one
//! knob comparable, and makes a repeated draw stick to whom it hit before. Start at [`nodes`].

use std::collections::BTreeSet;

use shakedown_engine::ids::{Id, NodeId, PodId};
use shakedown_engine::model::NodeSpec;
use shakedown_engine::rng::Stream;
use shakedown_engine::{PodPhase, PodView};

use crate::fault::{Group, Link};
use crate::scene::Scene;
use crate::select::{Mode, NodeSelection, PodSelection, Side};

/// The nodes that `selection` means, in id order. A host that is down can be among them: nothing tells a selector so.
pub fn nodes(scene: &dyn Scene, selection: &NodeSelection, lots: &mut Stream) -> Vec<NodeId> {
    let salt = lots.bits();
    let hosts = selection.hosting.map(|workload| hosts_of(scene, |pod| pod.workload == workload));
    let fits = |(id, spec): (NodeId, &NodeSpec)| {
        let named = selection.names.is_empty() || selection.names.contains(&id);
        let hosting = hosts.as_ref().is_none_or(|hosts| hosts.contains(&id));
        (named && hosting && describes(selection, spec)).then_some(id)
    };
    draw(scene.catalog().nodes.iter().filter_map(fits).collect(), selection.mode, salt)
}

/// The pods that `selection` means, in id order. Pods that ended or are being deleted never match.
pub fn pods(scene: &dyn Scene, selection: &PodSelection, lots: &mut Stream) -> Vec<PodId> {
    chosen(scene, selection, alive, lots)
}

/// The same, for whoever deletes with another grace than the pods' own: that also hurries those that are on their way
/// out, as `kubectl delete pod --force` does.
pub fn pods_to_hurry(scene: &dyn Scene, selection: &PodSelection, lots: &mut Stream) -> Vec<PodId> {
    chosen(scene, selection, |pod| pod.phase != PodPhase::Finished, lots)
}

fn chosen(
    scene: &dyn Scene,
    selection: &PodSelection,
    counts: impl Fn(&PodView) -> bool,
    lots: &mut Stream,
) -> Vec<PodId> {
    let salt = lots.bits();
    let on: Option<BTreeSet<NodeId>> = selection.on.as_ref().map(|on| nodes(scene, on, lots).into_iter().collect());
    let fits = |pod: &PodView| {
        let placed = on.as_ref().is_none_or(|on| pod.node.is_some_and(|node| on.contains(&node)));
        counts(pod) && placed && selects(scene, selection, pod)
    };
    draw(scene.pods().filter(fits).map(|pod| pod.id).collect(), selection.mode, salt)
}

/// Both sides of a network fault. What `rest` stands for is known once the other side is.
pub fn link(scene: &dyn Scene, link: &Link, lots: &mut Stream) -> (Group, Group) {
    let from = side(scene, &link.from, lots);
    let to = side(scene, &link.to, lots);
    match (link.from.rest, link.to.rest) {
        (false, true) => (from.clone(), complete(scene, to, &from)),
        (true, false) => (complete(scene, from, &to), to),
        // Two rests have nothing to be the rest of.
        _ => (from, to),
    }
}

fn side(scene: &dyn Scene, side: &Side, lots: &mut Stream) -> Group {
    let nodes = side.nodes.as_ref().map_or_else(Vec::new, |selection| nodes(scene, selection, lots));
    Group { nodes, control: side.control, outside: side.outside }
}

/// `group` and everything that is not in `other`.
fn complete(scene: &dyn Scene, group: Group, other: &Group) -> Group {
    let taken: BTreeSet<NodeId> = other.nodes.iter().copied().collect();
    let mut members: BTreeSet<NodeId> = group.nodes.into_iter().collect();
    members.extend(scene.catalog().nodes.ids().filter(|node| !taken.contains(node)));
    Group {
        nodes: members.into_iter().collect(),
        control: group.control || !other.control,
        outside: group.outside || !other.outside,
    }
}

fn describes(selection: &NodeSelection, spec: &NodeSpec) -> bool {
    selection.labels.iter().all(|&(key, value)| spec.labels.get(key) == Some(value))
        && (selection.zones.is_empty() || selection.zones.contains(&spec.zone))
        && (selection.roles.is_empty() || selection.roles.iter().any(|role| spec.roles.contains(role)))
}

fn selects(scene: &dyn Scene, selection: &PodSelection, pod: &PodView) -> bool {
    let catalog = scene.catalog();
    let template = &catalog.templates[pod.template];
    let behind = selection.service.is_none_or(|service| {
        let service = &catalog.services[service];
        let chosen = service.selector.as_ref().is_some_and(|s| s.matches(&template.labels, &catalog.names));
        chosen && service.namespace == template.namespace
    });
    behind
        && selection.workload.is_none_or(|workload| workload == pod.workload)
        && selection.labels.iter().all(|&(key, value)| template.labels.get(key) == Some(value))
}

fn hosts_of(scene: &dyn Scene, fits: impl Fn(&PodView) -> bool) -> BTreeSet<NodeId> {
    scene.pods().filter(|pod| alive(pod) && fits(pod)).filter_map(|pod| pod.node).collect()
}

fn alive(pod: &PodView) -> bool {
    !pod.deleting && pod.phase != PodPhase::Finished
}

/// The part of `candidates` that `mode` asks for.
fn draw<I: Id>(candidates: Vec<I>, mode: Mode, salt: u64) -> Vec<I> {
    let wanted = match mode {
        Mode::All => return candidates,
        Mode::Count(count) => count as usize,
        Mode::Percent(percent) => (candidates.len() as u64 * u64::from(percent)).div_ceil(100) as usize,
    };
    let mut lots: Vec<(u64, I)> = candidates.into_iter().map(|id| (lot(salt, id.index() as u64), id)).collect();
    lots.sort_unstable();
    lots.truncate(wanted);
    let mut drawn: Vec<I> = lots.into_iter().map(|(_, id)| id).collect();
    drawn.sort_unstable();
    drawn
}

/// SplitMix64's output function (Steele, Lea, Flood 2014): a bijection, so no two candidates share a lot.
fn lot(salt: u64, entity: u64) -> u64 {
    let mut z = salt ^ entity.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use shakedown_engine::ids::{WorkloadId, ZoneId};
    use shakedown_engine::rng::{Purpose, Streams};

    use super::*;
    use crate::scripted::Scripted;

    fn lots(seed: u64) -> Stream {
        Streams::new(seed).stream(Purpose::Fault, 0)
    }

    fn some(mode: Mode) -> NodeSelection {
        NodeSelection { mode, ..NodeSelection::default() }
    }

    #[test]
    fn a_selection_without_conditions_means_every_node() {
        let scene = Scripted::with_nodes(3);
        assert_eq!(nodes(&scene, &some(Mode::All), &mut lots(1)), [NodeId(0), NodeId(1), NodeId(2)]);
    }

    #[test]
    fn conditions_are_joined() {
        let scene = Scripted::with_nodes(6);
        // Scripted clusters put node i into zone i modulo 3.
        let zone = NodeSelection { zones: vec![ZoneId(1)], ..NodeSelection::default() };
        assert_eq!(nodes(&scene, &zone, &mut lots(1)), [NodeId(1), NodeId(4)]);
        let both = NodeSelection { names: vec![NodeId(0), NodeId(4)], ..zone };
        assert_eq!(nodes(&scene, &both, &mut lots(1)), [NodeId(4)]);
    }

    #[test]
    fn percentages_round_up_and_counts_stop_at_all() {
        let scene = Scripted::with_nodes(10);
        let drawn = |mode| nodes(&scene, &some(mode), &mut lots(1)).len();
        assert_eq!(drawn(Mode::Percent(1)), 1);
        assert_eq!(drawn(Mode::Percent(35)), 4);
        assert_eq!(drawn(Mode::Percent(100)), 10);
        assert_eq!(drawn(Mode::Count(3)), 3);
        assert_eq!(drawn(Mode::Count(99)), 10);
    }

    #[test]
    fn another_seed_draws_others_and_the_same_seed_the_same() {
        let scene = Scripted::with_nodes(100);
        let drawn = |seed| nodes(&scene, &some(Mode::Count(10)), &mut lots(seed));
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert!(drawn(1).is_sorted());
    }

    #[test]
    fn one_candidate_more_changes_at_most_one_target() {
        let drawn = |n| nodes(&Scripted::with_nodes(n), &some(Mode::Count(10)), &mut lots(5));
        let (few, many) = (drawn(99), drawn(100));
        assert!(many.iter().filter(|node| !few.contains(node)).count() <= 1);
    }

    #[test]
    fn every_candidate_is_drawn_about_equally_often() {
        let scene = Scripted::with_nodes(4);
        let mut hits = [0u32; 4];
        for seed in 0..400 {
            hits[nodes(&scene, &some(Mode::Count(1)), &mut lots(seed))[0].index()] += 1;
        }
        assert!(hits.iter().all(|&n| (60..=140).contains(&n)), "{hits:?}");
    }

    #[test]
    fn hosting_means_nodes_with_a_living_pod_of_the_workload() {
        let mut scene = Scripted::with_nodes(3);
        let shop = scene.workload_of("shop", 2);
        scene.pod(shop, Some(NodeId(2)), PodPhase::Ready);
        let gone = scene.pod(shop, Some(NodeId(1)), PodPhase::Ready);
        scene.delete(gone);
        let hosting = NodeSelection { hosting: Some(shop), ..NodeSelection::default() };
        assert_eq!(nodes(&scene, &hosting, &mut lots(1)), [NodeId(2)]);
    }

    #[test]
    fn pods_are_chosen_by_workload_service_label_and_node() {
        let mut scene = Scripted::with_nodes(2);
        let (shop, cart) = (scene.workload_of("shop", 2), scene.workload_of("cart", 1));
        let first = scene.pod(shop, Some(NodeId(0)), PodPhase::Ready);
        let second = scene.pod(shop, Some(NodeId(1)), PodPhase::Starting);
        let third = scene.pod(cart, Some(NodeId(1)), PodPhase::Ready);
        let chosen = |selection: PodSelection| pods(&scene, &selection, &mut lots(1));
        let any = PodSelection::default();
        assert_eq!(chosen(any.clone()), [first, second, third]);
        assert_eq!(chosen(PodSelection { workload: Some(shop), ..any.clone() }), [first, second]);
        let service = scene.service_of(cart);
        assert_eq!(chosen(PodSelection { service: Some(service), ..any.clone() }), [third]);
        assert_eq!(chosen(PodSelection { labels: vec![scene.label_of(shop)], ..any.clone() }), [first, second]);
        let on = NodeSelection { names: vec![NodeId(1)], ..NodeSelection::default() };
        assert_eq!(chosen(PodSelection { workload: Some(shop), on: Some(on), ..any }), [second]);
    }

    #[test]
    fn pods_that_ended_or_are_being_deleted_never_match() {
        let mut scene = Scripted::with_nodes(1);
        let shop = scene.workload_of("shop", 2);
        scene.pod(shop, Some(NodeId(0)), PodPhase::Finished);
        let gone = scene.pod(shop, Some(NodeId(0)), PodPhase::Ready);
        scene.delete(gone);
        assert_eq!(pods(&scene, &PodSelection::default(), &mut lots(1)), [] as [PodId; 0]);
        assert_eq!(shop, WorkloadId(0));
    }

    #[test]
    fn the_rest_is_whatever_is_not_on_the_other_side() {
        let scene = Scripted::with_nodes(4);
        let zone = NodeSelection { zones: vec![ZoneId(0)], ..NodeSelection::default() };
        let from = Side { nodes: Some(zone), ..Side::default() };
        let cut = Link { from, to: Side { rest: true, ..Side::default() }, one_way: false };
        let (from, to) = link(&scene, &cut, &mut lots(1));
        assert_eq!(from, Group { nodes: vec![NodeId(0), NodeId(3)], control: false, outside: false });
        assert_eq!(to, Group { nodes: vec![NodeId(1), NodeId(2)], control: true, outside: true });
        let turned = Link { from: cut.to, to: cut.from, one_way: false };
        assert_eq!(link(&scene, &turned, &mut lots(1)), (to, from));
    }
}
