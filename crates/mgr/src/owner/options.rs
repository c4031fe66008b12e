//! The manager's own options as they are now, read once for each configuration: they are asked for at every step of the owner.

use axon_core::config::Settings;
use axon_core::{MgrOptions, State};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Options(Option<Read>);

/// What was read, and of what.
struct Read {
    settings: Arc<Settings>,
    config: Arc<BTreeMap<String, String>>,
    options: Arc<MgrOptions>,
}

impl Options {
    pub fn of(&mut self, state: &State) -> Arc<MgrOptions> {
        let newest = |read: &&Read| {
            Arc::ptr_eq(&read.settings, &state.settings) && Arc::ptr_eq(&read.config, &state.options)
        };
        if let Some(read) = self.0.as_ref().filter(newest) {
            return read.options.clone();
        }
        let options = Arc::new(state.mgr_options());
        let (settings, config) = (state.settings.clone(), state.options.clone());
        self.0 = Some(Read { settings, config, options: options.clone() });
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::config::Level;

    #[test]
    fn a_change_counts_at_once() {
        let (mut options, mut state) = (Options::default(), State::default());
        let mut period = |state: &State| options.of(state).mgr_stats_period;
        assert_eq!((period(&state), period(&state)), (5, 5));
        Arc::make_mut(&mut state.options).insert("mgr_stats_period".to_owned(), "7".to_owned());
        assert_eq!(period(&state), 7);
        Arc::make_mut(&mut state.settings).set(Level::Override, "mgr_stats_period", "9");
        assert_eq!(period(&state), 9);
    }
}
