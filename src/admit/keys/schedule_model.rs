//! The schedule against a model of it: random walks that shrink, and every short walk.
//!
//! The model keeps the whole history of fetches and derives each answer from that and the contract;
//! the schedule keeps only what it needs. Both must give the same answers. The promises to requests
//! and to the authority are also checked for each answer by itself.

use std::rc::Rc;

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// A `kid`. The authority publishes some of them at some time, and never the others.
type Kid = u8;

/// Some of the `kid`s below 16: a set that costs a copy nothing, where every step of a walk copies.
#[derive(Clone, Copy, Debug, Default)]
struct Kids(u16);

impl Kids {
    fn contains(self, kid: Kid) -> bool {
        self.0 & 1 << kid != 0
    }

    fn set(&mut self, kid: Kid, is_in: bool) {
        self.0 = self.0 & !(1 << kid) | u16::from(is_in) << kid;
    }
}

/// One event.
#[derive(Clone, Debug)]
enum Step {
    /// Time passes.
    Pass(Duration),
    /// The machine sleeps: only the wall clock goes on.
    Sleep(Duration),
    /// The wall clock is set back, and goes on from there.
    SetBack(Duration),
    /// A request arrives that names this `kid`. It asks again whenever a fetch ends.
    Ask(Kid),
    /// A request arrives that needs any key set.
    AskForAny,
    /// A signature is bad under a known `kid`.
    BadSignature,
    /// The authority publishes this `kid` from now on, or no longer.
    Publish(Kid, bool),
    /// The driver runs.
    Drive,
    /// The fetch under way ends.
    End(Outcome),
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// It brings the keys that were published when it began.
    Good { chance: f64 },
    Bad {
        retry_after: Option<Duration>,
        chance: f64,
    },
    /// The driver ends with it.
    Abandoned { chance: f64 },
}

/// A fetch as an observer sees it. Its number is its place in the history, counted from one.
#[derive(Clone, Debug)]
struct Fetch {
    cause: Cause,
    start: Instant,
    brings: Kids,
    end: Option<(Moment, Outcome)>,
}

impl Fetch {
    fn is_good(&self) -> bool {
        matches!(self.end, Some((_, Outcome::Good { .. })))
    }
}

#[derive(Clone, Debug)]
struct Waiting {
    kid: Kid,
    came: Number,
    ends_seen: u32,
}

/// The schedule, its surroundings, and the model.
#[derive(Clone)]
struct World {
    settings: Rc<KeySettings>,
    schedule: Schedule,
    start: Moment,
    now: Moment,
    published: Kids,
    history: Vec<Fetch>,
    waiting: Vec<Waiting>,
    /// Requests for a fetch that no fetch has begun to serve.
    key_wanted: bool,
    signature_wanted: bool,
    /// Whether a request, or the driver, has found the pause of the last `Retry-After` ended.
    pause_has_ended: bool,
    /// The `kid`s for which requests have waited, and how many fetches had begun then.
    asked: Vec<(Kid, Number)>,
}

/// The events.
impl World {
    fn new(settings: KeySettings) -> Self {
        let now = Moment::now();
        Self {
            schedule: Schedule::new(settings.clone(), now),
            settings: Rc::new(settings),
            start: now,
            now,
            published: Kids::default(),
            history: Vec::new(),
            waiting: Vec::new(),
            key_wanted: false,
            signature_wanted: false,
            pause_has_ended: false,
            asked: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Pass(time) => self.now = self.now + *time,
            Step::Sleep(time) => self.now.wall += *time,
            Step::SetBack(time) => self.now.wall = self.now.wall.saturating_sub(*time),
            Step::Ask(kid) => self.arrive(*kid),
            Step::AskForAny => self.ask_for_any(),
            Step::BadSignature => self.bad_signature(),
            Step::Publish(kid, is_in) => self.published.set(*kid, *is_in),
            Step::Drive => self.drive(),
            Step::End(outcome) => self.end_fetch(*outcome),
        }
    }

    /// The driver asks for the next action, unless a fetch is under way.
    fn drive(&mut self) {
        if self.is_under_way() {
            return;
        }
        let expected = self.expected_action();
        let action = self.schedule.next(self.now);
        assert_eq!(action, expected);
        match action {
            Action::Sleep(until) => self.check_sleep(until),
            Action::Fetch(cause) => {
                self.check_start(cause);
                self.history.push(Fetch {
                    cause,
                    start: self.now.monotonic,
                    brings: self.published,
                    end: None,
                });
                self.key_wanted = false;
                self.signature_wanted = false;
                self.pause_has_ended = true;
            }
        }
        assert_eq!(self.schedule.started(), self.number());
    }

