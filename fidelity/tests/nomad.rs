//! The shipped recordings of a real Nomad, computed again in full.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use shakedown_engine::profile::Profile;
use shakedown_fidelity::nomad;

fn recorded() -> Profile {
    Profile::named("nomad@1.1").expect("it is built in")
}

#[test]
fn every_recorded_placement_is_computed_the_same_way() {
    let agreement = nomad::conform(&nomad::shipped_recordings(), &recorded()).unwrap();
    println!("{}", agreement.text());
    assert!(agreement.is_full(), "{}", agreement.text());
}
