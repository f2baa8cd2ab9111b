//! In the tree of mutants only: which mutant is on, and which ones were reached.

#![allow(missing_docs, clippy::must_use_candidate)]

use std::{
    env,
    fs::{File, OpenOptions},
    io::Write as _,
    ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Sub, SubAssign},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

static REACHED: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

struct Told {
    on: u32,
    reached: Option<File>,
}

fn told() -> &'static Told {
    static TOLD: OnceLock<Told> = OnceLock::new();
    TOLD.get_or_init(|| Told {
        on: env::var("MUTANT").map_or(0, |on| on.parse().unwrap_or(0)),
        reached: env::var_os("MUTANTS_REACHED")
            .and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok()),
    })
}

/// Whether this mutant is on. Written down at once when it is reached first: a process may be killed.
pub fn is(number: u32) -> bool {
    let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
    let told = told();
    if let Some(mut file) = told.reached.as_ref()
        && REACHED[word].load(Ordering::Relaxed) & bit == 0
        && REACHED[word].fetch_or(bit, Ordering::Relaxed) & bit == 0
    {
        let _ = file.write_all(format!("{number}\n").as_bytes());
    }
    number == told.on
}

pub fn less<A: PartialOrd<B> + ?Sized, B: ?Sized>(number: u32, a: &A, b: &B) -> bool {
    if is(number) {
        a <= b
    } else if is(number + 1) {
        a > b
    } else {
        a < b
    }
}

pub fn at_most<A: PartialOrd<B> + ?Sized, B: ?Sized>(number: u32, a: &A, b: &B) -> bool {
    if is(number) {
        a < b
    } else if is(number + 1) {
        a > b
    } else {
        a <= b
    }
}

pub fn more<A: PartialOrd<B> + ?Sized, B: ?Sized>(number: u32, a: &A, b: &B) -> bool {
    if is(number) {
        a >= b
    } else if is(number + 1) {
        a < b
    } else {
        a > b
    }
}

pub fn at_least<A: PartialOrd<B> + ?Sized, B: ?Sized>(number: u32, a: &A, b: &B) -> bool {
    if is(number) {
        a > b
    } else if is(number + 1) {
        a < b
    } else {
        a >= b
    }
}

pub fn plus<A: Add<B, Output = C> + Sub<B, Output = C>, B, C>(number: u32, a: A, b: B) -> C {
    if is(number) { a - b } else { a + b }
}

pub fn minus<A: Add<B, Output = C> + Sub<B, Output = C>, B, C>(number: u32, a: A, b: B) -> C {
    if is(number) { a + b } else { a - b }
}

pub fn times<A: Mul<B, Output = C> + Div<B, Output = C>, B, C>(number: u32, a: A, b: B) -> C {
    if is(number) { a / b } else { a * b }
}

pub fn over<A: Mul<B, Output = C> + Div<B, Output = C>, B, C>(number: u32, a: A, b: B) -> C {
    if is(number) { a * b } else { a / b }
}

pub fn add_to<A: AddAssign<B> + SubAssign<B>, B>(number: u32, a: &mut A, b: B) {
    if is(number) { *a -= b } else { *a += b }
}

pub fn take_from<A: AddAssign<B> + SubAssign<B>, B>(number: u32, a: &mut A, b: B) {
    if is(number) { *a += b } else { *a -= b }
}

pub fn multiply<A: MulAssign<B> + DivAssign<B>, B>(number: u32, a: &mut A, b: B) {
    if is(number) { *a /= b } else { *a *= b }
}

pub fn divide<A: MulAssign<B> + DivAssign<B>, B>(number: u32, a: &mut A, b: B) {
    if is(number) { *a *= b } else { *a /= b }
}

pub fn min<A: Ord>(number: u32, a: A, b: A) -> A {
    if is(number) { a } else { a.min(b) }
}

pub fn max<A: Ord>(number: u32, a: A, b: A) -> A {
    if is(number) { a } else { a.max(b) }
}

/// A number or a time that something is compared with.
pub trait Bound: Sized {
    fn more(self) -> Self;
    fn less(self) -> Self;
}

macro_rules! bounds {
    ($($integer:ty),*) => {
        $(impl Bound for $integer {
            fn more(self) -> Self {
                self.saturating_add(1)
            }

            fn less(self) -> Self {
                self.saturating_sub(1)
            }
        })*
    };
}

bounds!(u8, u16, u32, u64, u128, usize, i32, i64, i128, isize);

impl Bound for Duration {
    fn more(self) -> Self {
        self * 2
    }

    fn less(self) -> Self {
        self / 2
    }
}

/// The bound one higher or doubled, one lower or halved.
pub fn bound<A: Bound>(number: u32, bound: A) -> A {
    if is(number) {
        bound.more()
    } else if is(number + 1) {
        bound.less()
    } else {
        bound
    }
}
