//! What a recording says was done, and with which settings.
//!
//! Start at [`Story::of`].

use serde_json::Value;

/// A story to be set up again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Story {
    pub kind: Kind,
    /// Replicas of the job.
    pub count: u32,
    /// What is done at 0, or a little later.
    pub act: Act,
    /// Values of the job's update block.
    pub update: Update,
    /// How long it goes on, seconds.
    pub lasts: u64,
}

/// Of which kind a recording is, by the first letter of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Kill,
    Silence,
    Crash,
    Update,
    Drain,
    Scale,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    Kill,
    /// Cut off, or the client stopped, for so long.
    Cut {
        seconds: f64,
        stopped: bool,
    },
    /// A job that fails is submitted; it runs to completion or for ever.
    Submit {
        batch: bool,
    },
    /// A second version, which may fail; promoted by hand at this time.
    Deploy {
        bad: bool,
        promote: Option<f64>,
    },
    Drain {
        deadline: u64,
    },
    Scale {
        to: u32,
    },
}

/// An update block, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Update {
    pub max_parallel: Option<u32>,
    pub canary: Option<u32>,
    pub min_healthy: Option<f64>,
    pub healthy_deadline: Option<f64>,
    pub progress_deadline: Option<f64>,
    pub auto_revert: bool,
    pub auto_promote: bool,
}

impl Story {
    /// The story of a recording; `None` for a kind that is not compared.
    ///
    /// # Errors
    /// When a setting is missing.
    pub(super) fn of(json: &Value) -> Result<Option<Self>, String> {
        let name = json["name"].as_str().ok_or("it has no `name`")?;
        let scenario = &json["settings"]["scenario"];
        let count = |field: &str, otherwise: u64| scenario[field].as_u64().unwrap_or(otherwise).clamp(1, 1_000) as u32;
        let update = update(&scenario["update"]);
        let story = |kind, count, act, lasts| Ok(Some(Self { kind, count, act, update, lasts }));
        match name.as_bytes().first() {
            Some(b'a') => story(Kind::Kill, count("count", 12), Act::Kill, 60),
            Some(b'b') => {
                let seconds =
                    scenario["heal"].as_f64().or_else(|| scenario["dur"].as_f64()).ok_or("it has no `dur`")?;
                let stopped = name.contains("sigstop");
                story(Kind::Silence, count("count", 12), Act::Cut { seconds, stopped }, seconds as u64 + 20)
            }
            Some(b'c') => story(Kind::Crash, 1, Act::Submit { batch: name.contains("batch") }, 560),
            Some(b'd') => {
                let marks = json["events"].as_array().ok_or("it has no `events`")?;
                let job = json["settings"]["jobs"][0].as_str().unwrap_or("");
                let promoted = marks.iter().find(|e| {
                    e["kind"] == "deploy" && e["type"] == "DeploymentPromotion" && e["job"].as_str() == Some(job)
                });
                let promote = promoted.and_then(|e| e["t"].as_f64()).filter(|_| !update.auto_promote);
                let bad = scenario["bad"].as_bool().unwrap_or(false);
                story(Kind::Update, count("count", 10), Act::Deploy { bad, promote }, 180)
            }
            Some(b'e') => {
                let counts = scenario["counts"].as_object().ok_or("it has no `counts`")?;
                let total: u64 = counts.values().filter_map(Value::as_u64).sum();
                let deadline = scenario["deadline"].as_str().and_then(|d| d.trim_end_matches('s').parse().ok());
                let act = Act::Drain { deadline: deadline.ok_or("it has no `deadline` in seconds")? };
                story(Kind::Drain, total.clamp(1, 1_000) as u32, act, 90)
            }
            Some(b'h') => {
                let to = count("to", 10);
                story(Kind::Scale, count("frm", 10), Act::Scale { to }, 5)
            }
            _ => Ok(None),
        }
    }
}

fn update(json: &Value) -> Update {
    let seconds = |field: &str| json[field].as_f64().map(|nanos| nanos / 1e9);
    let number = |field: &str| json[field].as_u64().map(|n| n.min(1_000) as u32);
    Update {
        max_parallel: number("MaxParallel"),
        canary: number("Canary"),
        min_healthy: seconds("MinHealthyTime"),
        healthy_deadline: seconds("HealthyDeadline"),
        progress_deadline: seconds("ProgressDeadline"),
        auto_revert: json["AutoRevert"].as_bool().unwrap_or(false),
        auto_promote: json["AutoPromote"].as_bool().unwrap_or(false),
    }
}
