//! `--ipc`, `--pid`, `--uts`, `--cgroupns`: which namespaces are shared, and with whom.

use crate::cli::args::{Args, misuse, wrong};
use crate::engine::Result;
use crate::model::isolation::{Ipc, Isolation, Sharing};

pub(super) fn isolation(args: Args) -> Result<Isolation> {
    let (users, user_map) = super::users::users(args)?;
    let isolation = Isolation {
        users,
        user_map,
        ipc: ipc(args.text("ipc").unwrap_or_default())?,
        pid: sharing("pid", args)?,
        uts: sharing("uts", args)?,
        host_cgroups: host_cgroups(args)?,
    };
    if args.given("shm-size") && !matches!(isolation.ipc, Ipc::Private | Ipc::Shareable) {
        return Err(misuse("conflicting options: --shm-size and --ipc: that shared memory is not the container's own"));
    }
    if isolation.uts != Sharing::Private {
        for name in ["hostname", "domainname"] {
            if args.given(name) {
                return Err(misuse(format!(
                    "conflicting options: --{name} and --uts: that name is not the container's"
                )));
            }
        }
    }
    Ok(isolation)
}

fn ipc(text: &str) -> Result<Ipc> {
    Ok(match text {
        "" | "private" => Ipc::Private,
        "shareable" => Ipc::Shareable,
        "none" => Ipc::None,
        "host" => Ipc::Host,
        _ => match container("ipc", text)? {
            Some(name) => Ipc::Container(name),
            None => return Err(wrong("ipc", text, "it must be private, shareable, none, host or container:NAME")),
        },
    })
}

fn sharing(flag: &str, args: Args) -> Result<Sharing> {
    let text = args.text(flag).unwrap_or_default();
    Ok(match text {
        "" | "private" => Sharing::Private,
        "host" => Sharing::Host,
        _ => match container(flag, text)? {
            Some(name) => Sharing::Container(name),
            None => return Err(wrong(flag, text, "it must be private, host or container:NAME")),
        },
    })
}

fn container(flag: &str, text: &str) -> Result<Option<String>> {
    match text.strip_prefix("container:") {
        Some("") => Err(wrong(flag, text, "the container's name is missing")),
        name => Ok(name.map(str::to_owned)),
    }
}

fn host_cgroups(args: Args) -> Result<bool> {
    match args.text("cgroupns").unwrap_or_default() {
        "" | "private" => Ok(false),
        "host" => Ok(true),
        other => Err(wrong("cgroupns", other, "it must be private or host")),
    }
}
