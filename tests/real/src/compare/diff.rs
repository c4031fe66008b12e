//! Two JSON values side by side, with rules for what may differ.

use serde_json::{Number, Value};

/// What a rule allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Differ in any way, or be absent on one side. For differences that `docs/differences.md` gives a reason for.
    Differ,
    /// Have another value of the same type: what moves with time.
    Move,
    /// Be in another order (lists).
    Reorder,
}

/// `on` is matched against `METHOD path`, `at` against the place in the answer (`status`, `headers.allow`,
/// `body.pools.[].name`); `*` stands for one segment between `/` or `.`, `**` for any number of characters.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub on: &'static str,
    pub at: &'static str,
    pub may: May,
    pub why: &'static str,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub at: String,
    pub stock: Option<Value>,
    pub axon: Option<Value>,
}

/// All differences that no rule allows.
pub fn differences(request: &str, stock: &Value, axon: &Value, rules: &[Rule]) -> Vec<Difference> {
    let rules: Vec<&Rule> = rules.iter().filter(|r| matches(r.on, request, '/')).collect();
    let mut out = Vec::new();
    compare("", Some(stock), Some(axon), &rules, &mut out);
    out
}

fn compare(
    at: &str,
    stock: Option<&Value>,
    axon: Option<&Value>,
    rules: &[&Rule],
    out: &mut Vec<Difference>,
) {
    // What is equal needs no rule; looking for one takes far longer.
    if stock == axon {
        return;
    }
    let rule = rules.iter().find(|r| matches(r.at, at, '.')).map(|r| r.may);
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match (stock, axon) {
        _ if rule == Some(May::Differ) => {}
        (Some(a), Some(b)) if rule == Some(May::Move) && kind(a) == kind(b) => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for key in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
                compare(&below(key), a.get(key), b.get(key), rules, out);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            let (mut a, mut b): (Vec<_>, Vec<_>) = (a.iter().collect(), b.iter().collect());
            if rule == Some(May::Reorder) {
                a.sort_by_cached_key(|v| v.to_string());
                b.sort_by_cached_key(|v| v.to_string());
            }
            for (a, b) in a.into_iter().zip(b) {
                compare(&below("[]"), Some(a), Some(b), rules, out);
            }
        }
        (Some(Value::Number(a)), Some(Value::Number(b))) if same_number(a, b) => {}
        (a, b) if a == b => {}
        (a, b) => out.push(Difference { at: at.to_owned(), stock: a.cloned(), axon: b.cloned() }),
    }
}

/// 1 and 1.0 are one number to every client. Reading a fraction may cost the last bit.
fn same_number(a: &Number, b: &Number) -> bool {
    let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) else { return false };
    a == b || a.fract() != 0.0 && (a - b).abs() <= 2.0 * f64::EPSILON * a.abs()
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// Whether `text` fits `pattern`.
fn matches(pattern: &str, text: &str, separator: char) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    let (any, tail) = tail.strip_prefix('*').map_or((false, tail), |tail| (true, tail));
    let ends = rest.char_indices().map(|(i, c)| (i, Some(c))).chain([(rest.len(), None)]);
    for (end, next) in ends {
        if matches(tail, rest.get(end..).unwrap_or_default(), separator) {
            return true;
        }
        if !any && next == Some(separator) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const fn rule(at: &'static str, may: May) -> Rule {
        Rule { on: "GET /api/**", at, may, why: "" }
    }

    fn places(stock: Value, axon: Value, rules: &[Rule]) -> Vec<String> {
        differences("GET /api/osd", &stock, &axon, rules).into_iter().map(|d| d.at).collect()
    }

    #[test]
    fn every_difference_is_found_with_its_place() {
        let stock = json!({"a": 1, "b": [{"c": "x"}], "d": null, "n": 1.0});
        let axon = json!({"a": 2, "b": [{"c": 3}], "e": false, "n": 1});
        assert_eq!(places(stock, axon, &[]), ["a", "b.[].c", "d", "e"]);
        assert_eq!(places(json!([1]), json!([1, 2]), &[]), [""]);
        assert!(places(json!(0.09523809523809523), json!(0.09523809523809525), &[]).is_empty());
        assert_eq!(places(json!(0.0952380952380952), json!(0.0952380952380953), &[]), [""]);
    }

    #[test]
    fn rules_allow_what_they_name_and_nothing_else() {
        let (stock, axon) = (json!({"t": 1, "u": {"v": 1}}), json!({"t": 5, "u": {"v": "s"}}));
        assert_eq!(places(stock.clone(), axon.clone(), &[rule("**", May::Reorder)]), ["t", "u.v"]);
        assert_eq!(
            places(stock.clone(), axon.clone(), &[rule("t", May::Move), rule("u.*", May::Move)]),
            ["u.v"]
        );
        assert!(places(stock, axon, &[rule("t", May::Move), rule("u", May::Differ)]).is_empty());
        assert!(places(json!([2, 1]), json!([1, 2]), &[rule("", May::Reorder)]).is_empty());
        assert_eq!(places(json!({"t": 1}), json!({}), &[rule("t", May::Move)]), ["t"]);
    }

    #[test]
    fn a_star_stays_within_a_segment_and_two_do_not() {
        assert!(matches("GET /api/osd/*", "GET /api/osd/3", '/'));
        assert!(!matches("GET /api/osd/*", "GET /api/osd/3/smart", '/'));
        assert!(matches("GET /api/**", "GET /api/osd/3/smart", '/'));
        assert!(matches("body.*.x", "body.[].x", '.') && !matches("body.*.x", "body.a.b.x", '.'));
        assert!(matches("**.x", "body.a.b.x", '.') && matches("body.up*", "body.uptime", '.'));
    }
}
