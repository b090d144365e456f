//! Jobs and cron jobs through the loop, after timelines that were recorded on Kubernetes 1.36.2.
//!
//! The scripted hosts keep the pace of the recorded kubelet: containers run half a second after the binding. Times are
//! compared to 0.1 s, the seconds' fraction of the recording's start included, since the controller cuts times to whole
//! seconds. Start at [`Bench`].

use shakedown_engine::fact::{Exit, FactKind, JobFailure, Note, Subject};
use shakedown_engine::ids::{NodeId, PodId, WorkloadId};
use shakedown_engine::labels::Selector;
use shakedown_engine::message::Operation;
use shakedown_engine::model::{
    Concurrency, CronSpec, Details, FailureMatch, FailureRule, FailureRuleAction, JobSpec, RestartPolicy, WorkloadKind,
    WorkloadSpec,
};
use shakedown_engine::time::{Span, Time};

use crate::script::{Lab, Setup};

/// When jobs are created, unless a test says.
const BEGIN: u64 = 100;

pub(crate) fn job(parallelism: u32, completions: u32) -> JobSpec {
    JobSpec {
        parallelism,
        completions: Some(completions),
        backoff_limit: 6,
        backoff_limit_per_index: None,
        max_failed_indexes: None,
        indexed: false,
        active_deadline: None,
        suspend: false,
        failure_rules: Vec::new(),
        replace_when_failed: false,
        success_rules: Vec::new(),
        ttl_after_finished: None,
    }
}

pub(crate) fn add(setup: &mut Setup, kind: WorkloadKind, details: Details) -> WorkloadId {
    let template = setup.template("job", "job:v1");
    setup.catalog.templates[template].restart = RestartPolicy::Never;
    let names = &mut setup.catalog.names;
    let (name, namespace) = (names.intern("job"), names.intern("default"));
    let spec = WorkloadSpec::deployment(name, namespace, template, Selector::default());
    setup.catalog.workloads.push(WorkloadSpec { kind, details, at_start: false, ..spec })
}

/// A job on a bench of three nodes.
struct Bench {
    lab: Lab,
    job: WorkloadId,
    begin: Time,
}

impl Bench {
    fn new(spec: JobSpec, fraction: u64) -> Self {
        let mut setup = Setup::new("kubernetes").nodes("a", 3).set("pleg-relist-period", "0s");
        let job = add(&mut setup, WorkloadKind::Job, Details::Job(spec));
        let mut lab = setup.start(7);
        lab.world.pace = Some((Span::from_millis(480), Span::from_secs(1)));
        let begin = Time::from_secs(BEGIN) + Span::from_millis(fraction);
        lab.until_time(begin);
        Self { lab, job, begin }
    }

    /// Containers end so many seconds after they began to run.
    fn exits(mut self, after: u64, why: Exit) -> Self {
        let template = self.lab_template();
        self.lab.world.exits.insert(template, (Span::from_secs(after), why));
        self
    }

    fn lab_template(&self) -> shakedown_engine::ids::TemplateId {
        shakedown_engine::ids::TemplateId(0)
    }

    /// Creates the job and runs for so many seconds.
    fn run(&mut self, seconds: u64) {
        self.lab.command(Operation::Apply { workload: self.job });
        self.lab.until_time(self.begin + Span::from_secs(seconds));
        assert_eq!(self.lab.view().contradictions(), [""; 0]);
    }

    fn times(&self, wanted: impl Fn(&FactKind) -> bool) -> Vec<f64> {
        let begin = self.begin.as_secs_f64();
        self.lab.times(wanted).iter().map(|t| t - begin).collect()
    }

    fn created(&self) -> Vec<f64> {
        self.times(|k| matches!(k, FactKind::PodCreated { .. }))
    }

    fn failed(&self) -> Vec<(f64, JobFailure)> {
        let all = self.lab.all(|k| matches!(k, FactKind::JobFailed { .. }));
        let one = |f: &shakedown_engine::fact::Fact| match f.kind {
            FactKind::JobFailed { why, .. } => (f.at.as_secs_f64() - self.begin.as_secs_f64(), why),
            _ => unreachable!("only these were asked for"),
        };
        all.iter().map(one).collect()
    }
}

