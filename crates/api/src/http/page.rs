//! Pages of a list, as upstream's four paginated operations have them (`services/_paginate.py`, `tools.py`).

use super::call::Call;
use super::error::ApiError;
use crate::release::Release;
use serde_json::Value;
use std::cmp::Ordering;
use std::ops::Range;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub offset: i64,
    /// -1: everything.
    pub limit: i64,
    pub search: String,
    /// `+key` or `-key`; empty: as it comes.
    pub sort: String,
    /// Since Tentacle a search looks into numbers too.
    pub search_numbers: bool,
}

impl Page {
    /// From `offset`, `limit`, `search` and `sort`, with the operation's default limit.
    pub fn of(call: &Call, default_limit: i64) -> Result<Self, ApiError> {
        let page = Page {
            offset: call.opt_int("offset")?.unwrap_or(0),
            limit: call.opt_int("limit")?.unwrap_or(default_limit),
            search: call.opt_text("search")?.unwrap_or("").to_owned(),
            sort: call.opt_text("sort")?.unwrap_or("").to_owned(),
            search_numbers: call.dash.release() >= Release::Tentacle,
        };
        if page.limit < -1 {
            return Err(ApiError::Dashboard {
                status: http::StatusCode::BAD_REQUEST,
                detail: format!("Wrong limit value {}", page.limit),
                code: Some("400".to_owned()),
                component: None,
                extra: None,
            });
        }
        Ok(page)
    }

    /// Searched, sorted and cut; and how many there were after the search. `sortable` starts with the default, whose
    /// order is ascending.
    #[must_use]
    pub fn apply(
        &self,
        mut items: Vec<Value>,
        searchable: &[&str],
        sortable: &[&str],
    ) -> (Vec<Value>, usize) {
        if !self.search.is_empty() {
            items.retain(|item| searchable.iter().any(|key| self.found(at(item, key))));
        }
        let descending = self.descending();
        let asked = self.sort.get(1..).and_then(|key| sortable.iter().find(|s| **s == key));
        if let Some(key) = asked.or(sortable.first()) {
            items.sort_by(|a, b| {
                let order = compare(at(a, key), at(b, key));
                if descending { order.reverse() } else { order }
            });
        }
        let total = items.len();
        let page = self.range(total);
        (items.into_iter().skip(page.start).take(page.len()).collect(), total)
    }

    /// Whether the order is descending.
    #[must_use]
    pub fn descending(&self) -> bool {
        self.sort.starts_with('-')
    }

    /// The page's place in a list of `total`: Python's `[offset:offset + limit]`, in which negative numbers count from
    /// the end.
    #[must_use]
    pub fn range(&self, total: usize) -> Range<usize> {
        let length = i64::try_from(total).unwrap_or(i64::MAX);
        let place = |at: i64| {
            let at = if at < 0 { at.saturating_add(length) } else { at };
            usize::try_from(at.clamp(0, length)).unwrap_or(total)
        };
        let end = if self.limit == -1 { total } else { place(self.offset.saturating_add(self.limit)) };
        let start = place(self.offset);
        start..end.max(start)
    }

    fn found(&self, value: Option<&Value>) -> bool {
        match value {
            Some(Value::String(text)) => text.contains(&self.search),
            Some(Value::Number(n)) if self.search_numbers => n.to_string().contains(&self.search),
            _ => false,
        }
    }
}

fn at<'a>(item: &'a Value, dotted: &str) -> Option<&'a Value> {
    dotted.split('.').try_fold(item, |value, key| value.get(key))
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0))
        }
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(offset: i64, limit: i64, search: &str, sort: &str) -> Page {
        Page { offset, limit, search: search.to_owned(), sort: sort.to_owned(), search_numbers: false }
    }

    fn ids(page: &Page) -> (Vec<i64>, usize) {
        let items = vec![
            json!({"id": 2, "host": {"name": "b"}}),
            json!({"id": 10, "host": {"name": "a"}}),
            json!({"id": 1, "host": {"name": "ab"}}),
        ];
        let (items, total) = page.apply(items, &["id", "host.name"], &["id", "host.name"]);
        (items.iter().filter_map(|i| i["id"].as_i64()).collect(), total)
    }

    #[test]
    fn a_page_is_searched_sorted_and_cut() {
        assert_eq!(ids(&page(0, -1, "", "")), (vec![1, 2, 10], 3));
        assert_eq!(ids(&page(0, -1, "", "-host.name")), (vec![2, 1, 10], 3));
        assert_eq!(ids(&page(1, 1, "", " id")), (vec![2], 3));
        assert_eq!(ids(&page(0, 5, "b", "+nonsense")), (vec![1, 2], 2));
        assert_eq!(ids(&page(2, -1, "", "")), (vec![10], 3));
    }

    #[test]
    fn negative_offsets_count_from_the_end() {
        assert_eq!(page(-2, -1, "", "").range(5), 3..5);
        assert_eq!(page(-2, 1, "", "").range(5), 3..4);
        assert_eq!(page(-1, 10, "", "").range(5), 4..5);
        assert_eq!(page(-2, 2, "", "").range(5), 3..3);
        assert_eq!(page(7, 2, "", "").range(5), 5..5);
        assert_eq!(page(i64::MAX, i64::MAX, "", "").range(5), 5..5);
    }

    #[test]
    fn numbers_are_searched_since_tentacle() {
        assert_eq!(ids(&page(0, -1, "1", "")).1, 0);
        assert_eq!(ids(&Page { search_numbers: true, ..page(0, -1, "1", "") }).1, 2);
    }
}
