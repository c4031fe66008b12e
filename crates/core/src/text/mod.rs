//! Text as the CLI shows it: quantities, ages and tables of upstream's `include/types.h`, `common/ceph_time.cc` and
//! `common/TextTable.{h,cc}`.

mod quantity;
mod table;

pub use quantity::{
    Bytes, LowPrecision, OsdList, OsdListRaw, Weight, age, bytes, fixed, percent, short_float, si,
    significant,
};
pub use table::{Cells, Column, Table};
