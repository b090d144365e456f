//! Flags of every profile: reading, writing, and what is refused.

use std::collections::BTreeSet;

use super::*;
use crate::fact::Client;
use crate::profile::{Eviction, Grace, Restart, Rollout};

fn profile(name: &str) -> Profile {
    Profile::named(name).expect("a profile of this name")
}

fn every_profile() -> impl Iterator<Item = Profile> {
    Profile::NAMES.iter().map(|name| profile(name))
}

fn with(name: &str, flag: &str, text: &str) -> Profile {
    let mut profile = profile(name);
    profile.set(flag, text).unwrap_or_else(|e| panic!("{flag} {text}: {e}"));
    profile
}

#[test]
fn setting_what_was_read_changes_nothing() {
    for original in every_profile() {
        for (flag, text) in original.settings() {
            let mut changed = original.clone();
            changed.set(flag.name, &text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(format!("{changed:?}"), format!("{original:?}"), "{}", flag.name);
        }
    }
}

/// Another value for a flag, as far as its kind has one.
fn other(flag: &Flag, text: &str) -> String {
    match flag.kind {
        Kind::Span | Kind::Period | Kind::Seconds | Kind::PeriodSeconds => "7300ms".into(),
        Kind::Count | Kind::Positive | Kind::Percent | Kind::Amount => "7".into(),
        Kind::Rate | Kind::Share => "0.007".into(),
        Kind::Switch => (text != "true").to_string(),
        Kind::Word(words) => words.iter().find(|w| **w != text).expect("a choice has two words").to_string(),
        Kind::Signals => "memory.available<77Mi".into(),
        Kind::Permits => "7/60s".into(),
    }
}

#[test]
fn every_flag_changes_the_profile_and_reads_back_what_was_set() {
    for original in every_profile() {
        for (flag, text) in original.settings() {
            let mut changed = original.clone();
            let wanted = other(flag, &text);
            changed.set(flag.name, &wanted).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(changed.get(flag.name), Ok(wanted), "{}", flag.name);
            assert_ne!(format!("{changed:?}"), format!("{original:?}"), "{} does nothing", flag.name);
        }
    }
}

#[test]
fn names_are_unique_and_every_flag_says_what_it_is_and_where_it_is_from() {
    for profile in every_profile() {
        let names: BTreeSet<_> = profile.flags.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), profile.flags.len());
        for flag in profile.flags {
            assert!(flag.doc.ends_with('.') && !flag.source.is_empty(), "{}", flag.name);
        }
    }
}

#[test]
fn shipped_profiles_are_consistent() {
    for profile in every_profile() {
        assert_eq!(profile.validate(), Ok(()), "{}", profile.name);
    }
}

#[test]
fn flags_reach_the_values_they_name() {
    let kubernetes = |flag, text| with("kubernetes", flag, text);
    let grace = kubernetes("node-monitor-grace-period", "20s").detection.grace;
    assert_eq!(grace, Grace::Fixed(Span::from_secs(20)));
    assert_eq!(kubernetes("nodeLeaseDurationSeconds", "20").detection.heartbeat, Span::from_secs(5));
    let Eviction::Taints(taints) = kubernetes("node-eviction-rate", "0.1").eviction else { panic!("no taints") };
    assert_eq!(taints.rate, 100);
    let Eviction::Taints(taints) = kubernetes("node-monitor-period", "2s").eviction else { panic!("no taints") };
    assert_eq!(taints.recovery_period, Span::from_secs(2));
    let Rollout::Surge { max_surge, .. } = kubernetes("maxSurge", "50%").rollout else { panic!("no surge") };
    assert_eq!(max_surge, Amount::Percent(50));
    let Restart::InPlace { initial, .. } = kubernetes("crashLoopBackOff.maxContainerRestartPeriod", "5s").restart
    else {
        panic!("not in place")
    };
    assert_eq!(initial, Span::from_secs(5), "the first wait is never longer than the longest");
    let limits = kubernetes("kube-controller-manager.kube-api-qps", "500").control.limits;
    let of = |client| limits[client as usize].qps;
    assert_eq!([of(Client::Scheduler), of(Client::Replication), of(Client::Job)], [50, 500, 500]);
    assert_eq!([of(Client::Operator), of(Client::Agent)], [0, 50], "people and kubelets have limits of their own");
    let Restart::Replace { max_attempts, .. } = with("swarm", "restart-max-attempts", "3").restart else {
        panic!("in place")
    };
    assert_eq!(max_attempts, Some(3));
}

#[test]
fn both_default_tolerations_are_one_value() {
    let changed = with("kubernetes", "default-unreachable-toleration-seconds", "30");
    assert_eq!(changed.get("default-not-ready-toleration-seconds"), Ok("30s".into()));
}

