//! Constraints, affinities and spreads: conditions on attributes of nodes.
//!
//! Attributes are labels: `${meta.X}` is the label `X`, other `${attr.X}` are called `X` or `attr.X`, and what nodes have
//! anyway (name, data center, operating system) is found under its usual label. What only values can tell (regular
//! expressions, versions) is lowered to the values that nodes of the cluster have.
//! Source: hashicorp/nomad:scheduler/feasible/feasible.go, checkConstraint. Start at [`conditions`].

use regex_lite::Regex;
use shakedown_engine::ids::Symbol;
use shakedown_engine::labels::{Op, Requirement, Selector};
use shakedown_engine::model::{Distinct, HOSTNAME_LABEL, NodeTerm, REGION_LABEL, SpreadWish, Weighted, ZONE_LABEL};
use shakedown_engine::profile::Wish;

use super::keys;
use super::version::Condition;
use crate::jobs::build::Unit;
use crate::jobs::read::{Reader, written};
use crate::nodes::{any_of, apart, none_of, soft_spread};
use crate::text::Node;

/// The label that an attribute is; `None` when it is none.
fn label(reader: &Reader<'_, '_>, target: &str) -> Option<String> {
    let name = target.strip_prefix("${")?.strip_suffix('}')?;
    let known = match name {
        "node.unique.name" | "node.unique.id" | "attr.unique.hostname" => HOSTNAME_LABEL,
        "node.datacenter" => ZONE_LABEL,
        "node.region" => REGION_LABEL,
        "attr.kernel.name" | "attr.os.name" => "kubernetes.io/os",
        "attr.cpu.arch" => "kubernetes.io/arch",
        "attr.platform.aws.placement.availability-zone" => ZONE_LABEL,
        "attr.platform.aws.instance-type" => "node.kubernetes.io/instance-type",
        _ => "",
    };
    if !known.is_empty() {
        return Some(known.to_owned());
    }
    if let Some(meta) = name.strip_prefix("meta.") {
        return Some(meta.to_owned());
    }
    // As it is written, where any node has it; else without its first part.
    let carried = |label: &str| {
        let nodes = reader.low.catalog.nodes.rows();
        reader.low.catalog.names.find(label).is_some_and(|key| nodes.iter().any(|node| node.labels.get(key).is_some()))
    };
    let bare = name.strip_prefix("attr.").unwrap_or(name);
    Some(if carried(name) || !carried(bare) { name.to_owned() } else { bare.to_owned() })
}

/// Adds the constraints of `parents` (job, group, tasks) to a unit.
pub(super) fn conditions(reader: &mut Reader<'_, '_>, parents: &[&Node], job: &[Requirement], unit: &mut Unit) {
    let mut all = job.to_vec();
    for parent in parents {
        for node in reader.parts(parent, "Constraints", &keys::CONSTRAINT) {
            constraint(reader, node, unit, &mut all);
        }
    }
    if !all.is_empty() {
        unit.template.affinity.node_required.push(NodeTerm { labels: Selector { all }, ..NodeTerm::default() });
    }
}

fn constraint(reader: &mut Reader<'_, '_>, node: &Node, unit: &mut Unit, all: &mut Vec<Requirement>) {
    let operand = reader.text(node, "Operand").unwrap_or("=");
    let (left, right) = (reader.text(node, "LTarget").unwrap_or_default(), reader.text(node, "RTarget"));
    match operand {
        "distinct_hosts" => {
            if right != Some("false") {
                distinct(reader, node, (HOSTNAME_LABEL, 1), unit);
            }
        }
        "distinct_property" => {
            let most = right.map_or(Some(1), |text| text.parse().ok()).filter(|&most| most > 0);
            match (label(reader, left), most) {
                (Some(label), Some(most)) => distinct(reader, node, (&label, most), unit),
                _ => refuse(reader, node, "this is no `distinct_property`"),
            }
        }
        _ => all.extend(requirement(reader, node, (left, operand, right.unwrap_or_default()))),
    }
}

