//! Events of a timeline, as a watch of the API shows them: recorded ones and those of a replay in one shape.
//!
//! Names of pods are random in the original, so an event is known by its class: what happened, to which revision of which
//! owner. Start at [`Event`].

use std::collections::BTreeMap;

/// What is compared: a kind of event, of one revision of one owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    /// `created`, `bound`, `running`, `ready`, `deleting`, `gone`, `node Unknown`, …
    pub kind: String,
    /// `v1`, `v2`, …; empty where it does not matter.
    pub revision: String,
    /// Deployment, StatefulSet, …, by name; empty where there is only one.
    pub owner: String,
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        for part in [&self.owner, &self.revision] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        Ok(())
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Seconds since the trigger.
    pub at: f64,
    /// What.
    pub class: Class,
    /// To which object, by its own name.
    pub object: String,
    /// On which node, if that is known.
    pub node: Option<String>,
}

/// The times of each class, in order.
pub fn by_class(events: &[Event]) -> BTreeMap<&Class, Vec<f64>> {
    let mut classes: BTreeMap<&Class, Vec<f64>> = BTreeMap::new();
    for event in events {
        classes.entry(&event.class).or_default().push(event.at);
    }
    for times in classes.values_mut() {
        times.sort_by(f64::total_cmp);
    }
    classes
}
