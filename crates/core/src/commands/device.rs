//! Storage devices (`DaemonServer::_handle_command`, `DeviceState`): `device ls`, `ls-by-daemon`, `ls-by-host`, `info`, and
//! the life expectancy that an operator or a module sets, kept in the monitors' store under `device/<id>`.

use super::request::{Ask, EINVAL, ENOENT, refuse, told};
use super::{Done, Row};
use crate::command::Command;
use crate::daemons::{DaemonKey, Device};
use crate::pg_map::since;
use crate::text::{Column, Table, age};
use axon_proto::UTime;
use serde_json::{Value, json};

pub(super) const ROWS: &[Row] = &[
    Row::read("device ls", "Show devices", "mgr", ls),
    Row::read("device info name=devid,type=CephString", "Show information about a device", "mgr", info),
    Row::read(
        "device ls-by-daemon name=who,type=CephString",
        "Show devices associated with a daemon",
        "mgr",
        ls_by_daemon,
    ),
    Row::read("device ls-by-host name=host,type=CephString", "Show devices on a host", "mgr", ls_by_host),
    Row::write(
        "device set-life-expectancy name=devid,type=CephString name=from,type=CephString name=to,type=CephString,req=False",
        "Set predicted device life expectancy",
        "mgr",
        set_life_expectancy,
    ),
    Row::write(
        "device rm-life-expectancy name=devid,type=CephString",
        "Clear predicted device life expectancy",
        "mgr",
        rm_life_expectancy,
    ),
];

const LIFE_EXPECTANCY: [&str; 3] = ["life_expectancy_min", "life_expectancy_max", "life_expectancy_stamp"];

fn set_life_expectancy(ask: &Ask<'_>) -> Done {
    let devid = ask.text("devid").unwrap_or_default();
    let (from, to) = (ask.text("from").unwrap_or_default(), ask.text("to").unwrap_or_default());
    let mut stamps = [String::new(), String::new(), ask.now.to_string()];
    for (stamp, given) in stamps.iter_mut().zip([&from, &to]) {
        match stamp_of(given) {
            Some(time) => *stamp = time.to_string(),
            None if given.is_empty() && *given == to => {}
            None => return refuse(EINVAL, format!("unable to parse datetime '{given}'")),
        }
    }
    let known = ask.state.daemons.devices().get(&devid).map(|device| device.metadata.clone());
    let mut metadata = known.unwrap_or_default();
    metadata.extend(LIFE_EXPECTANCY.map(str::to_owned).into_iter().zip(stamps));
    store(&devid, &json!(metadata))
}

fn rm_life_expectancy(ask: &Ask<'_>) -> Done {
    let devid = ask.text("devid").unwrap_or_default();
    let Some(device) = ask.state.daemons.devices().get(&devid) else { return told("") };
    let mut metadata = device.metadata.clone();
    metadata.retain(|key, _| !LIFE_EXPECTANCY.contains(&key.as_str()));
    if metadata.is_empty() {
        let command = Command::plain("config-key rm").arg("key", format!("device/{devid}"));
        return Done { to_mon: Some(Box::new(command)), quiet: true, ..Done::default() };
    }
    store(&devid, &json!(metadata))
}

/// The monitors push the change back, and so it reaches the snapshot.
fn store(devid: &str, metadata: &Value) -> Done {
    let command = Command::plain("config-key set").arg("key", format!("device/{devid}"));
    Done { to_mon: Some(Box::new(command.input(metadata.to_string()))), quiet: true, ..Done::default() }
}

/// A device's expected failure, from the monitors' store.
struct Expectancy {
    min: UTime,
    max: UTime,
    stamp: String,
}

impl Expectancy {
    fn of(device: &Device) -> Option<Self> {
        let text = |key: &str| device.metadata.get(key).map(String::as_str).unwrap_or_default();
        let min = stamp_of(text("life_expectancy_min"))?;
        let max = stamp_of(text("life_expectancy_max")).unwrap_or_default();
        Some(Expectancy { min, max, stamp: text("life_expectancy_stamp").to_owned() })
    }

    fn text(&self, now: UTime) -> String {
        if now >= self.min {
            return "now".to_owned();
        }
        let from = age(since(now, self.min).into());
        if self.max.is_zero() {
            return format!(">{from}");
        }
        let to = age(since(now, self.max).into());
        if from == to { from } else { format!("{from} to {to}") }
    }
}

/// `2026-11-24T10:11:12.345678+0000` or a date alone, in UTC; nothing of anything else.
fn stamp_of(text: &str) -> Option<UTime> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let mut numbers = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let clock = time.split(['.', '+', 'Z']).next()?;
    let mut numbers = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, min, sec) = (numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0));
    // Days since the epoch of a civil date; years start in March so that leap days come last.
    let year = year - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468;
    let sec = u32::try_from(days * 86_400 + hour * 3600 + min * 60 + sec).ok()?;
    Some(UTime { sec, nsec: 0 }).filter(|stamp| !stamp.is_zero())
}

fn expected_failure(device: &Device, now: UTime) -> String {
    Expectancy::of(device).map(|expectancy| expectancy.text(now)).unwrap_or_default()
}

fn wear_level(device: &Device) -> Option<f64> {
    device.metadata.get("wear_level")?.parse().ok().filter(|wear| *wear >= 0.0)
}

