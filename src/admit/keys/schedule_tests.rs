//! Tests of the schedule without a clock, a task or a network: each test sets the time.

use super::{Cause::*, Lookup::*, *};

/// A schedule and its clock.
struct Desk {
    schedule: Schedule,
    start: Moment,
    now: Moment,
}

/// The states that tests begin with.
impl Desk {
    /// Nothing has been fetched yet.
    fn empty() -> Self {
        Self::with(KeySettings::default())
    }

    fn with(settings: KeySettings) -> Self {
        let now = Moment::now();
        Self {
            schedule: Schedule::new(settings, now),
            start: now,
            now,
        }
    }

    /// The first fetch is under way.
    #[track_caller]
    fn fetching() -> Self {
        let mut desk = Self::empty();
        desk.fetch(Scheduled);
        desk
    }

    /// The first ten fetches failed, the last one a minute ago.
    #[track_caller]
    fn failing() -> Self {
        let mut desk = Self::empty();
        for _ in 0..10 {
            desk.fetch_bad(Scheduled);
            assert!(desk.is_failing());
            desk.pass(MINUTE);
        }
        desk
    }

    /// The first fetch succeeded a second ago.
    #[track_caller]
    fn stocked() -> Self {
        let mut desk = Self::empty();
        desk.fetch_good(Scheduled);
        desk.pass(SECOND);
        desk
    }

    /// The keys are there, and the second scheduled fetch begins.
    #[track_caller]
    fn refreshing() -> Self {
        let mut desk = Self::stocked();
        desk.pass_until_due();
        desk.fetch(Scheduled);
        desk
    }

    /// The keys are there, and the endpoint has just asked for this pause.
    #[track_caller]
    fn barred(pause: Duration) -> Self {
        let mut desk = Self::refreshing();
        desk.bad_with_retry_after(pause);
        desk
    }

    /// The keys are there, and a fetch for the unknown key `a` has just begun.
    #[track_caller]
    fn looking_up() -> Self {
        let mut desk = Self::stocked();
        assert_eq!(desk.arrive("a"), Wait);
        desk.fetch(UnknownKey);
        desk
    }

    /// The fetch for the unknown key `a` has just begun and succeeded.
    #[track_caller]
    fn looked_up() -> Self {
        let mut desk = Self::looking_up();
        desk.good();
        desk
    }
}

impl Desk {
    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// Lets the time pass that is left until a fetch is due. Returns it.
    #[track_caller]
    fn pass_until_due(&mut self) -> Duration {
        let pause = self.idle();
        self.pass(pause);
        pause
    }

    /// The machine sleeps: only the wall clock goes on.
    fn sleep(&mut self, time: Duration) {
        self.now.wall += time;
    }

    fn next(&mut self) -> Action {
        self.schedule.next(self.now)
    }

    /// Asserts that a fetch starts now, for this cause.
    #[track_caller]
    fn fetch(&mut self, cause: Cause) {
        assert_eq!(self.next(), Action::Fetch(cause));
    }

    #[track_caller]
    fn fetch_good(&mut self, cause: Cause) {
        self.fetch(cause);
        self.good();
    }

    #[track_caller]
    fn fetch_bad(&mut self, cause: Cause) {
        self.fetch(cause);
        self.bad();
    }

    /// Asserts that no fetch starts now. Returns the time until one is due.
    #[track_caller]
    fn idle(&mut self) -> Duration {
        match self.next() {
            Action::Sleep(until) => until.saturating_duration_since(self.now.monotonic),
            Action::Fetch(cause) => panic!("a fetch starts: {cause:?}"),
        }
    }

    fn good(&mut self) {
        self.schedule.succeeded(self.now, 0.5);
    }

    fn bad(&mut self) {
        self.schedule.failed(self.now, None, 1.0);
    }

    fn bad_with_retry_after(&mut self, asked: Duration) {
        self.schedule.failed(self.now, Some(asked), 0.0);
    }

    fn is_failing(&self) -> bool {
        self.schedule.is_failing(self.now)
    }

    fn came(&self) -> Number {
        self.schedule.started()
    }

