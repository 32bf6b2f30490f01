//! What this machine offers to containers: each finding with what it means and what mends it.

mod kernel;
mod limits;

use crate::engine::context::JobContext;
use crate::engine::core::Core;
use crate::engine::error::without_number;
use crate::engine::job::{Check, CheckLevel, Output};
use crate::engine::networks;
use crate::engine::{Error, ErrorKind, Result};
use crate::image::snapshot;
use crate::model::network::DEFAULT;
use crate::model::units::binary_size;
use crate::net::support;
use crate::runtime::cgroup::{Version, support};
use crate::sys::userns::{Identity, identity};
use crate::sys::{access, facts, files};
use std::path::Path;

/// Looks at everything anew; changes nothing.
pub(super) async fn doctor(cx: &mut JobContext) -> Result<Output> {
    cx.blocking(|core| Ok(Output::Doctor(examine(core, identity())))).await
}

fn examine(core: &Core, who: &Identity) -> Vec<Check> {
    let mut checks = vec![kernel::version(), kernel::user_namespaces(who), kernel::sub_ids(who)];
    let data = data_dir(core.root.data());
    // What cannot be written to is not what the kernel refuses.
    let writable = data.level == CheckLevel::Ok;
    checks.push(data);
    // An ordinary user without a user namespace has none of what belongs to one.
    let at_home = who.rootless || who.uid == 0;
    if writable && at_home {
        checks.push(overlay(core));
    }
    if at_home {
        checks.extend(cgroups(who));
    }
    checks.push(kernel::seccomp());
    if who.rootless {
        checks.push(kernel::tun());
    }
    if at_home {
        checks.push(networks(core, who));
    }
    checks.push(space(core));
    checks.push(run_dir(core));
    checks.extend(limits::inotify());
    checks.push(limits::open_files());
    checks.push(starter());
    checks.extend(core.options.settings_problems.iter().map(|problem| Check::settings(problem)));
    checks
}

fn ok(name: &str, found: impl Into<String>) -> Check {
    Check {
        name: name.into(),
        level: CheckLevel::Ok,
        found: found.into(),
        effect: String::new(),
        remedy: String::new(),
    }
}

fn finding(level: CheckLevel, name: &str, found: impl Into<String>, effect: &str, remedy: &str) -> Check {
    let found = without_number(&found.into()).into_owned();
    Check { name: name.into(), level, found, effect: effect.into(), remedy: remedy.into() }
}

fn data_dir(data: &Path) -> Check {
    let name = "data directory";
    let Some(error) = access::why_not_writable(data) else { return ok(name, data.display().to_string()) };
    let remedy = match error.kind() {
        std::io::ErrorKind::ReadOnlyFilesystem => "mount it read-write, or use a --root on a writable file system",
        _ => "make it yours (chown), or use another --root",
    };
    let found = Error::new(ErrorKind::Denied, format!("{} is not writable: {error}", data.display())).to_string();
    finding(CheckLevel::Fail, name, found, "nothing can be pulled, created or removed", remedy)
}

fn overlay(core: &Core) -> Check {
    let name = "overlay";
    match snapshot::overlay_refused(&core.root) {
        Ok(None) => ok(name, format!("works in {}", core.root.data().display())),
        Ok(Some(why)) => finding(
            CheckLevel::Warn,
            name,
            format!("refused: {why}"),
            "every container gets a full copy of its image: slower to create, more disk",
            "put the data directory on ext4, xfs or btrfs; ordinary users need kernel 5.11 or newer",
        ),
        Err(e) => {
            let error = Error::from(e).during("trying an overlay mount");
            let remedy = error.hint_text().unwrap_or_default();
            finding(CheckLevel::Fail, name, error.to_string(), "containers cannot be created", remedy)
        }
    }
}

/// One line for the version and what may be limited, one for each thing that cannot be had.
fn cgroups(who: &Identity) -> Vec<Check> {
    let found = support(who);
    let version = match found.version {
        Version::V2 => "v2",
        Version::V1 => "v1",
        Version::None => "none mounted",
    };
    if !found.usable() || found.controllers.is_empty() {
        let why = found.reasons.first().map(|r| format!("{version}: {r}")).unwrap_or_else(|| version.into());
        let remedy = match (found.version, who.rootless) {
            (Version::None, _) => "mount cgroup2 on /sys/fs/cgroup",
            (Version::V2, true) => "systemd-run --user --scope -p Delegate=yes teu",
            (Version::V1, true) => {
                "cgroup v2 gives ordinary users limits: boot with systemd.unified_cgroup_hierarchy=1"
            }
            _ => "",
        };
        let effect = "containers run, but without limits";
        return vec![finding(CheckLevel::Warn, "cgroup", why, effect, remedy)];
    }
    let mut checks = vec![ok("cgroup", format!("{version}, limits by {}", found.controllers.join(" ")))];
    checks.extend(found.reasons.iter().map(|r| finding(CheckLevel::Warn, "cgroup", r.clone(), "", "")));
    checks
}

