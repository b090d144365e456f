//! Recordings of real clusters: those that ship with the program, and files of users.
//!
//! Everything is read as a stream, so that a file of any size needs little memory. What a line means is the business
//! of whoever reads it. Start at [`Source`] and [`shipped`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use ruzstd::decoding::StreamingDecoder;

/// The first bytes of a zstd frame. Source: RFC 8878, 3.1.1.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Longer lines are refused: the largest recorded problem has a fiftieth of it.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// A recording inside the program.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Its file below `fidelity/recordings`, without the `.zst` at the end.
    pub name: &'static str,
    bytes: &'static [u8],
}

macro_rules! recordings {
    ($($name:literal),+ $(,)?) => {
        &[$(Shipped { name: $name, bytes: include_bytes!(concat!("../recordings/", $name, ".zst")) }),+]
    };
}

/// All of them, sorted by name.
const SHIPPED: &[Shipped] = recordings![
    "kubernetes/placement.jsonl",
    "kubernetes/timelines/a_rolling_update.json",
    "kubernetes/timelines/b_scale_10_30_10.json",
    "kubernetes/timelines/cd_node_failures.json",
    "kubernetes/timelines2/01_stuck_rollout_undo.json",
    "kubernetes/timelines2/02_node_dies_mid_rollout.json",
    "kubernetes/timelines2/03a_recreate.json",
    "kubernetes/timelines2/03b_pause_scale_resume.json",
    "kubernetes/timelines2/04a_statefulset_ordered.json",
    "kubernetes/timelines2/04b_statefulset_parallel.json",
    "kubernetes/timelines2/04c_statefulset_dead_node.json",
    "kubernetes/timelines2/05a_daemonset_updates.json",
    "kubernetes/timelines2/05b_daemonset_join_notready.json",
    "kubernetes/timelines2/05c_node_join_taints.json",
    "kubernetes/timelines2/06a_job_completions.json",
    "kubernetes/timelines2/06b_job_backoff.json",
    "kubernetes/timelines2/06c_job_indexed.json",
    "kubernetes/timelines2/06d_job_deadline.json",
    "kubernetes/timelines2/07a_pdb_drain.json",
    "kubernetes/timelines2/07b_pdb_unhealthy.json",
    "kubernetes/timelines2/08_scale_up_default_qps.json",
    "kubernetes/timelines2/09_endpointslices.json",
    "kubernetes/timelines2/10a_no_cluster_event.json",
    "kubernetes/timelines2/10b_unrelated_delete_every_2s.json",
    "kubernetes/timelines2/10c_fitting_node_added.json",
    "kubernetes/timelines2/10d_backlog.json",
    "kubernetes/timelines2/11a_rs_deletion_order.json",
    "kubernetes/timelines2/11b_rs_deletion_stepwise.json",
    "kubernetes/timelines2/11c_deployment_deletion_order.json",
    "kubernetes/timelines2/11d_deployment_deletion_stepwise.json",
    "kubernetes/timelines2/12_noexecute_taints.json",
    "kubernetes/timelines2/13_preemption_cascade.json",
    "nomad/cluster_alloc_metrics.json",
    "nomad/placement.jsonl",
    "nomad/timelines/a_kill_0_c1.json",
    "nomad/timelines/a_kill_0_c4.json",
    "nomad/timelines/a_kill_1_c2.json",
    "nomad/timelines/a_kill_2_c3.json",
    "nomad/timelines/a_kill_2_c6.json",
    "nomad/timelines/a_kill_3_c2.json",
    "nomad/timelines/a_kill_4_c3.json",
    "nomad/timelines/a_kill_4_c5.json",
    "nomad/timelines/a_kill_5_c1.json",
    "nomad/timelines/a_kill_x0_c1.json",
    "nomad/timelines/a_kill_x0_c4.json",
    "nomad/timelines/a_kill_x1_c2.json",
    "nomad/timelines/a_kill_x2_c3.json",
    "nomad/timelines/a_kill_x2_c6.json",
    "nomad/timelines/a_kill_x3_c2.json",
    "nomad/timelines/a_kill_x4_c3.json",
    "nomad/timelines/a_kill_x4_c5.json",
    "nomad/timelines/b_partition_20s_1_c3.json",
    "nomad/timelines/b_partition_45s_2_c5.json",
    "nomad/timelines/b_partition_45s_5_c4.json",
    "nomad/timelines/b_partition_8s_0_c1.json",
    "nomad/timelines/b_partition_8s_6_c6.json",
    "nomad/timelines/b_sigstop_20s_1_c4.json",
    "nomad/timelines/b_sigstop_20s_4_c5.json",
    "nomad/timelines/b_sigstop_45s_5_c3.json",
    "nomad/timelines/b_sigstop_8s_0_c2.json",
    "nomad/timelines/b_sigstop_8s_3_c1.json",
    "nomad/timelines/c_crash_loop_batch.json",
    "nomad/timelines/c_crash_loop_service.json",
    "nomad/timelines/d_canary1.json",
    "nomad/timelines/d_fail_norevert.json",
    "nomad/timelines/d_fail_pd0_norevert.json",
    "nomad/timelines/d_fail_pd0_revert.json",
    "nomad/timelines/d_fail_revert.json",
    "nomad/timelines/d_fail_revert_mp3.json",
    "nomad/timelines/d_roll_mp1.json",
    "nomad/timelines/e_drain.json",
    "nomad/timelines/f_leader_and_clients.json",
    "nomad/timelines/f_leader_kill_0.json",
    "nomad/timelines/f_leader_kill_2.json",
    "nomad/timelines/f_leader_kill_3.json",
    "nomad/timelines/f_leader_kill_4.json",
    "nomad/timelines/g_quorum_loss.json",
    "nomad/timelines/h_scale_10_30.json",
    "nomad/timelines/h_scale_30_10.json",
    "nomad/timelines/i_blocked_eligibility.json",
    "nomad/timelines/i_blocked_node_join.json",
    "nomad/timelines/i_blocked_stop_job.json",
    "nomad/timelines/j_preempt_system.json",
    "swarm-standalone/a_binpack_cpu.json",
    "swarm-standalone/a_binpack_equal6g.json",
    "swarm-standalone/a_binpack_mem.json",
    "swarm-standalone/a_binpack_noreq_1.json",
    "swarm-standalone/a_binpack_noreq_2.json",
    "swarm-standalone/a_binpack_noreq_3.json",
    "swarm-standalone/a_filters_spread.json",
    "swarm-standalone/a_random_noreq_1.json",
    "swarm-standalone/a_random_noreq_2.json",
    "swarm-standalone/a_spread_cpu.json",
    "swarm-standalone/a_spread_equal6g.json",
    "swarm-standalone/a_spread_mem.json",
    "swarm-standalone/a_spread_noreq_1.json",
    "swarm-standalone/a_spread_noreq_2.json",
    "swarm-standalone/a_spread_noreq_3.json",
    "swarm-standalone/b_arp_cs_1.json",
    "swarm-standalone/b_blackhole_cb_1.json",
    "swarm-standalone/b_blackhole_cc_1.json",
    "swarm-standalone/b_cable_cj_1.json",
    "swarm-standalone/b_crash_cg_1.json",
    "swarm-standalone/b_crash_ck_1.json",
    "swarm-standalone/d_hang.json",
    "swarm-standalone/d_hang_2.json",
    "swarm-standalone/e_clean_stop.json",
    "swarm-standalone/e_clean_stop_cf.json",
    "swarm-standalone/f_takeover_1.json",
    "swarm-standalone/f_takeover_3.json",
    "swarm-standalone/f_takeover_4.json",
    "swarm-standalone/g_restart_policy_manager_down.json",
    "swarm/a_dockerd_1.json",
    "swarm/a_hb1_rd0_1.json",
    "swarm/a_hb1_rd5_1.json",
    "swarm/a_hb5_rd0_1.json",
    "swarm/a_noisy_1.json",
    "swarm/a_noisy_3.json",
    "swarm/a_silent_1.json",
    "swarm/a_silent_2.json",
    "swarm/a_silent_4.json",
    "swarm/a_silent_5.json",
    "swarm/b_iptables_32s_4.json",
    "swarm/b_iptables_32s_5.json",
    "swarm/b_link_11s_1.json",
    "swarm/b_link_32s_2.json",
    "swarm/b_link_32s_3.json",
    "swarm/b_link_7s_1.json",
    "swarm/b_oneway-m2w_28s_1.json",
    "swarm/b_oneway-w2m_28s_1.json",
    "swarm/b_worker-worker_25s_1.json",
    "swarm/c_burn8_30s_1.json",
    "swarm/c_dockerd-restart_30s_2.json",
    "swarm/c_dockerd-restart_4s_1.json",
    "swarm/c_hang-short_8s_1.json",
    "swarm/c_hang_30s_1.json",
    "swarm/c_hang_30s_2.json",
    "swarm/d_calm_p1_d0_stop-first.json",
    "swarm/d_calm_p2_bad_rollback.json",
    "swarm/d_calm_p2_d0_start-first.json",
    "swarm/d_p0_d0_start-first_2_pause.json",
    "swarm/d_p0_d0_stop-first_2_pause.json",
    "swarm/d_p0_d5_start-first_2_pause.json",
    "swarm/d_p1_d0_start-first_2_pause.json",
    "swarm/d_p1_d0_stop-first_2_pause.json",
    "swarm/d_p1_d0_stop-first_bad_continue.json",
    "swarm/d_p1_d0_stop-first_bad_rollback.json",
    "swarm/d_p1_d5_start-first_2_pause.json",
    "swarm/d_p1_d5_stop-first_2_pause.json",
    "swarm/d_p2_d0_start-first_2_pause.json",
    "swarm/d_p2_d0_start-first_bad_pause.json",
    "swarm/d_p2_d0_start-first_bad_rollback.json",
    "swarm/d_p2_d0_stop-first_bad_pause.json",
    "swarm/d_p2_d0_stop-first_bad_rollback.json",
    "swarm/d_p2_d5_start-first_2_pause.json",
    "swarm/d_p5_d0_start-first_2_pause.json",
    "swarm/d_p5_d0_stop-first_2_pause.json",
    "swarm/d_p5_d5_start-first_2_pause.json",
    "swarm/e_crash_loop.json",
    "swarm/e_crash_loop_max3.json",
    "swarm/e_empty_node_joins.json",
    "swarm/e_scale_10_40.json",
    "swarm/e_second_service_7.json",
    "swarm/f_follower_silent_1.json",
    "swarm/f_leader_noisy_1.json",
    "swarm/f_leader_silent_1.json",
    "swarm/f_leader_silent_2.json",
    "swarm/f_leader_silent_long_1.json",
    "swarm/f_leader_silent_long_2.json",
    "swarm/f_quorum_lost_1.json",
    "swarm/g_dns_dockerd_hang_1.json",
    "swarm/g_dns_link_down_35s_1.json",
    "swarm/g_dns_node_noisy_crash_1.json",
    "swarm/g_dns_partial_partition_1.json",
    "swarm/g_dns_rolling_slow_stop_4s_1.json",
    "swarm/g_dns_scale_3_to_6_1.json",
    "swarm/g_dns_task_sigkill_1.json",
    "swarm/g_dns_task_sigkill_2.json",
    "swarm/g_dns_task_sigkill_3.json",
    "swarm/g_dns_unhealthy_1.json",
    "swarm/h_constraint_impossible.json",
    "swarm/h_max_replicas_per_node_1.json",
    "swarm/h_pref_label_removed.json",
    "swarm/h_pref_spread_zone.json",
];

