//! The storage filters: tables after those of the real plugins' tests, and a plain twin on random clusters.

use proptest::prelude::*;

use super::build::{Build, pod};
use crate::ids::{ClaimId, Id, NodeId, PodId, StorageClassId, Symbol, TemplateId, VolumeId};
use crate::labels::{Labels, Op, Requirement, Selector};
use crate::model::{
    AccessMode, BindingMode, Bytes, Catalog, ClaimSpec, NodeTerm, Reclaim, StorageClassSpec, VolumeSpec, ZONE_LABEL,
};
use crate::profile::Filter;
use crate::scheduler::volumes::{ClaimUse, Needs};
use crate::scheduler::volumes_book::Book;
use crate::scheduler::{Outcome, Scheduler};

use AccessMode::{ReadWriteMany, ReadWriteOnce, ReadWriteOncePod};

const GI: i64 = 1 << 30;

impl Build {
    fn class(&mut self, name: &str, provisioner: &str, binding: BindingMode) -> StorageClassId {
        let (name, driver) = (self.s(name), self.s(provisioner));
        self.0.storage_classes.push(StorageClassSpec {
            name,
            provisioner: driver,
            dynamic: provisioner != "kubernetes.io/no-provisioner",
            binding,
            allowed_topologies: Vec::new(),
            reclaim: Reclaim::Delete,
            default: false,
        })
    }

    fn claim(&mut self, name: &str, class: Option<StorageClassId>, gib: i64) -> ClaimId {
        let (name, namespace) = (self.s(name), self.s("default"));
        self.0.claims.push(ClaimSpec {
            name,
            namespace,
            request: Bytes(gib * GI),
            access: vec![ReadWriteOnce],
            class,
            unknown_class: None,
            selector: None,
            volume: None,
            at_start: true,
        })
    }

    fn volume(&mut self, name: &str, class: Option<StorageClassId>, gib: i64) -> VolumeId {
        let class = class.map(|class| self.0.storage_classes[class].name);
        let name = self.s(name);
        self.0.volumes.push(VolumeSpec {
            name,
            capacity: Bytes(gib * GI),
            access: vec![ReadWriteOnce],
            class,
            labels: Labels::default(),
            affinity: Vec::new(),
            driver: None,
            reserved: None,
            reclaim: Reclaim::Retain,
        })
    }

    fn in_zone(&mut self, zone: &str) -> Vec<NodeTerm> {
        let (key, value) = (self.s(ZONE_LABEL), self.s(zone));
        let labels = Selector { all: vec![Requirement { key, op: Op::In(vec![value]) }] };
        vec![NodeTerm { labels, ..NodeTerm::default() }]
    }

    /// A scheduler whose claims all exist.
    fn stored(self) -> Scheduler {
        let mut scheduler = self.scheduler();
        let book = &mut scheduler.volumes.book;
        for claim in book.claims.ids() {
            book.claims[claim].exists = true;
        }
        scheduler
    }
}

fn uses(claims: &[(Symbol, Option<ClaimId>)]) -> Needs {
    let used = |&(name, claim): &_| ClaimUse { name, claim, ephemeral: false };
    Needs { claims: claims.iter().map(used).collect(), disks: Vec::new() }
}

/// What an attempt says: the nodes that are feasible, or the message.
fn attempt(scheduler: &mut Scheduler, id: u32, template: TemplateId) -> Result<Vec<u32>, String> {
    let request = pod(id, template);
    let feasible: Vec<u32> = scheduler.explain(&request).feasible.iter().map(|candidate| candidate.node.0).collect();
    match scheduler.place(&request) {
        Outcome::Placed { node, .. } => {
            assert!(feasible.contains(&node.0), "the explanation shows {node:?}");
            let mut feasible = feasible;
            feasible.sort_unstable();
            Ok(feasible)
        }
        Outcome::Refused(refusal) => Err(refusal.message(&scheduler.catalog.names)),
    }
}

/// Two nodes in zones a and b, one pod with one claim prepared by `prepare`; it may change the book afterwards.
fn check(
    prepare: impl FnOnce(&mut Build) -> ClaimId,
    then: impl FnOnce(&mut Book, ClaimId),
    want: Result<&[u32], &str>,
) {
    let mut build = Build::new();
    build.nodes(&["a", "b"]);
    let claim = prepare(&mut build);
    let template = build.template("app");
    let template = build.add(template);
    let name = build.0.claims[claim].name;
    let mut scheduler = build.stored();
    then(&mut scheduler.volumes.book, claim);
    scheduler.volumes.declare(PodId(0), uses(&[(name, Some(claim))]));
    let got = attempt(&mut scheduler, 0, template);
    assert_eq!(got.as_deref().map_err(String::as_str), want);
}

