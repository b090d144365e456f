//! Files: where texts come from, and the limits that hold before a byte is parsed.
//!
//! Paths inside a scenario are relative to the file that names them. Start at [`Files`].

use std::fmt;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::problem::Problems;

/// Larger files are refused before they are read. The largest manifest bundles in the wild (all custom resource
/// definitions of a cloud provider) have about 5 MB.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// There is none of that name.
    Missing,
    /// It is a directory.
    Directory,
    /// It has more than [`MAX_FILE_BYTES`]; its size when known.
    TooLarge(Option<u64>),
    /// It is not UTF-8 from this byte on.
    NotUtf8(usize),
    /// The system says no.
    Other(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such file"),
            Self::Directory => f.write_str("it is a directory"),
            Self::TooLarge(Some(size)) => write!(f, "it has {size} bytes"),
            Self::TooLarge(None) => f.write_str("it is too large"),
            Self::NotUtf8(at) => write!(f, "it is not UTF-8 text from byte {at} on"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl ReadError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::Other(_) => "E0101",
            Self::Directory => "E0102",
            Self::TooLarge(_) => "E0103",
            Self::NotUtf8(_) => "E0104",
        }
    }

    pub(crate) fn help(&self) -> String {
        match self {
            Self::Missing => "check the path; inside a scenario it is relative to the file that names it".into(),
            Self::Directory => "name a file inside it".into(),
            Self::TooLarge(_) => format!("the limit is {MAX_FILE_BYTES} bytes (16 MiB); split the file"),
            Self::NotUtf8(_) => "save the file as UTF-8".into(),
            Self::Other(_) => "check the path and its permissions".into(),
        }
    }
}

/// Where texts come from.
pub trait Files {
    /// The text of the file called `path`.
    ///
    /// # Errors
    /// When it cannot be had.
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        let other = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => ReadError::Missing,
            std::io::ErrorKind::IsADirectory => ReadError::Directory,
            _ => ReadError::Other(error.to_string()),
        };
        let file = std::fs::File::open(path).map_err(other)?;
        let about = file.metadata().map_err(other)?;
        if about.is_dir() {
            return Err(ReadError::Directory);
        }
        if about.len() > MAX_FILE_BYTES {
            return Err(ReadError::TooLarge(Some(about.len())));
        }
        // Pipes and devices have no length beforehand, so the limit is kept while reading, too.
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(other)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(ReadError::TooLarge(None));
        }
        let text = String::from_utf8(bytes).map_err(|error| ReadError::NotUtf8(error.utf8_error().valid_up_to()))?;
        Ok(text.into())
    }
}

/// One text in front of other files.
pub(crate) struct Overlay<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    pub(crate) rest: &'a dyn Files,
}

impl Files for Overlay<'_> {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        if path == self.name { Ok(self.text.into()) } else { self.rest.read(path) }
    }
}

/// Reads a file named on the command line; a failure is a problem without a text to point at.
pub(crate) fn read(path: &str, files: &dyn Files, problems: &mut Problems) -> Option<Arc<str>> {
    match files.read(path) {
        Ok(text) => Some(text),
        Err(error) => {
            let source = problems.add_source(path, "".into());
            let message = format!("cannot read `{path}`: {error}");
            problems
                .error(error.code(), crate::problem::Mark::file(source), message)
                .expected("expected a readable UTF-8 file of at most 16 MiB")
                .help(error.help());
            None
        }
    }
}

/// The path of `named`, written inside the file `from`.
pub(crate) fn relative(from: &str, named: &str) -> String {
    let joined = match Path::new(from).parent() {
        Some(base) => base.join(named),
        None => PathBuf::from(named),
    };
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in joined.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.iter().collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_file_that_names_them() {
        assert_eq!(relative("a/b.yaml", "../m/x.yaml"), "m/x.yaml");
        assert_eq!(relative("b.yaml", "./x.yaml"), "x.yaml");
        assert_eq!(relative("b.yaml", "../x.yaml"), "../x.yaml");
        assert_eq!(relative("a/b.yaml", "/x.yaml"), "/x.yaml");
    }
}