fn distinct(reader: &mut Reader<'_, '_>, node: &Node, (label, most): (&str, u32), unit: &mut Unit) {
    let names = &mut reader.low.catalog.names;
    unit.template.wishes.distinct.push(Distinct { attribute: names.intern(label), at_most: most });
    let wish = if most == 1 { Wish::DistinctOne } else { Wish::DistinctMany };
    if most == 1 {
        unit.template.affinity.anti_required.push(apart(names, unit.own.clone(), label));
    }
    let path = if label == HOSTNAME_LABEL { "Constraints: distinct_hosts" } else { "Constraints: distinct_property" };
    super::asks(reader, path, wish, node.mark);
}

/// One condition on an attribute; `None`, with a problem filed, when it is malformed.
fn requirement(
    reader: &mut Reader<'_, '_>,
    node: &Node,
    (left, operand, right): (&str, &str, &str),
) -> Option<Requirement> {
    const OPERANDS: [&str; 20] = [
        "=",
        "==",
        "is",
        "!=",
        "not",
        "<",
        "<=",
        ">",
        ">=",
        "regexp",
        "version",
        "semver",
        "is_set",
        "is_not_set",
        "set_contains",
        "set_contains_all",
        "set_contains_any",
        "distinct_hosts",
        "distinct_property",
        "",
    ];
    let Some(label) = label(reader, left) else {
        let mark = written(node, "LTarget").map_or(node.mark, |node| node.mark);
        reader.wrong(mark, format!("`{left}` is no attribute"), "expected an attribute such as `${attr.kernel.name}`");
        return None;
    };
    let catalog = &mut *reader.low.catalog;
    let list = || right.split(',').map(str::trim).collect::<Vec<_>>();
    let has = |text: &str, wanted: &str| text.split(',').any(|part| part.trim() == wanted);
    let (key, value) = (catalog.names.intern(&label), catalog.names.intern(right));
    let op = match operand {
        "" | "=" | "==" | "is" => Op::In(vec![value]),
        "!=" | "not" => Op::NotIn(vec![value]),
        "is_set" => Op::Exists,
        "is_not_set" => Op::NotExists,
        "<" | "<=" | ">" | ">=" => return Some(any_of(catalog, &label, &|text| ordered(text, operand, right))),
        "set_contains" | "set_contains_all" => {
            return Some(any_of(catalog, &label, &|text| list().iter().all(|wanted| has(text, wanted))));
        }
        "set_contains_any" => {
            return Some(any_of(catalog, &label, &|text| list().iter().any(|wanted| has(text, wanted))));
        }
        "regexp" => match Regex::new(right) {
            Ok(regex) => return Some(any_of(catalog, &label, &|text| regex.is_match(text))),
            Err(why) => {
                refuse(reader, node, &format!("`{right}` is no regular expression: {why}"));
                return None;
            }
        },
        "version" | "semver" => match Condition::parse(right) {
            Some(condition) => return Some(any_of(catalog, &label, &|text| condition.meets(text))),
            None => {
                refuse(reader, node, &format!("`{right}` is no condition on versions"));
                return None;
            }
        },
        other => {
            let mark = written(node, "Operand").map_or(node.mark, |node| node.mark);
            reader
                .low
                .problems
                .error("E0205", mark, format!("`{other}` is no operand"))
                .expected("expected an operand of Nomad's constraints, such as `=`, `regexp` or `distinct_hosts`")
                .suggest(other, OPERANDS.into_iter().filter(|word| !word.is_empty()));
            return None;
        }
    };
    Some(Requirement { key, op })
}

