//! Which nodes admit a kind of request by themselves: remembered until a node changes.
//!
//! Node-only rules and free amounts need a look at one node alone, so their answer holds until that node changes. A
//! [`Column`] keeps it for one shape of requests, with a bit a node and a count of each reason: a full cluster refuses
//! a pod without a look at its nodes, and a scan steps from one admitting node to the next. Only speed depends on
//! this; where nodes are looked at one by one instead ([`super::filter`]), the answer is the same. It knows nothing of
//! other pods' rules. Start at [`Scheduler::column`].

use std::collections::BTreeMap;

use crate::ids::{Id, NodeId};
use crate::profile::Filter;
use crate::scheduler::Scheduler;
use crate::scheduler::class::Class;
use crate::scheduler::counters::FixedId;
use crate::scheduler::filter::Ask;
use crate::scheduler::outcome::{Reason, Refusal, Verdict};

/// Columns that are kept; pods of further shapes look at nodes. Bounds the memory: 9 bits a node and shape.
const COLUMNS_MAX: usize = 512;

/// No place in the order of nodes.
const NOWHERE: u32 = u32::MAX;

/// All that a node's answer depends on besides the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    fixed: FixedId,
    /// CPU, memory and ephemeral storage.
    wanted: [i64; 3],
    /// Nodes are promised to pods, and only those of at least this priority count.
    priority: i32,
}

impl Shape {
    pub(super) fn of(class: &Class) -> Self {
        let demand = &class.demand;
        Self { fixed: class.fixed, wanted: [demand.cpu, demand.memory, demand.ephemeral], priority: class.priority }
    }
}

/// What a node says: nothing against it, one reason of a node-only rule, or the amounts that are short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer(u8);

/// Amounts, one bit each.
const AMOUNTS: [Reason; 4] = [Reason::Pods, Reason::Cpu, Reason::Memory, Reason::Ephemeral];
/// The whole node would not be enough.
const TOO_SMALL: u8 = 1 << 4;
/// The lower bits are an index of `RULES`.
const BY_RULE: u8 = 1 << 5;
const RULES: [Reason; 5] =
    [Reason::Unschedulable, Reason::OtherNode, Reason::Taint, Reason::NodeAffinity, Reason::EnforcedAffinity];
/// Answers are smaller than this.
const ANSWERS: usize = 1 << 6;

impl Answer {
    const YES: Self = Self(0);

    fn by_rule(reason: Reason) -> Self {
        let at = RULES.iter().position(|rule| *rule == reason).expect("node-only filters give no other reasons");
        Self(BY_RULE | at as u8)
    }

    fn verdict(self) -> Verdict {
        if self.0 & BY_RULE != 0 {
            return Verdict::of(RULES[usize::from(self.0 & !BY_RULE)]);
        }
        let reasons = (0..AMOUNTS.len()).filter(|i| self.0 & 1 << i != 0).map(|i| AMOUNTS[i]).collect();
        Verdict { filter: Filter::NodeResourcesFit, reasons, unresolvable: self.0 & TOO_SMALL != 0 }
    }

    /// Removing pods could change it. What only rules of the node refuse stays refused.
    const fn resolvable(self) -> bool {
        self.0 & (BY_RULE | TOO_SMALL) == 0
    }
}

/// Answers of all nodes in the order of trial.
#[derive(Clone, Debug)]
struct Column {
    answers: Vec<Answer>,
    /// A bit for each node that admits.
    admits: Vec<u64>,
    counts: [u32; ANSWERS],
    /// Changes of nodes that are taken in.
    seen: u64,
    /// Of this order of nodes.
    order: u32,
}

impl Column {
    fn put(&mut self, at: usize, answer: Answer) {
        let before = std::mem::replace(&mut self.answers[at], answer);
        self.counts[usize::from(before.0)] -= 1;
        self.counts[usize::from(answer.0)] += 1;
        let bit = 1 << (at % 64);
        if answer == Answer::YES {
            self.admits[at / 64] |= bit;
        } else {
            self.admits[at / 64] &= !bit;
        }
    }

    /// Shows the admitting nodes of a range until `visit` has enough; returns where that was.
    fn visit(&self, range: std::ops::Range<usize>, mut visit: impl FnMut(usize) -> bool) -> Option<usize> {
        let mut at = range.start;
        while at < range.end {
            let mut word = self.admits[at / 64] >> (at % 64);
            let next = (at / 64 + 1) * 64;
            while word != 0 {
                at += word.trailing_zeros() as usize;
                if at >= range.end {
                    return None;
                }
                if visit(at) {
                    return Some(at);
                }
                word = if at % 64 == 63 { 0 } else { self.admits[at / 64] >> (at % 64 + 1) };
                at += 1;
            }
            at = next;
        }
        None
    }
}

