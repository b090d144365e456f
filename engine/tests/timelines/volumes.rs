//! Timelines of claims and volumes: bound, made, attached, and stuck on dead nodes.
//!
//! Durations of drivers are the profile's assumptions: 3 s to make a volume, 3 s to attach it, 5 s to detach it.

use crate::script::{Lab, Setup};
use crate::sets::stateful;
use shakedown_engine::fact::{FactKind, Note, Subject};
use shakedown_engine::ids::{ClaimId, NodeId, PodId, StorageClassId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{
    AccessMode, BindingMode, Bytes, ClaimSpec, Details, PodVolume, Reclaim, StatefulSpec, StorageClassSpec, Taint,
    TaintEffect, WorkloadKind,
};
use shakedown_engine::time::Span;

const KILL: u64 = 120;

pub(crate) fn class(setup: &mut Setup, binding: BindingMode) -> StorageClassId {
    let names = &mut setup.catalog.names;
    let (name, provisioner) = (names.intern("cloud"), names.intern("disk.example"));
    setup.catalog.storage_classes.push(StorageClassSpec {
        name,
        provisioner,
        dynamic: true,
        binding,
        allowed_topologies: Vec::new(),
        reclaim: Reclaim::Delete,
        default: true,
    })
}

pub(crate) fn claim(setup: &mut Setup, class: Option<StorageClassId>, access: AccessMode) -> ClaimId {
    let names = &mut setup.catalog.names;
    let (name, namespace) = (names.intern("data"), names.intern("default"));
    setup.catalog.claims.push(ClaimSpec {
        name,
        namespace,
        request: Bytes(1 << 30),
        access: vec![access],
        class,
        unknown_class: None,
        selector: None,
        volume: None,
        at_start: true,
    })
}

/// A deployment of one replica that mounts a claim.
pub(crate) fn mounting(setup: &mut Setup, claim: ClaimId) -> WorkloadId {
    let workload = setup.deployment("db", 1);
    let (name, template) = (setup.catalog.claims[claim].name, setup.catalog.workloads[workload].template);
    let volume = PodVolume::Claim { name, claim: Some(claim), read_only: false };
    setup.catalog.templates[template].volumes.push(volume);
    workload
}

/// Three nodes in one zone and a replica with a volume of one node at a time.
fn lab(binding: BindingMode) -> (Lab, WorkloadId) {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    setup.catalog.names.intern("node.kubernetes.io/out-of-service");
    let class = class(&mut setup, binding);
    let claim = claim(&mut setup, Some(class), AccessMode::ReadWriteOnce);
    let workload = mounting(&mut setup, claim);
    (setup.start(1), workload)
}

fn first(lab: &Lab, wanted: impl Fn(&FactKind) -> bool, what: &str) -> f64 {
    *lab.times(wanted).first().unwrap_or_else(|| panic!("no {what}"))
}

fn within(value: f64, low: f64, high: f64, what: &str) {
    assert!((low..=high).contains(&value), "{what}: {value:.3} s is not within {low}..{high}");
}

fn noted(lab: &Lab, wanted: Note) -> Vec<f64> {
    lab.times(|k| matches!(k, FactKind::Noted { note, .. } if *note == wanted))
}

fn pod_of(lab: &Lab, workload: WorkloadId) -> (PodId, NodeId) {
    let mut pods = lab.view().pods().filter(|p| p.workload == workload && !p.deleting);
    let pod = pods.next().expect("the workload has a pod");
    (pod.id, pod.node.expect("it is bound"))
}

#[test]
fn a_claim_that_waits_is_served_between_placement_and_binding_and_its_volume_is_attached_before_the_start() {
    let (mut lab, db) = lab(BindingMode::WaitForFirstConsumer);
    lab.until(60);
    assert_eq!(lab.ready(db), 1);
    assert_eq!(noted(&lab, Note::WaitForFirstConsumer).len(), 1);
    let created = first(&lab, |k| matches!(k, FactKind::PodCreated { .. }), "creation");
    let claimed = first(&lab, |k| matches!(k, FactKind::ClaimBound { .. }), "claim");
    let bound = first(&lab, |k| matches!(k, FactKind::PodBound { .. }), "binding");
    let attached = first(&lab, |k| matches!(k, FactKind::VolumeAttached { .. }), "attachment");
    let started = first(&lab, |k| matches!(k, FactKind::ContainerStarted { .. }), "start");
    within(claimed - created, 3.0, 3.3, "the volume is made for the placed pod");
    within(bound - claimed, 0.0, 1.1, "the scheduler looks once a second");
    within(attached - bound, 3.0, 3.2, "attach on the controller's grid");
    // The node says within 10 s that it will use the volume, then looks, mounts for a second, and starts.
    within(started - bound, 4.0, 10.0 + 4.0 + 1.0 + 3.0, "the kubelet waits");
    assert!(lab.view().contradictions().is_empty());
}

#[test]
fn an_immediate_claim_is_bound_before_its_pod_is_placed() {
    let (mut lab, db) = lab(BindingMode::Immediate);
    lab.until(60);
    assert_eq!(lab.ready(db), 1);
    let claimed = first(&lab, |k| matches!(k, FactKind::ClaimBound { .. }), "claim");
    let bound = first(&lab, |k| matches!(k, FactKind::PodBound { .. }), "binding");
    assert!(claimed < bound, "{claimed} {bound}");
    assert_eq!(lab.times(|k| matches!(k, FactKind::PodUnschedulable { .. })).len(), 1, "it was refused until then");
}

#[test]
fn a_claim_without_class_or_volume_leaves_its_pod_pending() {
    let mut setup = Setup::new("kubernetes").nodes("a", 2);
    let claim = claim(&mut setup, None, AccessMode::ReadWriteOnce);
    let db = mounting(&mut setup, claim);
    let mut lab = setup.start(1);
    lab.until(60);
    assert_eq!(lab.ready(db), 0);
    assert_eq!(noted(&lab, Note::ProvisioningFailed).len(), 1);
    assert_eq!(lab.times(|k| matches!(k, FactKind::PodUnschedulable { .. })).len(), 1);
}

#[test]
fn a_deleted_pod_of_a_healthy_node_lets_go_of_its_volume_within_a_status_period() {
    let (mut lab, db) = lab(BindingMode::WaitForFirstConsumer);
    lab.until(KILL);
    let (pod, node) = pod_of(&lab, db);
    lab.command(Operation::Cordon { nodes: vec![node] });
    lab.command(Operation::DeletePods { pods: vec![pod], grace: None });
    lab.until(KILL + 60);
    let gone = first(&lab, |k| matches!(k, FactKind::PodDeleted { .. }), "end of the pod");
    let detached = lab.all(|k| matches!(k, FactKind::VolumeDetached { forced: false, .. }));
    assert_eq!(detached.len(), 1, "not forced");
    within(detached[0].at.as_secs_f64() - gone, 5.0, 15.2, "detach after the node's next status");
    assert_eq!(noted(&lab, Note::MultiAttach).len(), 1, "the replacement is bound before that");
    assert_eq!(lab.ready(db), 1);
    assert_ne!(pod_of(&lab, db).1, node);
}

/// Surprise 6 for a Deployment: the replacement comes after 350 s, but the object of the old pod stays, and with it the
/// wish for the volume. Only its forced deletion starts the six minutes.
#[test]
fn a_dead_node_keeps_its_volume_until_six_minutes_after_the_pod_is_deleted_by_force() {
    let (mut lab, db) = lab(BindingMode::WaitForFirstConsumer);
    lab.until(KILL);
    let (pod, node) = pod_of(&lab, db);
    lab.kill([node]);
    lab.until(KILL + 1000);
    let told = noted(&lab, Note::MultiAttach);
    assert_eq!(told.len(), 1, "the replacement is told once");
    within(told[0] - KILL as f64, 335.0, 366.0, "it comes when the toleration is over");
    assert_eq!(noted(&lab, Note::FailedAttachVolume).len(), 1);
    assert!(lab.times(|k| matches!(k, FactKind::VolumeDetached { .. })).is_empty(), "nothing is forced yet");
    assert_eq!(lab.ready(db), 0);
    lab.command(Operation::DeletePods { pods: vec![pod], grace: Some(Span::ZERO) });
    lab.until(KILL + 1500);
    let gone = first(&lab, |k| matches!(k, FactKind::PodDeleted { .. }), "end of the pod");
    let detached = lab.all(|k| matches!(k, FactKind::VolumeDetached { forced: true, .. }));
    assert_eq!(detached.len(), 1);
    within(detached[0].at.as_secs_f64() - gone, 365.0, 365.4, "six minutes and the driver's time");
    assert_eq!(lab.ready(db), 1);
}

#[test]
fn a_node_out_of_service_gives_pods_and_volumes_up_at_once() {
    let (mut lab, db) = lab(BindingMode::WaitForFirstConsumer);
    lab.until(KILL);
    let (_, node) = pod_of(&lab, db);
    lab.kill([node]);
    lab.until(KILL + 70);
    let key = lab.view().catalog().names.find("node.kubernetes.io/out-of-service").expect("it was named");
    let value = lab.view().catalog().known.empty;
    let taint = Taint { key, value, effect: TaintEffect::NoExecute };
    lab.command(Operation::Taint { nodes: vec![node], taint });
    lab.until(KILL + 130);
    let gone = first(&lab, |k| matches!(k, FactKind::PodDeleted { .. }), "end of the pod");
    within(gone - (KILL + 70) as f64, 0.0, 20.5, "the collector looks every 20 s");
    let detached = first(&lab, |k| matches!(k, FactKind::VolumeDetached { forced: true, .. }), "forced detach");
    within(detached - gone, 5.0, 5.3, "no six minutes");
    assert_eq!(lab.ready(db), 1);
}

/// A StatefulSet of `replicas` whose ordinals have a claim each.
pub(crate) fn stateful_with_claims(setup: &mut Setup, class: StorageClassId, replicas: u32) -> WorkloadId {
    let claims: Vec<ClaimId> = (0..replicas)
        .map(|_| {
            let claim = claim(setup, Some(class), AccessMode::ReadWriteOnce);
            setup.catalog.claims[claim].at_start = false;
            claim
        })
        .collect();
    let details = Details::Stateful(StatefulSpec { claims: vec![claims], ..stateful() });
    setup.set_of("set", WorkloadKind::StatefulSet, details, replicas)
}

/// Surprise 6 end to end: the name must go first, then the volume.
#[test]
fn a_replica_of_a_statefulset_on_a_dead_node_waits_for_its_name_and_then_for_its_volume() {
    let mut setup = Setup::new("kubernetes").nodes("a", 4);
    let class = class(&mut setup, BindingMode::WaitForFirstConsumer);
    let set = stateful_with_claims(&mut setup, class, 3);
    let mut lab = setup.start(1);
    lab.until(KILL);
    assert_eq!(lab.ready(set), 3);
    assert_eq!(lab.times(|k| matches!(k, FactKind::ClaimBound { .. })).len(), 3, "a claim for each ordinal");
    let (pod, node) = pod_of(&lab, set);
    lab.kill([node]);
    lab.until(KILL + 1000);
    assert_eq!(lab.ready(set), 2);
    assert_eq!(lab.times(|k| matches!(k, FactKind::PodCreated { .. })).len(), 3, "stuck: its name is not free");
    assert!(noted(&lab, Note::MultiAttach).is_empty());
    lab.command(Operation::DeletePods { pods: vec![pod], grace: Some(Span::ZERO) });
    lab.until(KILL + 1300);
    assert_eq!(lab.times(|k| matches!(k, FactKind::PodCreated { .. })).len(), 4, "the name is free");
    assert_eq!(noted(&lab, Note::MultiAttach).len(), 1, "its volume is not");
    assert_eq!(lab.ready(set), 2);
    lab.until(KILL + 1450);
    let gone = first(&lab, |k| matches!(k, FactKind::PodDeleted { .. }), "end of the pod");
    let detached = first(&lab, |k| matches!(k, FactKind::VolumeDetached { forced: true, .. }), "forced detach");
    within(detached - gone, 365.0, 365.4, "six minutes and the driver's time");
    assert_eq!(lab.ready(set), 3);
    assert_eq!(lab.times(|k| matches!(k, FactKind::ClaimBound { .. })).len(), 3, "it has its old claim");
}

#[test]
fn pods_of_several_nodes_share_a_volume_that_allows_it() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let class = class(&mut setup, BindingMode::Immediate);
    let claim = claim(&mut setup, Some(class), AccessMode::ReadWriteMany);
    let db = mounting(&mut setup, claim);
    setup.catalog.workloads[db].replicas = 3;
    let mut lab = setup.start(1);
    lab.until(60);
    assert_eq!(lab.ready(db), 3);
    assert_eq!(lab.times(|k| matches!(k, FactKind::VolumeAttached { .. })).len(), 3);
    assert!(noted(&lab, Note::MultiAttach).is_empty());
}

