//! Resource scores remembered until a node's usage changes.
//!
//! A placement changes one node, but the next one scores hundreds: all the others still have the value that the same
//! request got before. Only speed depends on this; a value is either that of the node's present version or is computed
//! anew. Start at [`Memo::column`].

use crate::profile::Score;

/// Shapes that are remembered; further ones are computed each time. Bounds the memory: 8 bytes a node and shape.
const SHAPES_MAX: usize = 64;

/// A profile's score and the two amounts that it depends on besides the node.
pub(super) type Shape = (usize, Score, i64, i64);

/// Remembered columns, one a shape.
#[derive(Clone, Debug, Default)]
pub(super) struct Memo {
    columns: Vec<(Shape, Vec<Cell>)>,
}

/// A value and the version of the node that it holds for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    version: u32,
    value: i32,
}

impl Cell {
    /// The value for a node of this version, computed when it is not at hand. Versions start at 1.
    #[inline]
    pub(super) fn get(&mut self, version: u32, compute: impl FnOnce() -> i64) -> i64 {
        if self.version != version {
            let value = i32::try_from(compute()).expect("resource scores are at most 100");
            *self = Self { version, value };
        }
        i64::from(self.value)
    }
}

impl Memo {
    /// The cells of a shape, one a node; `None` when too many shapes are remembered already.
    pub(super) fn column(&mut self, shape: Shape, nodes: usize) -> Option<&mut [Cell]> {
        let at = match self.columns.iter().position(|(known, _)| *known == shape) {
            Some(at) => at,
            None if self.columns.len() == SHAPES_MAX => return None,
            None => {
                self.columns.push((shape, vec![Cell::default(); nodes]));
                self.columns.len() - 1
            }
        };
        Some(&mut self.columns[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_holds_until_the_node_changes() {
        let mut memo = Memo::default();
        let column = memo.column((0, Score::LeastAllocated, 1, 2), 3).expect("there is room");
        assert_eq!(column[1].get(1, || 7), 7);
        assert_eq!(column[1].get(1, || panic!("it is remembered")), 7);
        assert_eq!(column[1].get(2, || 8), 8);
    }

    #[test]
    fn more_shapes_than_fit_are_not_remembered() {
        let mut memo = Memo::default();
        for shape in 0..SHAPES_MAX as i64 {
            assert!(memo.column((0, Score::LeastAllocated, shape, 0), 1).is_some());
        }
        assert!(memo.column((0, Score::LeastAllocated, -1, 0), 1).is_none());
        assert!(memo.column((0, Score::LeastAllocated, 0, 0), 1).is_some());
    }
}
