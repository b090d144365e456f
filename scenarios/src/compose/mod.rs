//! Compose files as workloads: each service becomes a deployment, and a service of its name where somebody asks for it.
//!
//! The file is read by tables of keys over our own trees, not by a crate of Compose types. The only maintained one,
//! docker-compose-types 0.24, takes unknown keys through a flattened map, which loses the place of every problem below
//! a service; it refuses what the specification allows (numbers under `expose`, a mapping of `deploy.labels`,
//! `rollback_config`, `configs`), and tells neither which keys have an effect nor which are ignored. compose_spec is
//! stricter, but dormant, and brings serde_yaml. Nothing is merged here: `extends`, `include` and the environment are
//! for `docker compose config`, which prints one file without them. Start at [`lower`]; [`keys`] says what each key does.

mod amounts;
mod classic;
mod deploy;
mod health;
mod interpolate;
mod keys;
mod placement;
mod ports;
mod service;
mod treatment;

use std::collections::{BTreeMap, BTreeSet};

use crate::manifest::{Lowered, Lowering};
use crate::problem::Mark;
use crate::text::{NAME, Node, Value, is_name, wrong_type};

use crate::keys::{Effect, Keys};
use amounts::Form;
use interpolate::Resolved;
pub(crate) use placement::ROLE_LABEL;

/// What came of a Compose file.
#[derive(Debug, Default)]
pub(crate) struct Composed {
    /// Deployments and services.
    pub(crate) lowered: Lowered,
    /// Keys that had an effect, with how often each was written.
    pub(crate) honoured: BTreeMap<String, u32>,
}

/// Lowers a Compose file; everything that is wrong with it is filed, what is ignored is named once.
pub(crate) fn lower(documents: &[Node], low: &mut Lowering<'_>) -> Composed {
    let mut reader =
        Reader { low, honoured: BTreeMap::new(), idle: BTreeMap::new(), unknown: BTreeSet::new(), old: false };
    let lowered = reader.documents(documents).unwrap_or_default();
    reader.report();
    Composed { lowered, honoured: reader.honoured }
}

/// What the parts of the reading share.
struct Reader<'r, 'l> {
    low: &'r mut Lowering<'l>,
    honoured: BTreeMap<String, u32>,
    /// Keys that change nothing that is simulated, and where each stood first.
    idle: BTreeMap<String, (Mark, u32)>,
    /// Where values stay unknown; nothing more is said of them.
    unknown: BTreeSet<u32>,
    /// The file is of version 2, which only Compose itself and classic Swarm take.
    old: bool,
}

impl Reader<'_, '_> {
    fn documents(&mut self, documents: &[Node]) -> Option<Lowered> {
        let whole = documents.first()?;
        if !self.is_one_compose_file(documents) {
            return None;
        }
        let Resolved { file, missing, unknown } = interpolate::resolve(whole, self.low.problems);
        self.unknown = unknown;
        if !missing.is_empty() {
            let names: Vec<&str> = missing.keys().map(String::as_str).collect();
            let mark = missing.values().next().copied().unwrap_or(whole.mark);
            self.low
                .problems
                .info("N0613", mark, format!("these variables have no value here: `{}`", names.join("`, `")))
                .help("they only stand where values have no effect on a simulation");
        }
        if !self.keys(&file, &keys::FILE) {
            return None;
        }
        self.version(&file);
        let services = file.get("services")?;
        let asked = self.dependencies(services);
        let mut lowered = Lowered::default();
        for (key, node) in services.entries() {
            if !is_name(&key.text) {
                self.low.problems.error("E0204", key.mark, format!("`{}` cannot be a name", key.text)).expected(NAME);
                continue;
            }
            if let Some((workload, service)) = self.service(key, node, asked.contains(key.text.as_str())) {
                lowered.workloads.push(workload);
                lowered.services.extend(service.map(|id| (id, key.mark)));
            }
        }
        Some(lowered)
    }

    fn is_one_compose_file(&mut self, documents: &[Node]) -> bool {
        let whole = &documents[0];
        let (mark, what) = match (documents.get(1), whole.get("services").map(|services| &services.value)) {
            (Some(second), _) => (second.mark, "a Compose file is one YAML document, and this file has several"),
            (None, Some(Value::Map(entries))) if !entries.is_empty() => return true,
            (None, None) if whole.get("kind").is_some() => (whole.mark, "this is a Kubernetes manifest"),
            (None, None) => (whole.mark, "this Compose file has no `services`"),
            (None, Some(_)) => {
                let services = whole.get("services").map_or(whole.mark, |services| services.mark);
                (services, "`services` is no mapping with at least one service")
            }
        };
        self.low
            .problems
            .error("E0510", mark, what)
            .expected("expected a Compose file: `services: { NAME: { image: IMAGE } }`")
            .help("Kubernetes objects are named by `workloads: [{ manifest: FILE }]`");
        false
    }

    /// Versions 2 and 3 and the current specification, which has no version, share one set of keys.
    fn version(&mut self, file: &Node) {
        let Some(version) = file.get("version").filter(|version| !version.is_null()) else { return };
        let major = version.scalar().map(|text| text.split_once('.').map_or(text, |(major, _)| major));
        self.old = major == Some("2");
        if !matches!(major, Some("2" | "3")) {
            self.low
                .problems
                .error("E0206", version.mark, format!("{} is no version of Compose files", version.describe()))
                .expected("expected `2.x` or `3.x`, or no version at all")
                .help("the current specification needs no `version`; remove it");
        }
    }