/// What is kept of one shape.
#[derive(Clone, Debug)]
struct Row {
    column: Option<Box<Column>>,
    /// Nodes that the last scan looked at, or would have: what a column saves.
    last: u64,
    /// Nodes that scans looked at since there is no column in use.
    spent: u64,
    /// Changes of nodes when it was last asked for.
    at: u64,
}

/// Columns of all shapes, and the nodes that changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Fitting {
    rows: Vec<Row>,
    by_shape: BTreeMap<Shape, usize>,
    built: usize,
    /// The latest of them, oldest first.
    changes: Vec<NodeId>,
    /// Changes of nodes so far.
    now: u64,
    /// Where each node stands in the order.
    place: Vec<u32>,
    /// Counts the orders of nodes.
    order: u32,
}

/// The row of a shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FitId(u32);

impl Fitting {
    /// The row of a shape, made when it is the first of its kind.
    pub(super) fn row(&mut self, shape: Shape) -> FitId {
        let rows = &mut self.rows;
        let at = *self.by_shape.entry(shape).or_insert_with(|| {
            rows.push(Row { column: None, last: 0, spent: 0, at: 0 });
            rows.len() - 1
        });
        FitId(at as u32)
    }

    /// A node's answers may be others now.
    pub(super) fn changed(&mut self, node: NodeId) {
        self.now += 1;
        if self.built > 0 {
            // Who has missed more than that begins anew.
            if self.changes.len() >= 2 * self.place.len() + 1_024 {
                self.changes.drain(..self.changes.len() / 2);
            }
            self.changes.push(node);
        }
    }

    /// How many changes had been forgotten when the oldest one that is still known came.
    fn forgotten(&self) -> u64 {
        self.now - self.changes.len() as u64
    }

    /// Nodes have another order.
    pub(super) fn reorder(&mut self, order: &[NodeId], nodes: usize) {
        self.order = self.order.wrapping_add(1);
        self.place.clear();
        self.place.resize(nodes, NOWHERE);
        for (at, node) in order.iter().enumerate() {
            self.place[node.index()] = at as u32;
        }
    }

    /// A scan has looked at so many nodes, or has stepped over them in the column.
    pub(super) fn scanned(&mut self, id: FitId, looked_at: u32) {
        let row = &mut self.rows[id.0 as usize];
        row.last = u64::from(looked_at);
        row.spent += row.last;
        row.at = self.now;
    }

    /// Whether bringing a column up to date is less work than a scan.
    fn pays(&self, id: FitId) -> Option<Work> {
        let row = &self.rows[id.0 as usize];
        let current = |column: &&Column| column.order == self.order && column.seen >= self.forgotten();
        match row.column.as_deref().filter(current) {
            Some(column) => (self.now - column.seen <= row.last.max(1)).then_some(Work::CatchUp),
            None if row.column.is_none() && self.built >= COLUMNS_MAX => None,
            // Scans have cost as much as a column does, and the next one comes before too much has changed again.
            None => {
                let soon = self.now - row.at <= row.last;
                (soon && row.spent >= self.place.len() as u64).then_some(Work::Build)
            }
        }
    }
}

/// What a column needs.
enum Work {
    CatchUp,
    Build,
}

impl Scheduler {
    /// Brings the column of a pod's shape up to date; false when it is less work to look at nodes.
    pub(super) fn column(&mut self, ask: Ask) -> bool {
        let id = self.classes[ask.class].fit;
        let Some(work) = self.fitting.pays(id) else { return false };
        let row = id.0 as usize;
        let (now, order) = (self.fitting.now, self.fitting.order);
        let mut column = match (work, self.fitting.rows[row].column.take()) {
            (Work::CatchUp, Some(mut column)) => {
                let first = (column.seen - self.fitting.forgotten()) as usize;
                for &node in &self.fitting.changes[first..] {
                    let at = self.fitting.place[node.index()];
                    if at != NOWHERE {
                        column.put(at as usize, self.answer(ask, node));
                    }
                }
                column
            }
            (_, before) => {
                self.fitting.built += usize::from(before.is_none());
                Box::new(self.new_column(ask))
            }
        };
        (column.seen, column.order) = (now, order);
        // Its own promise does not keep a pod away. The next one finds the node changed.
        if let Some(node) = self.nominated(ask.pod) {
            let at = self.fitting.place[node.index()];
            if at != NOWHERE {
                column.put(at as usize, self.answer(ask, node));
                self.fitting.changed(node);
            }
        }
        let row = &mut self.fitting.rows[row];
        (row.column, row.spent) = (Some(column), 0);
        true
    }