    fn end_fetch(&mut self, outcome: Outcome) {
        let now = self.now;
        match outcome {
            Outcome::Good { chance } => self.schedule.succeeded(now, chance),
            Outcome::Bad {
                retry_after,
                chance,
            } => self.schedule.failed(now, retry_after, chance),
            Outcome::Abandoned { chance } => self.schedule.abandoned(now, chance),
        }
        let Some(fetch) = self.history.last_mut().filter(|fetch| fetch.end.is_none()) else {
            // The end of a fetch that did not begin must not change the state.
            return;
        };
        fetch.end = Some((now, outcome));
        if !matches!(outcome, Outcome::Abandoned { .. }) {
            self.pause_has_ended = false;
        }
        let asks_again = std::mem::take(&mut self.waiting);
        for mut waiting in asks_again {
            waiting.ends_seen += 1;
            self.ask(waiting);
        }
    }

    fn arrive(&mut self, kid: Kid) {
        self.ask(Waiting {
            kid,
            came: self.number(),
            ends_seen: 0,
        });
    }

    fn ask(&mut self, waiting: Waiting) {
        if self.holds(waiting.kid) || self.held().is_none() {
            // Its key is there, or it waits for any key set by `want_any`.
            return;
        }
        let kid = waiting.kid.to_string();
        let is_withdrawn = self.is_withdrawn(waiting.kid);
        let at_once = self.schedule.answer_at_once(self.now, &kid, is_withdrawn);
        assert_eq!(at_once, self.expected_at_once(waiting.kid));
        let expected = self.expected_lookup(&waiting);
        let lookup = self
            .schedule
            .want_key(self.now, &kid, waiting.came, is_withdrawn);
        assert_eq!(lookup, expected, "{waiting:?}");
        match lookup {
            Lookup::Absent => self.check_absent(&waiting),
            Lookup::NotLookedUp(retry) => self.check_not_looked_up(&waiting, retry),
            Lookup::Unavailable(retry) => self.check_unavailable(&waiting, retry),
            Lookup::Wait => {
                // At most the fetch that was under way on arrival, and the next one.
                assert!(waiting.ends_seen < 2, "a request goes unanswered");
                self.check_that_a_fetch_follows();
                self.note(&waiting);
                self.waiting.push(waiting);
            }
        }
        assert!(self.schedule.asked.len() <= self.settings.max_absent);
    }

    fn ask_for_any(&mut self) {
        let wait = self.settings.wait;
        let is_due = self.now.until(self.due()) <= wait;
        let waits = self.is_under_way() || self.key_wanted || is_due;
        let expected = if waits {
            Lookup::Wait
        } else {
            Lookup::Unavailable(self.until_next_try())
        };
        assert_eq!(self.schedule.want_any(self.now, wait), expected);
    }

    fn bad_signature(&mut self) {
        let spent = self.is_within(Cause::BadSignature, self.settings.signature_interval);
        let expected = !spent && !self.is_barred() && !self.signature_wanted;
        assert_eq!(self.schedule.want_replacement(self.now), expected);
        self.signature_wanted |= expected;
        self.pause_has_ended |= expected;
        if expected && !self.is_under_way() {
            self.check_that_a_fetch_follows();
        }
    }
}

/// The model: the answers of the contract, derived from the history.
impl World {
    fn number(&self) -> Number {
        Number::try_from(self.history.len()).expect("a short walk")
    }

    fn numbered(&self) -> impl DoubleEndedIterator<Item = (Number, &Fetch)> {
        let number = |at| Number::try_from(at).expect("a short walk");
        self.history
            .iter()
            .enumerate()
            .map(move |(at, fetch)| (number(at + 1), fetch))
    }

    fn is_under_way(&self) -> bool {
        self.history.last().is_some_and(|fetch| fetch.end.is_none())
    }

    /// The key set of the last good fetch.
    fn held(&self) -> Option<Kids> {
        let good = self.history.iter().rev().find(|fetch| fetch.is_good());
        good.map(|fetch| fetch.brings)
    }

    fn holds(&self, kid: Kid) -> bool {
        self.held().is_some_and(|held| held.contains(kid))
    }