    /// Services that others need, each of which must exist.
    fn dependencies<'n>(&mut self, services: &'n Node) -> BTreeSet<&'n str> {
        let known: Vec<&str> = services.entries().iter().map(|(key, _)| key.text.as_str()).collect();
        let mut asked = BTreeSet::new();
        for (_, service) in services.entries() {
            for (name, mark, required) in needs(service) {
                if known.contains(&name) {
                    asked.insert(name);
                } else if required {
                    self.low
                        .problems
                        .error("E0303", mark, format!("there is no service `{name}` in this file"))
                        .expected("expected the name of a service under `services`")
                        .suggest(name, known.iter().copied());
                }
            }
        }
        asked
    }

    /// Looks at the keys of a mapping; false, with a problem filed, when it is none.
    fn keys(&mut self, node: &Node, keys: &Keys) -> bool {
        let Value::Map(entries) = &node.value else {
            wrong_type(node, &format!("a mapping that describes {}", keys.called), self.low.problems);
            return false;
        };
        for (key, value) in entries.iter().filter(|(key, _)| !key.text.starts_with("x-")) {
            let path = format!("{}{}", keys.path, key.text);
            match keys.effect(&key.text) {
                Some(Effect::Honoured) => *self.honoured.entry(path).or_default() += 1,
                Some(Effect::Part) => {}
                // What is written as nothing is as if it were not there.
                Some(_) if value.is_null() => {}
                Some(Effect::Wished(wish)) => {
                    self.low.asked.note(&path, wish, key.mark);
                    *self.honoured.entry(path).or_default() += 1;
                }
                Some(Effect::Idle) => self.idle.entry(path).or_insert((key.mark, 0)).1 += 1,
                Some(Effect::Ignored(why)) => self.low.unmodelled.field(&path, why, key.mark),
                Some(Effect::Unresolved(why)) => {
                    self.low
                        .problems
                        .error("E0509", key.mark, format!("`{}` is not resolved here: {why}", key.text))
                        .expected("expected a Compose file that stands for itself")
                        .help("`docker compose config` prints the file with everything resolved");
                }
                None => {
                    let known = || keys.table.iter().map(|(name, _)| *name);
                    self.low
                        .problems
                        .error("E0201", key.mark, format!("unknown field `{}` in {}", key.text, keys.called))
                        .expected("expected a key of the Compose specification; own ones begin with `x-`")
                        .suggest(&key.text, known());
                }
            }
        }
        true
    }

    /// What stands under a key and is known.
    fn written<'n>(&self, parent: &'n Node, key: &str) -> Option<&'n Node> {
        parent.get(key).filter(|node| !node.is_null() && self.is_known(node))
    }

    fn is_known(&self, node: &Node) -> bool {
        !self.unknown.contains(&node.mark.start) || node.scalar().is_none()
    }

    /// The mapping under a key, its keys looked at; `None` when nothing is there.
    fn part<'n>(&mut self, parent: &'n Node, key: &str, keys: &Keys) -> Option<&'n Node> {
        let node = self.written(parent, key)?;
        self.keys(node, keys).then_some(node)
    }

    /// The amount under a key; `None` when nothing is there, or, with a problem filed, when it is malformed.
    fn amount<T>(&mut self, parent: &Node, key: &str, form: &Form<T>) -> Option<T> {
        let node = self.written(parent, key)?;
        self.read(node, form)
    }

    fn read<T>(&mut self, node: &Node, form: &Form<T>) -> Option<T> {
        let Some(text) = node.scalar() else {
            wrong_type(node, form.expected, self.low.problems);
            return None;
        };
        let value = (form.parse)(text);
        if value.is_none() {
            self.low
                .problems
                .error("E0204", node.mark, format!("`{text}` is not a valid value here"))
                .expected(format!("expected {}", form.expected));
        }
        value
    }

    /// A value of these words; another one is a problem.
    fn word<'n>(&mut self, parent: &'n Node, key: &str, words: &[&str]) -> Option<&'n str> {
        let node = self.written(parent, key)?;
        let text = node.scalar();
        if text.is_none_or(|text| !words.contains(&text)) {
            self.low
                .problems
                .error("E0205", node.mark, format!("{} is no word for `{key}`", node.describe()))
                .expected(format!("expected one of `{}`", words.join("`, `")))
                .suggest(text.unwrap_or_default(), words.iter().copied());
            return None;
        }
        text
    }

    /// Names once what has no effect.
    fn report(&mut self) {
        let Some(mark) = self.idle.values().map(|found| found.0).min_by_key(|mark| mark.start) else { return };
        let list: Vec<String> = self.idle.iter().map(|(path, found)| format!("{} `{path}`", found.1)).collect();
        self.low.problems.info(
            "N0611",
            mark,
            format!("these keys are accepted and change nothing here: {}", list.join(", ")),
        );
    }
}

/// What a service names under `depends_on` and `links`, and whether it must exist.
fn needs(service: &Node) -> Vec<(&str, Mark, bool)> {
    let mut out = Vec::new();
    if let Some(after) = service.get("depends_on") {
        out.extend(after.items().iter().filter_map(|item| Some((item.scalar()?, item.mark, true))));
        out.extend(after.entries().iter().map(|(key, how)| {
            let required = how.get("required").and_then(Node::scalar) != Some("false");
            (key.text.as_str(), key.mark, required)
        }));
    }
    for link in service.get("links").map(Node::items).unwrap_or_default() {
        // `SERVICE:ALIAS`
        out.extend(link.scalar().map(|text| (text.split(':').next().unwrap_or(text), link.mark, true)));
    }
    out
}
