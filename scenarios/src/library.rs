//! The scenarios that ship inside the program, with the manifests that they use.

use std::sync::Arc;

use crate::plan::Plan;
use crate::problem::{Diagnostics, Problem};
use crate::text::{Files, ReadError, suggestion};

/// A scenario inside the program.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// Name: that of its file, without the ending.
    pub name: &'static str,
    /// What it finds out.
    pub about: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Further files that it names, by path relative to it.
    pub files: &'static [(&'static str, &'static str)],
}

/// Google's Online Boutique, as released (Apache-2.0, see the notice in the file).
const BOUTIQUE: (&str, &str) =
    ("manifests/online-boutique.yaml", include_str!("../library/manifests/online-boutique.yaml"));
/// A small shop of three services.
const SHOP: (&str, &str) = ("manifests/shop.yaml", include_str!("../library/manifests/shop.yaml"));
/// The application of the walk-through.
const GUESTBOOK: (&str, &str) = ("manifests/guestbook.yaml", include_str!("../library/manifests/guestbook.yaml"));

macro_rules! embedded {
    ($($name:literal, $about:literal, [$($file:ident),*];)+) => {
        &[$(Embedded {
            name: $name,
            about: $about,
            text: include_str!(concat!("../library/", $name, ".yaml")),
            files: &[$($file),*],
        }),+]
    };
}

const LIBRARY: &[Embedded] = embedded! {
    "burning-server", "One of two servers burns at night: are its containers moved before anyone is woken up?", [SHOP];
    "saturated-node", "A node is saturated until not even SSH answers: does anyone notice?", [SHOP];
    "kill-node-mid-rollout", "Nodes die in the middle of a rolling update: does it end well?", [];
    "walkthrough", "Create, heal, scale, canary, rolling update, undo: the usual tour of an orchestrator", [GUESTBOOK];
    "partition-heals", "Nodes are cut off and come back: how long does everything run twice?", [SHOP];
    "beyond-capacity", "More replicas than the cluster holds: do the others suffer, and do they start when room appears?", [];
    "zone-loss", "One of three zones goes dark: what do users notice?", [SHOP];
    "online-boutique", "Google's Online Boutique loses one of three zones", [BOUTIQUE];
};

/// All scenarios inside the program.
pub fn library() -> &'static [Embedded] {
    LIBRARY
}

impl Files for Embedded {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        let own = (self.name, self.text);
        let found = std::iter::once(&own).chain(self.files).find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).into()).ok_or(ReadError::Missing)
    }
}

/// Loads a scenario from inside the program.
///
/// # Errors
/// When there is none of that name.
pub fn load_embedded(name: &str) -> Result<Plan, Diagnostics> {
    let bare = name.strip_suffix(".yaml").unwrap_or(name);
    let Some(embedded) = LIBRARY.iter().find(|embedded| embedded.name == bare) else {
        let mut problem = Problem::bare("E0113", format!("there is no scenario `{name}` in the library"));
        problem.help = suggestion(bare, LIBRARY.iter().map(|embedded| embedded.name));
        return Err(Diagnostics::one(problem));
    };
    crate::load_from(embedded.name, embedded)
}
