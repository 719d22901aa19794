//! Fuzz target: any bytes as the headers of a poll.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pilotlight_sim::targets::headers(data));
