//! `--blkio-weight-device` and `--device-read-bps` with its three sisters.

use crate::cli::args::{Args, wrong};
use crate::engine::Result;
use crate::model::container::{DeviceRate, DeviceWeight, RateKind};
use crate::model::units::parse_bytes;

const RATES: [(&str, RateKind); 4] = [
    ("device-read-bps", RateKind::ReadBytes),
    ("device-write-bps", RateKind::WriteBytes),
    ("device-read-iops", RateKind::ReadOperations),
    ("device-write-iops", RateKind::WriteOperations),
];

/// `PATH:VALUE`
fn split<'t>(flag: &str, text: &'t str) -> Result<(&'t str, &'t str)> {
    let parts = text.rsplit_once(':').filter(|(path, _)| path.starts_with("/dev/") && !path.contains(".."));
    parts.ok_or_else(|| wrong(flag, text, "it must be PATH:VALUE, with the path of a device below /dev"))
}

pub(super) fn weights(args: Args) -> Result<Vec<DeviceWeight>> {
    const FLAG: &str = "blkio-weight-device";
    let one = |text: &&str| {
        let (path, weight) = split(FLAG, text)?;
        match weight.parse().ok().filter(|n| (10..=1000).contains(n)) {
            Some(weight) => Ok(DeviceWeight { path: path.to_owned(), weight }),
            None => Err(wrong(FLAG, text, "the weight must be 10 to 1000")),
        }
    };
    args.texts(FLAG).iter().map(one).collect()
}

pub(super) fn rates(args: Args) -> Result<Vec<DeviceRate>> {
    let mut rates = Vec::new();
    for (flag, kind) in RATES {
        for text in args.texts(flag) {
            let (path, value) = split(flag, text)?;
            let rate = match kind {
                RateKind::ReadBytes | RateKind::WriteBytes => parse_bytes(value),
                RateKind::ReadOperations | RateKind::WriteOperations => value.parse().ok(),
            };
            let rate = rate.ok_or_else(|| wrong(flag, text, format!("'{value}' is not a rate")))?;
            rates.push(DeviceRate { path: path.to_owned(), kind, rate });
        }
    }
    Ok(rates)
}