fn device_json(devid: &str, device: &Device) -> Value {
    let daemons: Vec<String> = device.daemons.iter().map(ToString::to_string).collect();
    let mut out = json!({"devid": devid, "location": device.attachments, "daemons": daemons});
    if let Some(out) = out.as_object_mut() {
        if let Some(expectancy) = Expectancy::of(device) {
            out.insert("life_expectancy_min".to_owned(), json!(expectancy.min));
            out.insert("life_expectancy_max".to_owned(), json!(expectancy.max));
            out.insert("life_expectancy_stamp".to_owned(), expectancy.stamp.into());
        }
        if let Some(wear) = wear_level(device) {
            out.insert("wear_level".to_owned(), wear.into());
        }
    }
    out
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(" ")
}

fn places(device: &Device) -> String {
    joined(device.attachments.iter().map(|place| format!("{}:{}", place.host, place.dev)))
}

fn daemons(device: &Device) -> String {
    joined(device.daemons.iter().map(ToString::to_string))
}

fn ls(ask: &Ask<'_>) -> Done {
    let devices = ask.state.daemons.devices();
    let json = || devices.iter().map(|(devid, device)| device_json(devid, device)).collect::<Value>();
    ask.answer("devices", json, || {
        let mut table = Table::new([
            Column::left("DEVICE"),
            Column::left("HOST:DEV"),
            Column::left("DAEMONS"),
            Column::right("WEAR"),
            Column::left("LIFE EXPECTANCY"),
        ]);
        for (devid, device) in devices {
            let wear = wear_level(device).map(|wear| format!("{}%", (100.1 * wear) as i64));
            table.row([
                devid.clone(),
                places(device),
                daemons(device),
                wear.unwrap_or_default(),
                expected_failure(device, ask.now),
            ]);
        }
        table.to_string()
    })
}

fn ls_by_daemon(ask: &Ask<'_>) -> Done {
    let who = ask.text("who").unwrap_or_default();
    let Some((kind, name)) = who.split_once('.') else {
        return refuse(EINVAL, format!("{who} is not a valid daemon name"));
    };
    let key = DaemonKey::new(kind, name);
    if ask.state.daemons.daemon(&key).is_none() {
        return refuse(ENOENT, format!("daemon {who} not found"));
    }
    let devices = ask.state.daemons.devices().iter().filter(|(_, device)| device.daemons.contains(&key));
    let found: Vec<_> = devices.collect();
    let json = || found.iter().map(|(devid, device)| device_json(devid, device)).collect::<Value>();
    ask.answer("devices", json, || {
        let mut table = Table::new(["DEVICE", "HOST:DEV", "EXPECTED FAILURE"].map(Column::left));
        for (devid, device) in &found {
            table.row([(*devid).clone(), places(device), expected_failure(device, ask.now)]);
        }
        table.to_string()
    })
}

fn ls_by_host(ask: &Ask<'_>) -> Done {
    let host = ask.text("host").unwrap_or_default();
    let on_host = |device: &&Device| device.attachments.iter().any(|place| place.host == host);
    let found: Vec<_> = ask.state.daemons.devices().iter().filter(|(_, device)| on_host(device)).collect();
    let json = || found.iter().map(|(devid, device)| device_json(devid, device)).collect::<Value>();
    ask.answer("devices", json, || {
        let mut table = Table::new(["DEVICE", "DEV", "DAEMONS", "EXPECTED FAILURE"].map(Column::left));
        for (devid, device) in &found {
            let places = device.attachments.iter().filter(|place| place.host == host);
            let devs = joined(places.map(|place| place.dev.clone()));
            table.row([(*devid).clone(), devs, daemons(device), expected_failure(device, ask.now)]);
        }
        table.to_string()
    })
}

fn info(ask: &Ask<'_>) -> Done {
    let devid = ask.text("devid").unwrap_or_default();
    let Some(device) = ask.state.daemons.devices().get(&devid) else {
        return refuse(ENOENT, format!("device {devid} not found"));
    };
    ask.answer(
        "device",
        || device_json(&devid, device),
        || {
            let mut out = format!("device {devid}\n");
            for place in &device.attachments {
                out.push_str(&format!("attachment {} {} {}\n\n", place.host, place.dev, place.path));
            }
            let daemons: Vec<String> = device.daemons.iter().map(ToString::to_string).collect();
            out.push_str(&format!("{}\n", daemons.join(",")));
            if let Some(expectancy) = Expectancy::of(device) {
                let Expectancy { min, max, stamp } = expectancy;
                out.push_str(&format!("life_expectancy {min} to {max} (as of {stamp})\n"));
            }
            if let Some(wear) = wear_level(device) {
                out.push_str(&format!("wear_level {wear}\n"));
            }
            out
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expected_failure_reads_as_the_cli_shows_it() {
        let now = stamp_of("2026-11-23T23:11:12.345678+0000").unwrap();
        assert_eq!(now, UTime { sec: 1_795_475_472, nsec: 0 });
        assert_eq!(stamp_of("2000-02-29"), Some(UTime { sec: 951_782_400, nsec: 0 }));
        assert_eq!((stamp_of(""), stamp_of("soon")), (None, None));
        let device = |min: &str, max: &str| Device {
            metadata: [("life_expectancy_min", min), ("life_expectancy_max", max)]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            ..Default::default()
        };
        assert_eq!(expected_failure(&device("2026-01-01", ""), now), "now");
        assert_eq!(expected_failure(&device("2027-01-01", ""), now), ">5w");
        assert_eq!(expected_failure(&device("2027-01-01", "2027-12-01"), now), "5w to 12M");
        assert_eq!(expected_failure(&Device::default(), now), "");
    }
}
