//! The hashes of placement: rjenkins1 over one to four numbers (`src/crush/hash.c`) and over names
//! (`src/common/ceph_hash.cc`).

/// Robert Jenkins' mix of three words.
fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 13);
    b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 8);
    c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 13);
    a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 12);
    b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 16);
    c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 5);
    a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 3);
    b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 10);
    c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 15);
    (a, b, c)
}

const SEED: u32 = 1_315_423_911;
const X: u32 = 231_232;
const Y: u32 = 1232;

/// `crush_hash32`.
#[must_use]
pub fn hash32(a: u32) -> u32 {
    let hash = SEED ^ a;
    let (_, _, hash) = mix(a, X, hash);
    mix(Y, a, hash).2
}

/// `crush_hash32_2`.
#[must_use]
pub fn hash32_2(a: u32, b: u32) -> u32 {
    let (a, b, hash) = mix(a, b, SEED ^ a ^ b);
    let (_, _, hash) = mix(X, a, hash);
    mix(b, Y, hash).2
}

/// `crush_hash32_3`.
#[must_use]
pub fn hash32_3(a: u32, b: u32, c: u32) -> u32 {
    let (a, b, hash) = mix(a, b, SEED ^ a ^ b ^ c);
    let (c, x, hash) = mix(c, X, hash);
    let (y, _, hash) = mix(Y, a, hash);
    let (_, _, hash) = mix(b, x, hash);
    mix(y, c, hash).2
}

/// `crush_hash32_4`.
#[must_use]
pub fn hash32_4(a: u32, b: u32, c: u32, d: u32) -> u32 {
    let (a, b, hash) = mix(a, b, SEED ^ a ^ b ^ c ^ d);
    let (c, d, hash) = mix(c, d, hash);
    let (_, x, hash) = mix(a, X, hash);
    let (y, _, hash) = mix(Y, b, hash);
    let (_, _, hash) = mix(c, x, hash);
    mix(y, d, hash).2
}

/// Hash of a name by the pool's `object_hash` (`ceph_str_hash`): 1 linux, 2 rjenkins.
#[must_use]
pub fn str_hash(kind: u8, name: &[u8]) -> u32 {
    match kind {
        1 => linux(name),
        2 => rjenkins(name),
        _ => u32::MAX,
    }
}

fn linux(name: &[u8]) -> u32 {
    name.iter()
        .map(|c| u32::from(*c))
        .fold(0, |hash: u32, c| hash.wrapping_add(c << 4).wrapping_add(c >> 4).wrapping_mul(11))
}

fn rjenkins(name: &[u8]) -> u32 {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |w: u32, byte| w << 8 | u32::from(*byte));
    let words = |bytes: &[u8]| {
        let mut parts = bytes.chunks(4).map(word);
        [(); 3].map(|()| parts.next().unwrap_or(0))
    };
    let (mut a, mut b, mut c) = (0x9e37_79b9_u32, 0x9e37_79b9_u32, 0_u32);
    let mut blocks = name.chunks_exact(12);
    for block in blocks.by_ref() {
        let [x, y, z] = words(block);
        (a, b, c) = mix(a.wrapping_add(x), b.wrapping_add(y), c.wrapping_add(z));
    }
    let [x, y, z] = words(blocks.remainder());
    // The lowest byte of the last word is the length's.
    let c = c.wrapping_add(name.len() as u32).wrapping_add(z << 8);
    mix(a.wrapping_add(x), b.wrapping_add(y), c).2
}
