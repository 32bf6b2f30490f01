//! `--privileged`, capabilities, `--security-opt`.

use crate::cli::args::{Args, text_of_file, wrong};
use crate::engine::{Error, ErrorKind, Result};
use crate::model::container::{SeccompProfile, Security};

pub(super) fn security(args: Args) -> Result<Security> {
    let mut security = Security {
        privileged: args.on("privileged"),
        cap_add: capabilities("cap-add", args)?,
        cap_drop: capabilities("cap-drop", args)?,
        ..Security::default()
    };
    for option in args.texts("security-opt") {
        apply(&mut security, option)?;
    }
    Ok(security)
}

/// Upper case, without `CAP_`. Whether the kernel knows the name is found out when the container is created.
fn capabilities(flag: &str, args: Args) -> Result<Vec<String>> {
    let one = |text: &&str| {
        let upper = text.trim().to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        match !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
            true => Ok(name.to_owned()),
            false => Err(wrong(flag, text, "it is not a capability's name")),
        }
    };
    // Podman's lists: several between commas.
    args.texts(flag).iter().flat_map(|text| text.split(',')).map(|text| one(&text)).collect()
}

fn apply(security: &mut Security, option: &str) -> Result<()> {
    let (key, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
    match (key, value) {
        ("no-new-privileges", "" | "true") => security.no_new_privileges = Some(true),
        ("no-new-privileges", "false") => security.no_new_privileges = Some(false),
        ("no-new-privileges", _) => return Err(wrong("security-opt", option, "it is true or false")),
        ("seccomp", "") => return Err(wrong("security-opt", option, "it is unconfined, builtin or a profile's file")),
        ("seccomp", "unconfined") => security.seccomp = SeccompProfile::Unconfined,
        ("seccomp", "builtin") => security.seccomp = SeccompProfile::Default,
        ("seccomp", path) => security.seccomp = profile(path)?,
        ("systempaths", "unconfined") | ("unmask", "ALL" | "all") => security.unmask_all = true,
        ("mask", paths) => security.mask.extend(absolute(option, paths)?),
        ("unmask", paths) => security.unmask.extend(absolute(option, paths)?),
        // teu confines by neither unless asked, so having none of it is what there is.
        ("apparmor", "unconfined") | ("label", "disable") => security.as_is.push(option.to_owned()),
        ("apparmor", profile) if !profile.is_empty() => security.apparmor = Some(profile.to_owned()),
        ("label" | "writable-cgroups", _) => {
            let why = if key == "label" { "teu sets no SELinux labels" } else { "control groups are always read-only" };
            let message = format!("--security-opt {option} is not supported");
            return Err(Error::new(ErrorKind::Unsupported, message).because(why));
        }
        _ => {
            let known = "apparmor, label, mask, no-new-privileges, seccomp, systempaths and unmask";
            return Err(wrong("security-opt", option, format!("there are {known}")));
        }
    }
    Ok(())
}

/// Paths between colons.
fn absolute(option: &str, paths: &str) -> Result<Vec<String>> {
    let good = |path: &&str| path.starts_with('/') && path.split('/').all(|part| part != "..");
    match paths.split(':').find(|path| !good(path)) {
        Some(bad) => Err(wrong("security-opt", option, format!("'{bad}' is not an absolute path"))),
        None => Ok(paths.split(':').map(str::to_owned).collect()),
    }
}

fn profile(path: &str) -> Result<SeccompProfile> {
    let text = text_of_file("the seccomp profile", path)?;
    serde_json::from_str::<serde::de::IgnoredAny>(&text)
        .map_err(|e| Error::from_source(ErrorKind::Invalid, format!("reading the seccomp profile {path}"), &e))?;
    Ok(SeccompProfile::Custom(text))
}
