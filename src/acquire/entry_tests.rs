//! Tests of the entry without a task or a network: each test sets the time.

use super::*;
use crate::{
    acquire::{
        error::Failure,
        kind::AcquireErrorKind::{self, *},
    },
    secret::Secret,
};

/// An entry and its clock.
struct Desk {
    entry: Entry,
    now: Moment,
    number: Number,
}

impl Desk {
    fn empty() -> Self {
        Self {
            entry: Entry::default(),
            now: Moment::now(),
            number: 0,
        }
    }

    /// A token that lives an hour has just been got.
    fn stocked() -> Self {
        let mut desk = Self::empty();
        desk.fetch(&Wanted::Any);
        desk
    }

    /// A token that lives an hour has just been got for these claims.
    fn stocked_for(claims: &str) -> (Self, AccessToken) {
        let mut desk = Self::empty();
        let token = desk.fetch(&challenge(claims, None));
        (desk, token)
    }

    fn pass(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now + Duration::from_secs(seconds);
        self
    }

    fn ask(&self, wanted: &Wanted) -> Verdict {
        self.entry.ask(self.now, wanted, None)
    }

    /// Starts the flight that the entry asks for, and answers its claims.
    #[track_caller]
    fn start(&mut self, wanted: &Wanted) -> Option<Arc<str>> {
        match self.ask(wanted) {
            Verdict::Start(start) | Verdict::Renew(_, start) => {
                let claims = start.claims.clone();
                self.number += 1;
                self.entry.start(self.now, self.number, LIMIT, start);
                claims
            }
            other => panic!("{other:?}"),
        }
    }

    fn begin(&mut self) {
        self.entry.begun(self.number);
    }

    fn good(&mut self, lives: u64) -> AccessToken {
        let lives = Duration::from_secs(lives);
        let token = AccessToken::new(Secret::new("t"), "", self.now, lives, None);
        let token = token.expect("a token");
        let result = Ok(token.clone());
        self.entry.ended(self.now, self.number, &result, 0.0);
        token
    }

    /// Starts a flight, which brings a token that lives an hour.
    #[track_caller]
    fn fetch(&mut self, wanted: &Wanted) -> AccessToken {
        self.start(wanted);
        self.good(3_600)
    }

    fn bad(&mut self, kind: AcquireErrorKind, is_transient: bool, retry_after: Option<u64>) {
        let error = AcquireError::new(Failure {
            retry_after: retry_after.map(Duration::from_secs),
            is_transient,
            ..Failure::new(kind, "it failed", "")
        });
        let result = Err(error);
        self.entry.ended(self.now, self.number, &result, 0.0);
    }

    fn transient(&mut self) {
        self.bad(Unavailable, true, None);
    }

    fn permanent(&mut self) {
        self.bad(ConsentRequired, false, None);
    }

    #[track_caller]
    fn is_handed_out(&self, wanted: &Wanted, token: &AccessToken) {
        match self.ask(wanted) {
            Verdict::HandOut(other) => assert!(other.is(token)),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn is_handed_out_or_renewed(&self, token: &AccessToken) {
        match self.ask(&Wanted::Any) {
            Verdict::HandOut(other) | Verdict::Renew(other, _) => assert!(other.is(token)),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn is_refused(&self, wanted: &Wanted, kind: AcquireErrorKind, left: Option<u64>) {
        match self.ask(wanted) {
            Verdict::Refuse(error) => {
                assert_eq!(error.kind(), kind);
                assert_eq!(error.retry_after(), left.map(Duration::from_secs));
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn is_due(&self) {
        assert!(matches!(self.ask(&Wanted::Any), Verdict::Renew(..)));
    }
}

fn challenge(claims: &str, refused: Option<&AccessToken>) -> Wanted {
    Wanted::For {
        claims: claims.into(),
        refused: refused.cloned(),
    }
}

const LIMIT: Duration = Duration::from_secs(31);

#[test]
fn a_token_that_lives_an_hour_is_renewed_after_fifty_minutes_while_it_is_handed_out() {
    let mut desk = Desk::stocked();
    let token = desk.entry.spare(desk.now, &Wanted::Any).expect("a token");
    desk.pass(2_999).is_handed_out(&Wanted::Any, &token);
    desk.pass(1).is_due();
    desk.start(&Wanted::Any);
    desk.begin();
    desk.is_handed_out(&Wanted::Any, &token);
    desk.pass(30).is_handed_out(&Wanted::Any, &token);
    desk.pass(1).is_due();
    desk.pass(268).is_due();
    desk.pass(1);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::Start(_)));
}

#[test]
fn a_renewal_that_fails_is_tried_again_after_half_a_minute() {
    let mut desk = Desk::stocked();
    desk.pass(3_000).is_due();
    for fails in [Desk::transient, Desk::permanent] {
        desk.start(&Wanted::Any);
        desk.pass(1);
        fails(&mut desk);
        for _ in 0..29 {
            assert!(matches!(desk.ask(&Wanted::Any), Verdict::HandOut(_)));
            desk.pass(1);
        }
        desk.is_due();
    }
}

#[test]
fn a_renewal_waits_as_long_as_the_endpoint_asks() {
    let mut desk = Desk::stocked();
    desk.pass(3_000).start(&Wanted::Any);
    desk.bad(Throttled, true, Some(120));
    desk.pass(119);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::HandOut(_)));
    desk.pass(1).is_due();
}

#[test]
fn while_renewal_fails_for_reasons_that_pass_the_token_serves_until_30_s_before_its_end() {
    let mut desk = Desk::stocked();
    desk.pass(3_299).start(&Wanted::Any);
    desk.transient();
    desk.pass(30).is_due();
    desk.start(&Wanted::Any);
    desk.bad(Throttled, true, Some(300));
    desk.pass(240);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::HandOut(_)));
    desk.pass(1).is_refused(&Wanted::Any, Throttled, Some(59));
}

#[test]
fn a_failure_that_does_not_pass_ends_the_token_five_minutes_before_its_end() {
    let mut desk = Desk::stocked();
    desk.pass(3_297).start(&Wanted::Any);
    desk.permanent();
    desk.pass(2);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::HandOut(_)));
    desk.pass(1).is_refused(&Wanted::Any, ConsentRequired, None);
    desk.pass(2);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::Start(_)));
}

