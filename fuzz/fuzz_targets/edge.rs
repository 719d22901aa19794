//! Any bytes on a connection to the running product.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pilotlight_sim::targets::edge(data));
