//! The entry against a model of it: random walks that shrink, and every short walk.
//!
//! The model keeps the whole history of flights and derives each answer from that and the contract; the
//! entry keeps only what it needs. Both must give the same answers. The promises to callers and to the
//! token endpoint are also checked for each answer by itself.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{
    acquire::{error::Failure, kind::AcquireErrorKind},
    secret::Secret,
};

type Claims = &'static str;

/// One event.
#[derive(Clone, Debug)]
enum Step {
    /// Time passes.
    Pass(Duration),
    /// The machine sleeps: only the wall clock goes on.
    Sleep(Duration),
    /// The wall clock is set back, and goes on from there.
    SetBack(Duration),
    Ask(Ask),
    /// The task of the flight under way begins to run.
    Begin,
    /// The oldest flight that has not ended ends.
    End(Outcome),
    /// The token in hand is forgotten.
    Forget,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Any,
    Fresh,
    /// For these claims, without the token that was refused.
    For(Claims),
    /// For these claims, because the token in hand was refused.
    Refused(Claims),
    /// For these claims, because an earlier token was refused.
    RefusedEarlier(Claims),
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// A token that lives this long.
    Token {
        lives: Duration,
        refresh_in: Option<Duration>,
        chance: f64,
    },
    Failed {
        is_transient: bool,
        retry_after: Option<Duration>,
    },
    Abandoned,
}

/// Why a flight started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Needed,
    Renewal,
    Challenge,
    Again,
}

/// A flight as an observer sees it. Its number is its place in the history, counted from one.
#[derive(Clone, Debug)]
struct Past {
    start: Moment,
    claims: Option<Claims>,
    why: Why,
    has_begun: bool,
    /// Another has taken its place before it ended.
    was_lost: bool,
    end: Option<(Moment, Outcome)>,
    token: Option<AccessToken>,
    is_forgotten: bool,
}

#[derive(Clone, Debug)]
struct Caller {
    wanted: Wanted,
    since: Option<Number>,
    /// The flights that had begun when it came.
    begun: Vec<Number>,
    waits_for: Number,
    will_join: bool,
    waits: u32,
}

/// An answer, by the numbers of flights.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    HandOut(Number),
    Renew(Number, Option<Claims>),
    Start(Option<Claims>, Why),
    Join,
    WaitOut(Number),
    /// The failure of this flight, and the time left that is named.
    Failure(Number, Option<Duration>),
    /// These claims were asked for a short time ago.
    TooSoon(Option<Duration>),
}

/// The entry, its surroundings, and the model.
#[derive(Clone)]
struct World {
    entry: Entry,
    now: Moment,
    history: Vec<Past>,
    callers: Vec<Caller>,
}

/// The events.
impl World {
    fn new() -> Self {
        Self {
            entry: Entry::default(),
            now: Moment::now(),
            history: Vec::new(),
            callers: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Pass(time) => self.now = self.now + *time,
            Step::Sleep(time) => self.now.wall += *time,
            Step::SetBack(time) => self.now.wall = self.now.wall.saturating_sub(*time),
            Step::Ask(ask) => self.arrive(*ask),
            Step::Begin => self.begin(),
            Step::End(outcome) => self.end(*outcome),
            Step::Forget => {
                if let Some(at) = self.held() {
                    let past = &mut self.history[at];
                    past.is_forgotten = true;
                    let token = past.token.clone().expect("it is held");
                    self.entry.forget(&token);
                }
            }
        }
        let is_evictable = self.under_way().is_none();
        assert_eq!(self.entry.is_evictable(self.now), is_evictable);
        if self.entry.is_spent(self.now) {
            self.check_spent();
        }
    }

