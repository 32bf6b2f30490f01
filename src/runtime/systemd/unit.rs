//! A container's unit: its name, its slice, and its limits in the manager's words. Pure.

use super::Value;
use crate::runtime::cgroup::{Version, io_weight, parse_list, weight_of_shares};
use oci_spec::runtime::{LinuxMemory, LinuxResources};
use std::collections::HashMap;

pub type Properties = Vec<(String, Value)>;

/// Where a container's processes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// `PREFIX-NAME.scope`, or a slice.
    pub name: String,
    pub slice: String,
}

impl Unit {
    /// From `slice:prefix:name`; empty parts have defaults, as has an empty text.
    pub fn parse(text: &str, id: &str, user: bool) -> Result<Unit, String> {
        let wrong = || format!("cgroupsPath '{text}' is not slice:prefix:name, as the systemd manager needs it");
        let parts: Vec<&str> = if text.is_empty() { vec!["", "teu", id] } else { text.split(':').collect() };
        let [slice, prefix, name] = parts[..] else { return Err(wrong()) };
        let slice = match slice {
            "" if user => "user.slice",
            "" => "system.slice",
            given => given,
        };
        let right = |c: char| c.is_ascii_alphanumeric() || "_-.\\@".contains(c);
        if name.is_empty() || ![slice, prefix, name].iter().all(|part| part.chars().all(right)) {
            return Err(wrong());
        }
        steps(slice).ok_or_else(|| format!("'{slice}' is no name of a slice"))?;
        let name = match (name.ends_with(".slice"), prefix) {
            (true, _) => {
                steps(name).ok_or_else(|| format!("'{name}' is no name of a slice"))?;
                name.to_owned()
            }
            (false, "") => format!("{name}.scope"),
            (false, _) => format!("{prefix}-{name}.scope"),
        };
        if name.len() > 255 {
            return Err(format!("the unit's name '{name}' is longer than 255 bytes"));
        }
        Ok(Unit { name, slice: slice.to_owned() })
    }

    /// Its group, below the manager's own.
    pub fn path(&self, manager: &str) -> String {
        if self.is_slice() {
            return format!("{manager}{}", steps(&self.name).unwrap_or_default());
        }
        format!("{manager}{}/{}", steps(&self.slice).unwrap_or_default(), self.name)
    }

    pub fn is_slice(&self) -> bool {
        self.name.ends_with(".slice")
    }

    /// What it is made with.
    pub fn properties(&self, id: &str, pid: i32, groups: Version) -> Properties {
        let on = |name: &str| (name.to_owned(), Value::Bool(true));
        let text = |name: &str, text: String| (name.to_owned(), Value::Text(text));
        let mut all = vec![text("Description", format!("teu container {id}"))];
        if self.is_slice() {
            all.push(("Wants".to_owned(), Value::Texts(vec![self.slice.clone()])));
        } else {
            all.push(text("Slice", self.slice.clone()));
            all.push(on("Delegate"));
            all.push(("PIDs".to_owned(), Value::Numbers(vec![pid.cast_unsigned()])));
        }
        let io = if groups == Version::V1 { "BlockIOAccounting" } else { "IOAccounting" };
        all.extend(["MemoryAccounting", "CPUAccounting", io, "TasksAccounting"].map(on));
        all.push(("DefaultDependencies".to_owned(), Value::Bool(false)));
        all
    }
}

/// `a-b.slice` is in `/a.slice/a-b.slice`; `-.slice` is the root.
fn steps(slice: &str) -> Option<String> {
    let stem = slice.strip_suffix(".slice")?;
    if stem == "-" {
        return Some(String::new());
    }
    let (mut path, mut name) = (String::new(), String::new());
    for part in stem.split('-') {
        if part.is_empty() {
            return None;
        }
        name = if name.is_empty() { part.to_owned() } else { format!("{name}-{part}") };
        path.push_str(&format!("/{name}.slice"));
    }
    Some(path)
}

