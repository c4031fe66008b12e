//! From the words that an operator types to a command's JSON, by the table of the daemon that is asked
//! (`ceph_argparse.py`: `validate_command`, `validate`).
//!
//! A signature is a list: plain words are the prefix, objects are arguments. Differences from upstream: the longest prefix
//! that matches decides; types that only the CLI knows (`CephIPAddr`, `CephFilepath`, …) are left to the daemon to judge.

use serde_json::{Map, Value};

/// What is wrong with the words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWords {
    #[error("no valid command found; {} closest matches:{}", nearest.len(), nearest.iter().map(|n| format!("\n{n}")).collect::<String>())]
    Unknown { nearest: Vec<String> },
    #[error("Invalid command: {why}\n{usage}")]
    BadArgument { why: String, usage: String },
    #[error("the daemon's table of commands cannot be read: {0}")]
    BadTable(String),
}

/// One argument of a signature.
struct Arg<'a> {
    name: &'a str,
    kind: &'a str,
    required: bool,
    /// Takes all that follow, as a list.
    many: bool,
    positional: bool,
    desc: &'a Map<String, Value>,
}

struct Signature<'a> {
    prefix: Vec<&'a str>,
    args: Vec<Arg<'a>>,
    flags: u64,
}

/// What the words stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    pub args: Map<String, Value>,
    /// The monitors list it, and the manager runs it.
    pub for_manager: bool,
}

/// The command that `words` stand for; `table` is the answer to `get_command_descriptions`.
pub fn parse(table: &Value, words: &[String]) -> Result<Parsed, BadWords> {
    let table = table.as_object().ok_or_else(|| BadWords::BadTable("not an object".to_owned()))?;
    let live = table.values().filter(|c| flags(c) & OBSOLETE == 0);
    let signatures: Vec<Signature<'_>> = live.filter_map(Signature::read).collect();
    let matching = |s: &&Signature<'_>| s.matched(words) == s.prefix.len();
    let longest = signatures.iter().filter(matching).map(|s| s.prefix.len()).max().unwrap_or(0);
    if longest == 0 {
        return Err(BadWords::Unknown { nearest: nearest(&signatures, words) });
    }
    let mut candidates: Vec<_> =
        signatures.iter().filter(matching).filter(|s| s.prefix.len() == longest).collect();
    candidates.sort_by_key(|s| s.args.iter().filter(|a| a.required).count());
    let mut first_error = None;
    for signature in candidates {
        match signature.fill(words.get(longest..).unwrap_or_default()) {
            Ok(args) => return Ok(Parsed { args, for_manager: signature.flags & MGR != 0 }),
            Err(why) => {
                first_error.get_or_insert(BadWords::BadArgument { why, usage: signature.to_string() });
            }
        }
    }
    Err(first_error.unwrap_or(BadWords::Unknown { nearest: Vec::new() }))
}

/// The signatures that share the most words, for a message.
fn nearest(signatures: &[Signature<'_>], words: &[String]) -> Vec<String> {
    let best = signatures.iter().map(|s| s.matched(words)).max().unwrap_or(0);
    signatures.iter().filter(|s| s.matched(words) == best).take(10).map(ToString::to_string).collect()
}

impl<'a> Signature<'a> {
    fn read(command: &'a Value) -> Option<Self> {
        let mut out = Signature { prefix: Vec::new(), args: Vec::new(), flags: flags(command) };
        for part in command.get("sig")?.as_array()? {
            match part {
                Value::String(word) => out.prefix.push(word),
                Value::Object(desc) => out.args.push(Arg::read(desc)?),
                _ => return None,
            }
        }
        Some(out)
    }

    /// How many words of the prefix the words begin with.
    fn matched(&self, words: &[String]) -> usize {
        self.prefix.iter().zip(words).take_while(|(p, w)| p == w).count()
    }

    fn fill(&self, words: &[String]) -> Result<Map<String, Value>, String> {
        let mut command = Map::new();
        command.insert("prefix".to_owned(), self.prefix.join(" ").into());
        let mut rest = words.iter().map(String::as_str).peekable();
        let mut plain = Vec::new();
        while let Some(word) = rest.next() {
            let Some((arg, inline)) = self.keyword(word) else {
                plain.push(word);
                continue;
            };
            let value = match inline {
                Some(value) => arg.value(value)?,
                None if arg.kind == "CephBool" => Value::Bool(true),
                None => arg.value(rest.next().ok_or_else(|| format!("{word} needs a value"))?)?,
            };
            arg.store(&mut command, value);
        }
        self.fill_plain(&plain, &mut command)?;
        if let Some(missing) = self.args.iter().find(|a| a.required && !command.contains_key(a.name)) {
            return Err(format!("missing required parameter {missing}"));
        }
        Ok(command)
    }

    /// The argument that a `--name` or `--name=value` means.
    fn keyword<'w>(&self, word: &'w str) -> Option<(&Arg<'a>, Option<&'w str>)> {
        let body = word.strip_prefix("--")?;
        let (name, value) = body.split_once('=').map_or((body, None), |(n, v)| (n, Some(v)));
        let name = name.replace('-', "_");
        Some((self.args.iter().find(|a| a.name == name)?, value))
    }

    /// Words without a name go to the arguments in order; an optional one that a word does not fit is passed over.
    fn fill_plain(&self, words: &[&str], command: &mut Map<String, Value>) -> Result<(), String> {
        let mut words = words.iter().copied().peekable();
        let mut misfit = None;
        for arg in self.args.iter().filter(|a| a.positional) {
            if command.contains_key(arg.name) {
                continue;
            }
            while let Some(word) = words.peek().copied() {
                match arg.value(word) {
                    Ok(_) if word.starts_with("--") && !arg.is_confirmation(word) => {
                        return Err(format!("unexpected argument '{word}'"));
                    }
                    Ok(value) => {
                        words.next();
                        arg.store(command, value);
                    }
                    Err(why) if arg.required && !command.contains_key(arg.name) => return Err(why),
                    Err(why) => {
                        misfit.get_or_insert(why);
                        break;
                    }
                }
                if !arg.many {
                    break;
                }
            }
        }
        match words.next() {
            None => Ok(()),
            Some(unused) => Err(misfit.unwrap_or_else(|| format!("unexpected argument '{unused}'"))),
        }
    }
}