    fn arrive(&mut self, ask: Ask) {
        let token = |at: Option<usize>| at.and_then(|at| self.history[at].token.clone());
        let wanted = match ask {
            Ask::Any => Wanted::Any,
            Ask::Fresh => Wanted::Fresh,
            Ask::For(claims) => Wanted::For {
                claims: claims.into(),
                refused: None,
            },
            Ask::Refused(claims) => Wanted::For {
                claims: claims.into(),
                refused: token(self.held()),
            },
            Ask::RefusedEarlier(claims) => Wanted::For {
                claims: claims.into(),
                refused: token(self.history.iter().position(|past| past.token.is_some())),
            },
        };
        let begun = (1..).zip(&self.history);
        let begun = begun.filter(|(_, past)| past.has_begun);
        self.ask(Caller {
            wanted,
            since: None,
            begun: begun.map(|(number, _)| number).collect(),
            waits_for: 0,
            will_join: false,
            waits: 0,
        });
    }

    fn ask(&mut self, caller: Caller) {
        let expected = self.expected(&caller);
        let verdict = self.entry.ask(self.now, &caller.wanted, caller.since);
        assert_eq!(self.answer(&verdict), expected, "{caller:?}");
        let joins = !matches!(expected, Answer::WaitOut(_));
        match verdict {
            Verdict::HandOut(token) => {
                self.check_token(&token, &caller);
                self.check_renewal(&token, &caller, false);
            }
            Verdict::Renew(token, start) => {
                self.check_token(&token, &caller);
                self.check_renewal(&token, &caller, true);
                self.start(start);
            }
            Verdict::Start(start) => {
                self.start(start);
                caller.wait_for(self.number(), joins, &mut self.callers);
            }
            Verdict::Join | Verdict::WaitOut(_) => {
                caller.wait_for(self.number(), joins, &mut self.callers);
            }
            Verdict::Refuse(error) => {
                let is_named = error.retry_after().is_some();
                assert_eq!(is_named, error.is_transient());
            }
        }
    }

    fn start(&mut self, start: Start) {
        assert!(self.under_way().is_none(), "two flights at a time");
        let why = why(start.cause);
        let claims = claims(start.claims.as_deref());
        self.check_start(why, claims);
        if let Some(lost) = self.history.last_mut() {
            lost.was_lost |= lost.end.is_none();
        }
        let lost = self.number();
        self.callers.retain(|caller| caller.waits_for != lost);
        self.history.push(Past {
            start: self.now,
            claims,
            why,
            has_begun: false,
            was_lost: false,
            end: None,
            token: None,
            is_forgotten: false,
        });
        self.entry.start(self.now, self.number(), LIMIT, start);
    }

    fn begin(&mut self) {
        if let Some(past) = self.history.last_mut() {
            past.has_begun = true;
        }
        self.entry.begun(self.number());
    }

    fn end(&mut self, outcome: Outcome) {
        let now = self.now;
        let is_open = |past: &Past| past.end.is_none();
        let Some(at) = self.history.iter().position(is_open) else {
            return;
        };
        let number = number(at);
        let past = &mut self.history[at];
        past.has_begun = true;
        past.end = Some((now, outcome));
        let was_kept = match outcome {
            Outcome::Token {
                lives,
                refresh_in,
                chance,
            } => {
                let text = Secret::new(number.to_string());
                let token = AccessToken::new(text, "", past.start, lives, refresh_in);
                past.token = token.clone();
                let result = Ok(token.expect("a token"));
                self.entry.ended(now, number, &result, chance)
            }
            Outcome::Failed {
                is_transient,
                retry_after,
            } => {
                let kind = match is_transient {
                    true => AcquireErrorKind::Unavailable,
                    false => AcquireErrorKind::NotAllowed,
                };
                let error = AcquireError::new(Failure {
                    retry_after,
                    is_transient,
                    ..Failure::new(kind, number.to_string(), "")
                });
                self.entry.ended(now, number, &Err(error), 0.0)
            }
            Outcome::Abandoned => self.entry.abandoned(number),
        };
        assert_eq!(was_kept, !self.history[at].was_lost);
        let waited = |caller: &mut Caller| caller.waits_for == number;
        let callers: Vec<_> = self.callers.extract_if(.., waited).collect();
        for mut caller in callers {
            if caller.will_join {
                self.check_outcome(&caller, at);
            } else {
                caller.since.get_or_insert(number);
                self.ask(caller);
            }
        }
    }
}

