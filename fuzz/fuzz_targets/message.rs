//! Fuzz target: any bytes as the body of an offer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pilotlight_sim::targets::message(data));