    fn want(&mut self, kid: &str, came: Number) -> Lookup {
        self.schedule.want_key(self.now, kid, came, false)
    }

    /// A request arrives now.
    fn arrive(&mut self, kid: &str) -> Lookup {
        let came = self.came();
        self.want(kid, came)
    }

    /// A request arrives now for a key that an earlier key set had.
    fn arrive_for_withdrawn(&mut self, kid: &str) -> Lookup {
        let came = self.came();
        self.schedule.want_key(self.now, kid, came, true)
    }

    /// A request arrives now and needs any key set.
    fn arrive_for_any(&mut self) -> Lookup {
        self.schedule.want_any(self.now, 2 * SECOND)
    }

    fn bad_signature(&mut self) -> bool {
        self.schedule.want_replacement(self.now)
    }
}

mod timer {
    use super::*;

    #[test]
    fn the_first_fetch_is_due_at_once() {
        Desk::empty().fetch(Scheduled);
    }

    #[test]
    fn a_good_fetch_is_followed_by_one_within_ten_percent_of_the_interval() {
        for (chance, minutes) in [(0.0, 54), (0.5, 60), (1.0, 66)] {
            let mut desk = Desk::fetching();
            desk.schedule.succeeded(desk.now, chance);
            let pause = desk.pass_until_due();
            let off = pause.abs_diff(MINUTE * minutes);
            assert!(off < TICK, "{chance}: {pause:?}");
            desk.fetch(Scheduled);
        }
    }

    #[test]
    fn a_clock_that_jumps_a_year_ahead_costs_one_fetch() {
        let mut desk = Desk::stocked();
        desk.pass(365 * DAY);
        desk.fetch_good(Scheduled);
        assert!(desk.idle() > 50 * MINUTE);
        assert_eq!(desk.arrive("new"), Wait);
        desk.fetch(UnknownKey);
    }

    #[test]
    fn a_clock_that_steps_back_prolongs_no_wait_and_fetches_nothing_twice() {
        let mut desk = Desk::looked_up();
        let after = desk.now;
        desk.now = desk.start;
        assert_eq!(desk.arrive("a"), Absent);
        assert_eq!(desk.arrive("other"), NotLookedUp(COOL_DOWN + SECOND));
        desk.idle();
        desk.now = after + COOL_DOWN;
        assert_eq!(desk.arrive("a"), Wait);
    }

    #[test]
    fn the_next_fetch_comes_before_the_keys_are_too_old() {
        for chance in [0.0, 0.5, 1.0] {
            let settings = KeySettings::default()
                .with_refresh_interval(DAY)
                .with_stale_limit(DAY);
            let mut desk = Desk::with(settings);
            desk.fetch(Scheduled);
            desk.schedule.succeeded(desk.now, chance);
            assert!(desk.idle() < DAY);
        }
    }

    #[test]
    fn the_pause_after_failures_doubles_from_one_second_to_sixty() {
        let mut desk = Desk::empty();
        let pauses = [1, 2, 4, 8, 16, 32].into_iter();
        for seconds in pauses.chain([60; 10_000]) {
            desk.fetch_bad(Scheduled);
            assert_eq!(desk.pass_until_due(), SECOND * seconds);
        }
    }

    #[test]
    fn the_pause_after_a_failure_is_drawn_from_zero_up() {
        for (chance, pause) in [(0.0, 0), (0.25, 250), (0.5, 500), (1.0, 1_000)] {
            let mut desk = Desk::fetching();
            desk.schedule.failed(desk.now, None, chance);
            assert_eq!(desk.schedule.due, desk.now + TICK * pause, "{chance}");
        }
    }

    #[test]
    fn a_good_fetch_ends_the_back_off() {
        let mut desk = Desk::failing();
        desk.fetch_good(Scheduled);
        assert!(!desk.is_failing());
        desk.pass(2 * HOUR);
        desk.fetch_bad(Scheduled);
        assert_eq!(desk.idle(), SECOND);
    }

    #[test]
    fn a_fetch_that_is_not_made_counts_as_failed_once_it_should_have_ended() {
        let mut desk = Desk::stocked();
        desk.pass_until_due();
        desk.pass(KeySettings::default().total_timeout);
        assert!(!desk.is_failing());
        desk.pass(TICK);
        assert!(desk.is_failing());
        desk.fetch_good(Scheduled);
        assert!(!desk.is_failing());
    }

