//! Every shipped timeline is replayed and agrees with its recording.

use shakedown_fidelity::recordings::shipped_below;
use shakedown_fidelity::timeline::recording::Recording;
use shakedown_fidelity::timeline::{agreement, conform};

#[test]
fn shipped_timelines_are_replayed_as_recorded() {
    let mut all = agreement("kubernetes timelines");
    let mut unable = Vec::new();
    for shipped in shipped_below("kubernetes/timelines") {
        let name = shipped.name.rsplit('/').next().unwrap().trim_end_matches(".json");
        let recording = Recording::read(name, &shipped.text()).expect("it ships intact");
        let mut own = agreement(name);
        match conform(&recording, &mut own) {
            Ok(()) => eprintln!("{}", own.text()),
            Err(why) => unable.push(format!("{name}: {why}")),
        }
        conform(&recording, &mut all).ok();
    }
    assert!(unable.is_empty(), "{unable:#?}");
    assert!(all.is_full(), "{}", all.text());
}