/// Integers, then floats, then texts are compared. Source: feasible.go, checkOrder.
fn ordered(text: &str, operand: &str, bound: &str) -> bool {
    let order = match (text.parse::<i64>(), bound.parse::<i64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => match (text.parse::<f64>(), bound.parse::<f64>()) {
            (Ok(a), Ok(b)) => a.total_cmp(&b),
            _ => text.cmp(bound),
        },
    };
    match operand {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn refuse(reader: &mut Reader<'_, '_>, node: &Node, what: &str) {
    let mark = written(node, "RTarget").map_or(node.mark, |node| node.mark);
    reader.wrong(mark, what.to_owned(), "expected what Nomad's constraints take");
}

/// Adds affinities: conditions with weights; a negative weight keeps away.
pub(super) fn affinities(reader: &mut Reader<'_, '_>, parents: &[&Node], unit: &mut Unit) {
    for parent in parents {
        for node in reader.parts(parent, "Affinities", &keys::AFFINITY) {
            let operand = reader.text(node, "Operand").unwrap_or("=");
            let (left, right) = (reader.text(node, "LTarget"), reader.text(node, "RTarget"));
            let weight = weight(reader, node);
            let target = (left.unwrap_or_default(), operand, right.unwrap_or_default());
            let (Some(requirement), Some(weight)) = (requirement(reader, node, target), weight) else { continue };
            let requirement = if weight < 0 { inverse(reader, requirement) } else { requirement };
            let item = NodeTerm { labels: Selector { all: vec![requirement] }, ..NodeTerm::default() };
            unit.template.affinity.node_preferred.push(Weighted { weight: weight.abs(), item });
        }
    }
}

/// -100 to 100, not 0; 50 when it is not written.
fn weight(reader: &mut Reader<'_, '_>, node: &Node) -> Option<i32> {
    let Some(at) = written(node, "Weight") else { return Some(50) };
    let weight = at.scalar().and_then(|text| text.parse().ok()).filter(|n: &i32| *n != 0 && n.abs() <= 100);
    if weight.is_none() {
        reader.wrong(at.mark, format!("{} is no weight", at.describe()), "expected -100 to 100, and not 0");
    }
    weight
}

/// The condition that holds where this one does not.
fn inverse(reader: &mut Reader<'_, '_>, one: Requirement) -> Requirement {
    let op = match one.op {
        Op::In(values) => Op::NotIn(values),
        Op::NotIn(values) => Op::In(values),
        Op::Exists => Op::NotExists,
        Op::NotExists => Op::Exists,
        op => {
            let label = reader.low.catalog.text(one.key).to_owned();
            return none_of(reader.low.catalog, &label, &|_| matches!(op, Op::Greater(_) | Op::Less(_)));
        }
    };
    Requirement { key: one.key, op }
}

/// Adds spreads.
pub(super) fn spreads(reader: &mut Reader<'_, '_>, parents: &[&Node], unit: &mut Unit) {
    for parent in parents {
        for node in reader.parts(parent, "Spreads", &keys::SPREAD) {
            let target = reader.text(node, "Attribute").unwrap_or_default();
            let Some(label) = label(reader, target) else {
                let mark = written(node, "Attribute").map_or(node.mark, |node| node.mark);
                let what = format!("`{target}` is no attribute");
                reader.wrong(mark, what, "expected an attribute such as `${node.datacenter}`");
                continue;
            };
            let weight = reader.count(node, "Weight").filter(|&weight| weight > 0).unwrap_or(50);
            let targets = targets(reader, node);
            let attribute = reader.low.catalog.names.intern(&label);
            unit.template.wishes.spreads.push(SpreadWish { attribute, weight: weight.min(100), targets });
            unit.template.spread.push(soft_spread(attribute, unit.own.clone()));
        }
    }
}

fn targets(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<(Symbol, u32)> {
    let mut out = Vec::new();
    let mut sum = 0u32;
    for target in reader.parts(node, "SpreadTarget", &keys::TARGET) {
        let value = reader.text(target, "Value").unwrap_or_default();
        let percent = reader.count(target, "Percent").unwrap_or(0);
        sum = sum.saturating_add(percent);
        out.push((reader.low.catalog.names.intern(value), percent));
    }
    if sum > 100 {
        // Source: hashicorp/nomad:nomad/structs/structs.go, Spread.Validate.
        let mark = written(node, "SpreadTarget").map_or(node.mark, |node| node.mark);
        reader.wrong(mark, format!("the targets add up to {sum} percent"), "expected at most 100");
    }
    out
}