#[test]
fn a_token_ages_by_the_clock_that_says_more() {
    let mut desk = Desk::stocked();
    desk.now.wall += Duration::from_secs(3_600);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::Start(_)));
    let mut desk = Desk::stocked();
    desk.pass(3_600).now.wall = Duration::ZERO;
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::Start(_)));
}

#[test]
fn a_clock_that_is_set_ahead_spends_no_budget() {
    let mut desk = Desk::stocked();
    desk.pass(3_000).start(&Wanted::Any);
    desk.transient();
    desk.now.wall += Duration::from_secs(60);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::HandOut(_)));
    let (mut desk, first) = Desk::stocked_for("c");
    let again = desk.fetch(&challenge("c", Some(&first)));
    desk.now.wall += Duration::from_secs(60);
    desk.is_refused(&challenge("c", Some(&again)), Busy, Some(5));
}

#[test]
fn a_failure_is_remembered_as_long_as_the_endpoint_asks_and_at_most_an_hour() {
    for (retry_after, remembered) in [
        (None, 5),
        (Some(0), 1),
        (Some(17), 17),
        (Some(3_600), 3_600),
        (Some(1_000_000), 3_600),
    ] {
        let mut desk = Desk::empty();
        desk.start(&Wanted::Any);
        desk.bad(Throttled, true, retry_after);
        for wanted in [Wanted::Any, Wanted::Fresh, challenge("c", None)] {
            desk.is_refused(&wanted, Throttled, Some(remembered));
        }
        desk.pass(remembered - 1);
        if remembered > 1 {
            desk.is_refused(&Wanted::Any, Throttled, Some(1));
        }
        desk.pass(1);
        assert!(matches!(desk.ask(&Wanted::Any), Verdict::Start(_)));
    }
    // One that does not pass by itself is remembered too, and names no time.
    let mut desk = Desk::empty();
    desk.start(&Wanted::Any);
    desk.bad(NotAllowed, false, None);
    desk.is_refused(&Wanted::Any, NotAllowed, None);
    desk.pass(4);
    desk.is_refused(&Wanted::Any, NotAllowed, None);
    desk.pass(1);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::Start(_)));
}