/// The recording called `name`, such as `kubernetes/placement.jsonl`.
pub fn shipped(name: &str) -> Option<Shipped> {
    SHIPPED.iter().copied().find(|recording| recording.name == name)
}

/// Recordings below a directory such as `kubernetes/timelines/`, sorted by name.
pub fn shipped_below(directory: &str) -> impl Iterator<Item = Shipped> + '_ {
    SHIPPED.iter().copied().filter(move |recording| recording.name.starts_with(directory))
}

impl Shipped {
    /// All of it, unpacked.
    pub fn text(self) -> String {
        let mut text = String::new();
        let mut reader = unpacked(self.bytes).expect("what ships is a zstd frame");
        reader.read_to_string(&mut text).expect("what ships is intact UTF-8, as a test makes sure");
        text
    }
}

/// Where a recording comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The program itself.
    Shipped(Shipped),
    /// A file, plain or compressed.
    File(PathBuf),
}

impl Source {
    /// Its name, for messages.
    pub fn name(&self) -> String {
        match self {
            Self::Shipped(shipped) => format!("shipped:{}", shipped.name),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Opens it, and unpacks on the way when it is compressed: by its first bytes, not by its name.
    ///
    /// # Errors
    /// When the file cannot be read, or begins like a zstd frame and is none.
    pub fn open(&self) -> io::Result<Box<dyn BufRead>> {
        match self {
            Self::Shipped(shipped) => unpacked(shipped.bytes),
            Self::File(path) => open_file(path),
        }
    }
}

fn open_file(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut reader = BufReader::new(file);
    // Pipes may hand over less than four bytes at first; then it is taken as plain text, and its first line is refused.
    let packed = reader.fill_buf()?.starts_with(&MAGIC);
    if packed { unpacked(reader) } else { Ok(Box::new(reader)) }
}

fn unpacked<R: Read + 'static>(from: R) -> io::Result<Box<dyn BufRead>> {
    let decoder = StreamingDecoder::new(from).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Box::new(BufReader::new(decoder)))
}

