//! Limits for single block devices: from paths to the lines that control groups take.

use super::limits::io_weight;
use super::{Error, Result};
use crate::model::container::{Limits, RateKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// One limit of one device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceLimit {
    /// `major:minor`
    number: String,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Weight(u16),
    Rate(RateKind, u64),
}

/// Looks the devices up. A path that is no block device is an error.
pub fn resolve(limits: &Limits) -> Result<Vec<DeviceLimit>> {
    let weights = limits.device_weights.iter().map(|d| (&d.path, What::Weight(d.weight)));
    let rates = limits.device_rates.iter().map(|d| (&d.path, What::Rate(d.kind, d.rate)));
    weights.chain(rates).map(|(path, what)| Ok(DeviceLimit { number: number(path)?, what })).collect()
}

fn number(path: &str) -> Result<String> {
    let stat = std::fs::metadata(path);
    let stat = stat.map_err(|e| Error::Invalid(format!("a limit for the device {path} makes no sense: {e}")))?;
    if !stat.file_type().is_block_device() {
        return Err(Error::Invalid(format!("a limit for {path} makes no sense: it is not a block device")));
    }
    let device = stat.rdev();
    // Linux's packing of device numbers.
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    Ok(format!("{major}:{minor}"))
}

impl DeviceLimit {
    /// File of the blkio controller and its line.
    pub fn v1(&self) -> (&'static str, String) {
        let (file, value) = match self.what {
            What::Weight(weight) => ("blkio.bfq.weight_device", u64::from(weight)),
            What::Rate(RateKind::ReadBytes, rate) => ("blkio.throttle.read_bps_device", rate),
            What::Rate(RateKind::WriteBytes, rate) => ("blkio.throttle.write_bps_device", rate),
            What::Rate(RateKind::ReadOperations, rate) => ("blkio.throttle.read_iops_device", rate),
            What::Rate(RateKind::WriteOperations, rate) => ("blkio.throttle.write_iops_device", rate),
        };
        (file, format!("{} {value}", self.number))
    }

    /// The same for v2.
    pub fn v2(&self) -> (&'static str, String) {
        let key = match self.what {
            What::Weight(weight) => return ("io.weight", format!("{} {}", self.number, io_weight(weight))),
            What::Rate(RateKind::ReadBytes, _) => "rbps",
            What::Rate(RateKind::WriteBytes, _) => "wbps",
            What::Rate(RateKind::ReadOperations, _) => "riops",
            What::Rate(RateKind::WriteOperations, _) => "wiops",
        };
        let value = match self.what {
            What::Rate(_, 0) | What::Weight(_) => "max".to_owned(),
            What::Rate(_, rate) => rate.to_string(),
        };
        ("io.max", format!("{} {key}={value}", self.number))
    }
}

/// The kernel's two ways to say that this device cannot be limited so.
pub fn explain(error: Error) -> Error {
    match &error {
        Error::Io { path, source, .. } if matches!(source.raw_os_error(), Some(19 | 95)) => {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let why = match file.contains("weight") {
                true => "weights need the bfq or the cost scheduler on the device",
                false => "it must be a whole device, not a partition",
            };
            Error::Invalid(format!("the block device limit of {file} is refused: {why}"))
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_versions() {
        let limit = |what| DeviceLimit { number: "8:0".into(), what };
        let rate = limit(What::Rate(RateKind::ReadBytes, 1024));
        assert_eq!(rate.v1(), ("blkio.throttle.read_bps_device", "8:0 1024".to_owned()));
        assert_eq!(rate.v2(), ("io.max", "8:0 rbps=1024".to_owned()));
        assert_eq!(limit(What::Rate(RateKind::WriteOperations, 0)).v2().1, "8:0 wiops=max");
        assert_eq!(limit(What::Weight(1000)).v2(), ("io.weight", "8:0 10000".to_owned()));
        assert_eq!(
            number("/dev/null").unwrap_err().to_string(),
            "a limit for /dev/null makes no sense: it is not a block device"
        );
        assert!(number("/dev/not-there").is_err());
    }
}
