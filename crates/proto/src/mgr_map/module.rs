//! `MgrMap::ModuleInfo` (version 2) and `MgrMap::ModuleOption` (version 1), `src/mon/MgrMap.h`: what a manager tells about
//! the modules it can run. The same in all supported releases. Here too: names of option types and levels
//! (`src/common/options.h`).

use axon_denc::{Decode, Encode, Features, Reader, Result, Writer, denc_struct};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// `Option::type_t`. Unknown values survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionType(pub u8);

impl OptionType {
    pub const UINT: OptionType = OptionType(0);
    pub const INT: OptionType = OptionType(1);
    pub const STR: OptionType = OptionType(2);
    pub const FLOAT: OptionType = OptionType(3);
    pub const BOOL: OptionType = OptionType(4);
    pub const ADDR: OptionType = OptionType(5);
    pub const ADDRVEC: OptionType = OptionType(6);
    pub const UUID: OptionType = OptionType(7);
    pub const SIZE: OptionType = OptionType(8);
    pub const SECS: OptionType = OptionType(9);
    pub const MILLISECS: OptionType = OptionType(10);

    const NAMES: [&str; 11] =
        ["uint", "int", "str", "float", "bool", "addr", "addrvec", "uuid", "size", "secs", "millisecs"];

    /// Upstream's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("unknown")
    }

    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let index = Self::NAMES.iter().position(|n| *n == name)?;
        u8::try_from(index).ok().map(OptionType)
    }
}

impl Default for OptionType {
    fn default() -> Self {
        OptionType::STR
    }
}

/// `Option::level_t`. Unknown values survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionLevel(pub u8);

impl OptionLevel {
    pub const BASIC: OptionLevel = OptionLevel(0);
    pub const ADVANCED: OptionLevel = OptionLevel(1);
    pub const DEV: OptionLevel = OptionLevel(2);

    const NAMES: [&str; 3] = ["basic", "advanced", "dev"];

    /// Upstream's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("unknown")
    }

    /// The level of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let index = Self::NAMES.iter().position(|n| *n == name)?;
        u8::try_from(index).ok().map(OptionLevel)
    }
}

impl Default for OptionLevel {
    fn default() -> Self {
        OptionLevel::ADVANCED
    }
}

macro_rules! byte {
    ($name:ident) => {
        impl Encode for $name {
            fn encode(&self, w: &mut Writer, _: Features) {
                w.u8(self.0);
            }
        }
        impl Decode for $name {
            fn decode(r: &mut Reader<'_>) -> Result<Self> {
                r.u8().map($name)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
                s.serialize_str(self.name())
            }
        }
    };
}
byte!(OptionType);
byte!(OptionLevel);

/// An option of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModuleOption {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: OptionType,
    pub level: OptionLevel,
    /// `Option::flag_t`: 1 = runtime.
    pub flags: u32,
    pub default_value: String,
    pub min: String,
    pub max: String,
    pub enum_allowed: BTreeSet<String>,
    pub desc: String,
    pub long_desc: String,
    pub tags: BTreeSet<String>,
    pub see_also: BTreeSet<String>,
}
denc_struct!(ModuleOption, 1, 1; ModuleOption {
    name, kind, level, flags, default_value, min, max, enum_allowed, desc, long_desc, tags, see_also,
});

impl ModuleOption {
    /// `Option::FLAG_RUNTIME`: takes effect without a restart.
    pub const FLAG_RUNTIME: u32 = 1;
}

/// A module that a manager found, whether it can run, and its options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModuleInfo {
    pub name: String,
    pub can_run: bool,
    pub error_string: String,
    pub module_options: BTreeMap<String, ModuleOption>,
}

impl ModuleInfo {
    /// A module that can run, without options.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        ModuleInfo {
            name: name.into(),
            can_run: true,
            error_string: String::new(),
            module_options: BTreeMap::new(),
        }
    }
}

impl Default for ModuleInfo {
    fn default() -> Self {
        ModuleInfo::new("")
    }
}

impl Encode for ModuleInfo {
    fn encode(&self, w: &mut Writer, features: Features) {
        w.envelope(2, 1, |w| {
            w.string(&self.name);
            w.bool(self.can_run);
            w.string(&self.error_string);
            self.module_options.encode(w, features);
        });
    }
}

impl Decode for ModuleInfo {
    const BYTES_MIN: usize = 6;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, mut r) = r.envelope(2, "MgrMap::ModuleInfo")?;
        Ok(ModuleInfo {
            name: r.value()?,
            can_run: r.bool()?,
            error_string: r.value()?,
            module_options: if version >= 2 { r.value()? } else { BTreeMap::new() },
        })
    }
}
