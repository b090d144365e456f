//! How traffic reaches its service: hosts and paths of ingresses, and what a service's kind means for its clients.
//!
//! Start at `destination` and `reach`.

use shakedown_chaos::load::{Clients, HealthCheck, Names, Reach, Via};
use shakedown_engine::ids::ServiceId;
use shakedown_engine::model::{Exposure, IngressRule};

use super::Checker;
use crate::problem::Mark;
use crate::raw::{ResolveRaw, TrafficRaw, ViaRaw};

/// Source: resolv.conf(5) has six search domains of old; ndots:5 asks for each of them and then for the name itself.
const MAX_LOOKUPS: u32 = 32;
/// Names with so many dots are tried as they are first.
/// Source: kubernetes/kubernetes:pkg/kubelet/network/dns/dns.go, `defaultDNSOptions`, `ndots:5`.
const NDOTS: usize = 5;
/// A resolver asks for an IPv4 and an IPv6 address. Source: getaddrinfo(3), `AF_UNSPEC`.
const FAMILIES: u32 = 2;

impl Checker<'_> {
    /// The service that is asked, and where the scenario says so.
    pub(super) fn destination(&mut self, raw: &TrafficRaw) -> (Option<ServiceId>, Mark) {
        let asked = raw.host.as_ref().or(raw.path.as_ref());
        match (&raw.to, asked) {
            (Some(to), _) => (self.known_service(to), to.mark),
            (None, Some(at)) => {
                let host = raw.host.as_ref().map(|host| host.value.as_str());
                let path = raw.path.as_ref().map_or("/", |path| path.value.as_str());
                let found = self.routed(host, path);
                if found.is_none() && !self.incomplete.workloads {
                    let text = format!("no ingress leads from `{}{path}` to a service", host.unwrap_or_default());
                    self.low
                        .problems
                        .error("E0304", at.mark, text)
                        .expected("expected a host and path of an ingress of the manifests, or `to: SERVICE`");
                }
                (found, at.mark)
            }
            (None, None) => {
                let mark = raw.rate.mark;
                self.low
                    .problems
                    .error("E0207", mark, "this traffic goes nowhere")
                    .expected("expected `to: SERVICE`, or `host` and `path` of an ingress");
                (None, mark)
            }
        }
    }

    /// The service to which ingresses lead: an exact host goes before a wildcard and that before none, then the longest
    /// path that fits. Source: kubernetes/website:content/en/docs/concepts/services-networking/ingress.md.
    fn routed(&self, host: Option<&str>, path: &str) -> Option<ServiceId> {
        let catalog = &*self.low.catalog;
        let fits = |rule: &&IngressRule| {
            let wanted = rule.host.map(|wanted| catalog.text(wanted));
            rank(wanted, host).is_some() && under(catalog.text(rule.path), path)
        };
        let best = |rule: &&IngressRule| {
            (rank(rule.host.map(|wanted| catalog.text(wanted)), host), catalog.text(rule.path).len())
        };
        let rules = catalog.ingresses.iter().flat_map(|ingress| &ingress.rules);
        let found = rules.filter(fits).max_by_key(best).map(|rule| rule.service);
        found.unwrap_or_else(|| catalog.ingresses.iter().find_map(|ingress| ingress.default))
    }

    /// How clients reach a service.
    pub(super) fn reach(&mut self, raw: &TrafficRaw, to: ServiceId, from: &Clients) -> Reach {
        for (number, limit) in [(raw.lookups, MAX_LOOKUPS), (raw.port, u32::from(u16::MAX))] {
            if let Some(wrong) = number.filter(|number| number.value == 0 || number.value > limit) {
                self.low
                    .problems
                    .error("E0204", wrong.mark, format!("{} is not possible here", wrong.value))
                    .expected(format!("expected a number from 1 to {limit}"));
            }
        }
        let check = raw.health_check.as_ref().map_or_else(HealthCheck::default, |check| {
            let usual = HealthCheck::default();
            HealthCheck {
                interval: check.interval.map_or(usual.interval, |v| v.0),
                threshold: check.threshold.unwrap_or(usual.threshold),
            }
        });
        let outside = matches!(from, Clients::Outside);
        let balanced = outside && self.low.catalog.services[to].exposure == Exposure::LoadBalancer;
        let via = match raw.via.as_ref().map(|via| via.value) {
            Some(ViaRaw::Headless) => Via::Headless,
            Some(ViaRaw::Ingress) => Via::Ingress,
            Some(ViaRaw::LoadBalancer) => Via::LoadBalancer(check),
            Some(ViaRaw::Service | ViaRaw::NodePort) => Via::Service,
            None if raw.host.is_some() || raw.path.is_some() => Via::Ingress,
            None if balanced => Via::LoadBalancer(check),
            None => Via::Service,
        };
        let each = Names::EachTime(raw.lookups.map_or_else(|| self.lookups(raw, to, from), |number| number.value));
        let names = match raw.resolve.as_ref().map(|resolve| resolve.value) {
            Some(ResolveRaw::Never) => Names::Known,
            Some(ResolveRaw::Each) => each,
            Some(ResolveRaw::Kept(span)) => Names::Kept(span),
            // Programs in pods ask each time, as the C library does; whether that can fail depends on the cluster's DNS.
            None if matches!(from, Clients::Workload(_)) && !self.low.catalog.services[to].headless => each,
            None => Names::Known,
        };
        let port = raw.port.and_then(|port| u16::try_from(port.value).ok());
        Reach { via, keep_alive: raw.keep_alive.unwrap_or(false), names, port }
    }
}

