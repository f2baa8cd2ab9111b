//! A recorder of metrics that tests can read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};

/// Series are named as in `name{label=value,…}`, labels in their order.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<State>);

#[derive(Default)]
struct State {
    counters: Series,
    gauges: Series,
    histograms: Mutex<BTreeMap<String, Arc<Samples>>>,
    described: Mutex<BTreeMap<String, Option<Unit>>>,
}

#[derive(Default)]
struct Series(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Series {
    fn register(&self, key: &Key) -> Arc<AtomicU64> {
        let mut series = self.0.lock().unwrap();
        Arc::clone(series.entry(name(key)).or_default())
    }

    fn values(&self) -> BTreeMap<String, u64> {
        let series = self.0.lock().unwrap();
        let values = series.iter();
        values
            .map(|(name, value)| (name.clone(), value.load(Ordering::SeqCst)))
            .collect()
    }
}

/// What was recorded, in its order.
#[derive(Default)]
struct Samples(Mutex<Vec<f64>>);

impl HistogramFn for Samples {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

impl Recorder {
    /// Runs `test` on this thread, whose metrics go here.
    pub(crate) fn during<T>(test: impl FnOnce(&Self) -> T) -> T {
        let recorder = Self::default();
        metrics::with_local_recorder(&recorder, || test(&recorder))
    }

    /// Every counter that is not 0, and its value.
    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        let mut counters = self.0.counters.values();
        counters.retain(|_, value| *value > 0);
        counters
    }

    /// The samples of a histogram. `None` if there is none.
    pub(crate) fn samples(&self, series: &str) -> Option<Vec<f64>> {
        let histograms = self.0.histograms.lock().unwrap();
        Some(histograms.get(series)?.0.lock().unwrap().clone())
    }

    pub(crate) fn gauge(&self, series: &str) -> Option<f64> {
        let bits = self.0.gauges.values().remove(series)?;
        Some(f64::from_bits(bits))
    }

    /// The names of all series, of whatever type.
    pub(crate) fn series(&self) -> BTreeSet<String> {
        let series = [&self.0.counters, &self.0.gauges].into_iter();
        let series = series.flat_map(|series| series.values().into_keys());
        let histograms = self.0.histograms.lock().unwrap();
        series.chain(histograms.keys().cloned()).collect()
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
        Counter::from_arc(self.0.counters.register(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.0.gauges.register(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut histograms = self.0.histograms.lock().unwrap();
        Histogram::from_arc(Arc::clone(histograms.entry(name(key)).or_default()))
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
