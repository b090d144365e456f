//! Recordings of a real Docker Swarm, run again with a few seeds; and proof that the comparison can fail.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

use std::num::NonZeroUsize;

use shakedown_fidelity::recordings::{Source, shipped};
use shakedown_fidelity::swarm::recording::Recording;
use shakedown_fidelity::swarm::{Compared, Sum, Swarm, compare, conform, values::Class};

/// A fast part of the recordings: one of each kind.
const SOME: [&str; 9] = [
    "a_silent_1",
    "b_link_32s_2",
    "b_oneway-w2m_28s_1",
    "c_dockerd-restart_30s_2",
    "d_p2_d0_stop-first_bad_pause",
    "e_crash_loop_max3",
    "f_follower_silent_1",
    "g_dns_task_sigkill_1",
    "h_max_replicas_per_node_1",
];

fn text(name: &str) -> String {
    shipped(&format!("swarm/{name}.json")).unwrap().text()
}

fn some(seeds: usize) -> Swarm {
    let sources: Vec<Source> =
        SOME.iter().map(|name| Source::Shipped(shipped(&format!("swarm/{name}.json")).unwrap())).collect();
    conform(&sources, (seeds, NonZeroUsize::new(2).unwrap())).unwrap()
}

fn compared(text: &str) -> Compared {
    compare(&Recording::read(text).unwrap(), (40, NonZeroUsize::MIN)).unwrap()
}

fn times(text: &str) -> Sum {
    compared(text).sum("changed", Class::Time)
}

#[test]
fn one_experiment_of_each_kind_agrees() {
    let found = some(60);
    let sum = found.sum(Class::Time);
    assert!(sum.inside * 100 >= sum.compared * 85, "{}", found.text());
    assert!(sum.outside * 50 <= sum.compared, "{}", found.text());
}

/// A swarm with a restart delay of 8 s instead of 5 s, or that takes 20 s to notice, would be told apart.
#[test]
fn recordings_of_another_swarm_do_not_agree() {
    let text = text("a_silent_1");
    assert_eq!(times(&text).outside, 0);
    let slower = text.replace("18.612", "24.612").replace("21.064", "27.064").replace("21.164", "27.164");
    assert!(times(&slower).outside >= 2, "{:?}", times(&slower));
    let later = text.replace("\"t\":13.453", "\"t\":19.453");
    assert!(times(&later).outside >= 1, "{:?}", times(&later));
}

/// The heartbeat comes from the file: the same recording under another one does not agree.
#[test]
fn settings_of_the_file_matter() {
    let text = text("a_hb1_rd5_1");
    assert!(times(&text.replace("\"heartbeat\":1", "\"heartbeat\":15")).outside > times(&text).outside);
}

#[test]
fn runs_do_not_depend_on_the_number_of_workers() {
    let recording = Recording::read(&text("a_noisy_1")).unwrap();
    let with = |workers| compare(&recording, (8, NonZeroUsize::new(workers).unwrap())).unwrap().judged;
    assert_eq!(with(1), with(3));
}

#[test]
fn an_unknown_kind_is_said_and_what_is_no_recording_is_refused() {
    let unknown = text("a_silent_1").replace("\"a_silent_1\"", "\"z_new_1\"");
    let recording = Recording::read(&unknown).unwrap();
    assert!(compare(&recording, (1, NonZeroUsize::MIN)).unwrap_err().contains("not an experiment"));
    assert!(Recording::read("{}").is_err());
}

/// Written by `shakedown conform swarm --write-docs docs/fidelity-swarm.md`.
#[test]
fn the_page_has_a_row_for_each_shipped_recording_and_the_method_of_today() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fidelity-swarm.md")).unwrap();
    let now = Swarm { each: Vec::new(), seeds: 0 }.page();
    let method = now.split("\nWith 0 seeds").next().unwrap();
    assert!(page.starts_with(method), "write the page again");
    for source in shakedown_fidelity::swarm::shipped() {
        let name = source.name();
        let name = name.trim_start_matches("shipped:swarm/").trim_end_matches(".json");
        assert!(page.contains(&format!("| {name} |")), "{name}");
    }
}
