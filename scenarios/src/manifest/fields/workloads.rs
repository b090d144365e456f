//! Fields of objects that keep pods running, and what all objects have in common.

use super::Effect::{Honoured, Idle, Ignored, Of, Only};
use super::Type;

const NO_OWNER: &str = "objects of manifests have no owners here: nothing is deleted with another";

/// Their types.
pub(super) const TYPES: &[Type] = &[
    (
        "ObjectMeta",
        &[
            ("annotations", Honoured),
            ("creationTimestamp", Idle),
            ("deletionGracePeriodSeconds", Idle),
            ("deletionTimestamp", Idle),
            ("finalizers", Ignored("deletion waits for no finalizer")),
            ("generateName", Honoured),
            ("generation", Idle),
            ("labels", Honoured),
            ("managedFields", Idle),
            ("name", Honoured),
            ("namespace", Honoured),
            ("ownerReferences", Ignored(NO_OWNER)),
            ("resourceVersion", Idle),
            ("selfLink", Idle),
            ("uid", Idle),
        ],
    ),
    ("PodTemplateSpec", &[("metadata", Of("ObjectMeta")), ("spec", Of("PodSpec"))]),
    (
        "Pod",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("PodSpec")),
            ("status", Idle),
        ],
    ),
    (
        "Deployment",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("DeploymentSpec")),
            ("status", Idle),
        ],
    ),
    (
        "DeploymentSpec",
        &[
            ("minReadySeconds", Honoured),
            ("paused", Honoured),
            ("progressDeadlineSeconds", Honoured),
            ("replicas", Honoured),
            ("revisionHistoryLimit", Honoured),
            ("selector", Of("LabelSelector")),
            ("strategy", Of("DeploymentStrategy")),
            ("template", Of("PodTemplateSpec")),
        ],
    ),
    ("DeploymentStrategy", &[("rollingUpdate", Of("RollingUpdateDeployment")), ("type", Honoured)]),
    ("RollingUpdateDeployment", &[("maxSurge", Honoured), ("maxUnavailable", Honoured)]),
    (
        "ReplicaSet",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("ReplicaSetSpec")),
            ("status", Idle),
        ],
    ),
    (
        "ReplicaSetSpec",
        &[
            ("minReadySeconds", Honoured),
            ("replicas", Honoured),
            ("selector", Of("LabelSelector")),
            ("template", Of("PodTemplateSpec")),
        ],
    ),
    (
        "ReplicationController",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("ReplicationControllerSpec")),
            ("status", Idle),
        ],
    ),
    (
        "ReplicationControllerSpec",
        &[
            ("minReadySeconds", Honoured),
            ("replicas", Honoured),
            ("selector", Honoured),
            ("template", Of("PodTemplateSpec")),
        ],
    ),
    (
        "StatefulSet",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("StatefulSetSpec")),
            ("status", Idle),
        ],
    ),
    (
        "StatefulSetSpec",
        &[
            ("minReadySeconds", Honoured),
            ("ordinals", Of("StatefulSetOrdinals")),
            ("persistentVolumeClaimRetentionPolicy", Of("StatefulSetPersistentVolumeClaimRetentionPolicy")),
            ("podManagementPolicy", Honoured),
            ("replicas", Honoured),
            ("revisionHistoryLimit", Honoured),
            ("selector", Of("LabelSelector")),
            ("serviceName", Idle),
            ("template", Of("PodTemplateSpec")),
            ("updateStrategy", Of("StatefulSetUpdateStrategy")),
            ("volumeClaimTemplates", Of("PersistentVolumeClaim")),
        ],
    ),
    ("StatefulSetOrdinals", &[("start", Honoured)]),
    (
        "StatefulSetPersistentVolumeClaimRetentionPolicy",
        &[("whenDeleted", Only(&["Retain"], "claims stay when the set is deleted")), ("whenScaled", Honoured)],
    ),
    ("StatefulSetUpdateStrategy", &[("rollingUpdate", Of("RollingUpdateStatefulSetStrategy")), ("type", Honoured)]),
    ("RollingUpdateStatefulSetStrategy", &[("maxUnavailable", Honoured), ("partition", Honoured)]),
    (
        "DaemonSet",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("DaemonSetSpec")),
            ("status", Idle),
        ],
    ),
    (
        "DaemonSetSpec",
        &[
            ("minReadySeconds", Honoured),
            ("revisionHistoryLimit", Honoured),
            ("selector", Of("LabelSelector")),
            ("template", Of("PodTemplateSpec")),
            ("updateStrategy", Of("DaemonSetUpdateStrategy")),
        ],
    ),
    ("DaemonSetUpdateStrategy", &[("rollingUpdate", Of("RollingUpdateDaemonSet")), ("type", Honoured)]),
    ("RollingUpdateDaemonSet", &[("maxSurge", Honoured), ("maxUnavailable", Honoured)]),
    (
        "Job",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("JobSpec")),
            ("status", Idle),
        ],
    ),
    (
        "JobSpec",
        &[
            ("activeDeadlineSeconds", Honoured),
            ("backoffLimit", Honoured),
            ("backoffLimitPerIndex", Honoured),
            ("completionMode", Honoured),
            ("completions", Honoured),
            (
                "managedBy",
                Only(&["kubernetes.io/job-controller"], "the job controller of the cluster works on all jobs"),
            ),
            ("manualSelector", Honoured),
            ("maxFailedIndexes", Honoured),
            ("parallelism", Honoured),
            ("podFailurePolicy", Of("PodFailurePolicy")),
            ("podReplacementPolicy", Honoured),
            ("scheduling", Ignored("a job's pods are a group only when they name one")),
            ("selector", Of("LabelSelector")),
            ("successPolicy", Of("SuccessPolicy")),
            ("suspend", Honoured),
            ("template", Of("PodTemplateSpec")),
            ("ttlSecondsAfterFinished", Honoured),
        ],
    ),
    ("PodFailurePolicy", &[("rules", Of("PodFailurePolicyRule"))]),
    (
        "PodFailurePolicyRule",
        &[
            ("action", Honoured),
            ("onExitCodes", Of("PodFailurePolicyOnExitCodesRequirement")),
            ("onPodConditions", Of("PodFailurePolicyOnPodConditionsPattern")),
        ],
    ),
    (
        "PodFailurePolicyOnExitCodesRequirement",
        &[("containerName", Honoured), ("operator", Honoured), ("values", Honoured)],
    ),
    ("PodFailurePolicyOnPodConditionsPattern", &[("status", Honoured), ("type", Honoured)]),
    ("SuccessPolicy", &[("rules", Of("SuccessPolicyRule"))]),
    ("SuccessPolicyRule", &[("succeededCount", Honoured), ("succeededIndexes", Honoured)]),
    (
        "CronJob",
        &[
            ("apiVersion", Idle),
            ("kind", Honoured),
            ("metadata", Of("ObjectMeta")),
            ("spec", Of("CronJobSpec")),
            ("status", Idle),
        ],
    ),
    (
        "CronJobSpec",
        &[
            ("concurrencyPolicy", Honoured),
            ("failedJobsHistoryLimit", Idle),
            ("jobTemplate", Of("JobTemplateSpec")),
            ("schedule", Honoured),
            ("startingDeadlineSeconds", Honoured),
            ("successfulJobsHistoryLimit", Idle),
            ("suspend", Honoured),
            ("timeZone", Only(&["Etc/UTC", "UTC"], "a run has one clock: schedules are read as UTC")),
        ],
    ),
    ("JobTemplateSpec", &[("metadata", Idle), ("spec", Of("JobSpec"))]),
];
