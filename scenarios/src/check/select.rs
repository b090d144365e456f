//! Selectors: names become ids, and a selector that can match nothing is a problem.

use std::collections::BTreeSet;

use shakedown_chaos::select::{Mode, NodeSelection, PodSelection, Side};
use shakedown_engine::ids::{NodeId, Symbol, ZoneId};

use super::Checker;
use crate::problem::Mark;
use crate::raw::{KillPodsRaw, Names, NodesRaw, Pick, SelectorRaw, SideRaw, SideWord};
use crate::text::{At, Named, Percent};

impl Checker<'_> {
    /// Which nodes are meant; `None` with a problem filed when none can be.
    pub(super) fn nodes_of(&mut self, raw: &NodesRaw, mark: Mark) -> Option<NodeSelection> {
        match raw {
            NodesRaw::Pick(Pick::All) => Some(NodeSelection::default()),
            NodesRaw::Pick(Pick::One) => Some(NodeSelection { mode: Mode::Count(1), ..NodeSelection::default() }),
            NodesRaw::Where(selector) => self.selector(selector, mark),
        }
    }

    /// Which nodes a selector means.
    pub(super) fn selector(&mut self, raw: &SelectorRaw, mark: Mark) -> Option<NodeSelection> {
        let before = self.low.problems.errors();
        let names = self.node_names(raw.nodes.as_ref());
        let zones = self.zones(raw.zone.as_ref());
        let roles = self.roles(raw.role.as_ref());
        let labels = self.labels(&raw.labels);
        let hosting = match &raw.hosting {
            Some(name) => Some(self.known_workload(name)?),
            None => None,
        };
        let mode = self.mode((raw.count, raw.percent, raw.pick), mark)?;
        if self.low.problems.errors() > before {
            return None;
        }
        let selection = NodeSelection { names, labels, zones, roles, hosting, mode };
        let matching = self.matching(&selection).len();
        if matching == 0 && !self.incomplete.nodes {
            self.low
                .problems
                .error("E0401", mark, "this selector matches no node")
                .expected("expected conditions that at least one node of the cluster meets")
                .help("all conditions must hold at once; compare them with `cluster.nodes`");
            return None;
        }
        if let (Mode::Count(n), Some(count)) = (mode, raw.count)
            && n as usize > matching
            && !self.incomplete.nodes
        {
            self.low
                .problems
                .warn("W0407", count.mark, format!("only {matching} nodes match, fewer than {n}"))
                .help("all of them are hit");
        }
        Some(selection)
    }

    /// Nodes that match now and always: names, labels, zones and roles do not change during a run.
    pub(super) fn matching(&self, selection: &NodeSelection) -> Vec<NodeId> {
        let nodes = self.low.catalog.nodes.iter().filter(|(id, node)| {
            (selection.names.is_empty() || selection.names.contains(id))
                && (selection.zones.is_empty() || selection.zones.contains(&node.zone))
                && (selection.roles.is_empty() || selection.roles.iter().any(|role| node.roles.contains(role)))
                && selection.labels.iter().all(|&(key, value)| node.labels.get(key) == Some(value))
        });
        nodes.map(|(id, _)| id).collect()
    }

    fn node_names(&mut self, names: Option<&Names>) -> Vec<NodeId> {
        let mut out = BTreeSet::new();
        for name in names.iter().flat_map(|names| &names.0) {
            let found: Vec<NodeId> = if name.value.contains('*') {
                let nodes = self.low.catalog.nodes.iter();
                nodes.filter(|(_, n)| glob(&name.value, self.low.catalog.text(n.name))).map(|(id, _)| id).collect()
            } else {
                self.node(&name.value).into_iter().collect()
            };
            if found.is_empty() && !self.incomplete.nodes {
                let catalog = &*self.low.catalog;
                let known = catalog.nodes.rows().iter().map(|node| catalog.text(node.name));
                self.low
                    .problems
                    .error("E0301", name.mark, format!("there is no node `{}`", name.value))
                    .expected("expected the name of a node of the cluster")
                    .suggest(&name.value, known);
            }
            out.extend(found);
        }
        out.into_iter().collect()
    }

    fn zones(&mut self, names: Option<&Names>) -> Vec<ZoneId> {
        let mut out = Vec::new();
        for name in names.iter().flat_map(|names| &names.0) {
            let catalog = &*self.low.catalog;
            let found = catalog.zones.iter().find(|(_, zone)| catalog.text(**zone) == name.value).map(|(id, _)| id);
            if found.is_none() && !self.incomplete.nodes {
                let known = catalog.zones.rows().iter().map(|&zone| catalog.text(zone));
                self.low
                    .problems
                    .error("E0302", name.mark, format!("there is no zone `{}`", name.value))
                    .expected("expected the zone of some node")
                    .suggest(&name.value, known);
            }
            out.extend(found);
        }
        out
    }

    fn roles(&mut self, names: Option<&Names>) -> Vec<Symbol> {
        let mut out = Vec::new();
        for name in names.iter().flat_map(|names| &names.0) {
            let catalog = &*self.low.catalog;
            let roles = catalog.nodes.rows().iter().flat_map(|node| &node.roles).map(|&role| catalog.text(role));
            let known: BTreeSet<&str> = roles.collect();
            if !known.contains(name.value.as_str()) && !self.incomplete.nodes {
                self.low
                    .problems
                    .error("E0311", name.mark, format!("no node has the role `{}`", name.value))
                    .expected("expected a role that some node has")
                    .suggest(&name.value, known);
            }
            out.push(self.low.catalog.names.intern(&name.value));
        }
        out
    }

    fn labels(&mut self, labels: &Named<At<String>>) -> Vec<(Symbol, Symbol)> {
        self.pairs(labels.0.iter().map(|(key, value)| (&*key.value, &*value.value)))
    }

    fn mode(&mut self, given: Counts, mark: Mark) -> Option<Mode> {
        let (count, percent, pick) = given;
        match (count, percent, pick) {
            (None, None, None) => Some(Mode::All),
            (Some(zero), None, None) if zero.value == 0 => {
                self.low.problems.error("E0401", zero.mark, "a count of 0 hits nothing").expected("expected 1 or more");
                None
            }
            (None, Some(zero), None) if zero.value.0 == 0 => {
                self.low.problems.error("E0401", zero.mark, "0% hits nothing").expected("expected 1% or more");
                None
            }
            (Some(count), None, None) => Some(Mode::Count(count.value)),
            (None, Some(percent), None) => Some(Mode::Percent(percent.value.0)),
            (None, None, Some(pick)) => Some(if pick.value == Pick::One { Mode::Count(1) } else { Mode::All }),
            _ => {
                self.low
                    .problems
                    .error("E0207", mark, "this selector says more than once how many are hit")
                    .expected("expected at most one of `count`, `percent` and `pick`");
                None
            }
        }
    }

    /// Which pods are meant.
    pub(super) fn pods_of(&mut self, raw: &KillPodsRaw, mark: Mark) -> Option<PodSelection> {
        let before = self.low.problems.errors();
        let workload = raw.workload.as_ref().and_then(|name| self.known_workload(name));
        let service = raw.service.as_ref().and_then(|name| self.known_service(name));
        let on = raw.on.as_ref().and_then(|on| self.nodes_of(&on.value, on.mark));
        let mode = self.mode((raw.count, raw.percent, raw.pick), mark);
        let labels = self.labels(&raw.labels);
        if self.low.problems.errors() > before {
            return None;
        }
        if let (Some(id), Some(name)) = (service, &raw.service)
            && !self.must_be_backed(id, name.mark)
        {
            return None;
        }
        let catalog = &*self.low.catalog;
        let possible = catalog.workloads.iter().any(|(id, spec)| {
            let template = &catalog.templates[spec.template];
            let behind = |service: &shakedown_engine::model::ServiceSpec| {
                service.selector.as_ref().is_some_and(|s| s.matches(&template.labels, &catalog.names))
            };
            workload.is_none_or(|wanted| wanted == id)
                && service.is_none_or(|service| behind(&catalog.services[service]))
                && labels.iter().all(|&(key, value)| template.labels.get(key) == Some(value))
        });
        if !possible && !self.incomplete.workloads {
            self.low
                .problems
                .error("E0401", mark, "this selector matches no pod")
                .expected("expected conditions that the pods of at least one workload meet")
                .help("all conditions must hold at once; compare them with the labels of the pods");
            return None;
        }
        Some(PodSelection { workload, service, labels, on, mode: mode? })
    }

    /// One side of a network fault.
    pub(super) fn side(&mut self, raw: &SideRaw, mark: Mark) -> Option<Side> {
        let shape = match raw {
            SideRaw::Word(word) => {
                let nodes = |mode| Some(NodeSelection { mode, ..NodeSelection::default() });
                return Some(match word {
                    SideWord::Control => Side { control: true, ..Side::default() },
                    SideWord::Outside => Side { outside: true, ..Side::default() },
                    SideWord::Rest => Side { rest: true, ..Side::default() },
                    SideWord::All => Side { nodes: nodes(Mode::All), ..Side::default() },
                    SideWord::One => Side { nodes: nodes(Mode::Count(1)), ..Side::default() },
                });
            }
            SideRaw::Where(shape) => shape,
        };
        let selector = shape.selector();
        let nodes = if selector.says_something() { Some(self.selector(&selector, mark)?) } else { None };
        let side = Side {
            nodes,
            control: shape.control_plane.unwrap_or(false),
            outside: shape.outside.unwrap_or(false),
            rest: shape.rest.unwrap_or(false),
        };
        if side == Side::default() {
            self.low
                .problems
                .error("E0401", mark, "this side of the network is empty")
                .expected("expected nodes, `control_plane: true`, `outside: true` or `rest: true`");
            return None;
        }
        Some(side)
    }
}

/// The three ways to say how many.
type Counts = (Option<At<u32>>, Option<At<Percent>>, Option<At<Pick>>);

/// `*` stands for any characters.
fn glob(pattern: &str, name: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if !name.starts_with(first) || name.len() < first.len() + last.len() || !name.ends_with(last) {
        return false;
    }
    let mut rest = &name[first.len()..name.len() - last.len()];
    for part in &parts[1..parts.len() - 1] {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(glob("worker-*", "worker-1") && glob("*", "x") && glob("a*b*c", "aXbYc") && glob("*-1", "w-1"));
        assert!(!glob("worker-*", "manager-1") && !glob("ab*ba", "aba") && !glob("a*b*c", "ac"));
    }
}