    fn last_of(&self, cause: Cause) -> Option<(Number, &Fetch)> {
        self.numbered()
            .rev()
            .find(|(_, fetch)| fetch.cause == cause)
    }

    fn is_within(&self, cause: Cause, interval: Duration) -> bool {
        self.last_of(cause)
            .is_some_and(|(_, fetch)| self.now.monotonic < fetch.start + interval)
    }

    /// «Retry-After honoured up to 5 min».
    fn is_barred(&self) -> bool {
        self.barred_until()
            .is_some_and(|until| !self.now.has_reached(until))
    }

    fn barred_until(&self) -> Option<Moment> {
        if self.pause_has_ended {
            return None;
        }
        let ends = self.history.iter().rev().filter_map(|fetch| fetch.end);
        let counted = ends.filter(|(_, outcome)| !matches!(outcome, Outcome::Abandoned { .. }));
        match counted.take(1).last()? {
            (at, Outcome::Bad { retry_after, .. }) => {
                retry_after.map(|asked| at + asked.min(self.settings.max_retry_after))
            }
            _ => None,
        }
    }

    /// When the next scheduled fetch is due.
    fn due(&self) -> Moment {
        let ends = || self.history.iter().rev().filter_map(|fetch| fetch.end);
        let Some((at, outcome)) = ends().next() else {
            return self.start;
        };
        let settings = &self.settings;
        match outcome {
            Outcome::Good { chance } => {
                let interval = settings.refresh_interval.mul_f64(0.9 + 0.2 * chance);
                at + interval.min(settings.stale_limit.mul_f64(0.8 + 0.1 * chance))
            }
            Outcome::Abandoned { chance } => at + settings.first_retry.mul_f64(chance),
            Outcome::Bad {
                retry_after,
                chance,
            } => {
                let failures = ends()
                    .take_while(|(_, outcome)| !matches!(outcome, Outcome::Good { .. }))
                    .filter(|(_, outcome)| matches!(outcome, Outcome::Bad { .. }))
                    .count();
                let mut pause = settings.first_retry;
                for _ in 1..failures {
                    pause = (pause * 2).min(settings.last_retry);
                }
                let asked = retry_after.unwrap_or_default();
                at + pause
                    .mul_f64(chance)
                    .max(asked.min(settings.max_retry_after))
            }
        }
    }

    fn expected_action(&self) -> Action {
        if self.key_wanted && !self.is_barred() {
            Action::Fetch(Cause::UnknownKey)
        } else if self.signature_wanted && !self.is_barred() {
            Action::Fetch(Cause::BadSignature)
        } else if self.now.has_reached(self.due()) {
            Action::Fetch(Cause::Scheduled)
        } else {
            Action::Sleep(self.due().monotonic)
        }
    }

    fn expected_lookup(&mut self, waiting: &Waiting) -> Lookup {
        // A fetch that began after the arrival decides: the last good one, if there is one.
        let ended = self
            .numbered()
            .filter(|(number, fetch)| *number > waiting.came && fetch.end.is_some());
        let is_good: Vec<_> = ended.map(|(_, fetch)| fetch.is_good()).collect();
        if is_good.contains(&true) {
            return Lookup::Absent;
        }
        if !is_good.is_empty() {
            return Lookup::Unavailable(self.until_next_try());
        }
        if let Some(lookup) = self.expected_at_once(waiting.kid) {
            return lookup;
        }
        if self.is_under_way() || self.key_wanted {
            return Lookup::Wait;
        }
        if self.is_barred() {
            return Lookup::Unavailable(self.until_next_try());
        }
        self.key_wanted = true;
        self.pause_has_ended = true;
        Lookup::Wait
    }

    /// Without reading the claims, and without a place: the key is known to be absent, or it is not
    /// looked up before the cool-down has ended. A request can still wait for the fetch of the
    /// cool-down, and for its retries.
    fn expected_at_once(&self, kid: Kid) -> Option<Lookup> {
        if self.is_remembered_absent(kid) {
            return Some(Lookup::Absent);
        }
        let (last, fetch) = self.last_of(Cause::UnknownKey)?;
        let end = fetch.start + self.settings.cool_down;
        if self.now.monotonic >= end {
            return None;
        }
        let has_succeeded = self
            .numbered()
            .any(|(number, fetch)| number >= last && fetch.is_good());
        if self.is_under_way() && !has_succeeded {
            return None;
        }
        if self.is_withdrawn(kid) {
            return Some(Lookup::Absent);
        }
        let left = end - self.now.monotonic;
        let barred = self.barred_until().map(|until| self.now.until(until));
        let left = left.max(barred.unwrap_or_default());
        Some(Lookup::NotLookedUp(left.max(SECOND)))
    }

