#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tower_entra::fuzzing::check("error_answer", data));