#[test]
fn fresh_joins_a_flight_that_has_not_begun_and_waits_for_the_end_of_one_that_has() {
    let mut desk = Desk::stocked();
    desk.start(&Wanted::Fresh);
    assert!(matches!(desk.ask(&Wanted::Fresh), Verdict::Join));
    desk.begin();
    assert!(matches!(desk.ask(&Wanted::Fresh), Verdict::WaitOut(2)));
    desk.good(3_600);
    let next = desk.entry.ask(desk.now, &Wanted::Fresh, Some(2));
    assert!(matches!(next, Verdict::Start(_)));
    desk.start(&Wanted::Fresh);
    desk.begin();
    let next = desk.entry.ask(desk.now, &Wanted::Fresh, Some(2));
    assert!(matches!(next, Verdict::Join));
    let token = desk.good(1);
    match desk.entry.ask(desk.now, &Wanted::Fresh, Some(2)) {
        Verdict::HandOut(other) => assert!(other.is(&token)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_got_for_claims_takes_the_place_of_the_plain_one() {
    let mut desk = Desk::stocked();
    let plain = desk.entry.spare(desk.now, &Wanted::Any).expect("a token");
    assert_eq!(
        desk.start(&challenge("c", Some(&plain))).as_deref(),
        Some("c")
    );
    desk.begin();
    // A thousand more that were refused with the plain token.
    assert!(matches!(
        desk.ask(&challenge("c", Some(&plain))),
        Verdict::Join
    ));
    assert!(matches!(
        desk.ask(&challenge("d", Some(&plain))),
        Verdict::WaitOut(2)
    ));
    let token = desk.good(3_600);
    desk.pass(2_999);
    desk.is_handed_out(&challenge("c", Some(&plain)), &token);
    desk.is_handed_out(&Wanted::Any, &token);
    desk.pass(1);
    assert_eq!(desk.start(&Wanted::Any).as_deref(), Some("c"), "a renewal");
}

#[test]
fn whatever_asks_while_a_token_for_claims_lives_asks_for_these_claims() {
    for (age, wanted, claims) in [
        (100, Wanted::Fresh, Some("c")),
        (3_300, Wanted::Any, Some("c")),
        (3_599, Wanted::Any, Some("c")),
        (3_600, Wanted::Any, None),
        (100, challenge("d", None), Some("d")),
    ] {
        let (mut desk, _) = Desk::stocked_for("c");
        assert_eq!(desk.pass(age).start(&wanted).as_deref(), claims);
    }
}

#[test]
fn a_token_for_claims_that_is_refused_too_is_replaced_once_in_five_seconds() {
    let (mut desk, first) = Desk::stocked_for("c");
    let second = desk.fetch(&challenge("c", Some(&first)));
    desk.is_handed_out(&challenge("c", Some(&first)), &second);
    desk.pass(4);
    desk.is_refused(&challenge("c", Some(&second)), Busy, Some(1));
    desk.is_handed_out(&Wanted::Any, &second);
    desk.pass(1);
    let third = desk.fetch(&challenge("c", Some(&second)));
    desk.is_refused(&challenge("c", Some(&third)), Busy, Some(5));
}

#[test]
fn claims_without_the_refused_token_are_answered_from_memory_for_five_seconds() {
    let (mut desk, token) = Desk::stocked_for("c");
    desk.pass(4).is_handed_out(&challenge("c", None), &token);
    desk.pass(1);
    assert!(matches!(desk.ask(&challenge("c", None)), Verdict::Start(_)));
}

#[test]
fn two_challenges_that_take_turns_cost_one_request_each_in_five_seconds() {
    let (mut desk, first) = Desk::stocked_for("c");
    desk.pass(1);
    let second = desk.fetch(&challenge("d", Some(&first)));
    desk.is_refused(&challenge("c", Some(&second)), Busy, Some(4));
    desk.pass(4);
    desk.fetch(&challenge("c", Some(&second)));
    desk.is_refused(&challenge("d", None), Busy, Some(1));
}

#[test]
fn claims_that_are_refused_are_no_failure_of_others() {
    let mut desk = Desk::stocked();
    let token = desk.entry.spare(desk.now, &Wanted::Any).expect("a token");
    desk.start(&challenge("invented", None));
    desk.permanent();
    desk.is_refused(&challenge("invented", None), ConsentRequired, None);
    desk.is_handed_out(&Wanted::Any, &token);
    assert!(matches!(desk.ask(&Wanted::Fresh), Verdict::Start(_)));
    assert!(matches!(desk.ask(&challenge("c", None)), Verdict::Start(_)));
    desk.start(&challenge("c", None));
    desk.transient();
    desk.is_refused(&Wanted::Fresh, Unavailable, Some(5));
}

#[test]
fn claims_that_entra_refuses_meanwhile_are_given_up_with_the_token_and_not_before() {
    let (mut desk, token) = Desk::stocked_for("c");
    desk.pass(3_000);
    assert_eq!(desk.start(&Wanted::Any).as_deref(), Some("c"));
    desk.permanent();
    desk.pass(30).is_handed_out_or_renewed(&token);
    assert_eq!(desk.start(&Wanted::Any).as_deref(), Some("c"));
    desk.permanent();
    desk.pass(270);
    assert_eq!(desk.start(&Wanted::Any), None);
}

#[test]
fn of_a_flood_of_invented_claims_sixteen_are_asked_for_in_five_seconds() {
    let mut desk = Desk::empty();
    for number in 0..16 {
        desk.fetch(&challenge(&format!("invented {number}"), None));
    }
    desk.pass(1)
        .is_refused(&challenge("one more", None), Busy, Some(4));
    desk.pass(4).fetch(&challenge("one more", None));
}

#[test]
fn a_flight_that_is_lost_stops_no_other() {
    let mut desk = Desk::empty();
    desk.start(&Wanted::Any);
    desk.begin();
    desk.pass(30);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::Join));
    desk.pass(1);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::Start(_)));
    desk.start(&Wanted::Any);
    let lost = Err(asked_for_these_claims(Duration::ZERO));
    assert!(!desk.entry.ended(desk.now, 1, &lost, 0.0));
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::Join));
}