    /// Whether a good fetch that began after this `kid` was first asked for lacked it, at most one
    /// cool-down ago.
    fn is_remembered_absent(&self, kid: Kid) -> bool {
        let decided = self.decided(kid).into_iter().flatten();
        decided
            .map(|start| start + self.settings.cool_down)
            .any(|until| self.now.monotonic < until)
    }

    /// For each time that this `kid` was asked for first: when the good fetch began that decided.
    fn decided(&self, kid: Kid) -> Vec<Option<Instant>> {
        let asked = self.asked.iter().filter(|(asked, _)| *asked == kid);
        let decides = asked.map(|(_, came)| {
            let mut since = self.numbered().filter(|(number, _)| number > came);
            since.find(|(_, fetch)| fetch.is_good())
        });
        decides
            .map(|decides| decides.map(|(_, fetch)| fetch.start))
            .collect()
    }

    /// A request waits. It is the first one if no other is undecided.
    fn note(&mut self, waiting: &Waiting) {
        if !self.decided(waiting.kid).contains(&None) {
            self.asked.push((waiting.kid, waiting.came));
        }
    }

    /// Whether an earlier key set had this `kid`, and the newest lacks it.
    fn is_withdrawn(&self, kid: Kid) -> bool {
        let mut good = self.history.iter().filter(|fetch| fetch.is_good());
        good.any(|fetch| fetch.brings.contains(kid)) && !self.holds(kid)
    }

    fn until_next_try(&self) -> Duration {
        if self.is_under_way() {
            return SECOND;
        }
        self.now.until(self.due()).max(SECOND)
    }
}

/// The promises, for each answer by itself.
impl World {
    /// «At most one such fetch per 10 s, counted from the attempt, failures too»; one in five
    /// minutes for bad signatures, from a budget of its own; none that a `Retry-After` forbids.
    fn check_start(&self, cause: Cause) {
        let apart = match cause {
            Cause::UnknownKey => self.settings.cool_down,
            Cause::BadSignature => self.settings.signature_interval,
            Cause::Scheduled => Duration::ZERO,
        };
        if let Some((_, last)) = self.last_of(cause) {
            let pause = self.now.monotonic - last.start;
            assert!(pause >= apart, "{cause:?} only {pause:?} apart");
        }
        assert!(!self.is_under_way(), "two fetches at a time");
        assert!(!self.is_barred(), "{cause:?} against a Retry-After");
        if let Some((_, Outcome::Good { .. })) = self.history.last().and_then(|fetch| fetch.end)
            && cause == Cause::Scheduled
        {
            let good = self.history.last().expect("it has just been looked at");
            let pause = self.now.since(good.end.expect("it has ended").0);
            let interval = self.settings.refresh_interval.mul_f64(0.9 - ROUNDING);
            assert!(pause >= interval.min(self.settings.stale_limit.mul_f64(0.8 - ROUNDING)));
        }
    }

    /// No sleep is a busy loop, longer than any setting asks for, or begins while a fetch is
    /// requested.
    fn check_sleep(&self, until: Instant) {
        let now = self.now.monotonic;
        assert!(until > now, "a sleep of no length");
        let settings = &self.settings;
        let longest = match self.history.last().and_then(|fetch| fetch.end) {
            Some((_, Outcome::Good { .. })) => settings.refresh_interval.mul_f64(1.1 + ROUNDING),
            _ => settings.last_retry.max(settings.max_retry_after),
        };
        assert!(until <= now + longest, "{:?}", until - now);
        assert!(!self.key_wanted && !self.signature_wanted || self.is_barred());
        if let Some(good) = self.history.iter().rev().find(|fetch| fetch.is_good())
            && self.history.last().is_some_and(Fetch::is_good)
        {
            let fetched = good.end.expect("it was good").0.monotonic;
            assert!(until < fetched + settings.stale_limit, "the keys go stale");
        }
    }

