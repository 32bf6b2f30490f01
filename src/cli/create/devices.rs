//! `--device` and `--device-cgroup-rule`.

use crate::cli::args::wrong;
use crate::engine::{Error, ErrorKind, Result};
use crate::model::isolation::{DeviceMapping, DeviceRule};

pub(super) fn devices(texts: &[&str]) -> Result<Vec<DeviceMapping>> {
    texts.iter().map(|text| device(text)).collect()
}

/// `HOST[:INSIDE][:rwm]`, where the second part may be either, as docker has it.
fn device(text: &str) -> Result<DeviceMapping> {
    if is_cdi(text) {
        let message = format!("--device {text}: devices of the Container Device Interface are not supported");
        return Err(
            Error::new(ErrorKind::Unsupported, message).hint("name the device's node, as in --device /dev/fuse")
        );
    }
    let parts: Vec<&str> = text.split(':').collect();
    let (host, inside, access) = match parts[..] {
        [host] => (host, host, "rwm"),
        [host, second] if is_access(second) => (host, host, second),
        [host, inside] => (host, inside, "rwm"),
        [host, inside, access] => (host, inside, access),
        _ => return Err(wrong("device", text, "it must be HOST[:PATH[:rwm]]")),
    };
    if !host.starts_with('/') || !inside.starts_with('/') {
        return Err(wrong("device", text, "it must be an absolute path"));
    }
    let odd = |path: &str| path.split('/').any(|part| part == "..") || path.trim_matches('/').is_empty();
    if odd(host) || odd(inside) {
        return Err(wrong("device", text, "a path to a device has no '..' and is not '/'"));
    }
    if !is_access(access) {
        return Err(wrong("device", text, format!("'{access}' is no access: it must be some of r, w and m")));
    }
    let path =
        |path: &str| format!("/{}", path.split('/').filter(|p| !matches!(*p, "" | ".")).collect::<Vec<_>>().join("/"));
    Ok(DeviceMapping { host: path(host), inside: path(inside), access: access.to_owned() })
}

/// `vendor.com/class=name`
fn is_cdi(text: &str) -> bool {
    let Some((kind, name)) = text.split_once('=') else { return false };
    !text.starts_with('/') && !name.is_empty() && kind.contains('/')
}

fn is_access(text: &str) -> bool {
    let once = |letter| text.bytes().filter(|b| *b == letter).count() <= 1;
    !text.is_empty() && text.bytes().all(|b| b"rwm".contains(&b)) && b"rwm".iter().all(|letter| once(*letter))
}

pub(super) fn rules(texts: &[&str]) -> Result<Vec<DeviceRule>> {
    texts.iter().map(|text| rule(text)).collect()
}

/// `c 10:229 rwm`, with `*` for any number.
fn rule(text: &str) -> Result<DeviceRule> {
    let bad = |why: &str| wrong("device-cgroup-rule", text, why);
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [kind, numbers, access] = parts[..] else {
        return Err(bad("it must be KIND MAJOR:MINOR ACCESS, as in 'c 10:229 rwm'"));
    };
    let kind = match kind {
        "a" => 'a',
        "b" => 'b',
        "c" => 'c',
        _ => return Err(bad("the kind must be a, b or c")),
    };
    let number = |text: &str| match text {
        "*" => Ok(None),
        text => text.parse().map(Some).map_err(|_| bad("a device's number is a number or '*'")),
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(|| bad("the device must be MAJOR:MINOR"))?;
    if !is_access(access) {
        return Err(bad("the access must be some of r, w and m"));
    }
    Ok(DeviceRule { kind, major: number(major)?, minor: number(minor)?, access: access.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_as_docker_reads_them() {
        let all = [
            ("/dev/fuse", "/dev/fuse", "/dev/fuse", "rwm"),
            ("/dev/fuse:r", "/dev/fuse", "/dev/fuse", "r"),
            ("/dev/sda:/dev//xvda", "/dev/sda", "/dev/xvda", "rwm"),
            ("/dev/sda:/dev/xvda:rw", "/dev/sda", "/dev/xvda", "rw"),
        ];
        for (text, host, inside, access) in all {
            let one = device(text).expect(text);
            assert_eq!((one.host.as_str(), one.inside.as_str(), one.access.as_str()), (host, inside, access), "{text}");
        }
        for text in ["", "fuse", "/dev/a:b", "/dev/a:/b:x", "/dev/a:/b:rr", "/dev/../etc", "/", "/a:/b:r:w"] {
            assert!(device(text).is_err(), "{text}");
        }
        assert_eq!(device("vendor.com/gpu=all").expect_err("CDI").kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn rules_as_the_kernel_writes_them() {
        for text in ["c 10:229 rwm", "b *:* m", "a *:* rw", "c 4:* r"] {
            assert_eq!(rule(text).expect(text).to_string(), text);
        }
        for text in ["", "c 1:3", "x 1:3 r", "c 1 r", "c 1:x r", "c 1:3 q", "c -1:3 r", "c 1:3 r w"] {
            assert!(rule(text).is_err(), "{text}");
        }
    }
}
