//! `ports` and `expose`: whether others reach a service, and which ports of the host its replicas claim.
//!
//! A published port in ingress mode claims nothing on the host of a replica: the routing mesh listens on every node.
//! Start at [`Reader::ports`].

use shakedown_engine::model::HostPort;

use super::amounts::{PORTS, ports};
use super::{Reader, keys};
use crate::text::{Node, Value, wrong_type};

const SHORT: &str = "expected a port such as `80`, `8080:80`, `127.0.0.1:8080:80/udp` or `3000-3005:3000-3005`";
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

impl Reader<'_, '_> {
    /// Ports of the host; `None` when the service has no ports at all.
    pub(super) fn ports(&mut self, service: &Node) -> Option<Vec<HostPort>> {
        let mut claimed = Vec::new();
        let published = self.list(service, "ports");
        for port in published.iter().filter(|port| self.is_known(port)).collect::<Vec<_>>() {
            match &port.value {
                Value::Map(_) => claimed.extend(self.long_port(port)),
                Value::Scalar { text, .. } if short_port(text) => {}
                _ => {
                    self.low
                        .problems
                        .error("E0204", port.mark, format!("{} is not a port", port.describe()))
                        .expected(SHORT);
                }
            }
        }
        let exposed = self.list(service, "expose");
        for port in exposed {
            if self.is_known(port) && !port.scalar().is_some_and(exposed_port) {
                self.low
                    .problems
                    .error("E0204", port.mark, format!("{} is not a port", port.describe()))
                    .expected(format!("expected {}", PORTS.expected));
            }
        }
        claimed.sort_unstable();
        claimed.dedup();
        (!published.is_empty() || !exposed.is_empty()).then_some(claimed)
    }

    /// A port in the long form, and what it claims on the host.
    fn long_port(&mut self, port: &Node) -> Option<HostPort> {
        self.keys(port, &keys::PORT);
        if port.get("target").is_none() {
            self.low
                .problems
                .error("E0202", port.mark, "`target` is missing in a port")
                .expected("expected the port inside the container, such as `target: 80`");
        }
        self.amount(port, "target", &PORTS);
        let published = self.amount(port, "published", &PORTS);
        let mode = self.word(port, "mode", &["host", "ingress"]);
        let protocol = self.word(port, "protocol", &PROTOCOLS).unwrap_or("tcp").to_ascii_uppercase();
        let (Some("host"), Some(published)) = (mode, published) else { return None };
        if published.start() != published.end() {
            let why = "no port of the range is claimed on the host";
            self.low.unmodelled.field("ports.published", why, port.mark);
            return None;
        }
        let names = &mut self.low.catalog.names;
        let ip = port.get("host_ip").and_then(Node::scalar).unwrap_or_default();
        Some(HostPort { port: *published.start(), protocol: names.intern(&protocol), ip: names.intern(ip) })
    }

    /// Elements of the list under a key; anything else there is a problem.
    pub(super) fn list<'n>(&mut self, parent: &'n Node, key: &str) -> &'n [Node] {
        let Some(node) = self.written(parent, key) else { return &[] };
        if !matches!(node.value, Value::List(_)) {
            wrong_type(node, "a list", self.low.problems);
        }
        node.items()
    }
}

/// `80`, `80/udp`, `3000-3005`.
fn exposed_port(text: &str) -> bool {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    ports(number).is_some() && PROTOCOLS.contains(&protocol)
}

/// `[[IP:]HOST:]CONTAINER[/PROTOCOL]`. Source: docker/go-connections:nat/parse.go.
fn short_port(text: &str) -> bool {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let mut parts = numbers.rsplitn(3, ':');
    let inside = parts.next().and_then(ports);
    let outside = parts.next().filter(|outside| !outside.is_empty()).map(ports);
    let address = parts.next();
    let Some(inside) = inside.filter(|_| PROTOCOLS.contains(&protocol)) else { return false };
    if address.is_some_and(str::is_empty) {
        return false;
    }
    match outside {
        None => true,
        Some(None) => false,
        // A range outside for one port inside means any of them.
        Some(Some(outside)) => inside.len() == 1 || inside.len() == outside.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ports_are_checked() {
        for good in [
            "80",
            "8080:80",
            "127.0.0.1:8080:80",
            "127.0.0.1::80",
            "53:53/udp",
            "3000-3005",
            "90-91:80-81",
            "90-95:80",
            "[::1]:80:80",
        ] {
            assert!(short_port(good), "{good}");
        }
        for bad in ["", "x", "80:", "0:80", "99999:80", "80:80/http", "90-95:80-81", ":80:80", "80-70"] {
            assert!(!short_port(bad), "{bad}");
        }
    }
}
