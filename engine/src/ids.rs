//! Typed ids and the tables they index.
//!
//! An id is a row number that cannot be mixed up with another table's. Rows are never reused in a run, so
//! an id needs no generation: a million pods cost their rows, and every fact stays unambiguous. Start at [`Table`].

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A row number of one kind of table.
pub trait Id: Copy + Eq + Ord + fmt::Debug {
    /// The id of row `index`.
    ///
    /// # Panics
    /// When `index` does not fit 32 bits: more rows than any limit of this engine allows.
    fn from_index(index: usize) -> Self;
    /// The row number.
    fn index(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
        pub struct $name(pub u32);

        impl Id for $name {
            fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).expect("a table holds at most 2^32 rows"))
            }
            fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}#{}", stringify!($name), self.0)
            }
        }
    )+};
}

ids! {
    /// A host that runs an agent.
    NodeId,
    /// One replica: a pod, task, allocation, unit or instance.
    PodId,
    /// A pod's unchanging description, shared by all its replicas.
    TemplateId,
    /// A named thing that keeps replicas running: deployment, service, job, app.
    WorkloadId,
    /// One version of a workload (a ReplicaSet in Kubernetes terms).
    RevisionId,
    /// A name with endpoints.
    ServiceId,
    /// A container image.
    ImageId,
    /// A failure domain that nodes are labelled with.
    ZoneId,
    /// An interned string.
    Symbol,
    /// One injected fault or scripted operation, in timeline order.
    FaultId,
    /// A source of requests to a service.
    TrafficId,
    /// A disruption budget.
    BudgetId,
    /// An autoscaler of a workload.
    AutoscalerId,
    /// A class of storage.
    StorageClassId,
    /// A volume: those declared by hand first, then those made on demand.
    VolumeId,
    /// A claim to a volume.
    ClaimId,
    /// A group of pods that are placed together.
    GroupId,
    /// A quota of a namespace.
    QuotaId,
    /// An admission webhook.
    WebhookId,
    /// A group of machines that the cluster autoscaler adds and removes.
    PoolId,
}

/// Rows indexed by their own id type.
#[derive(Clone, PartialEq, Eq)]
pub struct Table<I, T> {
    rows: Vec<T>,
    id: PhantomData<I>,
}

impl<I: Id, T> Table<I, T> {
    /// An empty table.
    pub const fn new() -> Self {
        Self { rows: Vec::new(), id: PhantomData }
    }

    /// Appends a row and returns its id.
    pub fn push(&mut self, row: T) -> I {
        let id = I::from_index(self.rows.len());
        self.rows.push(row);
        id
    }

    /// The id that the next `push` returns.
    pub fn next_id(&self) -> I {
        I::from_index(self.rows.len())
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row, or `None` for an id of another run.
    pub fn get(&self, id: I) -> Option<&T> {
        self.rows.get(id.index())
    }

    /// All ids in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + ExactSizeIterator + use<I, T> {
        (0..self.rows.len()).map(I::from_index)
    }

    /// All rows with their ids, in id order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (I, &T)> + ExactSizeIterator {
        self.rows.iter().enumerate().map(|(i, row)| (I::from_index(i), row))
    }

    /// All rows, mutable, with their ids, in id order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.rows.iter_mut().enumerate().map(|(i, row)| (I::from_index(i), row))
    }

    /// The rows as a slice.
    pub fn rows(&self) -> &[T] {
        &self.rows
    }
}

impl<I: Id, T> Default for Table<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: Id, T> Index<I> for Table<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        &self.rows[id.index()]
    }
}

impl<I: Id, T> IndexMut<I> for Table<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.rows[id.index()]
    }
}

impl<I: Id, T> FromIterator<T> for Table<I, T> {
    fn from_iter<It: IntoIterator<Item = T>>(rows: It) -> Self {
        Self { rows: rows.into_iter().collect(), id: PhantomData }
    }
}

impl<I: Id + fmt::Debug, T: fmt::Debug> fmt::Debug for Table<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
