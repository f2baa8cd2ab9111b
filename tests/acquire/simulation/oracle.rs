//! The rules of the cache and its flights, as the token endpoint can check them: which request is allowed,
//! and which answer a caller may be given.
//!
//! It is written from the rules and not from the code. It sees the requests, the answers and when tokens
//! are asked for, so where the client's own view is unknown it allows more, never less.

use std::{collections::HashMap, time::Duration};

use super::{
    super::endpoint::{Call, Key},
    desk::{ASKED_LATELY, Desk, Failed, Held, MINUTE, SECOND, Time, Why},
    script::Class,
};

/// What a flight has done for one token.
struct Run {
    started: Time,
    ended: Time,
    class: Class,
    is_retry: bool,
    was_redone: bool,
    was_reread: bool,
    may_redo: bool,
}

/// A token that was issued.
pub(crate) struct Issued {
    pub(crate) key: Key,
    pub(crate) asked: Time,
    pub(crate) lives: Duration,
    pub(crate) claims: Option<String>,
}

#[derive(Default)]
pub(crate) struct Oracle {
    desks: HashMap<Key, Desk>,
    runs: HashMap<(String, Key), Run>,
    pub(crate) issued: Vec<Issued>,
    pub(crate) counts: Counts,
}

/// What was seen, so that a script that tries nothing fails.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) renewals: u64,
    pub(crate) retries: u64,
    pub(crate) redone: u64,
    pub(crate) reread: u64,
    pub(crate) forced: u64,
    pub(crate) challenges: u64,
    pub(crate) handed_out: u64,
    pub(crate) spare: u64,
    pub(crate) failures: u64,
}

impl Counts {
    pub(crate) fn are_plenty(&self) -> bool {
        self.handed_out > 10_000
            && self.requests > 1_000
            && [self.renewals, self.retries, self.forced, self.challenges]
                .into_iter()
                .all(|count| count > 50)
            && self.spare > 10
            && self.redone > 5
            && self.reread > 0
    }
}

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Any,
    Fresh,
    Claims(String),
}

impl Oracle {
    /// A caller asks for a token.
    pub(crate) fn asks(&mut self, now: Time, key: &Key, legs: &[Key], wish: &Wish) {
        for key in legs.iter().chain([key]) {
            if !self.desks.contains_key(key) {
                self.desks.insert(key.clone(), Desk::default());
            }
            let desk = self.desks.get_mut(key).expect("just entered");
            desk.asked.retain(|asked| *asked + ASKED_LATELY >= now);
            desk.asked.push(now);
        }
        let desk = self.desks.entry(key.clone()).or_default();
        match wish {
            Wish::Any => {}
            Wish::Fresh => desk.fresh.push(now),
            Wish::Claims(claims) => desk.challenged.push((claims.clone(), now)),
        }
    }

    /// A caller who asked then has an answer.
    pub(crate) fn answered(&mut self, asked: Time, key: &Key, wish: &Wish) {
        let desk = self.desks.entry(key.clone()).or_default();
        match wish {
            Wish::Any => {}
            Wish::Fresh => desk.fresh.retain(|other| *other != asked),
            Wish::Claims(claims) => {
                let waiting = &mut desk.challenged;
                waiting.retain(|(of, other)| of != claims || *other != asked);
            }
        }
    }

    /// Whether a caller who asks now must be answered at once: by a token that is handed out.
    pub(crate) fn must_not_wait(&self, now: Time, key: &Key) -> bool {
        let held = self.desks.get(key).and_then(|desk| desk.held.as_ref());
        held.is_some_and(|held| now - held.asked < held.life().handed_out_until)
    }

    /// Whether a caller who asks now must start a renewal: nothing forbids it, and it is overdue.
    pub(crate) fn must_renew(&self, now: Time, key: &Key, legs: &[Key]) -> bool {
        let is_quiet = |desk: &Desk| {
            desk.failed.is_none()
                && desk.under_way.is_none()
                && desk.requested.is_some_and(|at| at + MINUTE + SECOND < now)
        };
        let are_good = legs
            .iter()
            .all(|leg| self.desks.get(leg).is_some_and(is_quiet) && self.must_not_wait(now, leg));
        let Some(desk) = self.desks.get(key) else {
            return false;
        };
        let is_due = desk.held.as_ref().is_some_and(|held| {
            let age = now - held.asked;
            (held.life().renewed_by..held.life().handed_out_until).contains(&age)
        });
        are_good
            && is_due
            && is_quiet(desk)
            && desk.claims_failed.values().all(|until| *until <= now)
    }

