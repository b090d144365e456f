//! Included files: parts of a scenario, each once, never in a circle.

use super::Part;
use super::places::Incomplete;
use super::sources::documents;
use crate::problem::Problems;
use crate::raw::FragmentRaw;
use crate::text::{At, Decode, Files, relative};

/// Longest chain of includes; it bounds the stack as well.
const MAX_CHAIN: usize = 16;
/// Most files in one scenario.
const MAX_FILES: usize = 256;

/// Follows all includes of the scenario `file`, depth first, in the order of the text.
pub(super) fn follow(
    includes: &[At<String>],
    file: &str,
    files: &dyn Files,
    out: (&mut Vec<Part>, &mut Incomplete),
    problems: &mut Problems,
) {
    let mut walk = Walk { files, problems, chain: vec![relative("", file)], parts: out.0, incomplete: out.1 };
    walk.all(includes, file);
}

struct Walk<'a> {
    files: &'a dyn Files,
    problems: &'a mut Problems,
    /// Files that are being read, outermost first.
    chain: Vec<String>,
    parts: &'a mut Vec<Part>,
    incomplete: &'a mut Incomplete,
}

impl Walk<'_> {
    fn all(&mut self, includes: &[At<String>], file: &str) {
        for include in includes {
            self.one(include, file);
        }
    }

    fn one(&mut self, include: &At<String>, from: &str) {
        let path = relative(from, &include.value);
        if let Some(start) = self.chain.iter().position(|open| *open == path) {
            let circle = [&self.chain[start..], std::slice::from_ref(&path)].concat().join(" -> ");
            self.problems
                .error("E0109", include.mark, format!("these files include each other: {circle}"))
                .expected("expected a file that does not lead back here")
                .help("remove one of the includes");
            return;
        }
        if self.chain.len() > MAX_CHAIN || self.parts.len() > MAX_FILES {
            self.problems
                .error("E0109", include.mark, "too many files are included")
                .expected(format!("expected chains of at most {MAX_CHAIN} and {MAX_FILES} files in all"));
            return;
        }
        if self.parts.iter().any(|part| part.file == path) {
            return;
        }
        let before = self.problems.errors();
        self.read(include, &path);
        if self.problems.errors() > before {
            *self.incomplete = Incomplete { nodes: true, workloads: true };
        }
    }

    fn read(&mut self, include: &At<String>, path: &str) {
        if let Err(error) = self.files.read(path) {
            super::unreadable(self.problems, include, &error);
            return;
        }
        let Some(found) = documents(path, self.files, self.problems) else { return };
        for document in &found {
            let Some(raw) = FragmentRaw::decode(document, self.problems) else { continue };
            super::version(raw.shakedown, self.problems);
            let next = raw.include.clone();
            self.parts.push(Part::included(path, raw));
            self.chain.push(path.to_owned());
            self.all(&next, path);
            self.chain.pop();
        }
    }
}