    /// «401 only when the keys were looked up: a good fetch begun after this `kid` was first asked for
    /// lacks it, or it was in an earlier set and the newest lacks it.»
    fn check_absent(&self, waiting: &Waiting) {
        let kid = waiting.kid;
        let asked = self.asked.iter().filter(|(asked, _)| *asked == kid);
        let first = asked.map(|(_, came)| *came).min();
        let came = first.map_or(waiting.came, |first| first.min(waiting.came));
        let was_looked_for = self
            .numbered()
            .any(|(number, fetch)| number > came && fetch.is_good());
        let is_withdrawn = self.is_withdrawn(kid);
        assert!(!self.holds(kid), "{waiting:?} is there");
        assert!(
            was_looked_for || is_withdrawn,
            "nothing looked for {waiting:?}"
        );
    }

    /// «Otherwise, in the cool-down, 503 with `Retry-After` = what is left of it.»
    fn check_not_looked_up(&self, waiting: &Waiting, retry: Duration) {
        let (_, last) = self.last_of(Cause::UnknownKey).expect("a cool-down");
        let end = last.start + self.settings.cool_down;
        let left = end.saturating_duration_since(self.now.monotonic);
        assert!(!left.is_zero(), "{waiting:?} after the cool-down");
        let barred = self.barred_until().map(|until| self.now.until(until));
        assert_eq!(retry, left.max(barred.unwrap_or_default()).max(SECOND));
    }

    /// «503 with `Retry-After` when that fetch failed»: or when none may be made.
    fn check_unavailable(&self, waiting: &Waiting, retry: Duration) {
        let has_failed = self.numbered().any(|(number, fetch)| {
            number > waiting.came && fetch.end.is_some() && !fetch.is_good()
        });
        assert!(has_failed || self.is_barred());
        let settings = &self.settings;
        let longest = [
            settings.refresh_interval.mul_f64(1.1 + ROUNDING),
            settings.last_retry,
            settings.max_retry_after,
            SECOND,
        ];
        assert!(retry >= SECOND, "{retry:?}");
        assert!(longest.iter().any(|longest| retry <= *longest), "{retry:?}");
    }

