//! `--privileged`, capabilities, `--security-opt`.

use crate::cli::args::{Args, wrong};
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
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        match !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
            true => Ok(name.to_owned()),
            false => Err(wrong(flag, text, "it is not a capability's name")),
        }
    };
    args.texts(flag).iter().map(one).collect()
}

fn apply(security: &mut Security, option: &str) -> Result<()> {
    let (key, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
    match (key, value) {
        ("no-new-privileges", "" | "true") => security.no_new_privileges = Some(true),
        ("no-new-privileges", "false") => security.no_new_privileges = Some(false),
        ("seccomp", "unconfined") => security.seccomp = SeccompProfile::Unconfined,
        ("seccomp", "builtin") => security.seccomp = SeccompProfile::Default,
        ("seccomp", path) if !path.is_empty() => security.seccomp = profile(path)?,
        ("systempaths", "unconfined") => security.unmask_all = true,
        // teu confines by neither, so having none of it is what there is.
        ("apparmor", "unconfined") | ("label", "disable") => {}
        ("apparmor" | "label" | "writable-cgroups", _) => {
            return Err(Error::new(ErrorKind::Unsupported, format!("--security-opt {option} is not supported yet")));
        }
        _ => return Err(wrong("security-opt", option, "there are no-new-privileges, seccomp and systempaths")),
    }
    Ok(())
}

fn profile(path: &str) -> Result<SeccompProfile> {
    let during = || format!("reading the seccomp profile {path}");
    let text = std::fs::read_to_string(path).map_err(|e| Error::from_source(ErrorKind::Invalid, during(), &e))?;
    serde_json::from_str::<serde::de::IgnoredAny>(&text)
        .map_err(|e| Error::from_source(ErrorKind::Invalid, during(), &e))?;
    Ok(SeccompProfile::Custom(text))
}