/// Why a line could not be read.
#[derive(Debug)]
pub enum LineError {
    /// The file system refused, or the compressed data is damaged.
    Io(io::Error),
    /// The line is longer than [`MAX_LINE_BYTES`].
    TooLong,
    /// The line is not UTF-8.
    NotUtf8,
}

/// The next line without its end; `None` at the end of the file.
///
/// # Errors
/// See [`LineError`]. Nothing can be read after an error.
pub fn next_line(reader: &mut dyn BufRead) -> Result<Option<String>, LineError> {
    let mut bytes = Vec::new();
    let mut limited = reader.take(MAX_LINE_BYTES as u64 + 1);
    limited.read_until(b'\n', &mut bytes).map_err(LineError::Io)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if bytes.len() > MAX_LINE_BYTES {
        return Err(LineError::TooLong);
    }
    String::from_utf8(bytes).map(Some).map_err(|_| LineError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_recording_unpacks_and_has_its_place_in_the_order() {
        assert!(SHIPPED.is_sorted_by_key(|recording| recording.name));
        for recording in SHIPPED {
            assert!(recording.text().starts_with('{'), "{}", recording.name);
        }
        assert_eq!(shipped_below("kubernetes/timelines/").count(), 3);
        assert_eq!(shipped_below("kubernetes/timelines2/").count(), 28);
        assert_eq!(shipped_below("swarm-standalone/").count(), 29);
    }

    #[test]
    fn lines_end_with_the_file_and_are_bounded() {
        let mut reader: &[u8] = b"one\n\ntwo";
        let lines: Vec<String> = std::iter::from_fn(|| next_line(&mut reader).unwrap()).collect();
        assert_eq!(lines, ["one", "", "two"]);
        let long = vec![b'x'; MAX_LINE_BYTES + 1];
        assert!(matches!(next_line(&mut long.as_slice()), Err(LineError::TooLong)));
        assert!(matches!(next_line(&mut &b"\xff\n"[..]), Err(LineError::NotUtf8)));
    }
}