fn nothing(_: &mut Book, _: ClaimId) {}

#[test]
fn a_claim_that_does_not_exist_refuses_the_pod_by_name() {
    let want = Err("0/2 nodes are available: persistentvolumeclaim \"data\" not found.");
    check(|b| b.claim("data", None, 1), |book, claim| book.claims[claim].exists = false, want);
}

#[test]
fn an_unbound_claim_that_waits_for_no_pod_refuses_the_pod() {
    let want = Err("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
    let immediate = |b: &mut Build| {
        let class = b.class("fast", "disk.example", BindingMode::Immediate);
        b.claim("data", Some(class), 1)
    };
    check(immediate, nothing, want);
    check(|b| b.claim("data", None, 1), nothing, want);
}

#[test]
fn a_claim_being_deleted_refuses_the_pod() {
    let want = Err("0/2 nodes are available: persistentvolumeclaim \"data\" is being deleted.");
    check(|b| b.claim("data", None, 1), |book, claim| book.claims[claim].deleting = true, want);
}

#[test]
fn a_bound_volume_must_be_reachable() {
    let bound = |b: &mut Build| {
        let volume = b.volume("disk", None, 1);
        b.0.volumes[volume].affinity = b.in_zone("b");
        b.claim("data", None, 1)
    };
    check(bound, |book, claim| book.bind(claim, VolumeId(0)), Ok(&[1]));
    let nowhere = |b: &mut Build| {
        let volume = b.volume("disk", None, 1);
        b.0.volumes[volume].affinity = b.in_zone("c");
        b.claim("data", None, 1)
    };
    let want = "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.";
    check(nowhere, |book, claim| book.bind(claim, VolumeId(0)), Err(want));
}

#[test]
fn a_claim_bound_to_a_volume_that_is_gone_refuses_every_node() {
    let bound = |b: &mut Build| {
        b.volume("disk", None, 1);
        b.claim("data", None, 1)
    };
    let lose = |book: &mut Book, claim| {
        book.bind(claim, VolumeId(0));
        book.volumes[VolumeId(0)].exists = false;
    };
    let want = "0/2 nodes are available: 2 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).";
    check(bound, lose, Err(want));
}

#[test]
fn a_waiting_claim_takes_a_volume_of_the_node_or_has_one_made() {
    let wait = BindingMode::WaitForFirstConsumer;
    let local = |b: &mut Build| {
        let class = b.class("local", "kubernetes.io/no-provisioner", wait);
        let volume = b.volume("disk", Some(class), 2);
        b.0.volumes[volume].affinity = b.in_zone("a");
        b.claim("data", Some(class), 1)
    };
    check(local, nothing, Ok(&[0]));
    let small = |b: &mut Build| {
        let class = b.class("local", "kubernetes.io/no-provisioner", wait);
        b.volume("disk", Some(class), 1);
        b.claim("data", Some(class), 2)
    };
    let want = "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.";
    check(small, nothing, Err(want));
    let dynamic = |b: &mut Build| {
        let class = b.class("cloud", "disk.example", wait);
        b.0.storage_classes[class].allowed_topologies = b.in_zone("b");
        b.claim("data", Some(class), 2)
    };
    check(dynamic, nothing, Ok(&[1]));
    check(dynamic, |book, claim| book.claims[claim].selected = Some(NodeId(0)), Err(want));
}

#[test]
fn a_volume_with_zone_labels_refuses_nodes_of_other_zones() {
    let labelled = |zones: &'static str| {
        move |b: &mut Build| {
            let volume = b.volume("disk", None, 1);
            let label = (b.s("failure-domain.beta.kubernetes.io/zone"), b.s(zones));
            let _ = ["a", "b", "c"].map(|zone| b.s(zone));
            b.0.volumes[volume].labels = Labels::new([label]);
            b.claim("data", None, 1)
        }
    };
    let bind = |book: &mut Book, claim| book.bind(claim, VolumeId(0));
    check(labelled("a"), bind, Ok(&[0]));
    check(labelled("a__b"), bind, Ok(&[0, 1]));
    check(labelled("c"), bind, Err("0/2 nodes are available: 2 node(s) had no available volume zone."));
}