impl Caller {
    fn wait_for(mut self, number: Number, joins: bool, callers: &mut Vec<Self>) {
        self.waits += u32::from(!joins);
        self.waits_for = number;
        self.will_join = joins;
        if matches!(self.wanted, Wanted::Fresh) {
            assert!(self.waits < 2, "it waits for more than two flights");
        }
        callers.push(self);
    }
}

/// The model: the answers of the contract, derived from the history.
impl World {
    fn number(&self) -> Number {
        Number::try_from(self.history.len()).expect("a short walk")
    }

    /// The flights that ended, of which the entry was told in time, in the order of their ends.
    fn ended(&self) -> impl DoubleEndedIterator<Item = (usize, &Past, Moment, Outcome)> {
        let history = self.history.iter().enumerate();
        history
            .filter(|(_, past)| !past.was_lost)
            .filter_map(|(at, past)| past.end.map(|(end, outcome)| (at, past, end, outcome)))
    }

    fn under_way(&self) -> Option<&Past> {
        let last = self.history.last()?;
        let is_lost = self.now.monotonic >= last.start.monotonic + LIMIT;
        (last.end.is_none() && !is_lost).then_some(last)
    }

    /// The last token, unless it was forgotten.
    fn held(&self) -> Option<usize> {
        let mut tokens = self.ended().filter(|(_, past, ..)| past.token.is_some());
        let (at, past, ..) = tokens.next_back()?;
        (!past.is_forgotten).then_some(at)
    }

    fn phase(&self, at: usize) -> Phase {
        let past = &self.history[at];
        match past.end {
            Some((
                _,
                Outcome::Token {
                    lives,
                    refresh_in,
                    chance,
                },
            )) => Lifetime::new(lives, refresh_in, chance).phase(self.now.since(past.start)),
            _ => unreachable!("it is a token"),
        }
    }

    /// The failures since the last token, with when each is forgotten and whether it passes by itself.
    /// Those of claims alone are left out, or are those of these claims.
    fn last_failure(&self, of: Option<Claims>) -> Option<(usize, Moment, bool)> {
        for (at, past, end, outcome) in self.ended().rev() {
            match outcome {
                // A token ends what is remembered of the key; that of others' claims stays.
                Outcome::Token { .. } if of.is_none() || past.claims == of => return None,
                Outcome::Failed {
                    is_transient,
                    retry_after,
                } => {
                    let asked = retry_after.unwrap_or(5 * SECOND);
                    let until = end + asked.clamp(SECOND, 3_600 * SECOND);
                    let of_claims = past.claims.filter(|_| !is_transient);
                    if of_claims == of {
                        return Some((at, until, is_transient));
                    }
                    // The last refused claims are remembered, and no others.
                    if of.is_some() && of_claims.is_some() {
                        return None;
                    }
                }
                Outcome::Token { .. } | Outcome::Abandoned => {}
            }
        }
        None
    }

    fn remembered(&self, claims: Option<Claims>) -> Option<Answer> {
        let of_all = self.last_failure(None);
        let of_claims = claims.and_then(|claims| self.last_failure(Some(claims)));
        let mut failures = [of_all, of_claims].into_iter().flatten();
        let (at, until, is_transient) =
            failures.find(|(_, until, _)| !self.now.has_reached(*until))?;
        let left = is_transient.then(|| self.now.until(until).max(SECOND));
        Some(Answer::Failure(number(at), left))
    }

