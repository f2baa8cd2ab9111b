//! Tests of the schedule without a clock, a task or a network: each test sets the time.

use std::collections::BTreeSet;

use super::*;

/// A schedule and its clock.
struct Desk {
    schedule: Schedule,
    start: Moment,
    now: Moment,
}

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

    /// The first fetch succeeded a second ago.
    #[track_caller]
    fn stocked() -> Self {
        let mut desk = Self::empty();
        desk.fetch(Cause::Scheduled);
        desk.good();
        desk.pass(SECOND);
        desk
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
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

    /// A request arrives now and needs any key set.
    fn arrive_for_any(&mut self) -> Lookup {
        self.schedule.want_any(self.now, 2 * SECOND)
    }

    fn bad_signature(&mut self) -> bool {
        self.schedule.want_replacement(self.now)
    }
}

#[track_caller]
fn assert_unavailable(lookup: Lookup, least: Duration, most: Duration) {
    let (Lookup::Unavailable(retry) | Lookup::NotLookedUp(retry)) = lookup else {
        panic!("{lookup:?}");
    };
    assert!((least..=most).contains(&retry), "{retry:?}");
}

mod timer {
    use super::*;

    #[test]
    fn the_first_fetch_is_due_at_once() {
        Desk::empty().fetch(Cause::Scheduled);
    }

    #[test]
    fn a_good_fetch_is_followed_by_one_within_ten_percent_of_the_interval() {
        for (chance, minutes) in [(0.0, 54), (0.5, 60), (1.0, 66)] {
            let mut desk = Desk::empty();
            desk.fetch(Cause::Scheduled);
            desk.schedule.succeeded(desk.now, chance);
            let pause = desk.idle();
            let off = pause.abs_diff(MINUTE * minutes);
            assert!(off < Duration::from_millis(1), "{chance}: {pause:?}");
            desk.pass(pause);
            desk.fetch(Cause::Scheduled);
        }
    }

    #[test]
    fn a_clock_that_jumps_a_year_ahead_costs_one_fetch() {
        let mut desk = Desk::stocked();
        desk.pass(365 * DAY);
        desk.fetch(Cause::Scheduled);
        desk.good();
        assert!(desk.idle() > 50 * MINUTE);
        assert_eq!(desk.arrive("new"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }

    #[test]
    fn a_clock_that_steps_back_prolongs_no_wait_and_fetches_nothing_twice() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("new"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();
        let after = desk.now;
        desk.now = desk.start;
        assert_eq!(desk.arrive("new"), Lookup::Absent);
        assert_unavailable(desk.arrive("other"), SECOND, COOL_DOWN + SECOND);
        desk.idle();
        desk.now = after + COOL_DOWN;
        assert_eq!(desk.arrive("new"), Lookup::Wait);
    }

    #[test]
    fn the_next_fetch_comes_before_the_keys_are_too_old() {
        for chance in [0.0, 0.5, 1.0] {
            let settings = KeySettings::default()
                .with_refresh_interval(DAY)
                .with_stale_limit(DAY);
            let mut desk = Desk::with(settings);
            desk.fetch(Cause::Scheduled);
            desk.schedule.succeeded(desk.now, chance);
            assert!(desk.idle() < DAY);
        }
    }

    #[test]
    fn the_pause_after_failures_doubles_from_one_second_to_sixty() {
        let mut desk = Desk::empty();
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            desk.fetch(Cause::Scheduled);
            desk.bad();
            assert_eq!(desk.idle(), SECOND * seconds);
            desk.pass(SECOND * seconds);
        }
        for _ in 0..10_000 {
            desk.fetch(Cause::Scheduled);
            desk.bad();
            assert_eq!(desk.idle(), MINUTE);
            desk.pass(MINUTE);
        }
    }

    #[test]
    fn the_pause_after_a_failure_is_drawn_from_zero_up() {
        for (chance, pause) in [(0.0, 0), (0.25, 250), (0.5, 500), (1.0, 1_000)] {
            let mut desk = Desk::empty();
            desk.fetch(Cause::Scheduled);
            desk.schedule.failed(desk.now, None, chance);
            let pause = Duration::from_millis(pause);
            assert_eq!(desk.schedule.due, desk.now + pause, "{chance}");
        }
    }

    #[test]
    fn a_good_fetch_ends_the_back_off() {
        let mut desk = Desk::empty();
        for _ in 0..10 {
            desk.fetch(Cause::Scheduled);
            desk.bad();
            assert!(desk.schedule.is_failing(desk.now));
            desk.pass(MINUTE);
        }
        desk.fetch(Cause::Scheduled);
        desk.good();
        assert!(!desk.schedule.is_failing(desk.now));
        desk.pass(2 * HOUR);
        desk.fetch(Cause::Scheduled);
        desk.bad();
        assert_eq!(desk.idle(), SECOND);
    }

    #[test]
    fn a_fetch_that_is_not_made_counts_as_failed_once_it_should_have_ended() {
        let mut desk = Desk::stocked();
        let pause = desk.idle();
        desk.pass(pause + KeySettings::default().total_timeout);
        assert!(!desk.schedule.is_failing(desk.now));
        desk.pass(TICK);
        assert!(desk.schedule.is_failing(desk.now));
        desk.fetch(Cause::Scheduled);
        desk.good();
        assert!(!desk.schedule.is_failing(desk.now));
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
            let mut desk = Desk::empty();
            desk.fetch(Cause::Scheduled);
            desk.bad_with_retry_after(asked);
            assert_eq!(desk.schedule.due, desk.now + pause, "{asked:?}");
        }
    }