impl Checker<'_> {
    /// Lookups that clients make for the name as they write it.
    fn lookups(&self, raw: &TrafficRaw, to: ServiceId, from: &Clients) -> u32 {
        let catalog = &*self.low.catalog;
        let spec = &catalog.services[to];
        let (name, namespace) = (catalog.text(spec.name), catalog.text(spec.namespace));
        let home = match from {
            Clients::Workload(workload) => catalog.text(catalog.workloads[*workload].namespace),
            _ => namespace,
        };
        let short = if home == namespace { name.to_owned() } else { format!("{name}.{namespace}") };
        let written = raw.name.as_ref().or(raw.host.as_ref()).map_or(short.as_str(), |name| name.value.as_str());
        lookups(written, home, &format!("{name}.{namespace}.svc.{DOMAIN}"))
    }
}

/// The cluster's domain. Source: kubernetes/kubernetes:cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go.
const DOMAIN: &str = "cluster.local";

/// Lookups for a name as written in a pod of the namespace `home`, until `target` is found; a name outside of the
/// cluster is found when it is asked for as it is.
fn lookups(written: &str, home: &str, target: &str) -> u32 {
    if written.ends_with('.') {
        return FAMILIES;
    }
    // Source: kubernetes/kubernetes:pkg/kubelet/network/dns/dns.go, `generateSearchesForDNSClusterFirst`.
    let search = [format!("{home}.svc.{DOMAIN}"), format!("svc.{DOMAIN}"), DOMAIN.to_owned()];
    let mut tries: Vec<String> = search.iter().map(|domain| format!("{written}.{domain}")).collect();
    let early = written.bytes().filter(|&byte| byte == b'.').count() >= NDOTS;
    tries.insert(if early { 0 } else { tries.len() }, written.to_owned());
    let inside = tries.iter().position(|name| name == target);
    let found = inside.or_else(|| tries.iter().position(|name| name == written)).unwrap_or(tries.len() - 1);
    (found as u32 + 1) * FAMILIES
}

/// How well a rule's host fits: exactly, by wildcard, or because it has none.
fn rank(wanted: Option<&str>, host: Option<&str>) -> Option<u8> {
    match (wanted, host) {
        (None, _) => Some(0),
        (Some(wanted), Some(host)) if wanted == host => Some(2),
        (Some(wanted), Some(host)) => {
            let rest = wanted.strip_prefix("*.")?;
            (host.split_once('.')?.1 == rest).then_some(1)
        }
        (Some(_), None) => None,
    }
}

/// Whether a path is the prefix, or below it, element by element.
fn under(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_as_many_lookups_as_their_dots_and_the_search_list_say() {
        let count = |written: &str, home: &str| lookups(written, home, "web.shop.svc.cluster.local");
        assert_eq!(count("web", "shop"), 2, "the first search domain");
        assert_eq!(count("web.shop", "shop"), 4);
        assert_eq!(count("web.shop", "other"), 4, "web.shop.other.svc... does not exist");
        assert_eq!(count("web.shop.svc", "other"), 6);
        assert_eq!(count("web.shop.svc.cluster.local", "other"), 8, "four dots: all search domains first");
        assert_eq!(count("web.shop.svc.cluster.local.", "other"), 2, "a final dot: as it is");
        assert_eq!(count("api.example.com", "other"), 8);
        assert_eq!(count("a.b.c.d.example.com", "other"), 2, "five dots: as it is first");
    }

    #[test]
    fn paths_match_by_element_and_hosts_by_one_label() {
        assert!(under("/", "/shop") && under("/shop", "/shop/cart") && under("/shop/", "/shop"));
        assert!(!under("/shop", "/shopping"));
        assert_eq!(rank(Some("a.example.com"), Some("a.example.com")), Some(2));
        assert_eq!(rank(Some("*.example.com"), Some("a.example.com")), Some(1));
        assert_eq!(rank(Some("*.example.com"), Some("a.b.example.com")), None);
        assert_eq!(rank(None, Some("a.example.com")), Some(0));
    }
}
