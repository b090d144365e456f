//! `ports` and `expose`: whether others reach a service, and which ports of the host its replicas claim.
//!
//! A port in host mode claims the port of the node. What any other takes is the profile's: nothing under a routing mesh,
//! the node's port where engines are on their own.
//! Start at [`Reader::ports`].

use shakedown_engine::model::HostPort;

use super::amounts::{PORTS, ports};
use super::{Reader, keys};
use crate::text::{Node, Value, wrong_type};

const SHORT: &str = "expected a port such as `80`, `8080:80`, `127.0.0.1:8080:80/udp` or `3000-3005:3000-3005`";
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// What a service's ports take.
#[derive(Default)]
pub(super) struct Claims {
    /// Of the node, whatever the profile.
    pub(super) host: Vec<HostPort>,
    /// Of the node or of nothing, as the profile has it: a routing mesh, or plain ports of engines.
    pub(super) published: Vec<HostPort>,
}

impl Reader<'_, '_> {
    /// Ports of the host; `None` when the service has no ports at all.
    pub(super) fn ports(&mut self, service: &Node) -> Option<Claims> {
        let mut claims = Claims::default();
        let published = self.list(service, "ports");
        for port in published.iter().filter(|port| self.is_known(port)).collect::<Vec<_>>() {
            match &port.value {
                Value::Map(_) => self.long_port(port, &mut claims),
                Value::Scalar { text, .. } if let Some(short) = short_port(text) => {
                    let names = &mut self.low.catalog.names;
                    let (protocol, ip) = (names.intern(&short.protocol), names.intern(short.ip));
                    claims.published.extend(short.outside.map(|port| HostPort { port, protocol, ip }));
                }
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
        for list in [&mut claims.host, &mut claims.published] {
            list.sort_unstable();
            list.dedup();
        }
        (!published.is_empty() || !exposed.is_empty()).then_some(claims)
    }

    /// A port in the long form, and what it claims on the host.
    fn long_port(&mut self, port: &Node, claims: &mut Claims) {
        self.keys(port, &keys::PORT);
        if port.get("target").is_none() {
            self.low
                .problems
                .error("E0202", port.mark, "`target` is missing in a port")
                .expected("expected the port inside the container, such as `target: 80`");
        }
        let target = self.amount(port, "target", &PORTS);
        let published = self.amount(port, "published", &PORTS);
        let mode = self.word(port, "mode", &["host", "ingress"]);
        let protocol = self.word(port, "protocol", &PROTOCOLS).unwrap_or("tcp").to_ascii_uppercase();
        let Some(published) = published else { return };
        // A range for one port means any of them.
        if published.len() > 1 && target.is_some_and(|target| target.len() == 1) {
            if mode == Some("host") {
                let why = "any port of the range is free somewhere: none of them is claimed on the host";
                self.low.unmodelled.field("ports.published", why, port.mark);
            }
            return;
        }
        let names = &mut self.low.catalog.names;
        let ip = names.intern(port.get("host_ip").and_then(Node::scalar).unwrap_or_default());
        let protocol = names.intern(&protocol);
        let list = if mode == Some("host") { &mut claims.host } else { &mut claims.published };
        list.extend(published.map(|port| HostPort { port, protocol, ip }));
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

/// A port in the short form.
#[derive(Debug, PartialEq, Eq)]
struct Short<'t> {
    /// Ports of the host, unless Docker chooses one.
    outside: std::ops::RangeInclusive<u16>,
    protocol: String,
    ip: &'t str,
}

/// `[[IP:]HOST:]CONTAINER[/PROTOCOL]`. Source: docker/go-connections:nat/parse.go.
fn short_port(text: &str) -> Option<Short<'_>> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let mut parts = numbers.rsplitn(3, ':');
    let inside = parts.next().and_then(ports).filter(|_| PROTOCOLS.contains(&protocol))?;
    let outside = parts.next().filter(|outside| !outside.is_empty()).map(ports);
    let address = parts.next();
    if address.is_some_and(str::is_empty) {
        return None;
    }
    // An empty range: nothing that is known beforehand.
    #[expect(clippy::reversed_empty_ranges, reason = "no port is claimed")]
    let any = 1..=0;
    let outside = match outside {
        None => any,
        Some(outside) => match outside? {
            outside if inside.len() == outside.len() => outside,
            // A range outside for one port inside means any of them.
            _ if inside.len() == 1 => any,
            _ => return None,
        },
    };
    Some(Short { outside, protocol: protocol.to_ascii_uppercase(), ip: address.unwrap_or_default() })
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
            assert!(short_port(good).is_some(), "{good}");
        }
        for bad in ["", "x", "80:", "0:80", "99999:80", "80:80/http", "90-95:80-81", ":80:80", "80-70"] {
            assert_eq!(short_port(bad), None, "{bad}");
        }
    }
}