impl std::fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.prefix.join(" "))?;
        for arg in &self.args {
            write!(f, " {arg}")?;
        }
        Ok(())
    }
}

impl<'a> Arg<'a> {
    fn read(desc: &'a Map<String, Value>) -> Option<Self> {
        let text = |key: &str| desc.get(key).and_then(Value::as_str);
        // Flags come as JSON booleans or as their names, by release.
        let flag = |key: &str, default| match desc.get(key) {
            Some(Value::Bool(b)) => *b,
            Some(Value::String(s)) => s == "true" || s == "True",
            _ => default,
        };
        Some(Arg {
            name: text("name")?,
            kind: text("type").unwrap_or("CephString"),
            required: flag("req", true),
            many: text("n") == Some("N"),
            positional: flag("positional", true),
            desc,
        })
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.desc.get(key).and_then(Value::as_str).filter(|s| !s.is_empty())
    }

    fn choices(&self) -> impl Iterator<Item = &'a str> {
        self.text("strings").unwrap_or_default().split('|')
    }

    /// Confirmations that old tables describe as choices or strings.
    fn is_confirmation(&self, word: &str) -> bool {
        self.kind == "CephChoices" || word.starts_with("--yes-i-really") || word == "--force"
    }

    fn value(&self, word: &str) -> Result<Value, String> {
        let bad = |why: &str| format!("{word:?} is no {}: {why}", self.name);
        match self.kind {
            "CephInt" => {
                let n: i64 = word.parse().map_err(|_| bad("a whole number was expected"))?;
                self.in_range(n as f64).map_err(|r| bad(&r))?;
                Ok(n.into())
            }
            "CephFloat" => {
                let n: f64 = word.parse().map_err(|_| bad("a number was expected"))?;
                self.in_range(n).map_err(|r| bad(&r))?;
                Ok(n.into())
            }
            "CephBool" => match word.to_lowercase().as_str() {
                "true" | "1" => Ok(true.into()),
                "false" | "0" => Ok(false.into()),
                _ => Err(bad("true or false was expected")),
            },
            "CephChoices" => match self.choices().any(|c| c == word) {
                true => Ok(word.into()),
                false => {
                    Err(bad(&format!("one of {} was expected", self.choices().collect::<Vec<_>>().join("|"))))
                }
            },
            // `osd.N` and `N` mean the same; the daemons take the number.
            "CephOsdName" => match word {
                "*" | "any" | "all" => Ok(word.into()),
                _ => match word.strip_prefix("osd.").unwrap_or(word).parse::<i32>() {
                    Ok(id) => Ok(id.into()),
                    Err(_) => Err(bad("osd.N or N was expected")),
                },
            },
            "CephPgid" => match word.split_once('.') {
                Some((pool, seed))
                    if pool.parse::<u64>().is_ok() && u32::from_str_radix(seed, 16).is_ok() =>
                {
                    Ok(word.into())
                }
                _ => Err(bad("pool.seed was expected")),
            },
            "CephString" => match self.text("goodchars").map(|set| only_of(set, word)) {
                Some(false) => Err(bad("it has a character that is not allowed")),
                _ => Ok(word.into()),
            },
            _ => Ok(word.into()),
        }
    }

    fn in_range(&self, n: f64) -> Result<(), String> {
        let Some(range) = self.text("range") else { return Ok(()) };
        let (low, high) = range.split_once('|').unwrap_or((range, ""));
        let above = low.parse::<f64>().is_ok_and(|low| n < low);
        let below = high.parse::<f64>().is_ok_and(|high| n > high);
        if above || below { Err(format!("it must be within {range}")) } else { Ok(()) }
    }

    fn store(&self, command: &mut Map<String, Value>, value: Value) {
        if !self.many {
            command.insert(self.name.to_owned(), value);
            return;
        }
        let list = command.entry(self.name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(value);
        }
    }
}

