//! JSON texts made once for all hosts: kept for as long as the parts of the snapshot that they were made of are the same.
//!
//! Invariant: a text's serial number is its own; a host that has it need not get it again.

use crate::link::Refusal;
use bytes::Bytes;
use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Something whose identity says whether a text is still true.
pub type Source = Arc<dyn Any + Send + Sync>;

/// A text to be made.
pub struct Document {
    pub key: String,
    /// Empty: it cannot be kept.
    pub sources: Vec<Source>,
    pub make: Box<dyn FnOnce() -> Result<Vec<u8>, serde_json::Error> + Send>,
}

impl Document {
    /// A text of a value that costs nothing to make.
    pub fn of(value: &serde_json::Value) -> Self {
        let text = value.to_string().into_bytes();
        Document { key: String::new(), sources: Vec::new(), make: Box::new(move || Ok(text)) }
    }
}

struct Kept {
    sources: Vec<Source>,
    serial: u64,
    text: Bytes,
}

/// The texts.
#[derive(Default)]
pub struct Documents {
    kept: Mutex<HashMap<String, Arc<Mutex<Option<Kept>>>>>,
    serials: AtomicU64,
}

impl Documents {
    /// The text and its serial number; 0: not to be kept.
    pub async fn text(&self, doc: Document) -> Result<(u64, Bytes), Refusal> {
        let failed = |why: String| Refusal::new("RuntimeError", why);
        if doc.sources.is_empty() {
            return Ok((0, (doc.make)().map_err(|e| failed(e.to_string()))?.into()));
        }
        let place = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.entry(doc.key).or_default().clone()
        };
        let serial = self.serials.fetch_add(1, Ordering::Relaxed) + 1;
        let (sources, make) = (doc.sources, doc.make);
        // Big maps take long; who wants the same text meanwhile waits for it.
        let made = tokio::task::spawn_blocking(move || {
            let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = place.as_ref().filter(|kept| same(&kept.sources, &sources)) {
                return Ok((kept.serial, kept.text.clone()));
            }
            let text = Bytes::from(make().map_err(|e| e.to_string())?);
            *place = Some(Kept { sources, serial, text: text.clone() });
            Ok((serial, text))
        });
        made.await.unwrap_or_else(|why| Err(why.to_string())).map_err(failed)
    }
}

fn same(a: &[Source], b: &[Source]) -> bool {
    let at = |source: &Source| Arc::as_ptr(source).cast::<()>();
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| at(a) == at(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(source: &Arc<u32>, text: &'static str) -> Document {
        let make = Box::new(move || Ok(text.as_bytes().to_vec()));
        Document { key: "k".to_owned(), sources: vec![source.clone() as Source], make }
    }

    #[tokio::test]
    async fn a_text_is_made_once_while_its_source_is_the_same() {
        let documents = Documents::default();
        let (one, two) = (Arc::new(1), Arc::new(2));
        let (first, text) = documents.text(doc(&one, "a")).await.unwrap();
        assert_eq!(
            (documents.text(doc(&one, "b")).await.unwrap(), &text[..]),
            ((first, text.clone()), &b"a"[..])
        );
        let (second, text) = documents.text(doc(&two, "b")).await.unwrap();
        assert!(second != first && text == "b");
        assert_eq!(documents.text(Document::of(&1.into())).await.unwrap(), (0, Bytes::from_static(b"1")));
    }
}
