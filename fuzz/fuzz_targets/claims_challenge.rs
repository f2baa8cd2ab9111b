#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tower_entra::fuzzing::check("claims_challenge", data));
