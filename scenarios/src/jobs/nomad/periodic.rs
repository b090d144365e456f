//! Periodic jobs: runs at set times.
//!
//! Source: hashicorp/nomad:api/jobs.go, PeriodicConfig. Start at [`shape`].

use shakedown_engine::model::Concurrency;

use super::keys;
use crate::jobs::read::{Reader, written};
use crate::manifest::schedule;
use crate::shapes::{Shape, ending};
use crate::text::Node;

/// The times of a job; `None` when it is not periodic.
pub(super) fn shape(reader: &mut Reader<'_, '_>, job: &Node) -> Option<Shape> {
    let node = reader.part(job, "Periodic", &keys::PERIODIC)?;
    if reader.switch(node, "Enabled") == Some(false) {
        return None;
    }
    reader.word(node, "SpecType", &["cron"]);
    let spec = written(node, "Spec").filter(|spec| spec.scalar().is_some_and(|text| !text.is_empty()));
    let spec = match (spec, reader.list(node, "Specs")) {
        (Some(spec), _) => spec,
        (None, [first, rest @ ..]) => {
            if let Some(second) = rest.first() {
                let why = "the first schedule is followed";
                reader.low.unmodelled.field("Periodic.Specs", why, second.mark);
            }
            first
        }
        (None, []) => {
            reader.missing(node, "Spec", "`Periodic`");
            return None;
        }
    };
    let mut cron = match schedule(spec.scalar().unwrap_or_default(), ending(1, None)) {
        Ok(cron) => cron,
        Err(why) => {
            let what = format!("{} is no schedule: {why}", spec.describe());
            reader.wrong(spec.mark, what, "expected five fields of cron, such as `*/15 * * * *`");
            return None;
        }
    };
    if reader.switch(node, "ProhibitOverlap") == Some(true) {
        cron.concurrency = Concurrency::Forbid;
    }
    Some(Shape::Cron(Box::new(cron), 1))
}
