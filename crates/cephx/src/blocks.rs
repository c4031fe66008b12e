//! CBC over 16-byte blocks, and its ciphertext-stealing variant CS3 as Kerberos uses it (RFC 3962 §5): the last two
//! blocks change places and the output is as long as the input.
//!
//! Not here: padding (`aes128`), integrity (`krb5`).

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt, BlockEncrypt, BlockSizeUser, consts::U16};

pub(crate) const BLOCK_BYTES: usize = 16;
type Block = [u8; BLOCK_BYTES];

fn xor(into: &mut [u8], other: &[u8]) {
    for (a, b) in into.iter_mut().zip(other) {
        *a ^= b;
    }
}

/// Encrypts in place; a tail shorter than a block is left alone.
pub(crate) fn cbc_encrypt<C>(cipher: &C, iv: Block, data: &mut [u8])
where
    C: BlockEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let mut prev = iv;
    for block in data.chunks_exact_mut(BLOCK_BYTES) {
        xor(block, &prev);
        cipher.encrypt_block(GenericArray::from_mut_slice(block));
        prev.copy_from_slice(block);
    }
}

/// Decrypts in place; a tail shorter than a block is left alone.
pub(crate) fn cbc_decrypt<C>(cipher: &C, iv: Block, data: &mut [u8])
where
    C: BlockDecrypt + BlockSizeUser<BlockSize = U16>,
{
    let mut prev = iv;
    for block in data.chunks_exact_mut(BLOCK_BYTES) {
        let mut sealed = [0; BLOCK_BYTES];
        sealed.copy_from_slice(block);
        cipher.decrypt_block(GenericArray::from_mut_slice(block));
        xor(block, &prev);
        prev = sealed;
    }
}

/// Length of the whole blocks before the last two (the very last may be partial), or `None` for a single block.
fn head_len(len: usize) -> Option<usize> {
    len.div_ceil(BLOCK_BYTES).checked_sub(2).map(|blocks| blocks * BLOCK_BYTES)
}

/// CBC-CS3 with a zero IV; `data` holds at least one block.
pub(crate) fn cts_encrypt<C>(cipher: &C, data: &mut Vec<u8>)
where
    C: BlockEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let len = data.len();
    data.resize(len.next_multiple_of(BLOCK_BYTES), 0);
    cbc_encrypt(cipher, [0; BLOCK_BYTES], data);
    if let Some(head) = head_len(len) {
        let (_, last_two) = data.split_at_mut(head);
        last_two.rotate_left(BLOCK_BYTES);
    }
    data.truncate(len);
}

/// The inverse of [`cts_encrypt`]; `data` holds at least one block.
pub(crate) fn cts_decrypt<C>(cipher: &C, data: &mut Vec<u8>)
where
    C: BlockDecrypt + BlockSizeUser<BlockSize = U16>,
{
    let len = data.len();
    if let Some(head) = head_len(len) {
        let (_, last_two) = data.split_at_mut(head);
        let (stolen_from, tail) = last_two.split_at_mut(BLOCK_BYTES);
        // The full block is CBC's last one; below the cut its decryption is the rest of the block before it.
        let mut padding = [0; BLOCK_BYTES];
        padding.copy_from_slice(stolen_from);
        cipher.decrypt_block(GenericArray::from_mut_slice(&mut padding));
        let missing = padding.get(tail.len()..).unwrap_or_default().to_vec();
        data.extend_from_slice(&missing);
        let (_, last_two) = data.split_at_mut(head);
        last_two.rotate_left(BLOCK_BYTES);
    }
    cbc_decrypt(cipher, [0; BLOCK_BYTES], data);
    data.truncate(len);
}
