//! The scheduler's own configuration, and pods that no scheduler takes.

use std::collections::BTreeSet;

use shakedown_engine::profile::DEFAULT_SCHEDULER;

use super::sources::documents;
use super::{Checker, unreadable};
use crate::manifest::SchedulerConfig;
use crate::problem::Mark;
use crate::text::{At, relative};

impl Checker<'_> {
    /// Reads the file that the scenario names, and names schedulers that pods ask for in vain.
    pub(super) fn scheduler_config(&mut self, named: Option<&At<String>>, file: &str) -> Option<SchedulerConfig> {
        let config = named.and_then(|named| self.read_scheduler_config(named, file));
        if named.is_none() || config.is_some() {
            self.unknown_schedulers(config.as_ref());
        }
        config
    }

    fn read_scheduler_config(&mut self, named: &At<String>, file: &str) -> Option<SchedulerConfig> {
        let path = relative(file, &named.value);
        if let Err(error) = self.files.read(&path) {
            unreadable(self.low.problems, named, &error);
            return None;
        }
        let found = documents(&path, self.files, self.low.problems)?;
        self.low.scheduler_config(found.first()?)
    }

    /// Pods that name a scheduler which does not exist stay pending, in a real cluster, too.
    fn unknown_schedulers(&mut self, config: Option<&SchedulerConfig>) {
        let known: BTreeSet<&str> = config.into_iter().flat_map(SchedulerConfig::names).collect();
        let catalog = &*self.low.catalog;
        let asked: BTreeSet<&str> = catalog
            .templates
            .rows()
            .iter()
            .filter(|template| template.scheduler != catalog.known.empty)
            .map(|template| catalog.text(template.scheduler))
            .filter(|name| !known.contains(name) && *name != DEFAULT_SCHEDULER)
            .collect();
        for name in asked {
            self.low
                .problems
                .warn(
                    "W0618",
                    Mark::file(0),
                    format!("no scheduler is called `{name}`: pods that name it stay pending"),
                )
                .help("name a `scheduler_config` with a profile of that `schedulerName`");
        }
    }
}