impl std::fmt::Display for Arg<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            "CephBool" => format!("--{}", self.name.replace('_', "-")),
            "CephChoices" => self.choices().collect::<Vec<_>>().join("|"),
            _ => format!("<{}>", self.name),
        };
        let more = if self.many { "..." } else { "" };
        if self.required { write!(f, "{what}{more}") } else { write!(f, "[{what}{more}]") }
    }
}

/// Whether each character is in a set like `[A-Za-z0-9-_.]`.
fn only_of(set: &str, word: &str) -> bool {
    let set: Vec<char> = set.trim_start_matches('[').trim_end_matches(']').chars().collect();
    let holds = |c: char| {
        let mut at = 0;
        while let Some(&low) = set.get(at) {
            match (set.get(at + 1), set.get(at + 2)) {
                (Some('-'), Some(&high)) if low <= high => {
                    if (low..=high).contains(&c) {
                        return true;
                    }
                    at += 3;
                }
                _ => {
                    if low == c {
                        return true;
                    }
                    at += 1;
                }
            }
        }
        false
    };
    word.chars().all(holds)
}

fn flags(command: &Value) -> u64 {
    command.get("flags").and_then(Value::as_u64).unwrap_or(0)
}

/// `MonCommand::FLAG_OBSOLETE`, `FLAG_MGR`.
const OBSOLETE: u64 = 1 << 1;
const MGR: u64 = 1 << 3;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table() -> Value {
        json!({
            "cmd0": {"sig": ["status"], "flags": 0},
            "cmd1": {"sig": ["osd", "pool", "set", {"name": "pool", "type": "CephPoolname"},
                {"name": "var", "type": "CephChoices", "strings": "size|pg_num"},
                {"name": "val", "type": "CephString"},
                {"name": "yes_i_really_mean_it", "type": "CephBool", "req": false}]},
            "cmd2": {"sig": ["osd", "down", {"name": "ids", "type": "CephString", "n": "N"}]},
            "cmd3": {"sig": ["osd", "reweight", {"name": "id", "type": "CephOsdName"},
                {"name": "weight", "type": "CephFloat", "range": "0.0|1.0"}]},
            "cmd4": {"sig": ["osd", "pool", "rm", {"name": "pool", "type": "CephPoolname"},
                {"name": "sure", "type": "CephString", "req": "false"}]},
            "cmd5": {"sig": ["osd", "crush", "get", {"name": "key", "type": "CephString", "goodchars": "[A-Za-z0-9-_.]"},
                {"name": "depth", "type": "CephInt", "req": false}]},
            "cmd6": {"sig": ["old"], "flags": 2},
        })
    }

    fn parsed(line: &str) -> Result<Value, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&table(), &words).map(|p| Value::Object(p.args)).map_err(|e| e.to_string())
    }

    #[test]
    fn words_become_typed_arguments_in_order_or_by_name() {
        assert_eq!(parsed("status").unwrap(), json!({"prefix": "status"}));
        let set = json!({"prefix": "osd pool set", "yes_i_really_mean_it": true, "pool": "rbd", "var": "size", "val": "1"});
        assert_eq!(parsed("osd pool set rbd size 1 --yes-i-really-mean-it").unwrap(), set);
        assert_eq!(parsed("osd pool set --pool=rbd --var size 1 --yes_i_really_mean_it").unwrap(), set);
        assert_eq!(parsed("osd down 1 osd.2").unwrap(), json!({"prefix": "osd down", "ids": ["1", "osd.2"]}));
        assert_eq!(
            parsed("osd reweight osd.3 0.5").unwrap(),
            json!({"prefix": "osd reweight", "id": 3, "weight": 0.5})
        );
        let sure = json!({"prefix": "osd pool rm", "pool": "rbd", "sure": "--yes-i-really-really-mean-it"});
        assert_eq!(parsed("osd pool rm rbd --yes-i-really-really-mean-it").unwrap(), sure);
    }

    #[test]
    fn what_does_not_fit_is_named_with_the_usage() {
        let error = parsed("osd reweight 3 1.5").unwrap_err();
        assert!(error.contains("within 0.0|1.0") && error.contains("osd reweight <id> <weight>"), "{error}");
        assert!(parsed("osd reweight 3").unwrap_err().contains("missing required parameter <weight>"));
        assert!(parsed("osd pool set rbd colour 1").unwrap_err().contains("size|pg_num"));
        assert!(parsed("osd crush get a/b").unwrap_err().contains("not allowed"));
        assert!(parsed("osd crush get a x").unwrap_err().contains("whole number"));
        assert!(parsed("osd crush get a --wrong").unwrap_err().contains("--wrong"));
        assert!(parsed("status now").unwrap_err().contains("unexpected argument 'now'"));
    }

    #[test]
    fn an_unknown_command_lists_the_nearest() {
        let error = parsed("osd pool delete x").unwrap_err();
        assert!(error.contains("osd pool rm <pool>") && !error.contains("status"), "{error}");
        assert!(parsed("old").is_err());
    }
}