/// The limits it knows words for; the others stand in the group's files alone. `u64::MAX` is its "infinity".
pub fn limits(resources: &LinuxResources, groups: Version) -> Result<Properties, String> {
    let v1 = groups == Version::V1;
    let mut all: Properties = Vec::new();
    let mut number = |name: &str, value: u64| all.push((name.to_owned(), Value::U64(value)));
    let bound = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
    if let Some(memory) = resources.memory() {
        let given = |value: Option<i64>| value.filter(|v| *v != 0);
        if let Some(limit) = given(memory.limit()) {
            number(if v1 { "MemoryLimit" } else { "MemoryMax" }, bound(limit));
        }
        // v1's manager has no words for the others.
        let memory = if v1 { &LinuxMemory::default() } else { memory };
        match (given(memory.swap()), given(memory.limit())) {
            (Some(swap), Some(limit)) if swap > 0 && limit > 0 => number("MemorySwapMax", bound(swap - limit)),
            (Some(swap), _) if swap < 0 => number("MemorySwapMax", u64::MAX),
            _ => {}
        }
        if let Some(low) = given(memory.reservation()) {
            number("MemoryLow", bound(low));
        }
    }
    if let Some(pids) = resources.pids() {
        number("TasksMax", bound(pids.limit()));
    }
    if let Some(weight) = resources.block_io().as_ref().and_then(|b| b.weight()).filter(|w| *w != 0) {
        match v1 {
            true => number("BlockIOWeight", weight.into()),
            false => number("IOWeight", io_weight(weight)),
        }
    }
    if let Some(cpu) = resources.cpu() {
        if let Some(shares) = cpu.shares().filter(|s| *s != 0) {
            match v1 {
                true => number("CPUShares", shares),
                false => number("CPUWeight", weight_of_shares(shares)),
            }
        }
        let (quota, period) = (cpu.quota().filter(|q| *q != 0), cpu.period().filter(|p| *p != 0));
        if let Some(period) = period {
            number("CPUQuotaPeriodUSec", period);
        }
        if quota.is_some() || period.is_some() {
            number("CPUQuotaPerSecUSec", per_second(quota.unwrap_or(-1), period.unwrap_or(100_000)));
        }
        for (name, list) in [("AllowedCPUs", cpu.cpus()), ("AllowedMemoryNodes", cpu.mems())] {
            let Some(text) = list.as_ref().filter(|text| !text.is_empty()) else { continue };
            let numbers = parse_list(text).ok_or_else(|| format!("'{text}' is no list such as 0-2,4"))?;
            all.push((name.to_owned(), Value::Bytes(mask(&numbers))));
        }
    }
    Ok(all)
}

/// Properties that callers give as annotations (`org.systemd.property.NAME`), their values as GVariant writes them.
pub fn annotated(annotations: &HashMap<String, String>) -> Result<Properties, String> {
    let mut all: Properties = Vec::new();
    for (key, text) in annotations {
        let Some(name) = key.strip_prefix("org.systemd.property.") else { continue };
        if name.len() < 3 || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("annotation {key}: no name of a property"));
        }
        let value = value(text.trim()).ok_or_else(|| format!("annotation {key}: '{text}' is not understood"))?;
        // Seconds are given, microseconds are known.
        let stem = name.strip_suffix("Sec").filter(|_| !name.ends_with("USec"));
        let seconds = match (stem, &value) {
            (Some(stem), Value::U64(seconds)) => Some((stem, *seconds)),
            (Some(stem), Value::U32(seconds)) => Some((stem, u64::from(*seconds))),
            (Some(stem), Value::I32(seconds)) => u64::try_from(*seconds).ok().map(|seconds| (stem, seconds)),
            _ => None,
        };
        all.push(match seconds {
            Some((stem, seconds)) => (format!("{stem}USec"), Value::U64(seconds.saturating_mul(1_000_000))),
            None => (name.to_owned(), value),
        });
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

fn value(text: &str) -> Option<Value> {
    let quoted = |text: &str| {
        let inner = ['\'', '"'].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q))?;
        (!inner.contains(['\'', '"', '\\'])).then(|| inner.to_owned())
    };
    if let Some(list) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return list.split(',').map(|item| quoted(item.trim())).collect::<Option<Vec<_>>>().map(Value::Texts);
    }
    if let Some((kind, number)) = text.split_once(' ') {
        return match kind {
            "uint32" => number.trim().parse().ok().map(Value::U32),
            "uint64" => number.trim().parse().ok().map(Value::U64),
            "int32" => number.trim().parse().ok().map(Value::I32),
            "int64" => number.trim().parse().ok().map(Value::I64),
            _ => quoted(text).map(Value::Text),
        };
    }
    match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => quoted(text).map(Value::Text).or_else(|| text.parse().ok().map(Value::I32)),
    }
}

