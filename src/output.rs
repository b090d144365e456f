//! Output directories: complete or not there at all, and never overwritten unasked.
//!
//! Everything is written into a hidden sibling first and then moved out of it. Ctrl-C removes the sibling.
//! Start at [`Destination`].

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use shakedown_reports::{Evaluation, Run};

use crate::failure::Failure;

/// Where results go when nothing else is said.
const DEFAULT: &str = "shakedown-out";
/// A directory with this file in it is a result of ours, and may be replaced by force.
const MARK: &str = "summary.json";

/// Where results go, as typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// Write results to this directory
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the result that is in the directory already
    #[arg(long, requires = "out")]
    force: bool,
}

impl Where {
    /// The directory that was asked for; with several scenarios each gets one below it.
    pub(crate) fn exact(&self, below: Option<&str>) -> Option<Destination> {
        let out = self.out.as_ref()?;
        let path = below.map_or_else(|| out.clone(), |scenario| out.join(file_name(scenario)));
        // A link is followed, not replaced; `.` and `..` get a name, beside which the result can be made.
        let indirect = path.is_symlink() || path.file_name().is_none();
        let path = if indirect { fs::canonicalize(&path).unwrap_or(path) } else { path };
        Some(Destination::Exact { path, existing: if self.force { Existing::Replace } else { Existing::Keep } })
    }
}

/// Where the results of one scenario go.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// A fresh numbered directory below this one, and a link `latest` to it.
    Numbered(PathBuf),
    /// Exactly this directory.
    Exact {
        /// Which.
        path: PathBuf,
        /// What happens to a result that is there already.
        existing: Existing,
    },
}

/// What happens to a result that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and the command fails.
    Keep,
    /// It is replaced.
    Replace,
}

impl Destination {
    /// Below `shakedown-out/`.
    pub(crate) fn default_of(scenario: &str) -> Self {
        Self::Numbered(Path::new(DEFAULT).join(file_name(scenario)))
    }

    /// Fails now rather than after a long run when the destination cannot take a result.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.writable()?;
        let Self::Exact { path, existing } = self else { return Ok(()) };
        let shown = path.display();
        if path.is_symlink() {
            let problem = format!("`{shown}` is a link that leads nowhere");
            return Err(Failure::usage(problem, "make the directory it names, or give `--out` another name"));
        }
        let Ok(meta) = fs::metadata(path) else { return Ok(()) };
        if !meta.is_dir() {
            return Err(Failure::usage(format!("`{shown}` is not a directory"), "give `--out` another name"));
        }
        let empty = fs::read_dir(path).map_err(Failure::file("read", path))?.next().is_none();
        match existing {
            _ if empty => Ok(()),
            Existing::Keep => Err(occupied(path)),
            Existing::Replace if !path.join(MARK).is_file() => Err(Failure::usage(
                format!("`{shown}` is not a result of shakedown: it has no `{MARK}`"),
                "`--force` replaces results only; give `--out` another name",
            )),
            Existing::Replace => Ok(()),
        }
    }

    /// Where a result is made before it is moved into place: folder and name.
    fn workshop(&self) -> (&Path, String) {
        let (parent, name) = match self {
            Self::Numbered(parent) => (parent.as_path(), "run".into()),
            Self::Exact { path, .. } => {
                let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
                (parent, path.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy()))
            }
        };
        (parent, format!(".{name}.partial-{}", std::process::id()))
    }

    /// Tries what writing will need, so that a long run is not in vain.
    fn writable(&self) -> Result<(), Failure> {
        let (parent, name) = self.workshop();
        let there = |path: &&Path| path.exists();
        let mut named = parent.ancestors().filter(|path| !path.as_os_str().is_empty());
        let base = named.find(there).unwrap_or_else(|| Path::new("."));
        let probe = base.join(name);
        let tried = fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe));
        tried.map_err(|error| {
            let problem = format!("results cannot be written to `{}`: {error}", parent.display());
            Failure::usage(problem, "give `--out` a directory that can be written, or add `--no-report` to `run`")
        })
    }

    /// Puts reports of runs in place. Returns the page to open.
    pub(crate) fn write(&self, runs: &[(Run, Evaluation)]) -> Result<PathBuf, Failure> {
        self.check()?;
        let (parent, name) = self.workshop();
        fs::create_dir_all(parent).map_err(Failure::file("create", parent))?;
        let partial = Partial::create(parent.join(name))?;
        let page = shakedown_reports::write_all(&partial.result(), runs, shakedown_reports::Existing::Refuse)
            .map_err(Failure::file("write", &partial.path))?;
        let page = page.file_name().map(PathBuf::from).unwrap_or_default();
        Ok(self.place(partial)?.join(page))
    }

    fn place(&self, partial: Partial) -> Result<PathBuf, Failure> {
        match self {
            Self::Exact { path, existing } => {
                partial.replace(path, *existing)?;
                Ok(path.clone())
            }
            Self::Numbered(parent) => {
                let path = partial.number(parent)?;
                link_latest(parent, &path);
                Ok(path)
            }
        }
    }
}