    fn new_column(&self, ask: Ask) -> Column {
        let mut column = Column {
            answers: self.order.iter().map(|&node| self.answer(ask, node)).collect(),
            admits: vec![0; self.order.len().div_ceil(64)],
            counts: [0; ANSWERS],
            seen: 0,
            order: 0,
        };
        for (at, answer) in column.answers.iter().enumerate() {
            column.counts[usize::from(answer.0)] += 1;
            column.admits[at / 64] |= u64::from(*answer == Answer::YES) << (at % 64);
        }
        column
    }

    /// What one node says, with the pods that it was promised to.
    ///
    /// More pods only take room, so a node that admits with them admits without them, and the verdict with them is the
    /// one that counts.
    fn answer(&self, ask: Ask, node: NodeId) -> Answer {
        let class = &self.classes[ask.class];
        let (fixed, n) = (&self.fixed[class.fixed], node.index());
        let spec = &self.catalog.nodes[node];
        if !fixed.passes[n] {
            let state = self.ledger.state(node).expect("only nodes in sight have a place in the order");
            let mut filters = fixed.rules.filters().iter();
            let reason = filters.find_map(|&filter| fixed.rules.refusal(filter, spec, state, &self.catalog));
            return Answer::by_rule(reason.expect("some rule refuses the node"));
        }
        if !fixed.rules.filters().contains(&Filter::NodeResourcesFit) {
            return Answer::YES;
        }
        let free = self.free_beside_guests(ask, node);
        let demand = &class.demand;
        let cap = &spec.allocatable;
        let wanted = [1, demand.cpu, demand.memory, demand.ephemeral];
        let whole = [i64::MAX, cap.cpu.0, cap.memory.0, cap.ephemeral.0];
        let mut answer = 0;
        for i in 0..free.len() {
            let short = wanted[i] > 0 && wanted[i] > free[i];
            answer |= u8::from(short) << i;
            answer |= if short && wanted[i] > whole[i] { TOO_SMALL } else { 0 };
        }
        Answer(answer)
    }

    /// Free room for pods, CPU, memory and ephemeral storage, once the pods are there that a node was promised to.
    pub(super) fn free_beside_guests(&self, ask: Ask, node: NodeId) -> [i64; 4] {
        let mut free = self.usage.free_amounts(node.index());
        if !self.nominations.is_empty() {
            for class in self.nominations.ahead_of(ask, node) {
                let taken = self.classes[class].demand.amounts();
                (0..free.len()).for_each(|i| free[i] -= taken[i]);
            }
        }
        free
    }

    /// The scan of [`Scheduler::find_feasible`] over the column; call it when [`Scheduler::column`] says so.
    pub(super) fn scan_column(&mut self, ask: Ask, order: &[NodeId], feasible: &mut Vec<u32>) -> u32 {
        let wanted = self.wanted(ask.class, order.len());
        let id = self.classes[ask.class].fit;
        let row = id.0 as usize;
        let column = self.fitting.rows[row].column.take().expect("it was brought up to date just now");
        let sure = self.classes[ask.class].amounts_only && self.volumes.is_idle();
        let start = if order.is_empty() { 0 } else { self.next_start % order.len() };
        let rest = self.rest(ask.class);
        let mut visit = |at: usize| {
            let node = order[at];
            let plain = self.nominations.is_empty();
            if sure || (plain && self.meets_rest(ask.class, rest, node)) || (!plain && self.passes(ask, node)) {
                feasible.push(node.0);
            }
            feasible.len() == wanted
        };
        let found = column.visit(start..order.len(), &mut visit).map(|at| at - start + 1);
        let found = found.or_else(|| column.visit(0..start, visit).map(|at| order.len() - start + at + 1));
        self.fitting.rows[row].column = Some(column);
        found.unwrap_or(order.len()) as u32
    }

    /// Counts the reasons of a refusal out of the column, and lists the nodes that removing pods could help.
    pub(super) fn refusal_by_column(&mut self, ask: Ask, order: &[NodeId], helpful: &mut Vec<NodeId>) -> Refusal {
        let row = self.classes[ask.class].fit.0 as usize;
        let column = self.fitting.rows[row].column.take().expect("it was brought up to date just now");
        let mut refusal = Refusal::default();
        for (answer, &nodes) in column.counts.iter().enumerate().skip(1) {
            if nodes > 0 {
                refusal.add_times(&Answer(answer as u8).verdict(), nodes);
            }
        }
        for (&node, &answer) in order.iter().zip(&column.answers) {
            if answer == Answer::YES {
                let verdict = self.judge(ask, node).expect("no node was feasible a moment ago");
                refusal.add(&verdict);
                if !verdict.unresolvable {
                    helpful.push(node);
                }
            } else if answer.resolvable() {
                helpful.push(node);
            }
        }
        self.fitting.rows[row].column = Some(column);
        refusal
    }
}