/// teu's own table goes on to decide what is let in.
const PERMIT: &str =
    "permit it there for teu's bridges: nft insert rule CHAIN iifname BRIDGE accept, and the same for oifname";

/// What a container gets that names no network.
fn networks(core: &Core, who: &Identity) -> Check {
    let name = "networks";
    let lack = match networks::lacking(core) {
        Ok(lack) => lack,
        Err(e) => return finding(CheckLevel::Fail, name, e.to_string(), "", ""),
    };
    if let Some(lack) = lack {
        let effect = "containers have loopback alone, or with --network host this machine's network";
        return finding(CheckLevel::Warn, name, lack.why, effect, lack.remedy);
    }
    if !who.rootless {
        return bridged(core, name);
    }
    match support::way_out(&networks::search_path(core)) {
        None => ok(name, "bridges, and a way out by pasta or slirp4netns"),
        Some(lack) => {
            let effect = "who names no network has loopback alone; on networks, containers reach each other only";
            finding(CheckLevel::Warn, name, lack.why, effect, lack.remedy)
        }
    }
}

/// Root's bridges, and what this machine's firewalls make of them.
fn bridged(core: &Core, name: &'static str) -> Check {
    if !support::translates() {
        let why = "this kernel has no nf_tables, or not all of it";
        let effect =
            "containers reach nothing outside; teu itself forwards published ports; no network can be internal";
        return finding(CheckLevel::Warn, name, why, effect, "");
    }
    match core.network(DEFAULT).ok().and_then(|n| support::closed(&core.host_interface(&n))) {
        None => ok(name, "bridges, with addresses translated by nf_tables"),
        Some(chain) => {
            let why = format!("this machine's firewall drops what is forwarded (chain {chain})");
            finding(
                CheckLevel::Warn,
                name,
                why,
                "containers neither reach the outside nor are reached from there",
                PERMIT,
            )
        }
    }
}

fn space(core: &Core) -> Check {
    let (name, data) = ("disk space", core.root.data());
    let free = match files::free_space(data) {
        Ok(free) => free,
        Err(e) => return finding(CheckLevel::Warn, name, e.to_string(), "", ""),
    };
    let found = format!("{} free in {}", binary_size(free), data.display());
    let remedy = "teu system prune --all frees what is not in use";
    match free >> 20 {
        0..100 => finding(CheckLevel::Fail, name, found, "images cannot be unpacked", remedy),
        100..2048 => finding(CheckLevel::Warn, name, found, "large images will not fit", remedy),
        _ => ok(name, found),
    }
}

fn run_dir(core: &Core) -> Check {
    /// `TMPFS_MAGIC` and `RAMFS_MAGIC` of statfs(2).
    const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];
    let (name, run) = ("run directory", core.root.run());
    let found = run.display().to_string();
    match crate::sys::facts::file_system_magic(run) {
        Ok(magic) if IN_MEMORY.contains(&magic) => ok(name, format!("{found} (in memory)")),
        Ok(_) => ok(name, format!("{found} (on disk: what a reboot leaves there is recognised and ignored)")),
        Err(e) => finding(
            CheckLevel::Fail,
            name,
            e.to_string(),
            "no container can be started",
            "make it, owned by you, mode 0700",
        ),
    }
}

fn starter() -> Check {
    let shells: Vec<&str> = ["bash", "sh", "busybox"].into_iter().filter(|s| facts::program(s).is_some()).collect();
    match shells.is_empty() {
        false => ok("starter image", format!("can be made of this machine's programs ({})", shells.join(", "))),
        true => finding(
            CheckLevel::Warn,
            "starter image",
            "this machine has no shell",
            "localhost/starter cannot be made; pulled images work",
            "install busybox",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_words_without_the_library_s_numbers() {
        let error = std::io::Error::from_raw_os_error(13);
        let check = finding(CheckLevel::Warn, "/dev/net/tun", error.to_string(), "", "");
        assert_eq!(check.found, "Permission denied");
    }
}
