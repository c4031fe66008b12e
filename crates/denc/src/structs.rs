//! `denc_struct!`: fields in order, without or within an envelope, for the many types whose encoding does not depend on
//! the version or on features. Types with history write their `Encode`/`Decode` by hand.

/// Implements `Encode` and `Decode` for a struct whose encoding is its fields in order.
///
/// `denc_struct!(utime_t; UTime { sec, nsec })` writes the bare fields;
/// `denc_struct!(pow2_hist_t, 1, 1; Pow2Hist { h })` puts an envelope of version and compat around them.
#[macro_export]
macro_rules! denc_struct {
    ($upstream:ident; $name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::Encode for $name {
            fn encode(&self, w: &mut $crate::Writer, features: $crate::Features) {
                $( w.value(&self.$field, features); )*
                let _ = (w, features);
            }
        }
        impl $crate::Decode for $name {
            fn decode(r: &mut $crate::Reader<'_>) -> $crate::Result<Self> {
                $( let $field = r.value()?; )*
                let _ = r;
                Ok($name { $($field),* })
            }
        }
    };
    ($upstream:ident, $version:literal, $compat:literal; $name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::Encode for $name {
            fn encode(&self, w: &mut $crate::Writer, features: $crate::Features) {
                w.envelope($version, $compat, |w| {
                    $( w.value(&self.$field, features); )*
                    let _ = (w, features);
                });
            }
        }
        impl $crate::Decode for $name {
            const BYTES_MIN: usize = 6;
            fn decode(r: &mut $crate::Reader<'_>) -> $crate::Result<Self> {
                let (_, mut r) = r.envelope_since($version, $version, stringify!($upstream))?;
                $( let $field = r.value()?; )*
                let _ = &mut r;
                Ok($name { $($field),* })
            }
        }
    };
}
