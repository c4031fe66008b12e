//! Every message of the table, and the maps and types that stand in none of them as they are.

use axon_denc::{Decode, Encode, Features, Reader, Writer};
use axon_proto::crush::CrushMap;
use axon_proto::fs_map::MdsInfo;
use axon_proto::message::TABLE;
use axon_proto::osd_map::{Incremental, PgPool};
use axon_proto::pg::{OsdStat, PgStat};
use axon_proto::{
    EntityAddr, EntityAddrVec, FsMap, Message, MessageHeader, MgrMap, MonMap, OSDMap, RawMessage, ServiceMap,
    features,
};
use bytes::Bytes;

/// Row of the table, version, compat, then the sections: front, and behind the length in two bytes middle and data.
pub fn messages(data: &[u8]) {
    let Some(([row, version, compat, a, b], rest)) = data.split_first_chunk() else { return };
    let Some((_, kind)) = TABLE.get(usize::from(*row) % TABLE.len()) else { return };
    let (front, behind) = rest.split_at(usize::from(u16::from_le_bytes([*a, *b])).min(rest.len()));
    let (middle, data) = behind.split_at(behind.len() / 2);
    let raw = RawMessage {
        header: MessageHeader {
            kind: *kind,
            version: u16::from(*version),
            compat_version: u16::from(*compat),
            ..MessageHeader::default()
        },
        front: Bytes::copy_from_slice(front),
        middle: Bytes::copy_from_slice(middle),
        data: Bytes::copy_from_slice(data),
    };
    if let Ok(message) = Message::decode(raw) {
        for features in [Features(features::SUPPORTED), Features(0), Features::ALL] {
            let _ = message.to_raw(features);
        }
    }
}

fn both_ways<T: Decode + Encode>(bytes: &[u8]) {
    if let Ok(value) = T::decode(&mut Reader::new(bytes)) {
        for features in [Features(features::SUPPORTED), Features(0)] {
            value.encode(&mut Writer::new(), features);
        }
    }
}

/// The first byte chooses the type.
pub fn maps(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    match choice % 12 {
        0 => both_ways::<OSDMap>(bytes),
        1 => both_ways::<Incremental>(bytes),
        2 => both_ways::<CrushMap>(bytes),
        3 => both_ways::<MonMap>(bytes),
        4 => both_ways::<FsMap>(bytes),
        5 => both_ways::<MgrMap>(bytes),
        6 => both_ways::<ServiceMap>(bytes),
        7 => both_ways::<EntityAddrVec>(bytes),
        8 => both_ways::<EntityAddr>(bytes),
        9 => both_ways::<PgStat>(bytes),
        10 => both_ways::<OsdStat>(bytes),
        _ => {
            both_ways::<PgPool>(bytes);
            both_ways::<MdsInfo>(bytes);
        }
    }
}

fn encoded(value: &impl Encode) -> Vec<u8> {
    let mut w = Writer::new();
    value.encode(&mut w, Features(features::SUPPORTED));
    w.into_bytes().to_vec()
}

/// Empty values of each type, which have all their lengths and versions.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let all = [
        encoded(&OSDMap::default()),
        encoded(&Incremental::default()),
        encoded(&CrushMap::default()),
        encoded(&MonMap::default()),
        encoded(&FsMap::default()),
        encoded(&MgrMap::default()),
        encoded(&ServiceMap::default()),
        encoded(&EntityAddrVec(vec![EntityAddr::v2(([1, 2, 3, 4], 5).into())])),
        encoded(&EntityAddr::v2(([1, 2, 3, 4], 5).into())),
        encoded(&PgStat::default()),
        encoded(&OsdStat::default()),
        encoded(&PgPool::default()),
    ];
    let mut out: Vec<Vec<u8>> =
        all.iter().enumerate().map(|(i, bytes)| [&[i as u8][..], bytes].concat()).collect();
    for row in 0..TABLE.len() {
        for (version, front) in [(1, vec![0; 64]), (5, vec![1; 200]), (9, vec![0; 300])] {
            let head = [row as u8, version, 1, front.len() as u8, (front.len() >> 8) as u8];
            out.push([&head[..], &front].concat());
        }
    }
    out
}
