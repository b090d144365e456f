//! What classic Swarm reads from labels and environment: constraints, affinities, the rescheduling policy.
//!
//! Source: docker/swarm:cluster/config.go, parseEnv and the labels with SwarmLabelNamespace; expressions as in
//! docker/swarm:scheduler/filter/expr.go. Swarm mode ignores them, and so does everybody else, but a condition on nodes
//! means the same to all. Start at [`Reader::classic`].

use regex_lite::Regex;
use shakedown_engine::labels::{Requirement, Selector};
use shakedown_engine::model::{HOSTNAME_LABEL, NodeTerm, PodTemplate, Rule, Weighted, Wishes};
use shakedown_engine::profile::Wish;

use super::Reader;
use crate::nodes::{any_of, apart, none_of};
use crate::problem::Mark;
use crate::text::Node;

/// Source: docker/swarm:cluster/config.go, SwarmLabelNamespace.
const NAMESPACE: &str = "com.docker.swarm.";
/// Weight of a soft condition: classic Swarm only falls back when nothing meets it.
const SOFT: i32 = 100;
const EXPRESSION: &str =
    "expected `KEY==VALUE`, `KEY!=VALUE`, softly `KEY==~VALUE`; a value may be a glob or `/REGEX/`";

/// One condition.
struct Expression<'t> {
    key: &'t str,
    equal: bool,
    soft: bool,
    value: &'t str,
}

impl Reader<'_, '_> {
    /// Takes over what labels and environment say to classic Swarm.
    pub(super) fn classic(
        &mut self,
        service: &Node,
        deploy: Option<&Node>,
        (template, wishes): (&mut PodTemplate, &mut Wishes),
    ) {
        let mut labels = self.pairs(service, "labels");
        labels.extend(deploy.map(|deploy| self.pairs(deploy, "labels")).unwrap_or_default());
        let mark = |key: &str| service.get(key).map_or(service.mark, |node| node.mark);
        for (key, value) in &labels {
            let Some(key) = key.strip_prefix(NAMESPACE) else { continue };
            let mark = mark("labels");
            let texts = |reader: &mut Self| reader.texts_of(key, value, mark);
            match key {
                "constraints" => texts(self).iter().for_each(|text| self.constrain(text, mark, template)),
                "affinities" => texts(self).iter().for_each(|text| self.attract(text, mark, template)),
                "reschedule-policies" => {
                    let policies = texts(self);
                    self.reschedule(&policies, mark, wishes);
                }
                _ => {}
            }
        }
        let variables: Vec<String> = match service.get("environment") {
            Some(list) if !list.items().is_empty() => {
                list.items().iter().filter_map(|item| item.scalar().map(ToOwned::to_owned)).collect()
            }
            Some(map) => map
                .entries()
                .iter()
                .map(|(key, value)| format!("{}={}", key.text, value.scalar().unwrap_or_default()))
                .collect(),
            None => Vec::new(),
        };
        let mark = mark("environment");
        for variable in &variables {
            match variable.split_once(':') {
                Some(("constraint", text)) => self.constrain(text, mark, template),
                Some(("affinity", text)) => self.attract(text, mark, template),
                Some(("reschedule", text)) => {
                    self.reschedule(&[text.trim_end_matches('=').to_owned()], mark, wishes);
                }
                _ => {}
            }
        }
    }

    /// A list of texts in JSON, as labels have it.
    fn texts_of(&mut self, key: &str, value: &str, mark: Mark) -> Vec<String> {
        serde_json::from_str(value).unwrap_or_else(|_| {
            self.low
                .problems
                .error("E0204", mark, format!("the label `{NAMESPACE}{key}` is no list of texts"))
                .expected("expected JSON such as `'[\"storage==ssd\"]'`");
            Vec::new()
        })
    }

    fn reschedule(&mut self, policies: &[String], mark: Mark, wishes: &mut Wishes) {
        for policy in policies {
            match policy.as_str() {
                "on-node-failure" => wishes.lost.reschedule = Some(true),
                "off" => wishes.lost.reschedule = Some(false),
                other => {
                    // Source: docker/swarm:cluster/config.go, Validate.
                    self.low
                        .problems
                        .error("E0205", mark, format!("`{other}` is no rescheduling policy"))
                        .expected("expected one of `off`, `on-node-failure`")
                        .suggest(other, ["off", "on-node-failure"]);
                    return;
                }
            }
        }
        self.low.asked.note(&format!("{NAMESPACE}reschedule-policies"), Wish::LostReschedule, mark);
    }

