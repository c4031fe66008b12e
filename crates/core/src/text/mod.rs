//! Text as the CLI shows it: quantities, ages and tables of upstream's `include/types.h`, `common/ceph_time.cc` and
//! `common/TextTable.{h,cc}`.

mod quantity;
mod table;

pub use quantity::{
    age, bytes, fixed, lowprecision, osd_list, osd_list_raw, percent, short_float, si, significant, weight,
};
pub use table::{Column, Table};
