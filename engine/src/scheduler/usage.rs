//! What is free on each node, in columns: a placement reads a few of them for hundreds of nodes.
//!
//! It counts and compares; who is charged and when is decided elsewhere. Start at [`Usage::fits`].

use crate::ids::{NodeId, Symbol, Table};
use crate::model::{Bytes, HostPort, MilliCpu, NodeSpec, PodTemplate, Resources};
use crate::profile::{Placement, Ports};
use crate::scheduler::outcome::{Reason, Verdict};

/// What one pod takes, compiled from its template.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub(super) cpu: i64,
    pub(super) memory: i64,
    pub(super) ephemeral: i64,
    /// Extended resources of which more than none is requested.
    pub(super) extended: Vec<(Symbol, i64)>,
    /// Those of them that a node must have enough of.
    checked: Vec<(Symbol, i64)>,
    pub(super) ports: Vec<HostPort>,
    pub(super) score_cpu: i64,
    pub(super) score_memory: i64,
}

impl Demand {
    /// What a pod takes of a node as a placement counts it.
    pub(super) fn of(template: &PodTemplate, placement: &Placement) -> Self {
        let ignored = &placement.args.ignored_resources;
        let published = match placement.published_ports {
            Ports::Host => &template.published[..],
            Ports::Shared => &[],
        };
        let requests = &template.requests;
        let extended = || requests.extended.iter().copied().filter(|e| e.1 > 0);
        Self {
            cpu: requests.cpu.0,
            memory: requests.memory.0,
            ephemeral: requests.ephemeral.0,
            extended: extended().collect(),
            checked: extended().filter(|e| !ignored.contains(&e.0)).collect(),
            ports: template.host_ports.iter().chain(published).copied().filter(|p| p.port > 0).collect(),
            score_cpu: template.score_cpu.0,
            score_memory: template.score_memory.0,
        }
    }

    /// True without ports and extended resources.
    pub(super) fn is_amounts(&self) -> bool {
        self.ports.is_empty() && self.extended.is_empty()
    }

    /// One pod, CPU, memory and ephemeral storage.
    pub(super) fn amounts(&self) -> [i64; 4] {
        [1, self.cpu, self.memory, self.ephemeral]
    }
}

/// What is taken on one node, for views.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requested {
    /// Sum of requests.
    pub resources: Resources,
    /// CPU as scoring sees it.
    pub score_cpu: MilliCpu,
    /// Memory as scoring sees it.
    pub score_memory: Bytes,
    /// Pods, terminating ones included.
    pub pods: u32,
    /// Pods that are being deleted.
    pub terminating: u32,
}

/// Columns over all nodes of the catalog, indexed by node.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    pub(super) cap_cpu: Vec<i64>,
    pub(super) cap_memory: Vec<i64>,
    /// Negative on a node that pods were bound to by hand beyond its size.
    pub(super) free_cpu: Vec<i64>,
    pub(super) free_memory: Vec<i64>,
    pub(super) score_cpu: Vec<i64>,
    pub(super) score_memory: Vec<i64>,
    pub(super) free_ephemeral: Vec<i64>,
    pub(super) free_pods: Vec<i64>,
    pub(super) pods: Vec<u32>,
    pub(super) terminating: Vec<u32>,
    /// Pods whose containers do not run yet, and pods that run to completion.
    pub(super) starting: Vec<u32>,
    pub(super) tasks: Vec<u32>,
    /// Grows with each change of the columns that resource scores read.
    pub(super) version: Vec<u32>,
    used_extended: Vec<Resources>,
    ports: Vec<Vec<HostPort>>,
    /// `0.0.0.0`, which like the empty address claims them all.
    any_address: Option<Symbol>,
    no_address: Symbol,
}

impl Usage {
    /// All nodes empty.
    pub(super) fn new(nodes: &Table<NodeId, NodeSpec>, no_address: Symbol, any_address: Option<Symbol>) -> Self {
        let column = |f: fn(&NodeSpec) -> i64| -> Vec<i64> { nodes.rows().iter().map(f).collect() };
        let len = nodes.len();
        Self {
            cap_cpu: column(|n| n.allocatable.cpu.0),
            cap_memory: column(|n| n.allocatable.memory.0),
            free_cpu: column(|n| n.allocatable.cpu.0),
            free_memory: column(|n| n.allocatable.memory.0),
            score_cpu: vec![0; len],
            score_memory: vec![0; len],
            free_ephemeral: column(|n| n.allocatable.ephemeral.0),
            free_pods: column(|n| i64::from(n.max_pods)),
            pods: vec![0; len],
            terminating: vec![0; len],
            starting: vec![0; len],
            tasks: vec![0; len],
            version: vec![1; len],
            used_extended: vec![Resources::default(); len],
            ports: vec![Vec::new(); len],
            any_address,
            no_address,
        }
    }

    /// One pod more on `n`.
    pub(super) fn charge(&mut self, demand: &Demand, n: usize) {
        self.pods[n] += 1;
        self.move_amounts(demand, n, 1);
        self.ports[n].extend_from_slice(&demand.ports);
    }

