//! Ingresses: host and path to a service.

use k8s_openapi::api::networking::v1 as net;
use shakedown_engine::ids::ServiceId;
use shakedown_engine::model::{IngressRule, IngressSpec};

use super::{Lowering, place};
use crate::text::Node;

impl Lowering<'_> {
    pub(super) fn ingress(&mut self, node: &Node) {
        let Some(object) = self.read::<net::Ingress>(node) else { return };
        let Some((namespace, name)) = self.declared_once("Ingress", node, &object.metadata) else { return };
        let spec = object.spec.unwrap_or_default();
        if spec.rules.as_ref().is_none_or(Vec::is_empty) && spec.default_backend.is_none() {
            let why = "either `defaultBackend` or `rules` must be specified";
            return self.invalid(node, "spec", "{}", why);
        }
        let mut rules = Vec::new();
        for (index, rule) in spec.rules.iter().flatten().enumerate() {
            let paths = rule.http.as_ref().map(|http| http.paths.as_slice()).unwrap_or_default();
            for (inner, path) in paths.iter().enumerate() {
                let at = format!("spec.rules[{index}].http.paths[{inner}]");
                let known = ["Exact", "ImplementationSpecific", "Prefix"];
                if self.word(node, &format!("{at}.pathType"), &path.path_type, &known).is_none() {
                    return;
                }
                let text = path.path.clone().filter(|text| !text.is_empty()).unwrap_or_else(|| "/".to_owned());
                if !text.starts_with('/') {
                    let value = format!("\"{text}\"");
                    return self.invalid(node, &format!("{at}.path"), &value, "must be an absolute path");
                }
                let service = self.backend(&path.backend, (&namespace, &name), node);
                let names = &mut self.catalog.names;
                let host = rule.host.as_deref().filter(|host| !host.is_empty()).map(|host| names.intern(host));
                rules.push(IngressRule { host, path: names.intern(&text), service });
            }
        }
        // The most specific one first: hosts before any host, long paths before short ones, then as written.
        let length = |rule: &IngressRule| self.catalog.text(rule.path).len();
        rules.sort_by_key(|rule| (rule.host.is_none(), usize::MAX - length(rule)));
        let default = spec.default_backend.as_ref().and_then(|from| self.backend(from, (&namespace, &name), node));
        let names = &mut self.catalog.names;
        let ingress = IngressSpec { name: names.intern(&name), namespace: names.intern(&namespace), rules, default };
        self.catalog.ingresses.push(ingress);
    }

    fn backend(
        &mut self,
        from: &net::IngressBackend,
        (namespace, ingress): (&str, &str),
        node: &Node,
    ) -> Option<ServiceId> {
        let wanted = &from.service.as_ref()?.name;
        let found = self.service_named(namespace, wanted);
        if found.is_none() {
            self.problems
                .warn(
                    "W0616",
                    place(node, &["spec"]),
                    format!("the ingress `{ingress}` leads to the service `{wanted}`, which does not exist"),
                )
                .help("it answers 503, as it does in a real cluster");
        }
        found
    }

    /// The service called `name` in a namespace.
    pub(super) fn service_named(&self, namespace: &str, name: &str) -> Option<ServiceId> {
        let text = |symbol| self.catalog.text(symbol);
        let mut services = self.catalog.services.iter();
        services.find(|(_, row)| text(row.name) == name && text(row.namespace) == namespace).map(|(id, _)| id)
    }
}
