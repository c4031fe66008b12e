//! `MgrMap::StandbyInfo` (version 4; the same in all supported releases), `src/mon/MgrMap.h`.

use super::ModuleInfo;
use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::Serialize;
use std::collections::BTreeSet;

/// A manager that waits to become active.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StandbyInfo {
    pub gid: u64,
    pub name: String,
    pub mgr_features: u64,
    pub available_modules: Vec<ModuleInfo>,
}

impl StandbyInfo {
    /// Whether it reports that module.
    #[must_use]
    pub fn has_module(&self, name: &str) -> bool {
        self.available_modules.iter().any(|m| m.name == name)
    }
}

impl Encode for StandbyInfo {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.envelope(4, 1, |w| {
            w.u64(self.gid);
            w.string(&self.name);
            module_names(&self.available_modules).encode(w, features);
            self.available_modules.encode(w, features);
            w.u64(self.mgr_features);
        });
    }
}

impl Decode for StandbyInfo {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope_since(3, 4, "MgrMap::StandbyInfo")?;
        let (gid, name) = (r.u64()?, r.value()?);
        // Version 2's list of bare names, which version 3 repeats with details.
        let _: BTreeSet<String> = r.value()?;
        let available_modules = r.value()?;
        let mgr_features = if version >= 4 { r.u64()? } else { 0 };
        Ok(StandbyInfo { gid, name, mgr_features, available_modules })
    }
}

/// The sorted names, which older encodings carry beside the full list.
pub(crate) fn module_names(modules: &[ModuleInfo]) -> BTreeSet<String> {
    modules.iter().map(|m| m.name.clone()).collect()
}