    /// No request for a fetch is lost: a fetch is under way, or the driver begins one as soon as it
    /// runs.
    fn check_that_a_fetch_follows(&self) {
        let mut ahead = self.schedule.clone();
        let follows = self.is_under_way() || matches!(ahead.next(self.now), Action::Fetch(_));
        assert!(
            follows,
            "the driver would sleep though a fetch is requested"
        );
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let retry_after = prop_oneof![
        3 => Just(None),
        1 => (0..900_u64).prop_map(|seconds| Some(Duration::from_secs(seconds))),
    ];
    prop_oneof![
        4 => (0.0..=1.0).prop_map(|chance| Outcome::Good { chance }),
        4 => (retry_after, 0.0..=1.0).prop_map(|(retry_after, chance)| Outcome::Bad {
            retry_after,
            chance
        }),
        1 => (0.0..=1.0).prop_map(|chance| Outcome::Abandoned { chance }),
    ]
}

/// The times at which a state changes, shortly before and after them, and others.
fn time() -> impl Strategy<Value = Duration> {
    let edge = (select(EDGES.as_slice()), -1..=1_i64).prop_map(|(seconds, off)| {
        Duration::from_millis((seconds * 1_000).saturating_add_signed(off))
    });
    prop_oneof![
        4 => edge,
        4 => (0..10_000_u64).prop_map(Duration::from_millis),
        1 => (0..400_u64).prop_map(Duration::from_secs),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => time().prop_map(Step::Pass),
        1 => time().prop_map(Step::Sleep),
        1 => time().prop_map(Step::SetBack),
        6 => (0..4_u8).prop_map(Step::Ask),
        1 => Just(Step::AskForAny),
        2 => Just(Step::BadSignature),
        1 => (0..3_u8, any::<bool>()).prop_map(|(kid, there)| Step::Publish(kid, there)),
        6 => Just(Step::Drive),
        5 => outcome().prop_map(Step::End),
    ]
}

fn settings() -> impl Strategy<Value = KeySettings> {
    let shortest = KeySettings::default()
        .with_refresh_interval(SECOND)
        .with_stale_limit(SECOND)
        .with_first_retry(Duration::from_millis(10))
        .with_last_retry(Duration::from_millis(10))
        .with_max_retry_after(Duration::ZERO)
        .with_cool_down(SECOND)
        .with_signature_interval(SECOND);
    let odd = KeySettings::default()
        .with_refresh_interval(Duration::from_secs(20))
        .with_max_retry_after(Duration::from_secs(45))
        .with_cool_down(Duration::from_secs(600))
        .with_signature_interval(Duration::from_secs(10));
    prop_oneof![4 => Just(KeySettings::default()), 1 => Just(shortest), 1 => Just(odd)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn on_every_walk_the_schedule_agrees_with_the_model(
        settings in settings(),
        steps in vec(step(), 0..120),
    ) {
        let mut world = World::new(settings);
        for step in &steps {
            world.take(step);
        }
    }

    /// After any history, a key that is published and requested repeatedly is found soon: no state
    /// is a dead end.
    #[test]
    fn after_every_walk_a_published_key_is_found_soon(
        steps in vec(step(), 0..60),
    ) {
        let mut world = World::new(KeySettings::default());
        for step in &steps {
            world.take(step);
        }
        world.end_fetch(Outcome::Good { chance: 0.5 });
        world.published.set(NEW, true);
        let from = world.now;
        while !world.holds(NEW) {
            world.arrive(NEW);
            world.drive();
            world.end_fetch(Outcome::Good { chance: 0.5 });
            world.now = world.now + SECOND;
            // A cool-down, or the Retry-After of the last failed fetch.
            prop_assert!(world.now.since(from) <= Duration::from_secs(302));
        }
    }

    #[test]
    fn of_a_flood_of_invented_keys_at_most_the_limit_is_remembered(
        max_absent in 0..4_usize,
        kids in vec(any::<Kid>(), 1..40),
    ) {
        let settings = KeySettings::default().with_max_absent(max_absent);
        let mut now = Moment::now();
        let mut schedule = Schedule::new(settings, now);
        schedule.next(now);
        schedule.succeeded(now, 0.5);
        for kid in kids {
            let came = schedule.started();
            let lookup = schedule.want_key(now, &kid.to_string(), came, false);
            prop_assert_eq!(lookup, Lookup::Wait);
            prop_assert!(schedule.asked.len() <= max_absent);
        }
        now = now + SECOND;
        schedule.next(now);
        schedule.succeeded(now, 0.5);
        prop_assert!(schedule.asked.len() <= max_absent);
    }
}

/// Every walk of a fixed number of steps of a few kinds. The driver runs whenever it is idle, as in
/// the task, and the times are short, so that each walk passes every limit.
#[test]
fn on_every_short_walk_the_schedule_agrees_with_the_model() {
    const DEPTH: u32 = 7;
    let settings = KeySettings::default()
        .with_refresh_interval(Duration::from_secs(8))
        .with_cool_down(Duration::from_secs(3))
        .with_signature_interval(Duration::from_secs(5))
        .with_first_retry(SECOND)
        .with_last_retry(Duration::from_secs(4))
        .with_max_retry_after(Duration::from_secs(2));
    let bad = |retry_after| Outcome::Bad {
        retry_after,
        chance: 1.0,
    };
    let steps = [
        Step::Pass(SECOND),
        Step::Pass(Duration::from_secs(3)),
        Step::Ask(INVENTED),
        Step::Ask(NEW),
        Step::BadSignature,
        Step::Publish(NEW, true),
        Step::End(Outcome::Good { chance: 0.5 }),
        Step::End(bad(None)),
        Step::End(bad(Some(Duration::from_secs(9)))),
    ];

    fn walk(world: &World, steps: &[Step], depth: u32, walks: &mut u64) {
        if depth == 0 {
            *walks += 1;
            return;
        }
        for step in steps {
            let is_idle = match step {
                Step::End(_) => !world.is_under_way(),
                Step::Publish(kid, _) => world.published.contains(*kid),
                _ => false,
            };
            if is_idle {
                continue;
            }
            let mut world = world.clone();
            world.take(step);
            world.drive();
            walk(&world, steps, depth - 1, walks);
        }
    }

    let mut world = World::new(settings);
    world.drive();
    let mut walks = 0;
    walk(&world, &steps, DEPTH, &mut walks);
    assert!(walks > 100_000, "{walks}");
}

/// A key that is published at some time.
const NEW: Kid = 1;
/// One that never is.
const INVENTED: Kid = 9;

/// Seconds.
const EDGES: [u64; 12] = [0, 1, 2, 10, 30, 60, 300, 600, 3_240, 3_600, 3_960, 86_400];

/// The tolerance of floating-point arithmetic.
const ROUNDING: f64 = 0.000_001;

const SECOND: Duration = Duration::from_secs(1);
