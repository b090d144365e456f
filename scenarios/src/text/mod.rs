//! Text with places: files, YAML trees, units, and the reading of shapes from them.
//!
//! It knows nothing of scenarios. Start at [`parse`] for the tree and [`Decode`] for what is read from it.

mod decode;
mod file;
mod name;
mod node;
mod suggest;
mod units;
mod yaml;

pub(crate) use decode::{At, Decode, Named, shape, text_schema, wrong_type};
pub use file::{Disk, Files, MAX_FILE_BYTES, ReadError};
pub(crate) use file::{Overlay, read, relative};
pub(crate) use name::{IMAGE, NAME, is_image, is_name};
pub(crate) use node::{Key, Node, Value};
pub use suggest::suggestion;
pub(crate) use units::{
    Cores, Dur, GrowthRate, MAX_BYTES, MAX_MILLI_CPU, Percent, Permille, Ppm, Rate, Scale, Size, parse_ppm,
    parse_quantity, parse_span,
};
pub(crate) use yaml::parse;