#[track_caller]
fn near(got: &[f64], want: &[f64]) {
    let close = got.len() == want.len() && got.iter().zip(want).all(|(a, b)| (a - b).abs() < 0.1);
    assert!(close, "got {got:.3?}, and recorded are {want:.3?}");
}

#[test]
fn finished_pods_are_replaced_in_batches_of_a_second() {
    let mut bench = Bench::new(job(3, 10), 483).exits(2, Exit::Completed);
    bench.run(30);
    let waves = [0.01, 0.02, 0.02, 3.54, 3.55, 3.56, 7.08, 7.10, 7.10, 10.62];
    near(&bench.created(), &waves);
    near(&bench.times(|k| matches!(k, FactKind::JobCompleted { .. })), &[14.227]);
    assert_eq!(bench.times(|k| matches!(k, FactKind::PodSucceeded { .. })).len(), 10);
    assert_eq!(bench.lab.view().workload(bench.job).desired, 0);
}

#[test]
fn failures_double_the_wait_until_the_limit() {
    let mut spec = job(1, 1);
    spec.backoff_limit = 4;
    let mut bench = Bench::new(spec, 6).exits(1, Exit::Failed { code: 1 });
    bench.run(200);
    near(&bench.created(), &[0.011, 11.0, 32.001, 73.0, 154.005]);
    let failed = bench.failed();
    near(&[failed[0].0], &[156.03]);
    assert_eq!(failed[0].1, JobFailure::BackoffLimit);
}

#[test]
fn a_failure_among_running_pods_is_booked_with_later_successes_and_then_costs_no_wait() {
    let mut spec = job(5, 5);
    (spec.indexed, spec.backoff_limit) = (true, 2);
    let mut bench = Bench::new(spec, 992).exits(2, Exit::Completed);
    for pod in [2, 5, 6] {
        bench.lab.world.exits_of.insert(PodId(pod), (Span::from_secs(1), Exit::Failed { code: 1 }));
    }
    bench.run(60);
    near(&bench.created(), &[0.01, 0.017, 0.018, 0.024, 0.025, 3.031, 14.02]);
    near(&[bench.failed()[0].0], &[16.053]);
}

#[test]
fn a_job_past_its_deadline_fails_when_its_pods_are_gone() {
    let mut spec = job(2, 2);
    spec.active_deadline = Some(Span::from_secs(20));
    let mut bench = Bench::new(spec, 490);
    bench.lab.world.pace = Some((Span::from_millis(480), Span::from_secs(3)));
    bench.run(60);
    near(&bench.times(|k| matches!(k, FactKind::PodDeleting { .. })), &[19.518, 19.542]);
    near(&bench.times(|k| matches!(k, FactKind::PodDeleted { .. })), &[22.531, 22.555]);
    let failed = bench.failed();
    near(&[failed[0].0], &[23.537]);
    assert_eq!(failed[0].1, JobFailure::Deadline);
}

#[test]
fn a_rule_about_exit_codes_fails_the_job_at_once() {
    let mut spec = job(2, 4);
    spec.failure_rules = vec![FailureRule {
        action: FailureRuleAction::FailJob,
        on: FailureMatch::ExitCodes { container: None, not_in: false, codes: vec![42] },
    }];
    let mut bench = Bench::new(spec, 0).exits(5, Exit::Failed { code: 42 });
    bench.run(30);
    assert_eq!(bench.created().len(), 2);
    assert_eq!(bench.failed()[0].1, JobFailure::FailurePolicy);
}

