//! What keys of files for other orchestrators do here: the form of the tables that say so.
//!
//! Each kind of mapping has one table, a line a key, in the module that reads it. Values are not looked at here. Start
//! at [`Keys`].

use shakedown_engine::profile::Wish;

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It decides something.
    Honoured,
    /// It belongs to what its parent or its own keys say, and is not counted by itself.
    Part,
    /// It changes nothing that is simulated.
    Idle,
    /// It would change something, but is ignored, for this reason.
    Ignored(&'static str),
    /// It decides something under profiles that honour this wish.
    Wished(Wish),
    /// The file cannot be understood without what it refers to, for this reason.
    Unresolved(&'static str),
}

/// The keys of one kind of mapping.
pub(crate) struct Keys {
    /// What the mapping is called in problems.
    pub(crate) called: &'static str,
    /// What stands before its keys in remarks.
    pub(crate) path: &'static str,
    pub(crate) table: &'static [(&'static str, Effect)],
}

impl Keys {
    pub(crate) fn effect(&self, key: &str) -> Option<Effect> {
        self.table.iter().find(|(name, _)| *name == key).map(|(_, effect)| *effect)
    }
}