#[test]
fn an_unknown_flag_names_its_nearest() {
    let unknown = |name: &str| match profile("kubernetes").set(name, "1s") {
        Err(FlagError::Unknown { nearest, .. }) => nearest,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(unknown("node-monitor-grace")[0], "node-monitor-grace-period");
    assert_eq!(unknown("min-sync-period"), ["iptables.minSyncPeriod"]);
    assert_eq!(
        unknown("kube-api-qps"),
        ["kubelet.kube-api-qps", "kube-scheduler.kube-api-qps", "kube-controller-manager.kube-api-qps"]
    );
    assert!(unknown("update-parallelism").is_empty());
}

#[test]
fn a_bad_value_is_refused_and_changes_nothing() {
    let bad = [
        ("kubernetes", "node-monitor-period", "0s"),
        ("kubernetes", "node-monitor-period", "5"),
        ("kubernetes", "node-monitor-period", "-5s"),
        ("kubernetes", "nodeLeaseDurationSeconds", "0"),
        ("kubernetes", "podInitialBackoffSeconds", "+1"),
        ("kubernetes", "node-eviction-rate", "0.0001"),
        ("kubernetes", "node-eviction-rate", "5000000"),
        ("kubernetes", "unhealthy-zone-threshold", "1.001"),
        ("kubernetes", "percentageOfNodesToScore", "101"),
        ("kubernetes", "maxSurge", "25 %"),
        ("kubernetes", "maxSurge", "5000000000"),
        ("kubernetes", "serializeImagePulls", "yes"),
        ("kubernetes", "replicaset-burst", "0"),
        ("swarm", "dispatcher-heartbeat", "0s"),
        ("swarm", "update-order", "both"),
        ("swarm", "update-parallelism", ""),
    ];
    for (name, flag, text) in bad {
        let mut changed = profile(name);
        let error = changed.set(flag, text).expect_err(flag);
        assert!(matches!(error, FlagError::Bad { .. }), "{error:?}");
        assert_eq!(format!("{changed:?}"), format!("{:?}", profile(name)), "{flag}");
    }
}

#[test]
fn errors_say_what_would_be_right() {
    let error = |name: &str, flag, text| profile(name).set(flag, text).expect_err(flag).to_string();
    assert_eq!(
        error("swarm", "update-order", "both"),
        "`update-order` cannot be `both`: write one of `stop-first`, `start-first`"
    );
    assert_eq!(
        error("swarm", "update-dely", "5s"),
        "`update-dely` is not a setting of swarm: did you mean `update-delay`?"
    );
}

#[test]
fn values_that_contradict_each_other_are_all_named() {
    let mut changed = profile("kubernetes");
    for (flag, text) in [
        ("podInitialBackoffSeconds", "30"),
        ("maxSurge", "0"),
        ("maxUnavailable", "0%"),
        ("crash-loop-initial-backoff", "301s"),
        ("lease-renewal-jitter", "10s"),
    ] {
        changed.set(flag, text).unwrap_or_else(|e| panic!("{e}"));
    }
    assert_eq!(changed.validate().map_err(|errors| errors.len()), Err(4));
    assert_eq!(with("kubernetes", "podMaxBackoffSeconds", "60").validate(), Ok(()));
    assert!(with("kubernetes", "maxUnavailable", "101%").validate().is_err());
    assert!(with("swarm", "dispatcher-heartbeat", "400ms").validate().is_err());
}

#[test]
fn a_grace_below_the_heartbeat_period_is_allowed() {
    assert_eq!(with("kubernetes", "node-monitor-grace-period", "1s").validate(), Ok(()));
}

proptest::proptest! {
    #[test]
    fn what_a_kind_reads_it_writes_so_that_it_reads_back(text in "[0-9]{1,6}(\\.[0-9]{1,3})?(%|s|ms|m)?") {
        for kind in [Kind::Span, Kind::Seconds, Kind::Count, Kind::Percent, Kind::Rate, Kind::Share, Kind::Amount] {
            if let Some(value) = kind.read(&text) {
                proptest::prop_assert_eq!(kind.read(&value.to_string()), Some(value), "{:?}", kind);
            }
        }
    }

    #[test]
    fn any_text_for_any_flag_is_set_or_refused(text in ".{0,20}", pick: proptest::sample::Index) {
        for mut profile in every_profile() {
            let flag = pick.get(profile.flags);
            if profile.set(flag.name, &text).is_ok() {
                let read = profile.get(flag.name).expect("the flag exists");
                let mut again = profile.clone();
                again.set(flag.name, &read).expect("what was read can be set");
                proptest::prop_assert_eq!(again.get(flag.name), Ok(read));
            }
        }
    }
}
