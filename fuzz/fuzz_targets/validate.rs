#![no_main]

#[path = "../../tests/properties/edits.rs"]
mod edits;

libfuzzer_sys::fuzz_target!(|script: &[u8]| edits::check(script));
