//! Fuzz target: any bytes as a job's parameters.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pilotlight_sim::targets::cache_key(data));
