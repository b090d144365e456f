//! Volumes that a pod mounts, as far as they decide where it can run.

use k8s_openapi::api::core::v1::Volume;
use shakedown_engine::model::PodVolume;

use super::invalid::At;
use super::pod::Source;
use super::{Lowering, place};
use crate::text::Node;

impl Lowering<'_> {
    /// Claims, ephemeral claims and disks of a pod, in the order of the text.
    pub(super) fn pod_volumes(&mut self, source: &Source<'_>, at: &Node) -> Option<Vec<PodVolume>> {
        let mut out = Vec::new();
        for (index, volume) in source.spec.volumes.iter().flatten().enumerate() {
            out.extend(self.pod_volume(source, volume, (index, at))?);
        }
        Some(out)
    }

    fn pod_volume(
        &mut self,
        source: &Source<'_>,
        volume: &Volume,
        (index, at): (usize, &Node),
    ) -> Option<Option<PodVolume>> {
        if let Some(from) = &volume.persistent_volume_claim {
            if from.claim_name.is_empty() {
                let path = format!("spec.volumes[{index}].persistentVolumeClaim.claimName");
                self.required(source.at, &path, "");
                return None;
            }
            let key = (source.namespace.to_owned(), from.claim_name.clone());
            let claim = self.context.claims.get(&key).copied();
            if claim.is_none() {
                let mark = place(at, &["volumes", &index.to_string()]);
                self.problems
                    .warn("W0615", mark, format!("there is no claim `{}` in namespace `{}`", key.1, key.0))
                    .help(format!("pods of `{}` stay pending, as they do in a real cluster", source.owner));
            }
            let name = self.catalog.names.intern(&from.claim_name);
            return Some(Some(PodVolume::Claim { name, claim, read_only: from.read_only.unwrap_or(false) }));
        }
        if let Some(template) = volume.ephemeral.as_ref().and_then(|from| from.volume_claim_template.as_ref()) {
            let node = at.get("volumes").and_then(|all| all.item(index)).and_then(|volume| volume.get("ephemeral"));
            let node = node.and_then(|ephemeral| ephemeral.get("volumeClaimTemplate")).unwrap_or(at);
            let prefix = format!("{}spec.volumes[{index}].ephemeral.volumeClaimTemplate.", source.at.prefix);
            let (class, request) = self.ephemeral_claim(&template.spec, At { node, prefix: &prefix })?;
            return Some(Some(PodVolume::Ephemeral { class, request }));
        }
        let disk = disk(volume).map(|(identity, read_only)| {
            let identity = self.catalog.names.intern(&identity);
            PodVolume::Disk { identity, read_only }
        });
        Some(disk)
    }
}

/// Kind, identity and mode of a disk that is named in the pod itself.
/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go,
/// `isVolumeConflict`. A disk of EC2 conflicts whoever writes.
fn disk(volume: &Volume) -> Option<(String, bool)> {
    if let Some(disk) = &volume.gce_persistent_disk {
        return Some((format!("gcePersistentDisk/{}", disk.pd_name), disk.read_only.unwrap_or(false)));
    }
    if let Some(disk) = &volume.aws_elastic_block_store {
        return Some((format!("awsElasticBlockStore/{}", disk.volume_id), false));
    }
    if let Some(disk) = &volume.iscsi {
        return Some((format!("iscsi/{}", disk.iqn), disk.read_only.unwrap_or(false)));
    }
    let disk = volume.rbd.as_ref()?;
    let pool = disk.pool.as_deref().unwrap_or("rbd");
    let identity = format!("rbd/{}/{pool}/{}", disk.monitors.join(","), disk.image);
    Some((identity, disk.read_only.unwrap_or(false)))
}