    #[test]
    fn a_retry_after_is_honoured_up_to_five_minutes() {
        for (asked, pause) in [
            (Duration::ZERO, Duration::ZERO),
            (7 * SECOND, 7 * SECOND),
            (5 * MINUTE, 5 * MINUTE),
            (HOUR, 5 * MINUTE),
            (Duration::MAX, 5 * MINUTE),
        ] {
            let mut desk = Desk::fetching();
            desk.bad_with_retry_after(asked);
            assert_eq!(desk.schedule.due, desk.now + pause, "{asked:?}");
        }
    }

    #[test]
    fn a_short_retry_after_does_not_shorten_the_pause() {
        let mut desk = Desk::failing();
        desk.fetch(Scheduled);
        desk.schedule.failed(desk.now, Some(SECOND), 1.0);
        assert_eq!(desk.idle(), MINUTE);
    }

    #[test]
    fn a_fetch_that_dies_with_its_driver_is_tried_again_like_any_other() {
        for (chance, pause) in [(0.25, 250), (0.5, 500), (1.0, 1_000)] {
            let mut desk = Desk::looking_up();
            desk.schedule.abandoned(desk.now, chance);
            assert!(desk.is_failing());
            assert_eq!(desk.pass_until_due(), TICK * pause);
            desk.fetch_good(Scheduled);
            assert!(!desk.is_failing());
        }
    }

    #[test]
    fn the_end_of_a_driver_or_of_a_fetch_that_never_began_changes_nothing() {
        let ends: [fn(&mut Desk); 3] = [
            |desk| desk.schedule.abandoned(desk.now, 0.0),
            |desk| desk.bad(),
            |desk| desk.schedule.succeeded(desk.now, 0.0),
        ];
        for end in ends {
            let mut desk = Desk::stocked();
            let pause = desk.idle();
            end(&mut desk);
            assert_eq!(desk.idle(), pause);
            assert!(!desk.is_failing());
        }
    }
}

mod clocks {
    use super::*;

    #[test]
    fn an_overdue_refresh_is_made_after_a_sleep_though_the_monotonic_clock_stood_still() {
        let mut desk = Desk::stocked();
        desk.idle();
        desk.sleep(3 * DAY);
        desk.fetch_good(Scheduled);
        assert!(desk.idle() > 50 * MINUTE);
    }

    #[test]
    fn after_a_sleep_the_keys_count_as_stale_until_they_are_refreshed() {
        let mut desk = Desk::stocked();
        desk.sleep(3 * DAY);
        assert!(desk.is_failing());
        assert_eq!(desk.arrive_for_any(), Wait);
        desk.fetch_good(Scheduled);
        assert!(!desk.is_failing());
    }

    #[test]
    fn a_short_sleep_costs_nothing() {
        let mut desk = Desk::stocked();
        desk.sleep(50 * MINUTE);
        desk.idle();
        assert!(!desk.is_failing());
    }