    #[test]
    fn a_short_retry_after_does_not_shorten_the_pause() {
        let mut desk = Desk::empty();
        for _ in 0..10 {
            desk.fetch(Cause::Scheduled);
            desk.bad();
            desk.pass(MINUTE);
        }
        desk.fetch(Cause::Scheduled);
        desk.schedule.failed(desk.now, Some(SECOND), 1.0);
        assert_eq!(desk.idle(), MINUTE);
    }

    #[test]
    fn a_fetch_that_dies_with_its_driver_is_tried_again_like_any_other() {
        for (chance, pause) in [(0.25, 250), (0.5, 500), (1.0, 1_000)] {
            let mut desk = Desk::stocked();
            assert_eq!(desk.arrive("new"), Lookup::Wait);
            desk.fetch(Cause::UnknownKey);
            desk.schedule.abandoned(desk.now, chance);
            assert!(desk.schedule.is_failing(desk.now));
            assert_eq!(desk.idle(), TICK * pause);
            desk.pass(TICK * pause);
            desk.fetch(Cause::Scheduled);
            desk.good();
            assert!(!desk.schedule.is_failing(desk.now));
        }
    }

    #[test]
    fn a_driver_that_dies_idle_changes_nothing() {
        let mut desk = Desk::stocked();
        let pause = desk.idle();
        desk.schedule.abandoned(desk.now, 0.0);
        assert_eq!(desk.idle(), pause);
        assert!(!desk.schedule.is_failing(desk.now));
    }

    #[test]
    fn the_end_of_a_fetch_that_never_began_is_ignored() {
        let mut desk = Desk::stocked();
        let pause = desk.idle();
        desk.bad();
        desk.schedule.succeeded(desk.now, 0.0);
        assert_eq!(desk.idle(), pause);
        assert!(!desk.schedule.is_failing(desk.now));
    }
}

mod clocks {
    use super::*;

    #[test]
    fn an_overdue_refresh_is_made_after_a_sleep_though_the_monotonic_clock_stood_still() {
        let mut desk = Desk::stocked();
        desk.idle();
        desk.sleep(3 * DAY);
        desk.fetch(Cause::Scheduled);
        desk.good();
        assert!(desk.idle() > 50 * MINUTE);
    }

    #[test]
    fn after_a_sleep_the_keys_count_as_stale_until_they_are_refreshed() {
        let mut desk = Desk::stocked();
        desk.sleep(3 * DAY);
        assert!(desk.schedule.is_failing(desk.now));
        assert_eq!(desk.arrive_for_any(), Lookup::Wait);
        desk.fetch(Cause::Scheduled);
        desk.good();
        assert!(!desk.schedule.is_failing(desk.now));
    }