/// Microseconds of each second, in steps of ten milliseconds, never less than asked for.
fn per_second(quota: i64, period: u64) -> u64 {
    let Ok(quota) = u64::try_from(quota) else { return u64::MAX };
    let exact = u128::from(quota) * 1_000_000 / u128::from(period.max(1));
    u64::try_from(exact.next_multiple_of(10_000)).unwrap_or(u64::MAX)
}

/// A bit for each number, lowest first.
fn mask(numbers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in numbers {
        let at = *number as usize / 8;
        bytes.resize(bytes.len().max(at + 1), 0);
        bytes[at] |= 1 << (number % 8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_places() {
        let unit = Unit::parse("machine-a.slice:libpod:0a1b", "id", false).unwrap();
        assert_eq!(unit.name, "libpod-0a1b.scope");
        assert_eq!(unit.path(""), "/machine.slice/machine-a.slice/libpod-0a1b.scope");
        let unit = Unit::parse("", "id", true).unwrap();
        assert_eq!(unit.path("/user.slice/u"), "/user.slice/u/user.slice/teu-id.scope");
        assert_eq!(Unit::parse("::x", "id", false).unwrap().path(""), "/system.slice/x.scope");
        assert_eq!(Unit::parse("-.slice:p:x", "id", false).unwrap().path(""), "/p-x.scope");
        let slice = Unit::parse("a.slice::a-b.slice", "id", false).unwrap();
        assert_eq!((slice.is_slice(), slice.path("").as_str()), (true, "/a.slice/a-b.slice"));
        for wrong in
            ["/a/b", "a:b", "a.slice:b:", "a:b:c", "a/b.slice:c:d", "a--b.slice:c:d", "a.slice:b:c:d", "a.slice:b:/c"]
        {
            assert!(Unit::parse(wrong, "id", false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_in_its_words() {
        let resources = json!({
            "memory": { "limit": 100, "swap": 150, "reservation": 50 }, "pids": { "limit": -1 },
            "cpu": { "shares": 1024, "quota": 12345, "period": 100_000, "cpus": "0-1,9", "mems": "0" },
            "blockIO": { "weight": 1000 },
        });
        let resources: LinuxResources = serde_json::from_value(resources).unwrap();
        let found: Vec<String> =
            limits(&resources, Version::V2).unwrap().iter().map(|(n, v)| format!("{n} {v:?}")).collect();
        let expected = [
            "MemoryMax U64(100)",
            "MemorySwapMax U64(50)",
            "MemoryLow U64(50)",
            "TasksMax U64(18446744073709551615)",
            "IOWeight U64(10000)",
            "CPUWeight U64(100)",
            "CPUQuotaPeriodUSec U64(100000)",
            "CPUQuotaPerSecUSec U64(130000)",
            "AllowedCPUs Bytes([3, 2])",
            "AllowedMemoryNodes Bytes([1])",
        ];
        assert_eq!(found, expected);
        let found: Vec<_> = limits(&resources, Version::V1).unwrap().into_iter().map(|(name, _)| name).collect();
        let quotas = ["CPUQuotaPeriodUSec", "CPUQuotaPerSecUSec", "AllowedCPUs", "AllowedMemoryNodes"];
        assert_eq!(found[..4], ["MemoryLimit", "TasksMax", "BlockIOWeight", "CPUShares"]);
        assert_eq!(found[4..], quotas);
    }

    #[test]
    fn properties_by_annotations() {
        let given = [
            ("org.systemd.property.TimeoutStopUSec", "uint64 5"),
            ("org.systemd.property.RuntimeMaxSec", "30"),
            ("org.systemd.property.CollectMode", "'inactive-or-failed'"),
            ("org.systemd.property.After", "['a.service', \"b.service\"]"),
            ("org.systemd.property.SendSIGHUP", "true"),
            ("other", "x"),
        ];
        let given = given.map(|(key, text)| (key.to_owned(), text.to_owned())).into();
        let found: Vec<String> = annotated(&given).unwrap().iter().map(|(n, v)| format!("{n} {v:?}")).collect();
        let expected = [
            "After Texts([\"a.service\", \"b.service\"])",
            "CollectMode Text(\"inactive-or-failed\")",
            "RuntimeMaxUSec U64(30000000)",
            "SendSIGHUP Bool(true)",
            "TimeoutStopUSec U64(5)",
        ];
        assert_eq!(found, expected);
        for wrong in ["", "x", "uint64 -1", "['a'", "'a\\'b'", "@as []"] {
            let one = [("org.systemd.property.After".to_owned(), wrong.to_owned())].into();
            assert!(annotated(&one).is_err(), "{wrong}");
        }
    }
}