    #[test]
    fn a_wall_clock_that_is_set_ahead_costs_one_early_refresh() {
        let mut desk = Desk::stocked();
        desk.sleep(365 * DAY);
        desk.fetch_good(Scheduled);
        for _ in 0..50 {
            desk.idle();
            desk.pass(MINUTE);
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_back_puts_no_refresh_off() {
        let mut desk = Desk::stocked();
        let pause = desk.idle();
        desk.now.wall = Duration::ZERO;
        desk.pass(pause);
        desk.fetch_bad(Scheduled);
        desk.pass(SECOND);
        desk.fetch(Scheduled);
    }

    #[test]
    fn a_wall_clock_that_is_set_ahead_spends_no_budget_twice() {
        let mut desk = Desk::looked_up();
        assert!(desk.bad_signature());
        desk.fetch_good(BadSignature);
        desk.sleep(365 * DAY);
        desk.fetch_good(Scheduled);
        assert_eq!(desk.arrive("b"), NotLookedUp(COOL_DOWN));
        assert!(!desk.bad_signature());
        desk.idle();
    }

    #[test]
    fn a_retry_after_that_has_passed_while_the_machine_slept_bars_nothing() {
        let mut desk = Desk::barred(MINUTE);
        desk.idle();
        desk.sleep(MINUTE + SECOND);
        assert_eq!(desk.arrive("a"), Wait);
        desk.fetch(UnknownKey);
    }
}

mod unknown_keys {
    use super::*;

    #[test]
    fn an_unknown_key_is_asked_for_at_once_right_after_a_scheduled_fetch() {
        for mut desk in [Desk::fetching(), Desk::refreshing()] {
            desk.good();
            assert_eq!(desk.arrive("new"), Wait);
            desk.fetch(UnknownKey);
        }
    }

    #[test]
    fn all_requests_for_a_key_share_one_fetch() {
        let mut desk = Desk::stocked();
        for kid in 0..1_000 {
            assert_eq!(desk.arrive(&kid.to_string()), Wait);
        }
        desk.fetch_good(UnknownKey);
        desk.idle();
    }

    #[test]
    fn a_request_during_a_fetch_waits_for_its_end() {
        assert_eq!(Desk::looking_up().arrive("b"), Wait);
    }

    #[test]
    fn a_fetch_begun_after_the_request_decides_if_it_is_good() {
        let ends: [(fn(&mut Desk), _); 2] =
            [(Desk::good, Absent), (Desk::bad, Unavailable(SECOND))];
        for (end, answer) in ends {
            let mut desk = Desk::stocked();
            let came = desk.came();
            assert_eq!(desk.want("a", came), Wait);
            desk.fetch(UnknownKey);
            end(&mut desk);
            assert_eq!(desk.want("a", came), answer);
        }
    }

    #[test]
    fn a_scheduled_fetch_begun_before_the_request_says_nothing_about_its_key() {
        let mut desk = Desk::refreshing();
        // The key is published now, and the answer is already on its way.
        let came = desk.came();
        assert_eq!(desk.want("new", came), Wait);
        desk.good();
        assert_eq!(desk.want("new", came), Wait);
        desk.fetch(UnknownKey);
    }

    #[test]
    fn within_the_cool_down_another_key_is_not_looked_up_and_the_time_left_is_told() {
        let mut desk = Desk::looked_up();
        for left in (1..=10).rev() {
            let left = NotLookedUp(left * SECOND);
            assert_eq!(desk.arrive("b"), left);
            // However often it is asked for.
            assert_eq!(desk.arrive("b"), left);
            desk.idle();
            desk.pass(SECOND);
        }
        assert_eq!(desk.arrive("b"), Wait);
        desk.fetch(UnknownKey);
    }

    #[test]
    fn a_fetch_begun_before_the_request_leaves_its_key_not_looked_up() {
        let mut desk = Desk::looking_up();
        // The key is published now, and the answer is already on its way.
        let came = desk.came();
        assert_eq!(desk.want("new", came), Wait);
        desk.pass(SECOND);
        desk.good();
        assert_eq!(desk.want("new", came), NotLookedUp(9 * SECOND));
    }

    #[test]
    fn the_cool_down_counts_from_the_start_of_the_fetch() {
        let ends: [fn(&mut Desk); 2] = [Desk::good, Desk::bad];
        for end in ends {
            let mut desk = Desk::looking_up();
            desk.pass(5 * SECOND);
            end(&mut desk);
            desk.pass(5 * SECOND - TICK);
            assert_eq!(desk.arrive("b"), NotLookedUp(SECOND));
            desk.pass(TICK);
            assert_eq!(desk.arrive("b"), Wait);
        }
    }

    #[test]
    fn within_the_cool_down_of_a_failed_fetch_a_key_is_not_looked_up_before_a_retry() {
        let mut desk = Desk::looking_up();
        desk.bad();
        assert_eq!(desk.arrive("b"), NotLookedUp(COOL_DOWN));

        // The retry begins within the cool-down, so a request can wait for it.
        desk.pass(SECOND);
        desk.fetch(Scheduled);
        assert_eq!(desk.arrive("b"), Wait);
        desk.good();
        assert_eq!(desk.arrive("a"), Absent);
        assert_eq!(desk.arrive("b"), NotLookedUp(9 * SECOND));
    }

    #[test]
    fn a_request_for_a_key_is_served_by_the_next_fetch_of_any_cause() {
        let mut desk = Desk::stocked();
        desk.pass_until_due();
        assert!(desk.bad_signature());
        assert_eq!(desk.arrive("a"), Wait);
        desk.fetch_good(UnknownKey);
        desk.idle();
    }

    #[test]
    fn a_retry_after_bars_fetches_for_unknown_keys_as_well() {
        let mut desk = Desk::barred(MINUTE);
        assert_eq!(desk.arrive("a"), Unavailable(MINUTE));
        desk.pass(MINUTE - TICK);
        assert_eq!(desk.arrive("a"), Unavailable(SECOND));
        desk.idle();
    }

    #[test]
    fn a_retry_after_is_forgotten_after_a_failure_without_one() {
        let mut desk = Desk::barred(10 * SECOND);
        desk.pass(10 * SECOND);
        desk.fetch_bad(Scheduled);
        assert_eq!(desk.arrive("a"), Wait);
        desk.fetch(UnknownKey);
    }

    #[test]
    fn the_back_off_does_not_bar_the_one_fetch_of_a_cool_down() {
        let mut desk = Desk::stocked();
        for _ in 0..10 {
            desk.pass_until_due();
            desk.fetch_bad(Scheduled);
        }
        assert!(desk.idle() > 30 * SECOND);
        assert_eq!(desk.arrive("a"), Wait);
        desk.fetch(UnknownKey);
    }
}

mod absent_keys {
    use super::*;

    /// A scheduled fetch has just shown that the key `a`, which a request has waited for, is absent.
    #[track_caller]
    fn remembering() -> Desk {
        let mut desk = Desk::stocked();
        desk.pass(2 * HOUR);
        let came = desk.came();
        desk.fetch(Scheduled);
        assert_eq!(desk.want("a", came), Wait);
        desk.good();
        assert_eq!(desk.want("a", came), Absent);
        desk
    }

    #[test]
    fn an_absent_key_is_remembered_for_one_cool_down_from_the_start_of_the_fetch() {
        let mut desk = Desk::looking_up();
        desk.pass(5 * SECOND);
        desk.good();
        assert_eq!(desk.arrive("a"), Absent);
        desk.pass(5 * SECOND - TICK);
        assert_eq!(desk.arrive("a"), Absent);
        desk.pass(TICK);
        assert_eq!(desk.arrive("a"), Wait);
        desk.fetch(UnknownKey);
    }

    #[test]
    fn a_key_asked_for_before_the_fetch_is_absent_though_the_first_request_has_gone() {
        let mut desk = Desk::looking_up();
        let second = desk.came();
        assert_eq!(desk.want("a", second), Wait);
        desk.good();
        assert_eq!(desk.want("a", second), Absent);
        assert_eq!(desk.arrive("a"), Absent);
    }

    #[test]
    fn within_the_cool_down_a_fetch_of_another_cause_is_not_waited_for_and_proves_no_absence() {
        let mut desk = Desk::looked_up();
        assert_eq!(desk.arrive("b"), NotLookedUp(COOL_DOWN));
        // Of another cause, so that the cool-down goes on.
        assert!(desk.bad_signature());
        desk.fetch(BadSignature);
        assert_eq!(desk.arrive("b"), NotLookedUp(COOL_DOWN));
        desk.good();
        assert_eq!(desk.arrive("b"), NotLookedUp(COOL_DOWN));
    }

    #[test]
    fn a_withdrawn_key_is_absent_in_the_cool_down_and_looked_up_after_it() {
        let mut desk = Desk::looking_up();
        assert_eq!(desk.arrive_for_withdrawn("old"), Wait, "it may be back");
        desk.good();
        assert_eq!(desk.arrive_for_withdrawn("old"), Absent);
        desk.pass(COOL_DOWN);
        assert_eq!(desk.arrive_for_withdrawn("old"), Wait);
        desk.fetch(UnknownKey);
    }

    #[test]
    fn another_request_does_not_prolong_an_absence() {
        let mut desk = remembering();
        for _ in 0..100 {
            assert_eq!(desk.arrive("a"), Absent);
            desk.pass(100 * TICK);
        }
        assert_eq!(desk.arrive("a"), Wait);
    }

    #[test]
    fn the_absence_of_one_key_bars_no_other() {
        assert_eq!(remembering().arrive("A"), Wait);
    }

    #[test]
    fn a_request_for_an_absent_key_does_not_wait_for_another_fetch() {
        let mut desk = remembering();
        assert_eq!(desk.arrive("b"), Wait);
        desk.fetch(UnknownKey);
        assert_eq!(desk.arrive("a"), Absent);
    }

    #[test]
    fn no_more_keys_are_remembered_than_the_limit_and_the_oldest_go_first() {
        let mut desk = Desk::stocked();
        for kid in 0..100_000 {
            assert_eq!(desk.arrive(&kid.to_string()), Wait);
        }
        desk.fetch_good(UnknownKey);
        assert_eq!(desk.schedule.asked.len(), 128);
        assert_eq!(desk.arrive("99999"), Absent);
        assert_eq!(desk.arrive("99872"), Absent);
        assert_eq!(desk.arrive("99871"), NotLookedUp(COOL_DOWN));
    }

    #[test]
    fn a_key_is_remembered_once_however_often_it_is_requested() {
        let mut desk = Desk::stocked();
        for _ in 0..1_000 {
            assert_eq!(desk.arrive("a"), Wait);
        }
        desk.fetch_good(UnknownKey);
        for _ in 0..1_000 {
            assert_eq!(desk.arrive("a"), Absent);
        }
        assert_eq!(desk.schedule.asked.len(), 1);
    }

    #[test]
    fn a_flood_in_the_cool_down_is_not_remembered() {
        let mut desk = Desk::looked_up();
        for kid in 0..1_000 {
            assert_eq!(desk.arrive(&kid.to_string()), NotLookedUp(COOL_DOWN));
        }
        assert_eq!(desk.schedule.asked.len(), 1);
        assert_eq!(desk.arrive("a"), Absent);
    }

    #[test]
    fn with_no_place_to_remember_absent_keys_the_cool_down_still_holds() {
        let mut desk = Desk::with(KeySettings::default().with_max_absent(0));
        desk.fetch_good(Scheduled);
        let came = desk.came();
        assert_eq!(desk.want("a", came), Wait);
        desk.fetch_good(UnknownKey);
        assert_eq!(desk.want("a", came), Absent);
        for _ in 0..1_000 {
            assert_eq!(desk.arrive("a"), NotLookedUp(COOL_DOWN));
        }
        assert!(desk.schedule.asked.is_empty());
        desk.idle();
    }
}

mod bad_signatures {
    use super::*;

    #[test]
    fn a_bad_signature_asks_for_one_fetch_per_interval() {
        let mut desk = Desk::stocked();
        assert!(desk.bad_signature());
        desk.fetch_good(BadSignature);
        for _ in 0..300 {
            assert!(!desk.bad_signature());
            desk.idle();
            desk.pass(SECOND);
        }
        assert!(desk.bad_signature());
        desk.fetch(BadSignature);
    }

    #[test]
    fn the_interval_counts_from_the_start_failures_too() {
        let mut desk = Desk::stocked();
        assert!(desk.bad_signature());
        desk.fetch(BadSignature);
        desk.pass(5 * SECOND);
        desk.bad();
        desk.pass(5 * MINUTE - 5 * SECOND - TICK);
        assert!(!desk.bad_signature());
        desk.pass(TICK);
        assert!(desk.bad_signature());
    }

    #[test]
    fn many_bad_signatures_at_once_wake_the_driver_once() {
        let mut desk = Desk::stocked();
        assert!(desk.bad_signature());
        assert!((0..1_000).all(|_| !desk.bad_signature()));
    }

    #[test]
    fn neither_budget_is_spent_by_the_other() {
        let mut desk = Desk::stocked();
        assert!(desk.bad_signature());
        desk.fetch_good(BadSignature);
        assert_eq!(desk.arrive("a"), Wait);
        desk.fetch(UnknownKey);

        let mut desk = Desk::looked_up();
        assert!(desk.bad_signature());
        desk.fetch(BadSignature);
    }

    #[test]
    fn a_retry_after_bars_fetches_for_bad_signatures_as_well() {
        let mut desk = Desk::barred(MINUTE);
        assert!(!desk.bad_signature());
        desk.idle();
    }

    #[test]
    fn a_retry_after_bars_the_fetch_for_a_bad_signature_seen_before_it_came() {
        let mut desk = Desk::refreshing();
        desk.bad_signature();
        desk.bad_with_retry_after(MINUTE);
        assert!(desk.idle() >= MINUTE, "the endpoint has asked for a minute");
    }
}

mod no_keys_yet {
    use super::*;

    #[test]
    fn a_request_for_any_keys_waits_for_the_fetch_under_way() {
        assert_eq!(Desk::empty().arrive_for_any(), Wait);
        assert_eq!(Desk::fetching().arrive_for_any(), Wait);
    }

    #[test]
    fn a_request_for_any_keys_waits_for_a_fetch_that_begins_in_time() {
        let mut desk = Desk::empty();
        for _ in 0..2 {
            desk.fetch_bad(Scheduled);
            assert_eq!(desk.arrive_for_any(), Wait);
            desk.pass_until_due();
        }
        desk.fetch_bad(Scheduled);
        assert_eq!(desk.arrive_for_any(), Unavailable(4 * SECOND));
    }

    #[test]
    fn no_retry_after_is_shorter_than_a_second() {
        let mut desk = Desk::failing();
        desk.fetch(Scheduled);
        assert_eq!(desk.schedule.until_next_try(desk.now), SECOND);
        desk.bad();
        for time in [MINUTE - TICK, HOUR] {
            desk.pass(time);
            assert_eq!(desk.schedule.until_next_try(desk.now), SECOND);
        }
    }

    #[test]
    fn a_request_for_any_keys_asks_for_no_fetch() {
        let mut desk = Desk::empty();
        desk.fetch_bad(Scheduled);
        let pause = desk.idle();
        for _ in 0..1_000 {
            desk.arrive_for_any();
        }
        assert_eq!(desk.idle(), pause);
    }
}

mod at_length {
    use super::*;

    #[test]
    fn a_day_of_outage_under_a_flood_costs_few_fetches_and_ends_by_itself() {
        let mut desk = Desk::stocked();
        let mut chances = Lcg(7);
        let (mut scheduled, mut unknown, mut replaced) = (0, 0, 0);
        while desk.now.since(desk.start) < DAY {
            desk.arrive(&chances.below(1_000_000).to_string());
            desk.bad_signature();
            match desk.next() {
                Action::Fetch(cause) => {
                    match cause {
                        Scheduled => scheduled += 1,
                        UnknownKey => unknown += 1,
                        BadSignature => replaced += 1,
                    }
                    desk.pass(chances.up_to(5 * SECOND));
                    desk.schedule.failed(desk.now, None, chances.chance());
                }
                Action::Sleep(until) => {
                    let pause = until.saturating_duration_since(desk.now.monotonic);
                    desk.pass(pause.min(SECOND));
                }
            }
        }
        assert!((6_000..=8_640).contains(&unknown), "{unknown}");
        assert!((200..=288).contains(&replaced), "{replaced}");
        // On average one in 30 s, and never two at a time.
        assert!((1..=3_500).contains(&scheduled), "{scheduled}");

        let back = desk.now;
        while !matches!(desk.next(), Action::Fetch(_)) {
            desk.pass(TICK * 100);
        }
        assert!(desk.now.since(back) <= MINUTE);
        desk.good();
        assert!(!desk.is_failing());
    }
}

/// A random number generator with a fixed seed.
struct Lcg(u64);

impl Lcg {
    fn draw(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.draw() % limit
    }

    fn chance(&mut self) -> f64 {
        let thousandths = u32::try_from(self.below(1_001)).expect("a small number");
        f64::from(thousandths) / 1_000.0
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.chance())
    }
}

/// The default, in which a cool-down is counted here.
const COOL_DOWN: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