#[test]
fn pods_of_a_lost_node_that_are_ignored_cost_nothing_of_the_limit() {
    let mut spec = job(3, 3);
    spec.backoff_limit = 0;
    spec.failure_rules = vec![FailureRule { action: FailureRuleAction::Ignore, on: FailureMatch::Disrupted }];
    let mut bench = Bench::new(spec, 0).exits(1_000, Exit::Completed);
    bench.run(20);
    let victim = bench.lab.view().pods().find_map(|p| p.node).expect("its pods run");
    bench.lab.kill([victim]);
    bench.lab.until(BEGIN + 600);
    // The pods stay in deletion, and only failed ones are replaced.
    assert_eq!(bench.created().len(), 3);
    bench.lab.command(Operation::RemoveNode { nodes: vec![victim] });
    bench.lab.until(BEGIN + 3_000);
    assert_eq!(bench.created().len(), 4, "collected, ignored and replaced");
    assert_eq!(bench.times(|k| matches!(k, FactKind::JobCompleted { .. })).len(), 1);
}

#[test]
fn a_pod_of_a_lost_node_counts_as_failed_as_soon_as_its_deletion_begins() {
    let mut bench = Bench::new(job(1, 1), 0).exits(1_000, Exit::Completed);
    bench.run(20);
    let victim = bench.lab.view().pods().find_map(|p| p.node).expect("its pod runs");
    bench.lab.kill([victim]);
    bench.lab.until(BEGIN + 600);
    let deleting = bench.times(|k| matches!(k, FactKind::PodDeleting { .. }))[0];
    let again = bench.created()[1];
    assert!((9.0..11.1).contains(&(again - deleting)), "replaced {again:.3} after the back-off from {deleting:.3}");
}

#[test]
fn a_suspended_job_loses_its_pods_and_begins_anew() {
    let mut bench = Bench::new(job(2, 2), 0).exits(10, Exit::Completed);
    bench.run(5);
    bench.lab.command(Operation::Pause { workload: bench.job });
    bench.lab.until(BEGIN + 30);
    assert_eq!(bench.lab.view().pods().count(), 0);
    bench.lab.command(Operation::Resume { workload: bench.job });
    bench.lab.until(BEGIN + 60);
    assert_eq!(bench.created().len(), 4);
    assert!(bench.failed().is_empty());
    assert_eq!(bench.times(|k| matches!(k, FactKind::JobCompleted { .. })).len(), 1);
}

#[test]
fn a_finished_job_goes_when_its_time_is_over_and_nothing_is_left_to_do() {
    let mut spec = job(1, 1);
    spec.ttl_after_finished = Some(Span::from_secs(60));
    let mut bench = Bench::new(spec, 0).exits(2, Exit::Completed);
    bench.run(200);
    near(&bench.times(|k| matches!(k, FactKind::WorkloadDeleted { .. })), &[63.0]);
    assert_eq!(bench.lab.engine.planned(), 0);
}

#[test]
fn a_deleted_job_takes_its_pods_along() {
    let mut bench = Bench::new(job(40, 40), 0);
    bench.run(0);
    bench.lab.until_time(bench.begin + Span::from_millis(40));
    bench.lab.command(Operation::Delete { workload: bench.job });
    bench.lab.until(BEGIN + 60);
    assert_eq!(bench.lab.view().pods().count(), 0);
    assert_eq!(bench.lab.view().contradictions(), [""; 0]);
    assert_eq!(bench.lab.engine.planned(), 0);
}

/// A cron job that is due each minute, its pods running for so long.
fn cron(concurrency: Concurrency, runs: u64) -> (Lab, WorkloadId) {
    let mut setup = Setup::new("kubernetes").nodes("a", 3).set("pleg-relist-period", "0s");
    let spec = CronSpec {
        minutes: u64::MAX,
        hours: u32::MAX,
        days: u32::MAX,
        months: u16::MAX,
        weekdays: u8::MAX,
        both_days: true,
        concurrency,
        starting_deadline: None,
        suspend: false,
        job: job(1, 1),
    };
    let workload = add(&mut setup, WorkloadKind::CronJob, Details::Cron(spec));
    let mut lab = setup.start(7);
    lab.world.exits.insert(shakedown_engine::ids::TemplateId(0), (Span::from_secs(runs), Exit::Completed));
    lab.until(30);
    lab.command(Operation::Apply { workload });
    (lab, workload)
}

