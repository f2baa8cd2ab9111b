#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidecar::properties::check("query", data));