fn occupied(path: &Path) -> Failure {
    Failure::usage(
        format!("`{}` already exists and is not empty", path.display()),
        "add `--force` to replace the result in it, or give `--out` another name",
    )
}

/// A hidden directory in which a result is made. It is removed in any case; the result is moved out when complete.
struct Partial {
    path: PathBuf,
}

/// What a signal must remove.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

impl Partial {
    fn create(path: PathBuf) -> Result<Self, Failure> {
        clean_up_on_signals();
        *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.clone());
        // Of an earlier process with our number that was killed without a chance to clean up.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).map_err(Failure::file("create", &path))?;
        Ok(Self { path })
    }

    fn result(&self) -> PathBuf {
        self.path.join("result")
    }

    /// Puts it at `target`, in place of what `check` agreed to replace.
    fn replace(self, target: &Path, existing: Existing) -> Result<(), Failure> {
        // A signal waits until one of both is in place again.
        let guard = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        if existing == Existing::Keep {
            // Fails when another process put its result there since the check: renaming replaces empty directories only.
            let placed = fs::rename(self.result(), target);
            drop(guard);
            return placed.map_err(|error| {
                if target.exists() { occupied(target) } else { Failure::file("write", target)(error) }
            });
        }
        let aside = self.path.join("replaced");
        let replaced = target.exists();
        if replaced {
            fs::rename(target, &aside).map_err(Failure::file("replace", target))?;
        }
        let placed = fs::rename(self.result(), target).map_err(Failure::file("write", target));
        if replaced && placed.is_err() {
            fs::rename(&aside, target).map_err(Failure::file("restore", target))?;
        }
        drop(guard);
        placed
    }

    /// Puts it below `parent` under the next free number.
    fn number(self, parent: &Path) -> Result<PathBuf, Failure> {
        let taken = fs::read_dir(parent).map_err(Failure::file("read", parent))?;
        let numbers = taken.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let mut number = numbers.max().unwrap_or(0).saturating_add(1);
        loop {
            let path = parent.join(format!("{number:03}"));
            match fs::rename(self.result(), &path) {
                Ok(()) => return Ok(path),
                // Another process was faster.
                Err(_) if path.exists() => number = number.saturating_add(1),
                Err(error) => return Err(Failure::file("write", &path)(error)),
            }
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
        *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn clean_up_on_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without a handler a signal leaves a hidden directory behind, never a wrong result: not worth failing for.
        let _ = ctrlc::set_handler(|| {
            if let Some(path) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                let _ = fs::remove_dir_all(path);
            }
            // 128 and the number of SIGINT, as shells expect.
            std::process::exit(130);
        });
    });
}

/// Points `latest` at a result. A convenience: where links are not possible there is none.
fn link_latest(parent: &Path, result: &Path) {
    #[cfg(unix)]
    if let Some(name) = result.file_name() {
        let fresh = parent.join(format!(".latest-{}", std::process::id()));
        if std::os::unix::fs::symlink(name, &fresh).is_ok() && fs::rename(&fresh, parent.join("latest")).is_err() {
            let _ = fs::remove_file(&fresh);
        }
    }
    #[cfg(not(unix))]
    let _ = (parent, result);
}

/// A scenario's name as a directory: nothing that a shell or a file system treats specially.
fn file_name(scenario: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let name: String = scenario.chars().map(plain).collect();
    if name.is_empty() { "scenario".to_owned() } else { name }
}
