//! Services: a name with endpoints.

use crate::ids::Symbol;
use crate::labels::Selector;

/// A service as declared.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Name, unique in its namespace.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// Which pods back it; `None` for a service without a selector, which gets no endpoints.
    pub selector: Option<Selector>,
    /// Resolved to the addresses of its pods instead of one virtual address.
    pub headless: bool,
    /// Pods count as endpoints before they are ready.
    pub publish_not_ready: bool,
}

impl ServiceSpec {
    /// A service with one virtual address before the ready pods that `selector` matches.
    pub fn new(name: Symbol, namespace: Symbol, selector: Selector) -> Self {
        Self { name, namespace, selector: Some(selector), headless: false, publish_not_ready: false }
    }
}
