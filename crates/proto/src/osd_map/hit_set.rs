//! `HitSet::Params` (`src/osd/HitSet.h`): how a cache pool records which objects were used.

use axon_denc::{Decode, Encode, Features, Reader, Result, Writer};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// The kind of record, with what a bloom filter needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HitSetParams {
    #[default]
    None,
    ExplicitHash,
    ExplicitObject,
    Bloom {
        /// In millionths.
        fpp_micro: u32,
        target_size: u64,
        seed: u64,
    },
}

impl HitSetParams {
    /// Upstream's name of the kind.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            HitSetParams::None => "none",
            HitSetParams::ExplicitHash => "explicit_hash",
            HitSetParams::ExplicitObject => "explicit_object",
            HitSetParams::Bloom { .. } => "bloom",
        }
    }
}

impl Encode for HitSetParams {
    fn encode(&self, w: &mut Writer, _: Features) {
        w.envelope(1, 1, |w| match self {
            HitSetParams::None => w.u8(0),
            // These two write nothing of their own, not even an envelope.
            HitSetParams::ExplicitHash => w.u8(1),
            HitSetParams::ExplicitObject => w.u8(2),
            HitSetParams::Bloom { fpp_micro, target_size, seed } => {
                w.u8(3);
                w.envelope(1, 1, |w| {
                    w.u32(*fpp_micro);
                    w.u64(*target_size);
                    w.u64(*seed);
                });
            }
        });
    }
}

impl Decode for HitSetParams {
    const BYTES_MIN: usize = 7;
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (_, mut r) = r.envelope_since(1, 1, "HitSet::Params")?;
        let at = r.clone();
        let kind = r.u8()?;
        match kind {
            0 => Ok(HitSetParams::None),
            1 => Ok(HitSetParams::ExplicitHash),
            2 => Ok(HitSetParams::ExplicitObject),
            3 => {
                let (_, mut body) = r.envelope(1, "HitSet::Params")?;
                Ok(HitSetParams::Bloom {
                    fpp_micro: body.u32()?,
                    target_size: body.u64()?,
                    seed: body.u64()?,
                })
            }
            _ => Err(at.bad_value("HitSet type", kind)),
        }
    }
}

impl Serialize for HitSetParams {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut out = s.serialize_map(None)?;
        out.serialize_entry("type", self.type_name())?;
        if let HitSetParams::Bloom { fpp_micro, target_size, seed } = self {
            out.serialize_entry("false_positive_probability", &(f64::from(*fpp_micro) / 1e6))?;
            out.serialize_entry("target_size", target_size)?;
            out.serialize_entry("seed", seed)?;
        }
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_written_as_ceph_writes_it() {
        crate::corpus::round_trips_newest::<HitSetParams>("HitSet::Params");
        for (kind, params) in [HitSetParams::None, HitSetParams::ExplicitHash, HitSetParams::ExplicitObject]
            .into_iter()
            .enumerate()
        {
            let bytes = [1, 1, 1, 0, 0, 0, kind as u8];
            assert_eq!(params.to_bytes(Features::ALL)[..], bytes);
            assert_eq!(HitSetParams::from_bytes(&bytes).unwrap(), params);
        }
    }
}
