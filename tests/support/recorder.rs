//! A recorder of metrics that tests can read.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

/// Series are named as in `name{label=value,…}`, labels in their order.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Series>);

#[derive(Default)]
struct Series {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    described: Mutex<BTreeMap<String, Option<Unit>>>,
}

impl Recorder {
    /// Runs `test` on this thread, whose metrics go here.
    pub(crate) fn during<T>(test: impl FnOnce(&Self) -> T) -> T {
        let recorder = Self::default();
        metrics::with_local_recorder(&recorder, || test(&recorder))
    }

    /// Every counter and what it has come to.
    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        let counters = self.0.counters.lock().unwrap();
        let values = counters.iter();
        values
            .map(|(series, value)| (series.clone(), value.load(Ordering::SeqCst)))
            .collect()
    }

    pub(crate) fn gauge(&self, series: &str) -> Option<f64> {
        let gauges = self.0.gauges.lock().unwrap();
        let value = gauges.get(series)?;
        Some(f64::from_bits(value.load(Ordering::SeqCst)))
    }

    /// The names of all series, counters and gauges alike.
    pub(crate) fn series(&self) -> Vec<String> {
        let mut series: Vec<_> = self.0.counters.lock().unwrap().keys().cloned().collect();
        series.extend(self.0.gauges.lock().unwrap().keys().cloned());
        series
    }

    /// What was described, with its unit.
    pub(crate) fn described(&self) -> BTreeMap<String, Option<Unit>> {
        self.0.described.lock().unwrap().clone()
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>, text: &SharedString) {
        assert!(!text.is_empty());
        let name = name.as_str().to_owned();
        self.0.described.lock().unwrap().insert(name, unit);
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.0.counters.lock().unwrap();
        Counter::from_arc(Arc::clone(counters.entry(name(key)).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut gauges = self.0.gauges.lock().unwrap();
        Gauge::from_arc(Arc::clone(gauges.entry(name(key)).or_default()))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key:?} is no metric of this crate")
    }
}

fn name(key: &Key) -> String {
    let labels = key.labels();
    let labels: Vec<_> = labels
        .map(|label| format!("{}={}", label.key(), label.value()))
        .collect();
    if labels.is_empty() {
        key.name().to_owned()
    } else {
        format!("{}{{{}}}", key.name(), labels.join(","))
    }
}