    #[test]
    fn a_short_sleep_costs_nothing() {
        let mut desk = Desk::stocked();
        desk.sleep(50 * MINUTE);
        desk.idle();
        assert!(!desk.schedule.is_failing(desk.now));
    }

    #[test]
    fn a_wall_clock_that_is_set_ahead_costs_one_early_refresh() {
        let mut desk = Desk::stocked();
        desk.now.wall += 365 * DAY;
        desk.fetch(Cause::Scheduled);
        desk.good();
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
        desk.fetch(Cause::Scheduled);
        desk.bad();
        desk.pass(SECOND);
        desk.fetch(Cause::Scheduled);
    }

    #[test]
    fn a_wall_clock_that_is_set_ahead_spends_no_budget_twice() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        assert!(desk.bad_signature());
        desk.fetch(Cause::UnknownKey);
        desk.good();
        assert!(desk.bad_signature());
        desk.fetch(Cause::BadSignature);
        desk.good();
        desk.now.wall += 365 * DAY;
        desk.fetch(Cause::Scheduled);
        desk.good();
        assert_unavailable(desk.arrive("b"), COOL_DOWN, COOL_DOWN);
        assert!(!desk.bad_signature());
        desk.idle();
    }

    #[test]
    fn a_retry_after_that_has_passed_while_the_machine_slept_bars_nothing() {
        let mut desk = Desk::stocked();
        desk.pass(2 * HOUR);
        desk.fetch(Cause::Scheduled);
        desk.bad_with_retry_after(MINUTE);
        desk.idle();
        desk.sleep(MINUTE + SECOND);
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }
}

mod unknown_keys {
    use super::*;