    pub(crate) fn was_requested_since(&self, then: Time, key: &Key) -> bool {
        let desk = self.desks.get(key);
        desk.is_some_and(|desk| desk.requested.is_some_and(|at| at >= then))
    }

    /// A token was handed out for this key. The serial number is in the token.
    pub(crate) fn handed_out(
        &mut self,
        asked: Time,
        now: Time,
        key: &Key,
        legs: &[Key],
        serial: u64,
        wish: &Wish,
    ) {
        self.counts.handed_out += 1;
        let issued = &self.issued[usize::try_from(serial).unwrap()];
        assert_eq!(&issued.key, key, "a token of another identity");
        let age = now - issued.asked;
        assert!(
            age < issued.lives,
            "an expired token: {age:?} of {:?}",
            issued.lives
        );
        match wish {
            Wish::Any => {}
            Wish::Fresh => assert!(
                issued.asked >= asked,
                "a token from before it was asked for"
            ),
            Wish::Claims(claims) => assert_eq!(issued.claims.as_ref(), Some(claims)),
        }
        let held = Held {
            serial,
            asked: issued.asked,
            lives: issued.lives,
            refresh_in: None,
            claims: None,
        };
        let life = held.life();
        if age < life.handed_out_until {
            return;
        }
        self.counts.spare += 1;
        assert!(
            age < life.spare_until,
            "a token of {:?} at the age of {age:?}",
            issued.lives
        );
        let failed_since = |key: &Key| {
            let last = self.desks.get(key).and_then(|desk| desk.failing_until);
            last.is_some_and(|last| last > held.asked)
        };
        assert!(
            failed_since(key) || legs.iter().any(failed_since),
            "a token of the age {age:?} although its renewal does not fail for a reason that passes"
        );
    }

    /// A caller was told that there is no token.
    pub(crate) fn failed(
        &mut self,
        now: Time,
        key: &Key,
        wish: &Wish,
        is_transient: bool,
        shown: &str,
    ) {
        self.counts.failures += 1;
        let held = self.desks.get(key).and_then(|desk| desk.held.as_ref());
        if let Some(held) = held
            && *wish == Wish::Any
        {
            let (age, life) = (now - held.asked, held.life());
            let serves = age < life.handed_out_until || is_transient && age < life.spare_until;
            assert!(
                !serves,
                "{key:?}: {shown} although a token of the age {age:?} serves"
            );
        }
    }