    fn expected(&self, caller: &Caller) -> Answer {
        let is_newer = |number: Number| caller.since.is_some_and(|since| number > since);
        let held = self.held();
        match &caller.wanted {
            Wanted::Any => {
                if let Some(answer) = held.and_then(|held| self.expected_of(held)) {
                    return answer;
                }
                if self.under_way().is_some() {
                    return Answer::Join;
                }
                self.flight(self.sticky(), Why::Needed)
            }
            Wanted::Fresh => {
                if let Some(held) = held
                    && is_newer(number(held))
                    && self.phase(held) < Phase::Expired
                {
                    return Answer::HandOut(number(held));
                }
                match self.under_way() {
                    Some(past) if !past.has_begun => Answer::Join,
                    Some(_) if is_newer(self.number()) => Answer::Join,
                    Some(_) => Answer::WaitOut(self.number()),
                    None => self.flight(self.sticky(), Why::Needed),
                }
            }
            Wanted::For {
                claims: asked,
                refused,
            } => {
                let asked = claims(Some(asked));
                let held = held.filter(|held| self.history[*held].claims == asked);
                let is_refused = held.is_some_and(|held| {
                    let token = self.history[held].token.as_ref().expect("a token");
                    refused.as_ref().is_some_and(|refused| refused.is(token))
                });
                if let Some(held) = held
                    && !is_refused
                    && (refused.is_some() || is_newer(number(held)) || self.is_recent(held))
                    && let Some(answer) = self.expected_of(held)
                {
                    return answer;
                }
                match self.under_way() {
                    Some(past) if past.claims == asked => Answer::Join,
                    Some(_) => Answer::WaitOut(self.number()),
                    None => self.challenge(asked.expect("claims"), is_refused),
                }
            }
        }
    }

    fn is_recent(&self, at: usize) -> bool {
        let (end, _) = self.history[at].end.expect("it has ended");
        self.now.monotonic < end.monotonic + 5 * SECOND
    }

    /// This token, if it serves.
    fn expected_of(&self, held: usize) -> Option<Answer> {
        let is_failing = self.last_failure(None).is_some_and(|(_, _, passes)| passes);
        let may_renew = match self.phase(held) {
            Phase::Young => false,
            Phase::Ageing => true,
            Phase::Spare if is_failing => true,
            Phase::Spare | Phase::Ending | Phase::Expired => return None,
        };
        let claims = self.history[held].claims;
        let is_barred = self.was_tried() || self.remembered(claims).is_some();
        if may_renew && self.under_way().is_none() && !is_barred {
            return Some(Answer::Renew(number(held), claims));
        }
        Some(Answer::HandOut(number(held)))
    }

    /// «At most one attempt per 30 s and key»: a renewal, or a flight that failed.
    fn was_tried(&self) -> bool {
        self.history.iter().any(|past| {
            let has_failed = match past.end {
                Some((_, Outcome::Failed { is_transient, .. })) => {
                    !past.was_lost && (past.claims.is_none() || is_transient)
                }
                _ => false,
            };
            let is_try = past.why == Why::Renewal || has_failed;
            is_try && self.now.monotonic < past.start.monotonic + 30 * SECOND
        })
    }

    /// «A renewal of a token that was got for claims must ask with these claims again.»
    fn sticky(&self) -> Option<Claims> {
        let held = self.held()?;
        let claims = self.history[held].claims?;
        let is_refused = self.last_failure(Some(claims)).is_some();
        (self.phase(held) < Phase::Expired && !is_refused).then_some(claims)
    }

    fn flight(&self, claims: Option<Claims>, why: Why) -> Answer {
        let remembered = self.remembered(claims);
        remembered.unwrap_or(Answer::Start(claims, why))
    }

    /// «If it is refused with the very same claims, at most one more attempt in 5 s.»
    fn challenge(&self, asked: Claims, is_refused: bool) -> Answer {
        let left = |past: &Past| {
            let end = past.start.monotonic + 5 * SECOND;
            end.saturating_duration_since(self.now.monotonic)
        };
        let made: Vec<_> = self.challenges(asked).collect();
        let made = made.into_iter();
        let counted = made.filter(|past| !is_refused || past.why == Why::Again);
        let left = counted.map(left).max().unwrap_or_default();
        if let Some(answer) = self.remembered(Some(asked)) {
            return answer;
        }
        if !left.is_zero() {
            return Answer::TooSoon(Some(left.max(SECOND)));
        }
        let why = if is_refused {
            Why::Again
        } else {
            Why::Challenge
        };
        Answer::Start(Some(asked), why)
    }

