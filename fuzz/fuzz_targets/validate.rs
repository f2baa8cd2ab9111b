#![no_main]

#[path = "../../tests/suite/edits.rs"]
mod edits;

libfuzzer_sys::fuzz_target!(|script: &[u8]| edits::check(script));