#[test]
fn a_claim_for_one_pod_is_used_by_one_pod_in_the_cluster() {
    let mut build = Build::new();
    build.nodes(&["a", "b"]);
    build.volume("disk", None, 1);
    let claim = build.claim("data", None, 1);
    build.0.claims[claim].access = vec![ReadWriteOncePod];
    let template = build.template("app");
    let template = build.add(template);
    let name = build.s("data");
    let mut scheduler = build.stored();
    scheduler.volumes.book.bind(claim, VolumeId(0));
    for id in 0..2 {
        scheduler.volumes.declare(PodId(id), uses(&[(name, Some(claim))]));
    }
    scheduler.charge(&pod(0, template), NodeId(0));
    let text = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";
    assert_eq!(attempt(&mut scheduler, 1, template), Err(format!("0/2 nodes are available: 2 {text}.")));
    scheduler.release(&pod(0, template), NodeId(0));
    assert_eq!(attempt(&mut scheduler, 1, template), Ok(vec![0, 1]));
}

#[test]
fn two_pods_share_a_disk_on_a_node_only_for_reading() {
    for (first, second, shared) in [(true, true, true), (true, false, false), (false, true, false)] {
        let mut build = Build::new();
        build.nodes(&["a", "b"]);
        let template = build.template("app");
        let template = build.add(template);
        let disk = build.s("gce:disk");
        let mut scheduler = build.stored();
        for (id, read_only) in [(0, first), (1, second)] {
            scheduler.volumes.declare(PodId(id), Needs { claims: Vec::new(), disks: vec![(disk, read_only)] });
        }
        scheduler.charge(&pod(0, template), NodeId(0));
        let want = if shared { vec![0, 1] } else { vec![1] };
        assert_eq!(attempt(&mut scheduler, 1, template), Ok(want), "{first} {second}");
        let verdict = scheduler.explain(&pod(1, template)).refused.first().map(|(_, verdict)| verdict.clone());
        assert!(verdict.is_none_or(|v| !v.unresolvable), "removing the other pod would help");
    }
}

#[test]
fn a_node_attaches_no_more_volumes_of_a_driver_than_it_can_and_counts_shared_ones_once() {
    let mut build = Build::new();
    build.nodes(&["a"]);
    let driver = build.s("disk.example");
    build.0.nodes[NodeId(0)].volume_limits = vec![(driver, 2)];
    let class = build.class("cloud", "disk.example", BindingMode::WaitForFirstConsumer);
    let claims: Vec<ClaimId> = (0..3).map(|n| build.claim(&format!("data-{n}"), Some(class), 1)).collect();
    let template = build.template("app");
    let template = build.add(template);
    let name = build.s("data-0");
    let mut scheduler = build.stored();
    for (id, claim) in [(0, 0), (1, 1), (2, 2), (3, 1)] {
        scheduler.volumes.declare(PodId(id), uses(&[(name, Some(claims[claim]))]));
    }
    for id in 0..2 {
        scheduler.charge(&pod(id, template), NodeId(0));
    }
    let want = "0/1 nodes are available: 1 node(s) exceed max volume count.";
    assert_eq!(attempt(&mut scheduler, 2, template), Err(want.to_owned()));
    assert_eq!(attempt(&mut scheduler, 3, template), Ok(vec![0]), "its claim is attached there already");
}

#[test]
fn claims_of_one_pod_get_different_volumes_the_smallest_that_fit() {
    let mut build = Build::new();
    build.nodes(&["a"]);
    let class = build.class("local", "kubernetes.io/no-provisioner", BindingMode::WaitForFirstConsumer);
    let volumes: Vec<VolumeId> = [8, 4, 2].map(|gib| build.volume("disk", Some(class), gib)).to_vec();
    let large = build.claim("large", Some(class), 3);
    let small = build.claim("small", Some(class), 1);
    let template = build.template("app");
    let template = build.add(template);
    let name = build.s("large");
    let catalog = build.0.clone();
    let mut scheduler = build.stored();
    scheduler.volumes.declare(PodId(0), uses(&[(name, Some(large)), (name, Some(small))]));
    assert_eq!(attempt(&mut scheduler, 0, template), Ok(vec![0]));
    let promise = scheduler.volumes.reserve(PodId(0), NodeId(0), &catalog);
    assert_eq!(promise.bindings, [(small, volumes[2]), (large, volumes[1])]);
    scheduler.volumes.declare(PodId(1), uses(&[(name, Some(large))]));
    scheduler.volumes.unreserve(&promise);
    assert_eq!(scheduler.volumes.book.volumes[volumes[1]].claim, None, "what was promised is free again");
}

