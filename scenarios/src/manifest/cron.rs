//! Cron jobs, and their schedules as bit sets.
//!
//! The grammar is that of robfig/cron:parser.go, `ParseStandard`, which the controller uses: five fields, names of
//! months and days, ranges, steps, lists, `?` for `*`, and descriptors such as `@hourly`. Start at [`parse`].

use k8s_openapi::api::batch::v1::CronJob;
use shakedown_engine::ids::WorkloadId;
use shakedown_engine::model::{Concurrency, CronSpec, Details, JobSpec};

use super::Lowering;
use super::invalid::At;
use crate::text::Node;

impl Lowering<'_> {
    pub(super) fn cron_job(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: CronJob = self.read(node)?;
        let spec = object.spec;
        let job_node = node.get("spec").and_then(|spec| spec.get("jobTemplate"))?;
        let inner = spec.job_template.spec.clone().unwrap_or_default();
        let job = self.job_spec(At { node: job_node, prefix: "spec.jobTemplate." }, &inner)?;
        if spec.schedule.contains("TZ=") {
            let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
            self.invalid(node, "spec.schedule", &format!("{:?}", spec.schedule), why);
            return None;
        }
        let schedule = match parse(&spec.schedule) {
            Ok(schedule) => schedule,
            Err(why) => {
                self.invalid(node, "spec.schedule", &format!("{:?}", spec.schedule), &why);
                return None;
            }
        };
        let policy = spec.concurrency_policy.as_deref().filter(|word| !word.is_empty()).unwrap_or("Allow");
        let concurrency = match self.word(node, "spec.concurrencyPolicy", policy, &["Allow", "Forbid", "Replace"])? {
            "Allow" => Concurrency::Allow,
            "Forbid" => Concurrency::Forbid,
            _ => Concurrency::Replace,
        };
        let starting_deadline = match spec.starting_deadline_seconds {
            Some(n) => Some(self.seconds(node, "spec.startingDeadlineSeconds", n)?),
            None => None,
        };
        let cron =
            CronSpec { concurrency, starting_deadline, suspend: spec.suspend.unwrap_or(false), ..schedule.with(job) };
        self.running_job(job_node, &object.metadata, &inner, Details::Cron(cron), "CronJob")
    }
}

/// Jobs at the times of a schedule in five fields.
pub(crate) fn schedule(text: &str, job: JobSpec) -> Result<CronSpec, String> {
    parse(text).map(|schedule| schedule.with(job))
}

/// When a job is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    both_days: bool,
}

impl Schedule {
    fn with(self, job: JobSpec) -> CronSpec {
        // Each field's bounds keep its bits within the type.
        let narrow = |bits: u64| u32::try_from(bits).expect("fields of cron have at most 32 values but for minutes");
        CronSpec {
            minutes: self.minutes,
            hours: narrow(self.hours),
            days: narrow(self.days),
            months: u16::try_from(self.months).expect("there are 12 months"),
            weekdays: u8::try_from(self.weekdays).expect("there are 7 days"),
            both_days: self.both_days,
            concurrency: Concurrency::Allow,
            starting_deadline: None,
            suspend: false,
            job,
        }
    }
}

/// Bounds and names of a field.
struct Field {
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const MINUTE: Field = Field { low: 0, high: 59, names: &[] };
const HOUR: Field = Field { low: 0, high: 23, names: &[] };
const DAY: Field = Field { low: 1, high: 31, names: &[] };
const MONTH: Field = Field {
    low: 1,
    high: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Field = Field { low: 0, high: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// A schedule from its text.
fn parse(text: &str) -> Result<Schedule, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("empty spec string".to_owned());
    }
    let fields: Vec<&str> = match text {
        "@yearly" | "@annually" => vec!["0", "0", "1", "1", "*"],
        "@monthly" => vec!["0", "0", "1", "*", "*"],
        "@weekly" => vec!["0", "0", "*", "*", "0"],
        "@daily" | "@midnight" => vec!["0", "0", "*", "*", "*"],
        "@hourly" => vec!["0", "*", "*", "*", "*"],
        every if every.starts_with("@every ") => return Err("`@every` is not modelled; write five fields".to_owned()),
        other if other.starts_with('@') => return Err(format!("unrecognized descriptor: {other}")),
        _ => text.split_whitespace().collect(),
    };
    let [minute, hour, day, month, weekday] = fields[..] else {
        return Err(format!("expected exactly 5 fields, found {}: {:?}", fields.len(), fields));
    };
    Ok(Schedule {
        minutes: bits(minute, &MINUTE)?,
        hours: bits(hour, &HOUR)?,
        days: bits(day, &DAY)?,
        months: bits(month, &MONTH)?,
        weekdays: bits(weekday, &WEEKDAY)?,
        both_days: any(day) || any(weekday),
    })
}

/// True when a field holds a star, alone or with a step of 1.
fn any(field: &str) -> bool {
    field.split(',').any(|part| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        (range == "*" || range == "?") && step == "1"
    })
}