#[test]
fn a_claim_of_the_pods_own_lives_and_dies_with_it() {
    let mut setup = Setup::new("kubernetes").nodes("a", 2);
    let class = class(&mut setup, BindingMode::WaitForFirstConsumer);
    let db = setup.deployment("db", 2);
    let template = setup.catalog.workloads[db].template;
    let volume = PodVolume::Ephemeral { class: Some(class), request: Bytes(1 << 30) };
    setup.catalog.templates[template].volumes.push(volume);
    let mut lab = setup.start(1);
    lab.until(60);
    assert_eq!(lab.ready(db), 2);
    let bound = lab.all(|k| matches!(k, FactKind::ClaimBound { .. }));
    assert_eq!(bound.len(), 2, "one for each pod");
    let (pod, _) = pod_of(&lab, db);
    lab.command(Operation::DeletePods { pods: vec![pod], grace: None });
    lab.until(KILL);
    assert_eq!(lab.all(|k| matches!(k, FactKind::ClaimBound { .. })).len(), 3, "and one for the replacement");
    assert_eq!(lab.times(|k| matches!(k, FactKind::VolumeDetached { .. })).len(), 1);
}

#[test]
fn nothing_is_planned_when_all_volumes_are_where_they_should_be() {
    let (mut lab, db) = lab(BindingMode::WaitForFirstConsumer);
    lab.until(400);
    assert_eq!(lab.ready(db), 1);
    assert_eq!(lab.engine.planned(), 0, "an idle cluster plans nothing");
    let told = |k: &FactKind| matches!(k, FactKind::Noted { subject: Subject::Pod(_), .. });
    assert!(lab.times(told).is_empty());
}
