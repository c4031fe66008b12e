//! The configuration that a daemon tells the manager (`md_config_t::get_config_bl`, `get_defaults_bl` in
//! `src/common/config.cc`): what is set, by level, and the compiled-in defaults. Without an envelope.
//! Carried by `MMgrOpen` and `MMgrReport`.

use axon_denc::{Decode, Reader, Result, denc_struct};
use std::collections::BTreeMap;

/// What is set in a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonConfig {
    /// Values by option and level (`CONF_*`: 0 default, 1 mon, 2 file, 3 environment, 4 command line, 5 override, 6 final).
    pub config: BTreeMap<String, BTreeMap<i32, String>>,
    /// What the monitors say and the daemon does not follow, as it cannot change while it runs.
    pub ignored_mon_config: BTreeMap<String, String>,
}
denc_struct!(config_bl; DaemonConfig { config, ignored_mon_config });

/// Compiled-in values by option.
pub type DaemonDefaults = BTreeMap<String, String>;

/// Reads what a daemon sent; an empty one says nothing new.
pub fn decode<T: Decode>(bytes: &[u8]) -> Result<Option<T>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    T::decode(&mut Reader::named(bytes, "config")).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_denc::{Encode, Features};

    #[test]
    fn no_bytes_are_no_news_and_others_are_maps() {
        assert_eq!(decode::<DaemonConfig>(b"").unwrap(), None);
        let config = DaemonConfig {
            config: [("debug_osd".to_owned(), [(1, "5/5".to_owned())].into())].into(),
            ignored_mon_config: [("a".to_owned(), "b".to_owned())].into(),
        };
        assert_eq!(decode(&config.to_bytes(Features::ALL)).unwrap(), Some(config));
        assert!(decode::<DaemonDefaults>(b"\x01\0\0\0").is_err());
    }
}
