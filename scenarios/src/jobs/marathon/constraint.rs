//! Constraints: `[field, operator, value]`.
//!
//! A field is an attribute of agents, here a label of nodes; `hostname`, `@hostname`, `@zone` and `@region` are found
//! under their usual labels. Source: mesosphere/marathon:src/main/scala/mesosphere/mesos/Constraints.scala and
//! docs/docs/constraints.md. Start at [`lower`].

use regex_lite::Regex;
use shakedown_engine::labels::{Op, Requirement, Selector};
use shakedown_engine::model::{Distinct, Grouping, HOSTNAME_LABEL, NodeTerm, REGION_LABEL, ZONE_LABEL};
use shakedown_engine::profile::Wish;

use crate::jobs::build::Unit;
use crate::jobs::read::Reader;
use crate::nodes::{any_of, apart, none_of, soft_spread};
use crate::problem::Mark;
use crate::text::Node;

const OPERATORS: [&str; 7] = ["UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS"];
const EXPECTED: &str = "expected `[FIELD, OPERATOR, VALUE]`, such as `[\"hostname\", \"UNIQUE\"]`";

/// Adds constraints to a unit.
pub(super) fn lower(reader: &mut Reader<'_, '_>, nodes: &[Node], unit: &mut Unit) {
    let mut all = Vec::new();
    for node in nodes {
        // Apps write lists, pods mappings.
        let field = |key: &str| node.get(key).and_then(Node::scalar);
        let [name, operator, value] = match node.items() {
            [] => ["fieldName", "operator", "value"].map(field),
            items => [0, 1, 2].map(|at| items.get(at).and_then(Node::scalar)),
        };
        let (Some(name), Some(operator)) = (name, operator) else {
            reader.wrong(node.mark, format!("{} is no constraint", node.describe()), EXPECTED);
            continue;
        };
        all.extend(constraint(reader, (name, operator, value), node.mark, unit));
    }
    if !all.is_empty() {
        unit.template.affinity.node_required.push(NodeTerm { labels: Selector { all }, ..NodeTerm::default() });
    }
}

fn label(field: &str) -> &str {
    match field {
        "hostname" | "@hostname" => HOSTNAME_LABEL,
        "@zone" => ZONE_LABEL,
        "@region" => REGION_LABEL,
        other => other,
    }
}

/// What it demands of a node by itself; what it demands of the others' nodes becomes a wish.
fn constraint(
    reader: &mut Reader<'_, '_>,
    (field, operator, value): (&str, &str, Option<&str>),
    mark: Mark,
    unit: &mut Unit,
) -> Option<Requirement> {
    let label = label(field);
    let names = &mut reader.low.catalog.names;
    let attribute = names.intern(label);
    let number = value.and_then(|text| text.parse::<u32>().ok()).filter(|&n| n > 0);
    let path = format!("constraints: {operator}");
    let wishes = &mut unit.template.wishes;
    match operator {
        "UNIQUE" => {
            wishes.distinct.push(Distinct { attribute, at_most: 1 });
            unit.template.affinity.anti_required.push(apart(names, unit.own.clone(), label));
            reader.low.asked.note(&path, Wish::DistinctOne, mark);
        }
        "MAX_PER" => {
            let Some(at_most) = number else { return refuse(reader, mark, "`MAX_PER` needs a number above 0") };
            wishes.distinct.push(Distinct { attribute, at_most });
            let wish = if at_most == 1 { Wish::DistinctOne } else { Wish::DistinctMany };
            if at_most == 1 {
                unit.template.affinity.anti_required.push(apart(names, unit.own.clone(), label));
            }
            reader.low.asked.note(&path, wish, mark);
        }
        "GROUP_BY" => {
            if value.is_some() && number.is_none() {
                return refuse(reader, mark, "the value of `GROUP_BY` is a number above 0");
            }
            wishes.groups.push(Grouping::Evenly { attribute, values: number });
            unit.template.spread.push(soft_spread(attribute, unit.own.clone()));
            reader.low.asked.note(&path, Wish::Groups, mark);
        }
        "CLUSTER" => match value.filter(|value| !value.is_empty()) {
            Some(value) => return Some(Requirement { key: attribute, op: Op::In(vec![names.intern(value)]) }),
            None => {
                wishes.groups.push(Grouping::Together { attribute });
                reader.low.asked.note(&path, Wish::Together, mark);
            }
        },
        "IS" => match value {
            Some(value) => return Some(Requirement { key: attribute, op: Op::In(vec![names.intern(value)]) }),
            None => return refuse(reader, mark, "`IS` needs a value"),
        },
        "LIKE" | "UNLIKE" => return pattern(reader, (label, operator == "LIKE", value), mark),
        other => {
            reader
                .low
                .problems
                .error("E0205", mark, format!("`{other}` is no operator"))
                .expected(format!("expected one of `{}`", OPERATORS.join("`, `")))
                .suggest(other, OPERATORS);
        }
    }
    None
}

/// The whole value must match. Source: Constraints.scala, `getStringValue.matches(regex)`.
fn pattern(
    reader: &mut Reader<'_, '_>,
    (label, like, value): (&str, bool, Option<&str>),
    mark: Mark,
) -> Option<Requirement> {
    let Some(value) = value else { return refuse(reader, mark, "this operator needs a regular expression") };
    let regex = match Regex::new(&format!("^(?:{value})$")) {
        Ok(regex) => regex,
        Err(why) => return refuse(reader, mark, &format!("`{value}` is no regular expression: {why}")),
    };
    let catalog = &mut *reader.low.catalog;
    Some(match like {
        true => any_of(catalog, label, &|text| regex.is_match(text)),
        false => none_of(catalog, label, &|text| regex.is_match(text)),
    })
}

fn refuse(reader: &mut Reader<'_, '_>, mark: Mark, what: &str) -> Option<Requirement> {
    reader.wrong(mark, what.to_owned(), EXPECTED);
    None
}