    /// The flights that challenges with these claims had made, since the last one that was abandoned.
    fn challenges(&self, claims: Claims) -> impl Iterator<Item = &Past> {
        let made = move |past: &&Past| {
            let is_challenge = matches!(past.why, Why::Challenge | Why::Again);
            is_challenge && past.claims == Some(claims)
        };
        let is_abandoned =
            |past: &Past| matches!(past.end, Some((_, Outcome::Abandoned))) && !past.was_lost;
        let last_abandoned = self
            .history
            .iter()
            .rposition(|past| made(&past) && is_abandoned(past));
        let from = last_abandoned.map_or(0, |at| at + 1);
        self.history[from..].iter().filter(made)
    }

    fn answer(&self, verdict: &Verdict) -> Answer {
        let of = |text: &str| text.parse::<Number>();
        let token = |token: &AccessToken| of(token.secret()).expect("a number");
        match verdict {
            Verdict::HandOut(handed_out) => Answer::HandOut(token(handed_out)),
            Verdict::Renew(handed_out, start) => {
                assert_eq!(start.cause, Cause::Renewal);
                Answer::Renew(token(handed_out), claims(start.claims.as_deref()))
            }
            Verdict::Start(start) => {
                Answer::Start(claims(start.claims.as_deref()), why(start.cause))
            }
            Verdict::Join => Answer::Join,
            Verdict::WaitOut(number) => Answer::WaitOut(*number),
            Verdict::Refuse(error) => match of(&error.to_string()) {
                Ok(number) => Answer::Failure(number, error.retry_after()),
                Err(_) => Answer::TooSoon(error.retry_after()),
            },
        }
    }
}

/// The promises, for each answer by itself.
impl World {
    /// No expired token; none that is too near its end; never one of other claims, or one that was
    /// refused, to those who named them.
    fn check_token(&self, token: &AccessToken, caller: &Caller) {
        let number: Number = token.secret().parse().expect("a number");
        let at = usize::try_from(number - 1).expect("a short walk");
        let past = &self.history[at];
        let age = self.now.since(token.asked());
        assert!(age < token.lives(), "an expired token");
        let is_failing = self.last_failure(None).is_some_and(|(_, _, passes)| passes);
        let margin = if is_failing {
            30 * SECOND
        } else {
            300 * SECOND
        };
        let is_near_its_end = age >= (token.lives().saturating_sub(margin)).max(token.lives() / 2);
        match &caller.wanted {
            Wanted::Any => assert!(!is_near_its_end, "too near its end"),
            Wanted::Fresh => assert!(!caller.begun.contains(&number), "an older token"),
            Wanted::For { claims, refused } => {
                assert!(!is_near_its_end, "too near its end");
                assert_eq!(past.claims, Some(&**claims));
                assert!(!refused.as_ref().is_some_and(|refused| refused.is(token)));
            }
        }
    }

    /// A token that is handed out is renewed from its time on, at the latest from the margin on, but for the
    /// reasons that the contract names, and not before.
    fn check_renewal(&self, token: &AccessToken, caller: &Caller, is_renewed: bool) {
        let lives = token.lives();
        let earliest = match token.refresh_in() {
            Some(refresh_in) if refresh_in < lives => refresh_in,
            _ if lives < 1_200 * SECOND => lives * 3 / 10,
            _ if lives < 7_200 * SECOND => lives - 600 * SECOND,
            _ => lives / 2,
        };
        let margin = lives.saturating_sub(300 * SECOND).max(lives / 2);
        let latest = margin.min(earliest + (earliest / 10).min(60 * SECOND));
        let age = self.now.since(token.asked());
        if is_renewed {
            assert!(age >= earliest.min(margin), "renewed too early");
        } else if age >= latest && !matches!(caller.wanted, Wanted::Fresh) {
            let number: Number = token.secret().parse().expect("a number");
            let at = usize::try_from(number - 1).expect("a short walk");
            let has_failed = self.remembered(self.history[at].claims).is_some();
            let is_under_way = self.under_way().is_some();
            assert!(
                is_under_way || self.was_tried() || has_failed,
                "not renewed"
            );
        }
    }

    /// The result of a flight that a caller joined or started.
    fn check_outcome(&self, caller: &Caller, at: usize) {
        match &caller.wanted {
            Wanted::Any => {}
            Wanted::Fresh => assert!(!caller.begun.contains(&number(at)), "an older flight"),
            Wanted::For { claims, .. } => {
                assert_eq!(self.history[at].claims, Some(&**claims));
            }
        }
    }

