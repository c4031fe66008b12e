//! `ceph dashboard …`: one row per command, with the descriptor that the manager announces, and its handler. Upstream:
//! the module's `COMMANDS`, `CLICommand` tables and `settings.py` `options_command_list`.
//!
//! Invariants: descriptors are upstream's to the byte, release by release, its oddities included (the last argument of
//! many is declared optional although it is not; leaving it out is EINVAL here and a traceback there).

mod features;
mod roles;
mod settings;
mod tls;
mod users;

use crate::dashboard::Dashboard;
use crate::http::ApiError;
use crate::release::{Release, Releases};
use axon_core::{Command, CommandError, CommandOutput};
use axon_proto::mon_command_desc::MonCommandDesc;
use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::Value;

pub const EPERM: i32 = 1;
pub const ENOENT: i32 = 2;
pub const EIO: i32 = 5;
pub const EEXIST: i32 = 17;
pub const EINVAL: i32 = 22;

/// What a handler gets.
pub struct Args<'a> {
    pub dash: &'a Dashboard,
    command: &'a Command,
}

/// A handler's answer: data for standard output, or errno and text.
pub type Answer = Result<String, Refused>;

/// A command that was refused: a positive errno (1 too where upstream returns a plain 1) and the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub errno: i32,
    pub text: String,
}

impl Refused {
    /// With errno and text.
    #[must_use]
    pub fn new(errno: i32, text: impl ToString) -> Self {
        Refused { errno, text: text.to_string() }
    }
}

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Self {
        Refused::new(error.errno().abs().max(1), error)
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        let detail = error.to_json().get("detail").and_then(Value::as_str).unwrap_or_default().to_owned();
        Refused::new(EIO, detail)
    }
}

/// How a command takes input data (`-i`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Refused.
    Never,
    /// Ignored: commands of upstream's older table.
    Ignored,
    /// Needed, and not blank; the words say what it is for.
    Needed(&'static str),
    /// Taken as it is.
    Taken,
}

type Run = for<'a> fn(Args<'a>) -> BoxFuture<'a, Answer>;

/// A row.
#[derive(Clone, Copy)]
pub struct Row {
    pub prefix: &'static str,
    /// The arguments as the descriptor says them.
    pub args: &'static str,
    pub desc: &'static str,
    pub perm: &'static str,
    pub releases: Releases,
    pub input: Input,
    pub run: Run,
}

/// `row!("dashboard …", "name=…", "help", "w", Input::Never, handler)` for an `async fn handler(args: Args<'_>) -> Answer`.
macro_rules! row {
    ($prefix:literal, $args:literal, $desc:literal, $perm:literal, $input:expr, $run:path) => {
        $crate::commands::Row {
            prefix: $prefix,
            args: $args,
            desc: $desc,
            perm: $perm,
            releases: $crate::release::Releases::ALL,
            input: $input,
            run: |args| Box::pin($run(args)),
        }
    };
}
pub(crate) use row;

impl Row {
    const fn since(mut self, release: Release) -> Row {
        self.releases.since = release;
        self
    }

    const fn until(mut self, release: Release) -> Row {
        self.releases.until = Some(release);
        self
    }
}

fn rows(release: Release) -> impl Iterator<Item = &'static Row> {
    let all = [roles::ROWS, users::ROWS, tls::ROWS, features::ROWS];
    all.into_iter().flatten().filter(move |row| row.releases.contains(release))
}

/// What the manager announces.
#[must_use]
pub fn descriptors(release: Release) -> Vec<MonCommandDesc> {
    let desc = |cmd: String, help: &str, perm: &str| MonCommandDesc {
        cmdstring: cmd,
        helpstring: help.to_owned(),
        module: "mgr".to_owned(),
        req_perms: perm.to_owned(),
        flags: MonCommandDesc::FLAG_MGR,
    };
    let table = rows(release).map(|row| {
        // Upstream's newer table writes a blank after a prefix without arguments, its older one does not.
        let bare = row.args.is_empty() && row.input == Input::Ignored;
        let cmd = if bare { row.prefix.to_owned() } else { format!("{} {}", row.prefix, row.args) };
        desc(cmd, row.desc, row.perm)
    });
    let settings = settings::descriptors(release).map(|(cmd, help, perm)| desc(cmd, &help, perm));
    table.chain(settings).collect()
}

