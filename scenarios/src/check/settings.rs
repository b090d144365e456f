//! How images behave: what the scenario says, defaults for the rest.

use shakedown_chaos::setting::{Behaviour, Defect, Failing, Growth};
use shakedown_engine::ids::{ImageId, Table};
use shakedown_engine::model::Bytes;
use shakedown_engine::time::Span;

use super::{Checker, Part};
use crate::manifest::image_name;
use crate::problem::Mark;
use crate::raw::{DefectRaw, ImageRaw};

/// Init containers end, or nothing behind them would ever start: about what a download or a migration check takes.
const INIT_RUNS_FOR: Span = Span::from_secs(1);

/// CPU of one lookup: 33,669 a second took 1.9 cores. Source: coredns/deployment:kubernetes/Scaling_CoreDNS.md.
const COREDNS_LOOKUP: Span = Span::from_micros(56);

impl Checker<'_> {
    /// Behaviour of all images. An image about which something is said but that nothing uses is a problem.
    pub(super) fn images(&mut self, parts: &[Part]) -> Table<ImageId, Behaviour> {
        let mut table: Table<ImageId, Behaviour> =
            self.low.catalog.images.ids().map(|_| Behaviour::default()).collect();
        self.init_images(&mut table);
        let names = |image: &str| short(image).starts_with("coredns:");
        let catalog = &*self.low.catalog;
        for id in catalog.images.ids().filter(|&id| names(catalog.text(catalog.images[id].name))) {
            table[id].cpu_per_request = COREDNS_LOOKUP;
            table[id].wait_per_request = Span::ZERO;
        }
        let mut said = vec![false; table.len()];
        for (name, raw) in parts.iter().flat_map(|part| &part.images.0) {
            let found = self.find_images(&name.value);
            if found.is_empty() && !self.incomplete.workloads {
                let catalog = &*self.low.catalog;
                let known = catalog.images.rows().iter().map(|image| short(catalog.text(image.name)));
                self.low
                    .problems
                    .error("E0307", name.mark, format!("nothing uses the image `{}`", name.value))
                    .expected("expected an image of some container or of a `deploy`")
                    .suggest(&name.value, known);
            }
            for id in found {
                said[shakedown_engine::ids::Id::index(id)] |= raw.size.is_some();
                apply(&mut table[id], raw);
                if let Some(size) = raw.size {
                    self.low.catalog.images[id].size = Bytes(size.value.0);
                }
            }
        }
        let assumed = said.iter().filter(|said| !**said).count();
        if assumed > 0 {
            let message = format!("the size of {assumed} of {} images is assumed to be 100Mi", said.len());
            self.low.problems.info("N0608", Mark::file(0), message).help("say more under `images`");
        }
        table
    }

    fn init_images(&mut self, table: &mut Table<ImageId, Behaviour>) {
        let catalog = &*self.low.catalog;
        for init in catalog.templates.rows().iter().flat_map(|template| &template.init).filter(|init| !init.sidecar) {
            table[init.image].runs_for = Some(INIT_RUNS_FOR);
        }
        for main in catalog.templates.rows().iter().flat_map(|template| &template.containers) {
            table[main.image].runs_for = None;
        }
    }

    /// Images called `name`; without a slash, those whose last part is `name`.
    fn find_images(&self, name: &str) -> Vec<ImageId> {
        let catalog = &*self.low.catalog;
        let full = image_name(name);
        let matches = |image: &str| image == full || (!name.contains('/') && short(image) == full);
        catalog.images.iter().filter(|(_, image)| matches(catalog.text(image.name))).map(|(id, _)| id).collect()
    }
}

/// The last part of an image's name, without digest.
fn short(image: &str) -> &str {
    let tagged = image.split_once('@').map_or(image, |(tagged, _)| tagged);
    tagged.rsplit('/').next().unwrap_or(tagged)
}

fn apply(behaviour: &mut Behaviour, raw: &ImageRaw) {
    let set = |place: &mut Span, value: Option<crate::text::Dur>| {
        if let Some(value) = value {
            *place = value.0;
        }
    };
    set(&mut behaviour.startup, raw.startup);
    set(&mut behaviour.cpu_per_request, raw.cpu_per_request);
    set(&mut behaviour.wait_per_request, raw.wait_per_request);
    set(&mut behaviour.shutdown, raw.shutdown);
    if let Some(cpu) = raw.idle_cpu {
        behaviour.idle_cpu = shakedown_engine::model::MilliCpu(cpu.0);
    }
    if let Some(memory) = raw.memory {
        behaviour.memory = Bytes(memory.0);
    }
    if let Some(leak) = raw.leak {
        behaviour.leak = Growth(leak.0);
    }
    if let Some(writes) = raw.writes {
        behaviour.writes = Growth(writes.0);
    }
    if let Some(runs_for) = raw.runs_for {
        behaviour.runs_for = Some(runs_for.0);
    }
    if let Some(fails) = raw.fails {
        behaviour.fails = Some(Failing { permille: fails.share, code: fails.code, after: fails.after });
    }
    if let Some(defect) = raw.defect {
        behaviour.defect = match defect {
            DefectRaw::None => Defect::None,
            DefectRaw::NeverReady => Defect::NeverReady,
            DefectRaw::Missing => Defect::Missing,
            DefectRaw::CrashesAfter(after) => Defect::Crashes { after },
            DefectRaw::HangsAfter(after) => Defect::Hangs { after },
            DefectRaw::Errors(permille) => Defect::Errors { permille },
        };
    }
}
