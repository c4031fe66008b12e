#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| axon_hostile_tests::login(data));