    /// A condition on nodes.
    fn constrain(&mut self, text: &str, mark: Mark, template: &mut PodTemplate) {
        let Some(Expression { key, equal, soft, value }) = self.expression(text, mark) else { return };
        template.wishes.rules.extend(Rule::parse(&format!("constraint:{text}")));
        // `node` is a name or an id; everything else is a label of the engine.
        let label = if key == "node" { HOSTNAME_LABEL } else { key };
        let Some(requirement) = self.on_label(label, equal, value, mark) else { return };
        *self.honoured.entry(format!("{NAMESPACE}constraints")).or_default() += 1;
        let labels = Selector { all: vec![requirement] };
        match soft {
            true => {
                let item = NodeTerm { labels, ..NodeTerm::default() };
                template.affinity.node_preferred.push(Weighted { weight: SOFT, item });
            }
            // All must hold, so they share the one alternative that there is.
            false => match template.affinity.node_required.first_mut() {
                Some(term) => term.labels.all.extend(labels.all),
                None => template.affinity.node_required.push(NodeTerm { labels, ..NodeTerm::default() }),
            },
        }
    }

    /// A condition on containers of the same node.
    fn attract(&mut self, text: &str, mark: Mark, template: &mut PodTemplate) {
        let Some(Expression { key, equal, soft, value }) = self.expression(text, mark) else { return };
        template.wishes.rules.extend(Rule::parse(&format!("affinity:{text}")));
        if matches!(key, "container" | "image" | "id") || value.contains('*') || value.starts_with('/') {
            let why = "containers are known by their labels here: write `com.docker.compose.service==NAME`";
            self.low.unmodelled.field(&format!("{NAMESPACE}affinities: {key}"), why, mark);
            return;
        }
        *self.honoured.entry(format!("{NAMESPACE}affinities")).or_default() += 1;
        let names = &mut self.low.catalog.names;
        let selector = Selector::equals([(names.intern(key), names.intern(value))]);
        let item = apart(names, selector, HOSTNAME_LABEL);
        let affinity = &mut template.affinity;
        match (equal, soft) {
            (true, false) => affinity.pod_required.push(item),
            (false, false) => affinity.anti_required.push(item),
            (true, true) => affinity.pod_preferred.push(Weighted { weight: SOFT, item }),
            (false, true) => affinity.anti_preferred.push(Weighted { weight: SOFT, item }),
        }
    }

    fn expression<'t>(&mut self, text: &'t str, mark: Mark) -> Option<Expression<'t>> {
        let split = text.split_once("!=").map(|(key, value)| (key, value, false));
        let split = match (split, text.split_once("==")) {
            (Some(found), Some((key, _))) if found.0.len() < key.len() => Some(found),
            (_, Some((key, value))) => Some((key, value, true)),
            (found, None) => found,
        };
        let parsed = split.map(|(key, value, equal)| {
            let soft = value.starts_with('~');
            Expression { key: key.trim(), equal, soft, value: value.trim_start_matches('~') }
        });
        let good = parsed.filter(|one| !one.key.is_empty() && !one.value.is_empty());
        if good.is_none() {
            self.low.problems.error("E0204", mark, format!("`{text}` is not a condition")).expected(EXPRESSION);
        }
        good
    }

    /// Globs and regular expressions become the values that nodes of the cluster have.
    fn on_label(&mut self, label: &str, equal: bool, value: &str, mark: Mark) -> Option<Requirement> {
        let pattern = match value.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            Some(regex) => regex.to_owned(),
            None => {
                let parts: Vec<String> = value.split('*').map(regex_lite::escape).collect();
                format!("^{}$", parts.join(".*"))
            }
        };
        let regex = match Regex::new(&pattern) {
            Ok(regex) => regex,
            Err(why) => {
                self.low.problems.error("E0204", mark, format!("`{value}` is no pattern: {why}")).expected(EXPRESSION);
                return None;
            }
        };
        let meets = |text: &str| regex.is_match(text);
        Some(match equal {
            true => any_of(self.low.catalog, label, &meets),
            false => none_of(self.low.catalog, label, &meets),
        })
    }
}