    /// One pod fewer on `n`.
    pub(super) fn release(&mut self, demand: &Demand, n: usize) {
        self.pods[n] -= 1;
        self.move_amounts(demand, n, -1);
        for port in &demand.ports {
            let at = self.ports[n].iter().position(|p| p == port).expect("a charged pod's ports are listed");
            self.ports[n].swap_remove(at);
        }
    }

    fn move_amounts(&mut self, demand: &Demand, n: usize, sign: i64) {
        self.version[n] += 1;
        self.free_cpu[n] -= sign * demand.cpu;
        self.free_memory[n] -= sign * demand.memory;
        self.free_ephemeral[n] -= sign * demand.ephemeral;
        self.free_pods[n] -= sign;
        self.score_cpu[n] += sign * demand.score_cpu;
        self.score_memory[n] += sign * demand.score_memory;
        if !demand.extended.is_empty() {
            let extended = demand.extended.iter().map(|&(name, amount)| (name, sign * amount)).collect();
            self.used_extended[n].add(&Resources { extended, ..Resources::default() });
        }
    }

    /// True when the pod fits into what is free.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/noderesources/fit.go, `fitsRequest`: a resource
    /// that is not requested is not compared, so an overfull node still takes a pod without requests.
    #[inline]
    pub(super) fn fits(&self, demand: &Demand, node: &NodeSpec, n: usize) -> bool {
        let enough = |wanted: i64, free: i64| wanted <= 0 || wanted <= free;
        self.free_pods[n] >= 1
            && enough(demand.cpu, self.free_cpu[n])
            && enough(demand.memory, self.free_memory[n])
            && enough(demand.ephemeral, self.free_ephemeral[n])
            && demand.checked.iter().all(|&(name, amount)| amount <= self.free_extended(node, n, name))
    }

    /// Free room for pods, CPU, memory and ephemeral storage.
    pub(super) fn free_amounts(&self, n: usize) -> [i64; 4] {
        [self.free_pods[n], self.free_cpu[n], self.free_memory[n], self.free_ephemeral[n]]
    }

    /// Puts into `verdict` what is short; false when the pod fits.
    pub(super) fn shortage(&self, demand: &Demand, at: (&NodeSpec, usize), verdict: &mut Verdict) -> bool {
        let (node, n) = at;
        if self.fits(demand, node, n) {
            return false;
        }
        (verdict.filter, verdict.unresolvable) = (Reason::Pods.filter(), false);
        verdict.reasons.clear();
        if self.free_pods[n] < 1 {
            verdict.reasons.push(Reason::Pods);
        }
        let cap = &node.allocatable;
        let mut compare = |reason, wanted: i64, free: i64, whole: i64| {
            if wanted > 0 && wanted > free {
                verdict.reasons.push(reason);
                verdict.unresolvable |= wanted > whole;
            }
        };
        compare(Reason::Cpu, demand.cpu, self.free_cpu[n], cap.cpu.0);
        compare(Reason::Memory, demand.memory, self.free_memory[n], cap.memory.0);
        compare(Reason::Ephemeral, demand.ephemeral, self.free_ephemeral[n], cap.ephemeral.0);
        for &(name, amount) in &demand.checked {
            compare(Reason::Extended(name), amount, self.free_extended(node, n, name), cap.extended(name));
        }
        true
    }

    pub(super) fn free_extended(&self, node: &NodeSpec, n: usize, name: Symbol) -> i64 {
        node.allocatable.extended(name) - self.used_extended[n].extended(name)
    }

    /// True when no port that the pod claims is taken.
    ///
    /// Source: kubernetes/kube-scheduler:framework/types.go, `HostPortInfo.CheckConflict`.
    pub(super) fn ports_free(&self, demand: &Demand, n: usize) -> bool {
        let all = self.all_addresses();
        demand.ports.iter().all(|wanted| !self.ports[n].iter().any(|taken| clash(wanted, taken, all)))
    }

    /// The addresses that claim all others with them.
    pub(super) fn all_addresses(&self) -> [Symbol; 2] {
        [self.no_address, self.any_address.unwrap_or(self.no_address)]
    }

    /// Totals of one node.
    pub(super) fn requested(&self, node: &NodeSpec, n: usize) -> Requested {
        let mut resources = self.used_extended[n].clone();
        resources.extended.retain(|e| e.1 != 0);
        resources.cpu = MilliCpu(self.cap_cpu[n] - self.free_cpu[n]);
        resources.memory = Bytes(self.cap_memory[n] - self.free_memory[n]);
        resources.ephemeral = Bytes(node.allocatable.ephemeral.0 - self.free_ephemeral[n]);
        Requested {
            resources,
            score_cpu: MilliCpu(self.score_cpu[n]),
            score_memory: Bytes(self.score_memory[n]),
            pods: self.pods[n],
            terminating: self.terminating[n],
        }
    }
}

/// True when two claims on ports of one node exclude each other.
pub(super) fn clash(a: &HostPort, b: &HostPort, all: [Symbol; 2]) -> bool {
    a.port == b.port && a.protocol == b.protocol && (a.ip == b.ip || all.contains(&a.ip) || all.contains(&b.ip))
}