#[test]
fn the_late_start_of_a_lost_flight_is_not_that_of_the_next_one() {
    let mut desk = Desk::empty();
    desk.start(&Wanted::Any);
    desk.pass(31).start(&Wanted::Any);
    desk.entry.begun(1);
    assert!(matches!(desk.ask(&Wanted::Fresh), Verdict::Join));
    desk.entry.begun(2);
    assert!(matches!(desk.ask(&Wanted::Fresh), Verdict::WaitOut(2)));
}

#[test]
fn a_caller_who_has_waited_is_given_the_newer_token_until_it_expires() {
    let mut desk = Desk::empty();
    desk.start(&Wanted::Any);
    let token = desk.good(10);
    let after = |desk: &Desk, since| desk.entry.ask(desk.now, &Wanted::Fresh, Some(since));
    assert!(matches!(after(&desk, 1), Verdict::Start(_)));
    for seconds in [0, 9] {
        match after(desk.pass(seconds), 0) {
            Verdict::HandOut(other) => assert!(other.is(&token)),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(after(desk.pass(1), 0), Verdict::Start(_)));
}

#[test]
fn a_token_got_for_the_same_claims_meanwhile_serves_who_has_waited() {
    let (mut desk, token) = Desk::stocked_for("c");
    desk.pass(6);
    let after = |since| desk.entry.ask(desk.now, &challenge("c", None), since);
    match after(Some(0)) {
        Verdict::HandOut(other) => assert!(other.is(&token)),
        other => panic!("{other:?}"),
    }
    for since in [None, Some(1)] {
        assert!(matches!(after(since), Verdict::Start(_)));
    }
}

#[test]
fn without_a_flight_the_token_in_hand_serves_until_30_s_before_its_end() {
    let mut desk = Desk::stocked();
    desk.pass(3_569);
    assert!(desk.entry.spare(desk.now, &Wanted::Any).is_some());
    assert!(desk.entry.spare(desk.now, &Wanted::Fresh).is_none());
    desk.pass(1);
    assert!(desk.entry.spare(desk.now, &Wanted::Any).is_none());
}

#[test]
fn a_failure_that_names_a_time_is_refused_with_the_time_left() {
    let mut desk = Desk::empty();
    desk.start(&Wanted::Any);
    desk.bad(Busy, false, Some(30));
    desk.pass(1).is_refused(&Wanted::Any, Busy, Some(29));
}

#[test]
fn what_a_flight_was_given_up_for_is_not_remembered() {
    let mut desk = Desk::empty();
    desk.start(&challenge("c", None));
    assert!(desk.entry.abandoned(1));
    desk.start(&challenge("c", None));
}

#[test]
fn a_token_is_forgotten_unless_another_has_taken_its_place() {
    let mut desk = Desk::stocked();
    let first = desk.entry.spare(desk.now, &Wanted::Any).expect("a token");
    let second = desk.fetch(&Wanted::Fresh);
    desk.entry.forget(&first);
    desk.is_handed_out(&Wanted::Any, &second);
    desk.entry.forget(&second);
    assert!(matches!(desk.ask(&Wanted::Any), Verdict::Start(_)));
}

#[test]
fn an_entry_is_spent_when_token_failure_and_challenge_are_over() {
    assert!(Desk::empty().entry.is_spent(Moment::now()));
    let mut desk = Desk::stocked();
    for (seconds, is_spent) in [(3_599, false), (1, true)] {
        desk.pass(seconds);
        assert_eq!(desk.entry.is_spent(desk.now), is_spent);
    }
    for claims in [Wanted::Any, challenge("c", None)] {
        let mut desk = Desk::empty();
        desk.start(&claims);
        desk.permanent();
        for (seconds, is_spent) in [(4, false), (1, true)] {
            desk.pass(seconds);
            assert_eq!(desk.entry.is_spent(desk.now), is_spent);
        }
    }
    let mut desk = Desk::empty();
    desk.start(&Wanted::Any);
    assert!(!desk.entry.is_spent(desk.now));
}