    #[test]
    fn an_unknown_key_is_asked_for_at_once_right_after_start_up() {
        let mut desk = Desk::empty();
        desk.fetch(Cause::Scheduled);
        desk.good();
        assert_eq!(desk.arrive("new"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }

    #[test]
    fn a_scheduled_fetch_does_not_arm_the_cool_down() {
        let mut desk = Desk::stocked();
        let pause = desk.idle();
        desk.pass(pause);
        desk.fetch(Cause::Scheduled);
        desk.good();
        assert_eq!(desk.arrive("new"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }

    #[test]
    fn all_requests_for_a_key_share_one_fetch() {
        let mut desk = Desk::stocked();
        for kid in 0..1_000 {
            assert_eq!(desk.arrive(&kid.to_string()), Lookup::Wait);
        }
        desk.fetch(Cause::UnknownKey);
        desk.good();
        desk.idle();
    }

    #[test]
    fn a_request_during_a_fetch_waits_for_its_end() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        assert_eq!(desk.arrive("b"), Lookup::Wait);
    }

    #[test]
    fn a_good_fetch_begun_after_the_request_decides() {
        let mut desk = Desk::stocked();
        let came = desk.came();
        assert_eq!(desk.want("a", came), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();
        assert_eq!(desk.want("a", came), Lookup::Absent);
    }

    #[test]
    fn a_failed_fetch_begun_after_the_request_leaves_it_unanswered() {
        let mut desk = Desk::stocked();
        let came = desk.came();
        assert_eq!(desk.want("a", came), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.bad();
        assert_unavailable(desk.want("a", came), SECOND, SECOND);
    }

    #[test]
    fn a_scheduled_fetch_begun_before_the_request_says_nothing_about_its_key() {
        let mut desk = Desk::stocked();
        let pause = desk.idle();
        desk.pass(pause);
        desk.fetch(Cause::Scheduled);
        // The key is published now, and the answer is already on its way.
        let came = desk.came();
        assert_eq!(desk.want("new", came), Lookup::Wait);
        desk.good();
        assert_eq!(desk.want("new", came), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }

    #[test]
    fn within_the_cool_down_another_key_is_not_looked_up_and_the_time_left_is_told() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();
        for left in (1..=10).rev() {
            let left = Lookup::NotLookedUp(left * SECOND);
            assert_eq!(desk.arrive("b"), left);
            // However often it is asked for.
            assert_eq!(desk.arrive("b"), left);
            desk.idle();
            desk.pass(SECOND);
        }
        assert_eq!(desk.arrive("b"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }

    #[test]
    fn a_fetch_begun_before_the_request_leaves_its_key_not_looked_up() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        // The key is published now, and the answer is already on its way.
        let came = desk.came();
        assert_eq!(desk.want("new", came), Lookup::Wait);
        desk.pass(SECOND);
        desk.good();
        assert_eq!(desk.want("new", came), Lookup::NotLookedUp(9 * SECOND));
    }

    #[test]
    fn the_cool_down_counts_from_the_start_of_the_fetch() {
        for is_good in [true, false] {
            let mut desk = Desk::stocked();
            assert_eq!(desk.arrive("a"), Lookup::Wait);
            desk.fetch(Cause::UnknownKey);
            desk.pass(5 * SECOND);
            if is_good {
                desk.good()
            } else {
                desk.bad()
            }
            desk.pass(5 * SECOND - TICK);
            assert_unavailable(desk.arrive("b"), SECOND, SECOND);
            desk.pass(TICK);
            assert_eq!(desk.arrive("b"), Lookup::Wait, "{is_good}");
        }
    }

    #[test]
    fn within_the_cool_down_of_a_failed_fetch_a_key_is_not_looked_up_before_a_retry() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.bad();
        assert_eq!(desk.arrive("b"), Lookup::NotLookedUp(COOL_DOWN));

        // The retry begins within the cool-down, so a request can wait for it.
        desk.pass(SECOND);
        desk.fetch(Cause::Scheduled);
        assert_eq!(desk.arrive("b"), Lookup::Wait);
        desk.good();
        assert_eq!(desk.arrive("a"), Lookup::Absent);
        assert_eq!(desk.arrive("b"), Lookup::NotLookedUp(9 * SECOND));
    }

    #[test]
    fn a_request_for_a_key_is_served_by_the_next_fetch_of_any_cause() {
        let mut desk = Desk::stocked();
        let pause = desk.idle();
        desk.pass(pause);
        assert!(desk.bad_signature());
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();
        desk.idle();
    }

    #[test]
    fn a_retry_after_bars_fetches_for_unknown_keys_as_well() {
        let mut desk = Desk::stocked();
        let pause = desk.idle();
        desk.pass(pause);
        desk.fetch(Cause::Scheduled);
        desk.bad_with_retry_after(MINUTE);
        assert_unavailable(desk.arrive("a"), MINUTE, MINUTE);
        desk.pass(MINUTE - TICK);
        assert_unavailable(desk.arrive("a"), SECOND, SECOND);
        desk.idle();
    }

    #[test]
    fn a_retry_after_is_forgotten_after_a_failure_without_one() {
        let mut desk = Desk::stocked();
        let pause = desk.idle();
        desk.pass(pause);
        desk.fetch(Cause::Scheduled);
        desk.bad_with_retry_after(10 * SECOND);
        desk.pass(10 * SECOND);
        desk.fetch(Cause::Scheduled);
        desk.bad();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }

    #[test]
    fn the_back_off_does_not_bar_the_one_fetch_of_a_cool_down() {
        let mut desk = Desk::stocked();
        for _ in 0..10 {
            let pause = desk.idle();
            desk.pass(pause);
            desk.fetch(Cause::Scheduled);
            desk.bad();
        }
        assert!(desk.idle() > 30 * SECOND);
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }
}

mod absent_keys {
    use super::*;

    /// A scheduled fetch lacks this key, which a request has waited for.
    #[track_caller]
    fn remember(desk: &mut Desk, kid: &str) {
        desk.pass(2 * HOUR);
        let came = desk.came();
        desk.fetch(Cause::Scheduled);
        assert_eq!(desk.want(kid, came), Lookup::Wait);
        desk.good();
        assert_eq!(desk.want(kid, came), Lookup::Absent);
    }

    #[test]
    fn an_absent_key_is_remembered_for_one_cool_down_from_the_start_of_the_fetch() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.pass(5 * SECOND);
        desk.good();
        assert_eq!(desk.arrive("a"), Lookup::Absent);
        desk.pass(5 * SECOND - TICK);
        assert_eq!(desk.arrive("a"), Lookup::Absent);
        desk.pass(TICK);
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }

    #[test]
    fn a_key_asked_for_before_the_fetch_is_absent_though_the_first_request_has_gone() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        let second = desk.came();
        assert_eq!(desk.want("a", second), Lookup::Wait);
        desk.good();
        assert_eq!(desk.want("a", second), Lookup::Absent);
        assert_eq!(desk.arrive("a"), Lookup::Absent);
    }

    #[test]
    fn a_key_that_was_only_asked_for_in_the_cool_down_is_not_absent() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();
        assert_unavailable(desk.arrive("b"), SECOND, COOL_DOWN);
        // Of another cause, so that the cool-down goes on.
        assert!(desk.bad_signature());
        desk.fetch(Cause::BadSignature);
        assert_unavailable(desk.arrive("b"), SECOND, COOL_DOWN);
        desk.good();
        assert_unavailable(desk.arrive("b"), SECOND, COOL_DOWN);
    }

    #[test]
    fn a_withdrawn_key_is_absent_in_the_cool_down_and_looked_up_after_it() {
        let mut desk = Desk::stocked();
        let withdrawn = |desk: &mut Desk| {
            let came = desk.came();
            desk.schedule.want_key(desk.now, "old", came, true)
        };
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        assert_eq!(withdrawn(&mut desk), Lookup::Wait, "it may be back");
        desk.good();
        assert_eq!(withdrawn(&mut desk), Lookup::Absent);
        desk.pass(COOL_DOWN);
        assert_eq!(withdrawn(&mut desk), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
    }

    #[test]
    fn another_request_does_not_prolong_an_absence() {
        let mut desk = Desk::stocked();
        remember(&mut desk, "a");
        for _ in 0..100 {
            assert_eq!(desk.arrive("a"), Lookup::Absent);
            desk.pass(Duration::from_millis(100));
        }
        assert_eq!(desk.arrive("a"), Lookup::Wait);
    }

    #[test]
    fn the_absence_of_one_key_bars_no_other() {
        let mut desk = Desk::stocked();
        remember(&mut desk, "a");
        assert_eq!(desk.arrive("A"), Lookup::Wait);
    }

    #[test]
    fn a_request_for_an_absent_key_does_not_wait_for_another_fetch() {
        let mut desk = Desk::stocked();
        remember(&mut desk, "a");
        assert_eq!(desk.arrive("b"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        assert_eq!(desk.arrive("a"), Lookup::Absent);
    }

    #[test]
    fn within_the_cool_down_no_request_waits_for_a_fetch_of_another_cause() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();
        assert!(desk.bad_signature());
        desk.fetch(Cause::BadSignature);
        assert_unavailable(desk.arrive("b"), COOL_DOWN, COOL_DOWN);
    }

    #[test]
    fn no_more_keys_are_remembered_than_the_limit_and_the_oldest_go_first() {
        let mut desk = Desk::stocked();
        for kid in 0..100_000 {
            assert_eq!(desk.arrive(&kid.to_string()), Lookup::Wait);
        }
        desk.fetch(Cause::UnknownKey);
        desk.good();
        assert_eq!(desk.schedule.asked.len(), 128);
        assert_eq!(desk.arrive("99999"), Lookup::Absent);
        assert_eq!(desk.arrive("99872"), Lookup::Absent);
        assert_unavailable(desk.arrive("99871"), COOL_DOWN, COOL_DOWN);
    }

    #[test]
    fn a_key_is_remembered_once_however_often_it_is_requested() {
        let mut desk = Desk::stocked();
        for _ in 0..1_000 {
            assert_eq!(desk.arrive("a"), Lookup::Wait);
        }
        desk.fetch(Cause::UnknownKey);
        desk.good();
        for _ in 0..1_000 {
            assert_eq!(desk.arrive("a"), Lookup::Absent);
        }
        assert_eq!(desk.schedule.asked.len(), 1);
    }

    #[test]
    fn a_flood_in_the_cool_down_is_not_remembered() {
        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();
        for kid in 0..1_000 {
            assert_unavailable(desk.arrive(&kid.to_string()), COOL_DOWN, COOL_DOWN);
        }
        assert_eq!(desk.schedule.asked.len(), 1);
        assert_eq!(desk.arrive("a"), Lookup::Absent);
    }

    #[test]
    fn with_no_place_to_remember_absent_keys_the_cool_down_still_holds() {
        let mut desk = Desk::with(KeySettings::default().with_max_absent(0));
        desk.fetch(Cause::Scheduled);
        desk.good();
        let came = desk.came();
        assert_eq!(desk.want("a", came), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();
        assert_eq!(desk.want("a", came), Lookup::Absent);
        for _ in 0..1_000 {
            assert_unavailable(desk.arrive("a"), COOL_DOWN, COOL_DOWN);
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
        desk.fetch(Cause::BadSignature);
        desk.good();
        for _ in 0..300 {
            assert!(!desk.bad_signature());
            desk.idle();
            desk.pass(SECOND);
        }
        assert!(desk.bad_signature());
        desk.fetch(Cause::BadSignature);
    }

    #[test]
    fn the_interval_counts_from_the_start_failures_too() {
        let mut desk = Desk::stocked();
        assert!(desk.bad_signature());
        desk.fetch(Cause::BadSignature);
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
        desk.fetch(Cause::BadSignature);
        desk.good();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();

        let mut desk = Desk::stocked();
        assert_eq!(desk.arrive("a"), Lookup::Wait);
        desk.fetch(Cause::UnknownKey);
        desk.good();
        assert!(desk.bad_signature());
        desk.fetch(Cause::BadSignature);
    }

    #[test]
    fn a_retry_after_bars_fetches_for_bad_signatures_as_well() {
        let mut desk = Desk::stocked();
        desk.pass(2 * HOUR);
        desk.fetch(Cause::Scheduled);
        desk.bad_with_retry_after(MINUTE);
        assert!(!desk.bad_signature());
        desk.idle();
    }

    #[test]
    fn a_retry_after_bars_the_fetch_for_a_bad_signature_seen_before_it_came() {
        let mut desk = Desk::stocked();
        desk.pass(2 * HOUR);
        desk.fetch(Cause::Scheduled);
        desk.bad_signature();
        desk.bad_with_retry_after(MINUTE);
        assert!(desk.idle() >= MINUTE, "the endpoint has asked for a minute");
    }
}

mod no_keys_yet {
    use super::*;

    #[test]
    fn a_request_for_any_keys_waits_for_the_fetch_under_way() {
        let mut desk = Desk::empty();
        assert_eq!(desk.arrive_for_any(), Lookup::Wait);
        desk.fetch(Cause::Scheduled);
        assert_eq!(desk.arrive_for_any(), Lookup::Wait);
    }

    #[test]
    fn a_request_for_any_keys_waits_for_a_fetch_that_begins_in_time() {
        let mut desk = Desk::empty();
        for seconds in [1, 2] {
            desk.fetch(Cause::Scheduled);
            desk.bad();
            assert_eq!(desk.arrive_for_any(), Lookup::Wait);
            desk.pass(SECOND * seconds);
        }
        desk.fetch(Cause::Scheduled);
        desk.bad();
        assert_unavailable(desk.arrive_for_any(), 4 * SECOND, 4 * SECOND);
    }

    #[test]
    fn no_retry_after_is_shorter_than_a_second() {
        let mut desk = Desk::empty();
        for _ in 0..10 {
            desk.fetch(Cause::Scheduled);
            desk.bad();
            desk.pass(MINUTE);
        }
        desk.fetch(Cause::Scheduled);
        assert_eq!(desk.schedule.until_next_try(desk.now), SECOND);
        desk.bad();
        desk.pass(MINUTE - TICK);
        assert_eq!(desk.schedule.until_next_try(desk.now), SECOND);
        desk.pass(HOUR);
        assert_eq!(desk.schedule.until_next_try(desk.now), SECOND);
    }

    #[test]
    fn a_request_for_any_keys_asks_for_no_fetch() {
        let mut desk = Desk::empty();
        desk.fetch(Cause::Scheduled);
        desk.bad();
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
                        Cause::Scheduled => scheduled += 1,
                        Cause::UnknownKey => unknown += 1,
                        Cause::BadSignature => replaced += 1,
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
        assert!(!desk.schedule.is_failing(desk.now));
    }

    /// A model of the driver, the authority and requests, which takes random steps. The invariants
    /// are checked at each step.
    struct Walk {
        desk: Desk,
        chances: Lcg,
        settings: KeySettings,
        fetch: Option<Fetch>,
        unknown_starts: Vec<Instant>,
        replacement_starts: Vec<Instant>,
        waiting: Vec<Waiting>,
        published: BTreeSet<u64>,
        /// When each key was published.
        newest: (u64, Instant),
        held: BTreeSet<u64>,
        lookups: [u64; 4],
        fetches: u64,
    }

    struct Fetch {
        ends: Instant,
        brings: Option<BTreeSet<u64>>,
        retry_after: Option<Duration>,
    }

    struct Waiting {
        kid: u64,
        came: Number,
        /// The number of fetches that have ended since.
        ends_seen: u32,
    }

    impl Walk {
        fn new(seed: u64, settings: KeySettings) -> Self {
            let desk = Desk::with(settings.clone());
            let now = desk.now.monotonic;
            Self {
                desk,
                chances: Lcg(seed),
                settings,
                fetch: None,
                unknown_starts: Vec::new(),
                replacement_starts: Vec::new(),
                waiting: Vec::new(),
                published: BTreeSet::from([0]),
                newest: (0, now),
                held: BTreeSet::new(),
                lookups: [0; 4],
                fetches: 0,
            }
        }

        fn step(&mut self) {
            self.drive();
            match self.chances.below(100) {
                0..30 => self.request(),
                30..32 => {
                    self.desk.bad_signature();
                }
                32..33 => self.rotate(),
                33..34 => self.die(),
                34..90 => self.pass(SECOND),
                90..97 => self.pass(MINUTE),
                97 => {
                    let slept = self.chances.up_to(2 * DAY);
                    self.desk.sleep(slept);
                }
                _ => self.pass(2 * HOUR),
            }
            self.end_fetch();
        }

        fn pass(&mut self, longest: Duration) {
            let time = self.chances.up_to(longest);
            self.desk.pass(time);
        }

        fn drive(&mut self) {
            if self.fetch.is_some() {
                return;
            }
            let now = self.desk.now.monotonic;
            match self.desk.next() {
                Action::Sleep(until) => {
                    let longest = self
                        .settings
                        .refresh_interval
                        .mul_f64(1.1)
                        .max(self.settings.max_retry_after);
                    assert!(until > now, "a sleep of no length is a busy loop");
                    assert!(until <= now + longest + TICK, "{:?}", until - now);
                }
                Action::Fetch(cause) => {
                    self.fetches += 1;
                    match cause {
                        Cause::UnknownKey => {
                            apart(&mut self.unknown_starts, now, self.settings.cool_down);
                        }
                        Cause::BadSignature => {
                            let interval = self.settings.signature_interval;
                            apart(&mut self.replacement_starts, now, interval);
                        }
                        Cause::Scheduled => {}
                    }
                    let is_good = self.chances.below(10) < 7;
                    self.fetch = Some(Fetch {
                        ends: now + self.chances.up_to(5 * SECOND),
                        brings: is_good.then(|| self.published.clone()),
                        retry_after: (self.chances.below(10) == 0)
                            .then(|| self.chances.up_to(10 * MINUTE)),
                    });
                }
            }
        }

        fn end_fetch(&mut self) {
            let Some(fetch) = self
                .fetch
                .take_if(|fetch| fetch.ends <= self.desk.now.monotonic)
            else {
                return;
            };
            let now = self.desk.now;
            let chance = self.chances.chance();
            match fetch.brings {
                Some(keys) => {
                    self.held = keys;
                    self.desk.schedule.succeeded(now, chance);
                }
                None => self.desk.schedule.failed(now, fetch.retry_after, chance),
            }
            self.look_again();
        }

        /// The driver ends, and the fetch under way with it.
        fn die(&mut self) {
            self.fetch = None;
            let chance = self.chances.chance();
            self.desk.schedule.abandoned(self.desk.now, chance);
            self.look_again();
        }

        fn rotate(&mut self) {
            let kid = self.newest.0 + 1;
            self.newest = (kid, self.desk.now.monotonic);
            self.published.insert(kid);
        }

        fn request(&mut self) {
            // Sometimes the newest key, otherwise one that is never published.
            let kid = match self.chances.below(3) {
                0 => self.newest.0,
                1 => u64::MAX - self.chances.below(3),
                _ => u64::MAX - self.chances.below(1_000_000),
            };
            if self.held.contains(&kid) || self.held.is_empty() {
                return;
            }
            let waiting = Waiting {
                kid,
                came: self.desk.came(),
                ends_seen: 0,
            };
            if self.is_waiting(&waiting) {
                self.waiting.push(waiting);
            }
            assert!(self.desk.schedule.asked.len() <= self.settings.max_absent);
        }

        fn is_waiting(&mut self, waiting: &Waiting) -> bool {
            let now = self.desk.now.monotonic;
            let until_known = now.saturating_duration_since(self.newest.1);
            let lookup = self.desk.want(&waiting.kid.to_string(), waiting.came);
            let (at, waits) = match lookup {
                Lookup::Wait => (0, true),
                Lookup::Absent => (1, false),
                Lookup::NotLookedUp(retry) | Lookup::Unavailable(retry) => {
                    assert!(retry >= SECOND && retry <= 5 * MINUTE, "{retry:?}");
                    let is_in_cool_down = matches!(lookup, Lookup::NotLookedUp(_));
                    (2 + usize::from(is_in_cool_down), false)
                }
            };
            if lookup == Lookup::Absent && waiting.kid == self.newest.0 {
                // A fetch of five seconds may have begun just before the key was published.
                let limit = self.settings.cool_down + 5 * SECOND;
                assert!(until_known <= limit, "barred for {until_known:?}");
            }
            self.lookups[at] += 1;
            waits
        }

        /// Each waiting request looks up its key again after a fetch.
        fn look_again(&mut self) {
            let mut waiting = std::mem::take(&mut self.waiting);
            waiting.retain_mut(|waiting| {
                waiting.ends_seen += 1;
                if self.held.contains(&waiting.kid) {
                    return false;
                }
                let waits = self.is_waiting(waiting);
                // At most the fetch that was under way, and the one after it.
                assert!(!waits || waiting.ends_seen < 2, "a request goes unanswered");
                waits
            });
            self.waiting = waiting;
        }
    }

    #[track_caller]
    fn apart(starts: &mut Vec<Instant>, now: Instant, least: Duration) {
        if let Some(last) = starts.last() {
            let pause = now - *last;
            assert!(pause >= least, "only {pause:?} apart");
        }
        starts.push(now);
    }

    #[test]
    fn a_long_random_walk_keeps_every_invariant() {
        for seed in 0..20 {
            let mut walk = Walk::new(seed, KeySettings::default());
            for _ in 0..20_000 {
                walk.step();
            }
            assert!(walk.fetches > 500, "{}", walk.fetches);
            assert!(walk.unknown_starts.len() > 100);
            assert!(walk.replacement_starts.len() > 10);
            assert!(
                walk.lookups.iter().all(|count| *count > 100),
                "{:?}",
                walk.lookups
            );
        }
    }

    #[test]
    fn a_walk_with_the_shortest_settings_keeps_every_invariant() {
        let settings = KeySettings::default()
            .with_refresh_interval(SECOND)
            .with_cool_down(SECOND)
            .with_signature_interval(SECOND)
            .with_first_retry(Duration::from_millis(10))
            .with_last_retry(Duration::from_millis(10))
            .with_max_retry_after(Duration::ZERO)
            .with_max_absent(1);
        for seed in 0..10 {
            let mut walk = Walk::new(seed, settings.clone());
            for _ in 0..20_000 {
                walk.step();
            }
            assert!(walk.fetches > 500, "{}", walk.fetches);
        }
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