/// The plain twin: reads the catalog and a list of bindings and placements, and keeps no counts.
struct Twin<'a> {
    catalog: &'a Catalog,
    bound: &'a [Option<VolumeId>],
    /// Claims of placed pods, and where they are.
    placed: &'a [(NodeId, Vec<ClaimId>)],
}

impl Twin<'_> {
    /// The first filter that refuses.
    fn refusal(&self, claims: &[ClaimId], node: NodeId) -> Option<Filter> {
        let spec = |claim: ClaimId| &self.catalog.claims[claim];
        let busy = |claim: &ClaimId| {
            spec(*claim).access.contains(&ReadWriteOncePod) && self.placed.iter().any(|(_, used)| used.contains(claim))
        };
        if claims.iter().any(busy) {
            return Some(Filter::VolumeRestrictions);
        }
        for &(driver, limit) in &self.catalog.nodes[node].volume_limits {
            let here = self.placed.iter().filter(|(on, _)| *on == node).flat_map(|(_, used)| used.iter().copied());
            let mut there: Vec<ClaimId> = here.filter(|&claim| self.driver(claim) == Some(driver)).collect();
            there.sort_unstable();
            there.dedup();
            let before = there.len();
            there.extend(claims.iter().filter(|&&claim| self.driver(claim) == Some(driver)));
            there.sort_unstable();
            there.dedup();
            if there.len() > before && there.len() > limit as usize {
                return Some(Filter::NodeVolumeLimits);
            }
        }
        let mut left: Vec<VolumeId> = self.catalog.volumes.ids().filter(|v| !self.bound.contains(&Some(*v))).collect();
        let mut unbound: Vec<ClaimId> = Vec::new();
        for &claim in claims {
            match self.bound[claim.index()] {
                Some(volume) if !self.reaches(volume, node) => return Some(Filter::VolumeBinding),
                Some(_) => {}
                None => unbound.push(claim),
            }
        }
        unbound.sort_by_key(|&claim| spec(claim).request);
        for claim in unbound {
            let class = spec(claim).class.expect("unbound claims of the twin have one");
            let class = &self.catalog.storage_classes[class];
            let mut fit: Vec<VolumeId> = left.clone();
            fit.retain(|&v| {
                let volume = &self.catalog.volumes[v];
                volume.class == Some(class.name)
                    && volume.capacity >= spec(claim).request
                    && spec(claim).access.iter().all(|mode| volume.access.contains(mode))
                    && self.reaches(v, node)
            });
            match fit.iter().min_by_key(|&&v| (self.catalog.volumes[v].capacity, v)) {
                Some(&volume) => left.retain(|&v| v != volume),
                None if class.dynamic => {}
                None => return Some(Filter::VolumeBinding),
            }
        }
        None
    }

    fn driver(&self, claim: ClaimId) -> Option<Symbol> {
        let class = self.catalog.claims[claim].class.map(|class| &self.catalog.storage_classes[class]);
        match self.bound[claim.index()] {
            Some(volume) => self.catalog.volumes[volume].driver,
            None => class.filter(|class| class.dynamic).map(|class| class.provisioner),
        }
    }

    fn reaches(&self, volume: VolumeId, node: NodeId) -> bool {
        let zone = self.catalog.nodes[node].labels.get(self.catalog.known.zone);
        let affinity = &self.catalog.volumes[volume].affinity;
        affinity.is_empty()
            || affinity.iter().any(|term| {
                term.labels
                    .all
                    .iter()
                    .all(|r| matches!(&r.op, Op::In(values) if values.contains(&zone.unwrap_or_default())))
            })
    }
}

#[derive(Clone, Debug)]
struct Cluster {
    zones: Vec<usize>,
    limits: Vec<Option<u32>>,
    /// Size, zone, class, access, attached.
    volumes: Vec<(i64, Option<usize>, usize, usize, bool)>,
    /// Size, class, access, and whether it is bound.
    claims: Vec<(i64, usize, usize, bool)>,
    placed: Vec<(usize, Vec<usize>)>,
    wants: Vec<usize>,
}

