//! The types of a command's arguments (`cmd_getval` in `src/common/cmdparse.h`, which throws `bad_cmd_get`): upstream reads each as
//! its descriptor declares it, and a caller who sends another JSON type is refused.
//!
//! Switches are not judged here: older command lines send them as texts.

use serde_json::{Map, Value};

/// The first argument whose JSON type is not the declared one.
pub(super) fn of_wrong_type<'a>(cmdstring: &'a str, given: &Map<String, Value>) -> Option<&'a str> {
    cmdstring.split_whitespace().find_map(|argument| {
        let name = of(argument, "name")?;
        let value = given.get(name).filter(|value| !value.is_null())?;
        let many = of(argument, "n").is_some();
        (!fits(of(argument, "type")?, many, value)).then_some(name)
    })
}

/// What an argument's descriptor says under a key.
fn of<'a>(argument: &'a str, key: &str) -> Option<&'a str> {
    let pairs = argument.split(',').filter_map(|pair| pair.split_once('='));
    pairs.rev().find(|(k, _)| *k == key).map(|(_, value)| value)
}

fn fits(kind: &str, many: bool, value: &Value) -> bool {
    match kind {
        "CephBool" => true,
        "CephInt" | "CephOsdName" => value.is_i64() || value.is_u64(),
        "CephFloat" => value.is_f64(),
        _ if many => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        _ => value.is_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_of_another_type_is_named() {
        let cmdstring = "a b name=osd,type=CephOsdName name=far,type=CephFloat,req=false name=s,type=CephString,n=N \
                         name=t,type=CephString name=sure,type=CephBool,req=false";
        let wrong = |given: Value| match given {
            Value::Object(given) => of_wrong_type(cmdstring, &given),
            _ => None,
        };
        assert_eq!(wrong(json!({})), None);
        let good =
            json!({"osd": 1, "far": 1.0, "s": ["x"], "t": "y", "sure": "true", "other": 3, "prefix": "a b"});
        assert_eq!(wrong(good), None);
        for (name, value) in [("osd", json!("1")), ("far", json!(1)), ("s", json!("x")), ("t", json!(1))] {
            assert_eq!(wrong(json!({name: value})), Some(name));
        }
    }
}
