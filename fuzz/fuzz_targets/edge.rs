//! Fuzz target: any bytes on a connection to the running service.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pilotlight_sim::targets::edge(data));