    /// The budgets: renewals, the answers to a challenge, and what is remembered.
    fn check_start(&self, why: Why, claims: Option<Claims>) {
        let now = self.now;
        let within = |past: &&Past, time: Duration| now.monotonic < past.start.monotonic + time;
        if why == Why::Renewal {
            let renewals = self.history.iter().filter(|past| past.why == why);
            assert_eq!(renewals.filter(|past| within(past, 30 * SECOND)).count(), 0);
        }
        if let (Why::Challenge | Why::Again, Some(claims)) = (why, claims) {
            let made = || self.challenges(claims);
            assert!(made().filter(|past| within(past, 5 * SECOND)).count() < 2);
            if why == Why::Again {
                let mut again = made().filter(|past| past.why == Why::Again);
                assert!(!again.any(|past| within(&past, 5 * SECOND)));
            }
        }
        // Claims are given up only for others, by a challenge, or because they were refused.
        if let Some(held) = self.held()
            && self.phase(held) < Phase::Expired
            && let Some(got_for) = self.history[held].claims
            && claims != Some(got_for)
        {
            let was_refused = self.last_failure(Some(got_for)).is_some();
            assert!(was_refused || matches!(why, Why::Challenge | Why::Again));
        }
    }

    /// Nothing is lost with an entry that is dropped: without it each answer would be the same, but
    /// for the claims of a token that has expired.
    fn check_spent(&self) {
        assert!(self.under_way().is_none());
        for wanted in [
            Wanted::Any,
            Wanted::Fresh,
            Wanted::For {
                claims: FIRST.into(),
                refused: None,
            },
            Wanted::For {
                claims: SECOND_CLAIMS.into(),
                refused: None,
            },
        ] {
            let with = self.entry.ask(self.now, &wanted, None);
            let without = Entry::default().ask(self.now, &wanted, None);
            assert_eq!(self.answer(&with), self.answer(&without));
        }
    }
}

fn number(at: usize) -> Number {
    Number::try_from(at + 1).expect("a short walk")
}

fn why(cause: Cause) -> Why {
    match cause {
        Cause::Needed => Why::Needed,
        Cause::Renewal => Why::Renewal,
        Cause::Challenge => Why::Challenge,
        Cause::ChallengeAgain => Why::Again,
    }
}

fn claims(text: Option<&str>) -> Option<Claims> {
    text.map(|text| if text == FIRST { FIRST } else { SECOND_CLAIMS })
}