fn bits(text: &str, field: &Field) -> Result<u64, String> {
    let mut out = 0;
    for part in text.split(',') {
        out |= range(part, field)?;
    }
    Ok(out)
}

fn range(part: &str, field: &Field) -> Result<u64, String> {
    let (span, step) = part.split_once('/').map_or((part, None), |(span, step)| (span, Some(step)));
    let (low, mut high) = if span == "*" || span == "?" {
        (field.low, field.high)
    } else {
        let (low, high) = span.split_once('-').unwrap_or((span, span));
        (value(low, field)?, value(high, field)?)
    };
    let step = match step {
        None => 1,
        Some(step) => {
            // `5/15` means from 5 to the end.
            if !span.contains('-') {
                high = field.high;
            }
            step.parse::<u32>().map_err(|_| format!("failed to parse int from {step}: {part}"))?
        }
    };
    if step == 0 {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    if low < field.low {
        return Err(format!("beginning of range ({low}) below minimum ({}): {part}", field.low));
    }
    if high > field.high {
        return Err(format!("end of range ({high}) above maximum ({}): {part}", field.high));
    }
    if low > high {
        return Err(format!("beginning of range ({low}) beyond end of range ({high}): {part}"));
    }
    Ok((low..=high).step_by(step as usize).fold(0, |bits, n| bits | 1 << n))
}

fn value(text: &str, field: &Field) -> Result<u32, String> {
    let lower = text.to_lowercase();
    if let Some(index) = field.names.iter().position(|name| *name == lower) {
        return Ok(field.low + u32::try_from(index).unwrap_or(0));
    }
    text.parse().map_err(|_| format!("failed to parse int from {text}"))
}

#[cfg(test)]
mod tests {
    use super::{Schedule, parse};

    fn ones(bits: u64) -> Vec<u32> {
        (0..64).filter(|n| bits >> n & 1 == 1).collect()
    }

    fn read(text: &str) -> Schedule {
        parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn fields_take_lists_ranges_steps_and_names() {
        let schedule = read("*/15 8-18/5 1,15 jan-MAR mon");
        assert_eq!(ones(schedule.minutes), [0, 15, 30, 45]);
        assert_eq!(ones(schedule.hours), [8, 13, 18]);
        assert_eq!(ones(schedule.days), [1, 15]);
        assert_eq!(ones(schedule.months), [1, 2, 3]);
        assert_eq!(ones(schedule.weekdays), [1]);
        assert!(!schedule.both_days);
        assert_eq!(ones(read("50/5 * * * *").minutes), [50, 55]);
        assert!(read("0 0 ? * 5").both_days && read("0 0 1 * *").both_days);
        // A step above 1 is no star: either day field is enough.
        assert!(!read("0 0 */2 * 5").both_days);
    }

    #[test]
    fn descriptors_stand_for_five_fields() {
        assert_eq!(read("@hourly"), read("0 * * * *"));
        assert_eq!(read("@weekly"), read("0 0 * * SUN"));
        assert_eq!(read("@yearly"), read("0 0 1 1 ?"));
    }

    #[test]
    fn what_cron_refuses_is_refused_in_its_words() {
        for (text, why) in [
            ("* * * *", "expected exactly 5 fields, found 4: [\"*\", \"*\", \"*\", \"*\"]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("* 9-8 * * *", "beginning of range (9) beyond end of range (8): 9-8"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("x * * * *", "failed to parse int from x"),
            ("* * * * 7", "end of range (7) above maximum (6): 7"),
            ("@often", "unrecognized descriptor: @often"),
            ("", "empty spec string"),
        ] {
            assert_eq!(parse(text).map(|_| ()), Err(why.to_owned()), "{text}");
        }
    }
}