    /// A request arrives, of a flight that made its first one at `began`. `legs` are the T1 and T2 in it.
    pub(crate) fn arrives(&mut self, now: Time, call: &Call, began: Time, legs: &[Key]) {
        self.counts.requests += 1;
        let refused = |leg: &Key| self.desks.get(leg)?.last_refused;
        let refused = legs.iter().filter_map(refused).max();
        let of_flight = (call.flight.clone(), call.key.clone());
        let desk = self.desks.entry(call.key.clone()).or_default();
        desk.requested = Some(now);
        let fail = |why: &str| panic!("{:?} at {now:?}: {why}", call.key);
        if let Some(other) = &desk.under_way {
            fail(&format!(
                "flight {other} is under way, and {} asks too",
                call.flight
            ));
        }
        desk.under_way = Some(call.flight.clone());
        if !desk.asked.iter().any(|asked| *asked + ASKED_LATELY >= now) {
            fail("it was not asked for");
        }
        let is_by_credential = legs.is_empty() && call.assertion.is_some();
        let is_leg = call.key.is_t1() || call.key.is_t2();
        if let Some(run) = self.runs.get_mut(&of_flight) {
            let gap = now - run.ended;
            let in_line = SECOND..=Duration::from_millis(1_502);
            if run.class.is_retried && !run.is_retry && in_line.contains(&gap) {
                run.is_retry = true;
                self.counts.retries += 1;
                return;
            } else if run.class.rereads && is_by_credential && !run.was_reread && gap.is_zero() {
                (run.was_reread, run.is_retry) = (true, false);
                self.counts.reread += 1;
                return;
            } else if run.may_redo && !run.was_redone {
                (run.was_redone, run.is_retry) = (true, false);
                self.counts.redone += 1;
                return;
            } else if !is_leg {
                fail(&format!("{:?} after {:?}", call.flight, run.class));
            }
            // A flight can need T2 again after it has begun to renew it.
        }
        // A flight that waited for the T1 of another one began before, at an unknown time.
        let is_exact = is_leg || desk.asked.contains(&began);
        let at = if is_leg { now } else { began };
        // A refusal of T1 or T2 counts as one of the claims of its flight.
        let may_be_of_claims = refused
            .is_some_and(|refused| desk.held.as_ref().is_some_and(|held| held.asked <= refused));
        match desk.may_start(at, is_exact, may_be_of_claims, call.claims.as_ref()) {
            Ok(Why::Renewal) => {
                self.counts.renewals += 1;
                desk.tried = Some(at).filter(|_| is_exact);
            }
            Ok(Why::Forced) => self.counts.forced += 1,
            Ok(Why::Challenge) => self.counts.challenges += 1,
            Ok(Why::Needed) => {}
            Err(why) => fail(&why),
        }
        let run = Run {
            started: if is_exact {
                at
            } else {
                at.saturating_sub(30 * SECOND)
            },
            ended: now,
            class: Class::default(),
            is_retry: false,
            was_redone: false,
            was_reread: false,
            may_redo: false,
        };
        self.runs.insert(of_flight, run);
    }

    /// A request is answered by a token. Its serial number is in the token.
    pub(crate) fn grants(
        &mut self,
        call: &Call,
        asked: Time,
        lives: Duration,
        refresh_in: Option<Duration>,
        serial: u64,
    ) {
        let desk = self.desks.entry(call.key.clone()).or_default();
        desk.under_way = None;
        desk.failed = None;
        if let Some(claims) = &call.claims {
            desk.claims_failed.remove(claims);
        }
        desk.held = Some(Held {
            serial,
            asked,
            lives,
            refresh_in,
            claims: call.claims.clone(),
        });
        self.runs.remove(&(call.flight.clone(), call.key.clone()));
    }

    /// A request is answered otherwise. `used` are the serial numbers of the T1 and T2 in it.
    pub(crate) fn fails(&mut self, now: Time, call: &Call, class: Class, used: &[u64]) {
        let desk = self.desks.entry(call.key.clone()).or_default();
        desk.under_way = None;
        let run = self.runs.get_mut(&(call.flight.clone(), call.key.clone()));
        let run = run.expect("a request that arrived");
        (run.ended, run.class) = (now, class);
        let started = run.started;
        let mut until = now + class.remembered;
        if class.drops && !run.was_redone {
            for serial in used {
                let issued = &self.issued[usize::try_from(*serial).unwrap()];
                if now - issued.asked <= MINUTE {
                    continue;
                }
                run.may_redo = true;
                let leg = self.desks.entry(issued.key.clone()).or_default();
                leg.held.take_if(|held| held.serial == *serial);
                // The failure of its renewal is then that of this flight, for the time that is left of it.
                if let Some(failed) = leg.failed.filter(|failed| now < failed.until) {
                    until = until.min(failed.until);
                }
            }
        }
        let desk = self.desks.entry(call.key.clone()).or_default();
        match &call.claims {
            Some(claims) if !class.is_transient => {
                desk.claims_failed.insert(claims.clone(), until);
            }
            _ => {
                desk.failed = Some(Failed {
                    until,
                    is_transient: class.is_transient,
                });
                desk.tried = Some(started);
            }
        }
        match class.is_transient {
            true => desk.failing_until = Some(until),
            false => desk.last_refused = Some(now),
        }
    }
}