/// The times at which something changes, shortly before and after them, and others.
fn time() -> impl Strategy<Value = Duration> {
    let edge = (select(EDGES.as_slice()), -1..=1_i64).prop_map(|(seconds, off)| {
        Duration::from_millis((seconds * 1_000).saturating_add_signed(off))
    });
    prop_oneof![
        4 => edge,
        4 => (0..10_000_u64).prop_map(Duration::from_millis),
        1 => (0..4_000_u64).prop_map(Duration::from_secs),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let claims = select([FIRST, SECOND_CLAIMS].as_slice());
    prop_oneof![
        4 => Just(Ask::Any),
        2 => Just(Ask::Fresh),
        1 => claims.clone().prop_map(Ask::For),
        2 => claims.clone().prop_map(Ask::Refused),
        1 => claims.prop_map(Ask::RefusedEarlier),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let seconds = |all: &'static [u64]| select(all).prop_map(Duration::from_secs);
    let lives = seconds(&[1, 40, 100, 599, 1_000, 3_600, 7_200]);
    let refresh_in = prop_oneof![3 => Just(None), 1 => seconds(&[0, 60, 1_800]).prop_map(Some)];
    let retry_after = prop_oneof![
        2 => Just(None),
        1 => seconds(&[0, 10, 60, 9_999]).prop_map(Some),
    ];
    prop_oneof![
        6 => (lives, refresh_in, 0.0..=1.0).prop_map(|(lives, refresh_in, chance)| {
            Outcome::Token { lives, refresh_in, chance }
        }),
        3 => retry_after.prop_map(|retry_after| Outcome::Failed {
            is_transient: true,
            retry_after,
        }),
        2 => Just(PERMANENT),
        1 => Just(Outcome::Abandoned),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => time().prop_map(Step::Pass),
        1 => time().prop_map(Step::Sleep),
        1 => time().prop_map(Step::SetBack),
        8 => ask().prop_map(Step::Ask),
        3 => Just(Step::Begin),
        6 => outcome().prop_map(Step::End),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn on_every_walk_the_entry_agrees_with_the_model(steps in vec(step(), 0..120)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
    }

    /// No state is a dead end: an endpoint that gives tokens again is asked within the longest
    /// `Retry-After`, and every caller has an answer.
    #[test]
    fn after_every_walk_a_token_is_handed_out_again(steps in vec(step(), 0..60)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        let good = Outcome::Token {
            lives: 7_200 * SECOND,
            refresh_in: None,
            chance: 0.5,
        };
        world.take(&Step::Pass(3_601 * SECOND));
        for ask in [Ask::Any, Ask::Fresh, Ask::For(FIRST), Ask::Refused(FIRST)] {
            world.take(&Step::Ask(ask));
            while world.history.iter().any(|past| past.end.is_none()) {
                world.take(&Step::End(good));
            }
            prop_assert!(world.callers.is_empty());
            let held = world.held().expect("a token");
            prop_assert!(world.phase(held) <= Phase::Spare);
        }
    }
}

/// Every walk of a fixed number of steps of a few kinds. The token's life is short, so that the walks
/// pass every limit.
#[test]
fn on_every_short_walk_the_entry_agrees_with_the_model() {
    const DEPTH: u32 = 6;
    let steps = [
        Step::Pass(2 * SECOND),
        Step::Pass(31 * SECOND),
        Step::Ask(Ask::Any),
        Step::Ask(Ask::Fresh),
        Step::Ask(Ask::For(FIRST)),
        Step::Ask(Ask::Refused(FIRST)),
        Step::Ask(Ask::Refused(SECOND_CLAIMS)),
        Step::Begin,
        Step::End(Outcome::Token {
            lives: 100 * SECOND,
            refresh_in: None,
            chance: 0.0,
        }),
        Step::End(Outcome::Failed {
            is_transient: true,
            retry_after: Some(40 * SECOND),
        }),
        Step::End(PERMANENT),
        Step::End(Outcome::Abandoned),
    ];

    fn walk(world: &World, steps: &[Step], depth: u32, walks: &mut u64) {
        if depth == 0 {
            *walks += 1;
            return;
        }
        let last = world.history.last();
        for step in steps {
            let changes_nothing = match step {
                Step::Begin => last.is_none_or(|past| past.has_begun),
                Step::End(_) => world.history.iter().all(|past| past.end.is_some()),
                _ => false,
            };
            if changes_nothing {
                continue;
            }
            let mut next = world.clone();
            next.take(step);
            let starts_or_waits = next.history.len() > world.history.len()
                || next.callers.len() > world.callers.len();
            if matches!(step, Step::Ask(_)) && !starts_or_waits {
                // What follows an answer at once is a walk without this step, too.
                *walks += 1;
                continue;
            }
            walk(&next, steps, depth - 1, walks);
        }
    }

    let mut world = World::new();
    world.take(&Step::Ask(Ask::Any));
    let mut walks = 0;
    walk(&world, &steps, DEPTH, &mut walks);
    assert!(walks > 100_000, "{walks}");
}

const FIRST: Claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
const SECOND_CLAIMS: Claims = r#"{"access_token":{"acrs":{"value":"c1"}}}"#;

const PERMANENT: Outcome = Outcome::Failed {
    is_transient: false,
    retry_after: None,
};

/// Seconds.
const EDGES: [u64; 14] = [
    0, 1, 2, 5, 20, 30, 31, 50, 60, 300, 1_800, 3_300, 3_570, 3_600,
];

const LIMIT: Duration = Duration::from_secs(31);

const SECOND: Duration = Duration::from_secs(1);