#[test]
fn a_cron_job_runs_each_minute_and_costs_nothing_in_between() {
    let (mut lab, _) = cron(Concurrency::Allow, 2);
    lab.until(200);
    let created = lab.times(|k| matches!(k, FactKind::RevisionCreated { .. }));
    near(&created, &[60.105, 120.105, 180.105]);
    assert_eq!(lab.all(|k| matches!(k, FactKind::JobCompleted { .. })).len(), 3);
    assert_eq!(lab.engine.planned(), 1, "the next start");
    assert_eq!(lab.view().contradictions(), [""; 0]);
}

#[test]
fn a_forbidden_start_is_made_up_for_when_the_former_run_ends() {
    let (mut lab, workload) = cron(Concurrency::Forbid, 90);
    lab.until(330);
    let note = |k: &FactKind| matches!(k, FactKind::Noted { subject: Subject::Workload(w), note: Note::JobAlreadyActive } if *w == workload);
    near(&lab.times(note)[..1], &[120.1]);
    let created = lab.times(|k| matches!(k, FactKind::RevisionCreated { .. }));
    let ended = lab.times(|k| matches!(k, FactKind::JobCompleted { .. }));
    near(&[created[0], created[1]], &[60.1, ended[0] + 0.02]);
}

#[test]
fn a_replaced_run_goes_with_its_pods() {
    let (mut lab, _) = cron(Concurrency::Replace, 90);
    lab.until(300);
    assert_eq!(lab.all(|k| matches!(k, FactKind::RevisionCreated { .. })).len(), 4);
    assert_eq!(lab.all(|k| matches!(k, FactKind::JobCompleted { .. })).len(), 0);
    assert!(lab.view().pods().filter(|p| !p.deleting).count() <= 1);
}

#[test]
fn a_held_cron_job_makes_up_for_its_latest_missed_start_only() {
    let (mut lab, workload) = cron(Concurrency::Allow, 2);
    lab.until(70);
    lab.command(Operation::Pause { workload });
    lab.until(400);
    lab.command(Operation::Resume { workload });
    lab.until(415);
    near(&lab.times(|k| matches!(k, FactKind::RevisionCreated { .. })), &[60.1, 400.02]);
}

#[test]
fn a_lost_node_of_a_job_without_policy_is_not_needed_for_its_end() {
    let mut bench = Bench::new(job(2, 2), 0).exits(400, Exit::Completed);
    bench.run(10);
    bench.lab.kill([NodeId(0), NodeId(1), NodeId(2)]);
    bench.lab.until(BEGIN + 100);
    bench.lab.boot([NodeId(0), NodeId(1), NodeId(2)]);
    bench.lab.until(BEGIN + 2_000);
    assert_eq!(bench.lab.view().contradictions(), [""; 0]);
    assert!(bench.times(|k| matches!(k, FactKind::JobCompleted { .. })).len() + bench.failed().len() == 1);
}

