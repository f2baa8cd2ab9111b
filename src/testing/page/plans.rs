//! The faults of token requests that the page offers.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::testing::fault::{Fault, Faults};

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Plan {
    Throttled,
    Unavailable,
    Html,
    Slow,
    Hang,
}

impl Plan {
    const ALL: [Self; 5] = [
        Self::Throttled,
        Self::Unavailable,
        Self::Html,
        Self::Slow,
        Self::Hang,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Html => "html",
            Self::Slow => "slow",
            Self::Hang => "hang",
        }
    }

    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Throttled => Fault::StatusWithRetryAfter {
                status: 429,
                seconds: 5,
            },
            Self::Unavailable => Fault::Status(503),
            Self::Html => Fault::Html,
            Self::Slow => Fault::Slow(Duration::from_secs(3)),
            Self::Hang => Fault::Hang,
        }
    }

    /// Name and words of each.
    pub(super) fn offered() -> Vec<Value> {
        let plans = Self::ALL.into_iter();
        plans
            .map(|plan| json!({"name": plan.as_str(), "words": plan.fault().in_words()}))
            .collect()
    }
}

/// The faults in force, at most 20.
pub(super) fn in_force(faults: &Faults) -> Vec<Value> {
    let planned = faults.planned().take(20);
    planned
        .map(|(target, fault, times)| {
            json!({"target": target.in_words(), "words": fault.in_words(), "times": times})
        })
        .collect()
}