/// Runs a command of this module; `None` for one that it has not.
pub async fn run(dash: &Dashboard, command: &Command) -> Option<CommandOutput> {
    let prefix = command.prefix();
    let args = Args { dash, command };
    let answer = match rows(dash.release()).find(|row| row.prefix == prefix) {
        Some(row) => match check_input(row.input, command) {
            Ok(()) => (row.run)(args).await,
            Err(refused) => Err(refused),
        },
        None => settings::run(args).await?,
    };
    Some(match answer {
        Ok(text) => CommandOutput::ok(Bytes::from(text)),
        Err(refused) => CommandOutput::failed(refused.errno, refused.text),
    })
}

fn check_input(input: Input, command: &Command) -> Result<(), Refused> {
    let given = !command.input.is_empty();
    match input {
        Input::Never if given => {
            Err(Refused::new(EINVAL, "Invalid command: Input file data (-i) not supported"))
        }
        Input::Needed(what) => input_text(command, what).map(drop),
        _ => Ok(()),
    }
}

/// The input without the line end that an editor adds; refused when it is missing or blank.
fn input_text(command: &Command, what: &str) -> Result<String, Refused> {
    if command.input.is_empty() {
        let text = format!("{NO_INPUT}: Please specify the file containing {what} with \"-i\" option");
        return Err(Refused::new(EINVAL, text));
    }
    let text =
        std::str::from_utf8(&command.input).map_err(|_| Refused::new(EINVAL, "the input is not UTF-8"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        return Err(Refused::new(EINVAL, format!("{EMPTY_INPUT}: Please add {what} to the file")));
    }
    Ok(text.to_owned())
}

const NO_INPUT: &str = "Input file not specified";
const EMPTY_INPUT: &str = "Empty input file";
/// What users' passwords are called in these texts.
const SECRET: &str = "password/secret";

impl Args<'_> {
    /// The input of a row with [`Input::Needed`].
    fn input(&self, what: &str) -> Result<String, Refused> {
        input_text(self.command, what)
    }

    /// The input of a row with [`Input::Taken`]; `None` when nothing was given.
    fn raw_input(&self) -> Option<String> {
        let input = &self.command.input;
        (!input.is_empty()).then(|| String::from_utf8_lossy(input).into_owned())
    }

    fn opt(&self, name: &str) -> Option<&str> {
        self.command.args.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn text(&self, name: &str) -> Result<&str, Refused> {
        let value = self.command.args.get(name).and_then(Value::as_str);
        value.ok_or_else(|| Refused::new(EINVAL, format!("missing argument: {name}")))
    }

    /// A list of words (`n=N`).
    fn texts(&self, name: &str) -> Result<Vec<String>, Refused> {
        match self.command.args.get(name) {
            Some(Value::Array(list)) => {
                Ok(list.iter().filter_map(|v| v.as_str().map(|s| s.trim().to_owned())).collect())
            }
            Some(Value::String(one)) => Ok(vec![one.clone()]),
            _ => Err(Refused::new(EINVAL, format!("missing argument: {name}"))),
        }
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, Refused> {
        match self.command.args.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(b)) => Ok(*b),
            Some(Value::String(text)) => crate::http::call::truth(text)
                .ok_or_else(|| Refused::new(EINVAL, format!("{name} must be true or false"))),
            Some(_) => Err(Refused::new(EINVAL, format!("{name} must be true or false"))),
        }
    }

    fn opt_int(&self, name: &str) -> Result<Option<i64>, Refused> {
        let number = match self.command.args.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(n)) => n.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| Refused::new(EINVAL, format!("{name} must be a whole number")))
    }
}

/// JSON as Python's `json.dumps` writes it: a blank after `:` and `,`.
fn json<T: serde::Serialize>(value: &T) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, PythonJson);
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok());
    String::from_utf8(out).unwrap_or_default()
}

struct PythonJson;

impl serde_json::ser::Formatter for PythonJson {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        w.write_all(b": ")
    }
}

#[cfg(test)]
mod tests;