/// A story of a few jobs and a cron job among kills, cuts, deletions and holds; in the end everything is healed.
fn story(seed: u64) {
    use shakedown_engine::rng::{Purpose, Streams};
    let mut dice = Streams::new(seed).stream(Purpose::Fault, 0);
    let mut setup = Setup::new("kubernetes").nodes("a", 4).nodes("b", 1);
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let mut spec = job(1 + dice.below(6) as u32, 1 + dice.below(12) as u32);
        spec.indexed = dice.chance(500);
        spec.replace_when_failed = dice.chance(300);
        if dice.chance(200) {
            (spec.completions, spec.indexed) = (None, false);
        }
        if spec.indexed && dice.chance(400) {
            (spec.backoff_limit, spec.backoff_limit_per_index) = (u32::MAX, Some(dice.below(3) as u32));
            spec.max_failed_indexes = dice.chance(500).then_some(1);
        }
        spec.active_deadline = dice.chance(300).then_some(Span::from_secs(200));
        spec.ttl_after_finished = dice.chance(300).then_some(Span::from_secs(30));
        if dice.chance(300) {
            let on = FailureMatch::Disrupted;
            spec.failure_rules.push(FailureRule { action: FailureRuleAction::Ignore, on });
        }
        jobs.push(add(&mut setup, WorkloadKind::Job, Details::Job(spec)));
    }
    let concurrency = [Concurrency::Allow, Concurrency::Forbid, Concurrency::Replace][dice.index(3)];
    let cron = CronSpec {
        minutes: u64::MAX,
        hours: u32::MAX,
        days: u32::MAX,
        months: u16::MAX,
        weekdays: u8::MAX,
        both_days: true,
        concurrency,
        starting_deadline: dice.chance(300).then_some(Span::from_secs(90)),
        suspend: false,
        job: job(2, 3),
    };
    let cron = add(&mut setup, WorkloadKind::CronJob, Details::Cron(cron));
    let mut lab = setup.start(seed);
    for pod in 0..2_000 {
        let why = if dice.chance(250) { Exit::Failed { code: 1 + dice.below(3) as i32 } } else { Exit::Completed };
        lab.world.exits_of.insert(PodId(pod), (dice.span(Span::ZERO, Span::from_secs(90)), why));
    }
    lab.world
        .exits
        .extend((0..4).map(|t| (shakedown_engine::ids::TemplateId(t), (Span::from_secs(5), Exit::Completed))));
    let all: Vec<WorkloadId> = jobs.iter().copied().chain([cron]).collect();
    let mut log = Vec::new();
    for &workload in &all {
        lab.command(Operation::Apply { workload });
    }
    for _ in 0..12 {
        let workload = all[dice.index(all.len())];
        let node = NodeId(dice.below(5) as u32);
        let step = dice.below(8);
        log.push((lab.engine.now(), step, workload, node));
        match step {
            0 if !lab.world.down.contains(&node) => lab.kill([node]),
            1 => {
                let down: Vec<NodeId> = lab.world.down.iter().copied().collect();
                lab.boot(down);
            }
            2 => lab.cut([node]),
            3 => lab.heal(),
            4 => lab.command(Operation::Pause { workload }),
            5 => lab.command(Operation::Resume { workload }),
            6 => lab.command(if dice.chance(500) {
                Operation::Delete { workload }
            } else {
                Operation::Apply { workload }
            }),
            _ => {
                let pods = lab.view().pods().map(|p| p.id).filter(|_| dice.chance(300)).collect();
                lab.command(Operation::DeletePods { pods, grace: None });
            }
        }
        let wait = [Span::from_millis(40), Span::from_secs(8), Span::from_secs(400)][dice.index(3)];
        let until = lab.engine.now() + dice.span(Span::ZERO, wait);
        lab.until_time(until);
        assert_eq!(lab.view().contradictions(), [""; 0], "seed {seed}: {log:#?}");
    }
    lab.heal();
    let down: Vec<NodeId> = lab.world.down.iter().copied().collect();
    lab.boot(down);
    lab.command(Operation::Delete { workload: cron });
    for &workload in &jobs {
        lab.command(Operation::Apply { workload });
        lab.command(Operation::Resume { workload });
    }
    let end = lab.engine.now() + Span::from_secs(30_000);
    lab.until_time(end);
    assert_eq!(lab.view().contradictions(), [""; 0], "seed {seed}: {log:#?}");
    let left: Vec<_> = lab.view().pods().collect();
    assert!(left.is_empty(), "seed {seed}: {left:#?} are left after {log:#?}");
    assert_eq!(lab.engine.planned(), 0, "seed {seed}: {log:#?}");
    for workload in jobs {
        let view = lab.view().workload(workload);
        assert_eq!((view.desired, view.working), (0, false), "seed {seed}: {workload:?} after {log:#?}");
    }
}

#[test]
fn every_job_ends_when_all_is_healed() {
    (0..150).for_each(story);
}
