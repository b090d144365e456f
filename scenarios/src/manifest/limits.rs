//! `LimitRange`: defaults for containers of a namespace, and bounds that refuse its pods.
//!
//! Source of rules and sentences: kubernetes/kubernetes:plugin/pkg/admission/limitranger/admission.go; of the defaults
//! among its own fields: pkg/apis/core/v1/defaults.go, `SetDefaults_LimitRangeItem`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::Lowering;
use crate::text::{Node, Scale, parse_quantity};

type Amounts = BTreeMap<String, Quantity>;

impl Lowering<'_> {
    pub(super) fn limit_range(&mut self, node: &Node) {
        let Some(object) = self.read::<LimitRange>(node) else { return };
        let Some((namespace, _)) = self.declared_once("LimitRange", node, &object.metadata) else { return };
        let items = object.spec.map(|spec| spec.limits).unwrap_or_default();
        for (index, mut item) in items.into_iter().enumerate() {
            for (field, amounts) in [("min", &item.min), ("max", &item.max), ("default", &item.default)] {
                for (name, quantity) in amounts.iter().flatten() {
                    if amount(name, quantity).is_none() {
                        let path = format!("spec.limits[{index}].{field}[{name}]");
                        self.invalid(node, &path, &format!("\"{}\"", quantity.0), "must be a quantity");
                        return;
                    }
                }
            }
            if item.type_ == "Container" {
                complete(&mut item);
            }
            self.context.limits.entry(namespace.clone()).or_default().push(item);
        }
    }

    /// Requests and limits that containers of the namespace have when they say nothing.
    pub(super) fn default_amounts(&self, namespace: &str, spec: &mut PodSpec) {
        for item in self.context.limits.get(namespace).into_iter().flatten().filter(|item| item.type_ == "Container") {
            let all = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
            for container in all {
                let own = container.resources.get_or_insert_default();
                stated(own);
                fill(&mut own.limits, item.default.as_ref());
                fill(&mut own.requests, item.default_request.as_ref());
            }
        }
    }

    /// Why the API server refuses such pods, in its words.
    pub(super) fn beyond_limits(&self, namespace: &str, spec: &PodSpec) -> Vec<String> {
        let mut out = Vec::new();
        for item in self.context.limits.get(namespace).into_iter().flatten() {
            match item.type_.as_str() {
                "Container" => {
                    for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
                        let mut own = container.resources.clone().unwrap_or_default();
                        stated(&mut own);
                        check(item, &own, &mut out);
                    }
                }
                "Pod" => check(item, &whole(spec), &mut out),
                _ => {}
            }
        }
        out
    }
}

/// Defaults among the fields of a range.
fn complete(item: &mut LimitRangeItem) {
    fill(&mut item.default, item.max.clone().as_ref());
    fill(&mut item.default_request, item.default.clone().as_ref());
    fill(&mut item.default_request, item.min.clone().as_ref());
}

fn fill(into: &mut Option<Amounts>, from: Option<&Amounts>) {
    for (name, quantity) in from.into_iter().flatten() {
        into.get_or_insert_default().entry(name.clone()).or_insert_with(|| quantity.clone());
    }
}

/// A limit without a request is the request, too; the API server says so before it asks for bounds.
fn stated(own: &mut ResourceRequirements) {
    let limits = own.limits.clone();
    fill(&mut own.requests, limits.as_ref());
}

/// Sums of a pod: containers side by side, or the largest init container.
fn whole(spec: &PodSpec) -> ResourceRequirements {
    let sum = |pick: &dyn Fn(&ResourceRequirements) -> Option<Amounts>| {
        let mut total: BTreeMap<String, i64> = BTreeMap::new();
        for container in &spec.containers {
            let mut own = container.resources.clone().unwrap_or_default();
            stated(&mut own);
            for (name, quantity) in pick(&own).into_iter().flatten() {
                let value = total.entry(name.clone()).or_default();
                *value = value.saturating_add(amount(&name, &quantity).unwrap_or(0));
            }
        }
        for container in spec.init_containers.iter().flatten() {
            let mut own = container.resources.clone().unwrap_or_default();
            stated(&mut own);
            for (name, quantity) in pick(&own).into_iter().flatten() {
                let value = total.entry(name.clone()).or_default();
                *value = (*value).max(amount(&name, &quantity).unwrap_or(0));
            }
        }
        total.into_iter().map(|(name, value)| (name, Quantity(canonical(value)))).collect::<Amounts>()
    };
    ResourceRequirements {
        limits: Some(sum(&|own| own.limits.clone())),
        requests: Some(sum(&|own| own.requests.clone())),
        claims: None,
    }
}

/// Thousandths as the API writes them.
fn canonical(milli: i64) -> String {
    if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") }
}

/// In thousandths, whatever the resource.
fn amount(_: &str, quantity: &Quantity) -> Option<i64> {
    parse_quantity(&quantity.0, Scale::Milli)
}

fn check(item: &LimitRangeItem, own: &ResourceRequirements, out: &mut Vec<String>) {
    let kind = &item.type_;
    let of = |amounts: &Option<Amounts>, name: &str| -> Option<(i64, String)> {
        let quantity = amounts.as_ref()?.get(name)?;
        Some((amount(name, quantity)?, quantity.0.clone()))
    };
    for (name, bound) in item.min.iter().flatten() {
        let Some(least) = amount(name, bound) else { continue };
        let (request, limit) = (of(&own.requests, name), of(&own.limits, name));
        let head = format!("minimum {name} usage per {kind} is {}", bound.0);
        match (request, limit) {
            (None, _) => out.push(format!("{head}.  No request is specified")),
            (Some((value, text)), _) if value < least => out.push(format!("{head}, but request is {text}")),
            (_, Some((value, text))) if value < least => out.push(format!("{head}, but limit is {text}")),
            _ => {}
        }
    }
    for (name, bound) in item.max.iter().flatten() {
        let Some(most) = amount(name, bound) else { continue };
        let (request, limit) = (of(&own.requests, name), of(&own.limits, name));
        let head = format!("maximum {name} usage per {kind} is {}", bound.0);
        match (limit, request) {
            (None, _) => out.push(format!("{head}.  No limit is specified")),
            (Some((value, text)), _) if value > most => out.push(format!("{head}, but limit is {text}")),
            (_, Some((value, text))) if value > most => out.push(format!("{head}, but request is {text}")),
            _ => {}
        }
    }
    for (name, bound) in item.max_limit_request_ratio.iter().flatten() {
        let Some(most) = amount(name, bound) else { continue };
        let (Some((request, _)), Some((limit, _))) = (of(&own.requests, name), of(&own.limits, name)) else {
            out.push(format!(
                "{name} max limit to request ratio per {kind} is {}, but no request is specified or request is 0",
                bound.0
            ));
            continue;
        };
        let permille = i128::from(limit) * 1000 / i128::from(request.max(1));
        if permille > i128::from(most) {
            let shown = format!("{}.{:03}000", permille / 1000, permille % 1000);
            out.push(format!(
                "{name} max limit to request ratio per {kind} is {}, but provided ratio is {shown}",
                bound.0
            ));
        }
    }
}
