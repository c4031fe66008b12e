//! `crush_bucket` and its five algorithms (`src/crush/crush.h`). On the wire the algorithm's number stands twice, the
//! common part follows, then weights in the algorithm's form.

use axon_denc::{Fault, Features, Reader, Result, Writer};

/// `crush_algorithm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Alg {
    Uniform = 1,
    List = 2,
    Tree = 3,
    Straw = 4,
    Straw2 = 5,
}

impl Alg {
    /// Upstream's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Alg::Uniform => "uniform",
            Alg::List => "list",
            Alg::Tree => "tree",
            Alg::Straw => "straw",
            Alg::Straw2 => "straw2",
        }
    }

    fn of_number(n: u32) -> Option<Alg> {
        [Alg::Uniform, Alg::List, Alg::Tree, Alg::Straw, Alg::Straw2].into_iter().find(|a| *a as u32 == n)
    }
}

/// What the algorithm draws by; all weights are 16.16 fixed point. Vectors are as long as `items`, but for a tree's nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weights {
    Uniform { item_weight: u32 },
    List { item_weights: Vec<u32>, sum_weights: Vec<u32> },
    Tree { node_weights: Vec<u32> },
    Straw { item_weights: Vec<u32>, straws: Vec<u32> },
    Straw2 { item_weights: Vec<u32> },
}

/// `crush_bucket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Negative.
    pub id: i32,
    pub type_id: u16,
    /// 0 is rjenkins1, the only hash there is.
    pub hash: u8,
    /// 16.16 fixed point.
    pub weight: u32,
    /// Buckets are negative, devices not.
    pub items: Vec<i32>,
    pub weights: Weights,
}

impl Bucket {
    #[must_use]
    pub fn alg(&self) -> Alg {
        match self.weights {
            Weights::Uniform { .. } => Alg::Uniform,
            Weights::List { .. } => Alg::List,
            Weights::Tree { .. } => Alg::Tree,
            Weights::Straw { .. } => Alg::Straw,
            Weights::Straw2 { .. } => Alg::Straw2,
        }
    }

    /// Weight of the item at `pos`, 16.16 fixed point (`crush_get_bucket_item_weight`).
    #[must_use]
    pub fn item_weight(&self, pos: usize) -> u32 {
        if pos >= self.items.len() {
            return 0;
        }
        let weight = match &self.weights {
            Weights::Uniform { item_weight } => return *item_weight,
            Weights::List { item_weights, .. }
            | Weights::Straw { item_weights, .. }
            | Weights::Straw2 { item_weights } => item_weights.get(pos),
            // Leaves of the implicit tree are its odd nodes.
            Weights::Tree { node_weights } => node_weights.get(((pos + 1) << 1) - 1),
        };
        weight.copied().unwrap_or_default()
    }

    /// Writes the bucket with other straw2 weights when `straw2_weights` says so.
    pub(super) fn encode(&self, w: &mut Writer, features: Features, straw2_weights: Option<&[u32]>) {
        let alg = self.alg() as u8;
        w.u32(u32::from(alg));
        w.i32(self.id);
        w.u16(self.type_id);
        w.u8(alg);
        w.u8(self.hash);
        w.u32(self.weight);
        w.value(&self.items, features);
        let pairs = |w: &mut Writer, a: &[u32], b: &[u32]| {
            for (a, b) in a.iter().zip(b) {
                w.u32(*a);
                w.u32(*b);
            }
        };
        match &self.weights {
            Weights::Uniform { item_weight } => w.u32(*item_weight),
            Weights::List { item_weights, sum_weights } => pairs(w, item_weights, sum_weights),
            Weights::Tree { node_weights } => {
                // The decoder read the number of nodes from one byte.
                w.u8(u8::try_from(node_weights.len()).unwrap_or(u8::MAX));
                node_weights.iter().for_each(|n| w.u32(*n));
            }
            Weights::Straw { item_weights, straws } => pairs(w, item_weights, straws),
            Weights::Straw2 { item_weights } => {
                straw2_weights.unwrap_or(item_weights).iter().for_each(|n| w.u32(*n));
            }
        }
    }

    /// Reads slot `slot`; `None` is an empty one.
    pub(super) fn decode(r: &mut Reader<'_>, slot: usize) -> Result<Option<Bucket>> {
        let at = r.clone();
        let number = r.u32()?;
        if number == 0 {
            return Ok(None);
        }
        let alg = Alg::of_number(number).ok_or_else(|| at.bad_value("crush bucket algorithm", number))?;
        let at = r.clone();
        let id = r.i32()?;
        if i64::from(id) != -1 - slot as i64 {
            return Err(at.bad_value("crush bucket id", id as u32));
        }
        let type_id = r.u16()?;
        let inner = r.u8()?;
        if inner != alg as u8 {
            return Err(at.bad_value("crush bucket algorithm", inner));
        }
        let (hash, weight) = (r.u8()?, r.u32()?);
        let items: Vec<i32> = r.value()?;
        let weights = decode_weights(r, alg, items.len())?;
        Ok(Some(Bucket { id, type_id, hash, weight, items, weights }))
    }
}

fn decode_weights(r: &mut Reader<'_>, alg: Alg, len: usize) -> Result<Weights> {
    Ok(match alg {
        Alg::Uniform => Weights::Uniform { item_weight: r.u32()? },
        Alg::List => {
            let (item_weights, sum_weights) = pairs(r, len)?;
            Weights::List { item_weights, sum_weights }
        }
        Alg::Tree => {
            let nodes = r.u8()?;
            Weights::Tree { node_weights: numbers(r, usize::from(nodes))? }
        }
        Alg::Straw => {
            let (item_weights, straws) = pairs(r, len)?;
            Weights::Straw { item_weights, straws }
        }
        Alg::Straw2 => Weights::Straw2 { item_weights: numbers(r, len)? },
    })
}

fn pairs(r: &mut Reader<'_>, len: usize) -> Result<(Vec<u32>, Vec<u32>)> {
    check(r, len, 8)?;
    let mut out = (Vec::with_capacity(len), Vec::with_capacity(len));
    for _ in 0..len {
        out.0.push(r.u32()?);
        out.1.push(r.u32()?);
    }
    Ok(out)
}

/// `len` numbers without a length before them.
pub(super) fn numbers(r: &mut Reader<'_>, len: usize) -> Result<Vec<u32>> {
    check(r, len, 4)?;
    (0..len).map(|_| r.u32()).collect()
}

/// Refuses a count of elements that the rest cannot hold.
pub(super) fn check(r: &Reader<'_>, len: usize, element_bytes_min: usize) -> Result<()> {
    if len.saturating_mul(element_bytes_min) > r.remaining() {
        return Err(r.error(Fault::LengthTooLarge { claimed: len as u64, left_bytes: r.remaining() }));
    }
    Ok(())
}
