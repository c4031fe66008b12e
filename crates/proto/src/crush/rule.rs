//! `crush_rule` (`src/crush/crush.h`): steps that take a root, choose below it and emit what was chosen.

use axon_denc::{Features, Reader, Result, Writer, denc_struct};

/// Opcodes of a step (`CRUSH_RULE_*`).
pub mod op {
    pub const NOOP: u32 = 0;
    pub const TAKE: u32 = 1;
    pub const CHOOSE_FIRSTN: u32 = 2;
    pub const CHOOSE_INDEP: u32 = 3;
    pub const EMIT: u32 = 4;
    pub const CHOOSELEAF_FIRSTN: u32 = 6;
    pub const CHOOSELEAF_INDEP: u32 = 7;
    pub const SET_CHOOSE_TRIES: u32 = 8;
    pub const SET_CHOOSELEAF_TRIES: u32 = 9;
    pub const SET_CHOOSE_LOCAL_TRIES: u32 = 10;
    pub const SET_CHOOSE_LOCAL_FALLBACK_TRIES: u32 = 11;
    pub const SET_CHOOSELEAF_VARY_R: u32 = 12;
    pub const SET_CHOOSELEAF_STABLE: u32 = 13;
    pub const SET_MSR_DESCENTS: u32 = 14;
    pub const SET_MSR_COLLISION_TRIES: u32 = 15;
    pub const CHOOSE_MSR: u32 = 16;
}

/// `crush_rule_type`.
pub mod rule_type {
    pub const REPLICATED: u8 = 1;
    pub const ERASURE: u8 = 3;
    pub const MSR_FIRSTN: u8 = 4;
    pub const MSR_INDEP: u8 = 5;
}

/// `crush_rule_step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub op: u32,
    pub arg1: i32,
    pub arg2: i32,
}
denc_struct!(crush_rule_step; Step { op, arg1, arg2 });

/// `crush_rule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// [`rule_type`].
    pub rule_type: u8,
    /// Not used since 17.2, but part of the bytes, and of the JSON of 16.2.
    pub min_size: u8,
    /// See `min_size`.
    pub max_size: u8,
    pub steps: Vec<Step>,
}

impl Rule {
    /// Whether its steps are those of MSR rules.
    #[must_use]
    pub fn is_msr(&self) -> bool {
        matches!(self.rule_type, rule_type::MSR_FIRSTN | rule_type::MSR_INDEP)
    }

    /// Whether a step has one of these opcodes.
    #[must_use]
    pub fn has_op(&self, ops: &[u32]) -> bool {
        self.steps.iter().any(|s| ops.contains(&s.op))
    }

    pub(super) fn encode(&self, w: &mut Writer, features: Features, id: u8) {
        w.length(self.steps.len());
        // The byte was a ruleset's number once; it has to be the rule's.
        w.u8(id);
        w.u8(self.rule_type);
        if features.has(crate::features::SERVER_QUINCY) {
            w.u8(1);
            w.u8(100);
        } else {
            w.u8(self.min_size);
            w.u8(self.max_size);
        }
        self.steps.iter().for_each(|s| w.value(s, features));
    }

    /// Reads slot `slot`; `None` is an empty one.
    pub(super) fn decode(r: &mut Reader<'_>, slot: usize) -> Result<Option<Rule>> {
        if r.u32()? == 0 {
            return Ok(None);
        }
        let len = r.length(1)?;
        let at = r.clone();
        let ruleset = r.u8()?;
        if usize::from(ruleset) != slot {
            return Err(at.bad_value("crush ruleset", ruleset));
        }
        let (rule_type, min_size, max_size) = (r.u8()?, r.u8()?, r.u8()?);
        super::bucket::check(r, len, 12)?;
        let steps = (0..len).map(|_| r.value()).collect::<Result<_>>()?;
        Ok(Some(Rule { rule_type, min_size, max_size, steps }))
    }
}