const ZONES: [&str; 3] = ["a", "b", "c"];
const ACCESS: [AccessMode; 3] = [ReadWriteOnce, ReadWriteMany, ReadWriteOncePod];

fn clusters() -> impl Strategy<Value = Cluster> {
    let volume = (1..5i64, proptest::option::of(0..3usize), 0..2usize, 0..3usize, any::<bool>());
    let claim = (1..5i64, 0..2usize, 0..3usize, any::<bool>());
    (
        proptest::collection::vec(0..3usize, 1..5),
        proptest::collection::vec(proptest::option::of(0..4u32), 5),
        proptest::collection::vec(volume, 0..7),
        proptest::collection::vec(claim, 1..7),
        proptest::collection::vec((0..5usize, proptest::collection::vec(0..7usize, 1..3)), 0..5),
        proptest::collection::vec(0..7usize, 1..4),
    )
        .prop_map(|(zones, limits, volumes, claims, placed, wants)| Cluster {
            zones,
            limits,
            volumes,
            claims,
            placed,
            wants,
        })
}

proptest! {
    #[test]
    fn the_filters_agree_with_their_plain_twin(cluster in clusters()) {
        let mut build = Build::new();
        let driver = build.s("disk.example");
        for (at, &zone) in cluster.zones.iter().enumerate() {
            let node = build.node(ZONES[zone]);
            build.0.nodes[node].volume_limits = cluster.limits[at].map(|limit| (driver, limit)).into_iter().collect();
        }
        let wait = BindingMode::WaitForFirstConsumer;
        let classes = [build.class("cloud", "disk.example", wait), build.class("local", "kubernetes.io/no-provisioner", wait)];
        for &(gib, zone, class, access, attached) in &cluster.volumes {
            let volume = build.volume("disk", Some(classes[class]), gib);
            let affinity = zone.map(|zone| build.in_zone(ZONES[zone])).unwrap_or_default();
            let row = &mut build.0.volumes[volume];
            (row.affinity, row.access) = (affinity, vec![ACCESS[access]]);
            row.driver = attached.then_some(driver);
        }
        for &(gib, class, access, _) in &cluster.claims {
            let claim = build.claim("data", Some(classes[class]), gib);
            build.0.claims[claim].access = vec![ACCESS[access]];
        }
        let template = build.template("app");
        let template = build.add(template);
        let (name, catalog) = (build.s("data"), build.0.clone());
        let mut scheduler = build.stored();
        let mut bound = vec![None; catalog.claims.len()];
        for (at, claim) in cluster.claims.iter().enumerate().filter(|(_, claim)| claim.3) {
            let free = catalog.volumes.ids().find(|v| !bound.contains(&Some(*v)) && claim.0 % 2 == 0);
            bound[at] = free;
            if let Some(volume) = free {
                scheduler.volumes.book.bind(ClaimId::from_index(at), volume);
            }
        }
        let pick = |wanted: &[usize]| {
            let mut claims: Vec<ClaimId> = wanted.iter().map(|n| ClaimId::from_index(n % catalog.claims.len())).collect();
            claims.sort_unstable();
            claims.dedup();
            claims
        };
        let needs = |claims: &[ClaimId]| uses(&claims.iter().map(|&claim| (name, Some(claim))).collect::<Vec<_>>());
        let mut placed = Vec::new();
        for (at, (node, wanted)) in cluster.placed.iter().enumerate() {
            let (node, claims) = (NodeId::from_index(node % catalog.nodes.len()), pick(wanted));
            let id = PodId::from_index(at + 1);
            scheduler.volumes.declare(id, needs(&claims));
            scheduler.charge(&pod(id.0, template), node);
            placed.push((node, claims));
        }
        let wants = pick(&cluster.wants);
        scheduler.volumes.declare(PodId(0), needs(&wants));
        let twin = Twin { catalog: &catalog, bound: &bound, placed: &placed };
        let explanation = scheduler.explain(&pod(0, template));
        for node in catalog.nodes.ids() {
            let refused = explanation.refused.iter().find(|(n, _)| *n == node).map(|(_, verdict)| verdict.filter);
            prop_assert_eq!(refused, twin.refusal(&wants, node), "{:?}", node);
            let feasible = explanation.feasible.iter().any(|candidate| candidate.node == node);
            prop_assert_eq!(feasible, refused.is_none());
        }
    }
}
