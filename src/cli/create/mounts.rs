//! `-v`, `--mount` and `--tmpfs`.

use crate::cli::args::{Args, wrong};
use crate::engine::request::VolumesFrom;
use crate::engine::{Error, ErrorKind, Result};
use crate::model::id::{ContainerId, check_name};
use crate::model::mount::{Below, Mount, MountSource, Tmpfs};
use crate::model::units::parse_bytes;

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// Those of a mount that podman's `-v` takes.
const ATTRIBUTES: [&str; 6] = ["nosuid", "suid", "nodev", "dev", "noexec", "exec"];

/// All three flags; two mounts on one target are an error.
pub(super) fn all(args: Args) -> Result<(Vec<Mount>, Vec<Tmpfs>)> {
    let mut mounts = Vec::new();
    let mut tmpfs = Vec::new();
    for text in args.texts("volume") {
        mounts.push(volume(text)?);
    }
    for text in args.texts("mount") {
        match mount(text)? {
            Either::Mount(m) => mounts.push(m),
            Either::Tmpfs(t) => tmpfs.push(t),
        }
    }
    for text in args.texts("tmpfs") {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        tmpfs.push(Tmpfs { target: target("tmpfs", text, path)?, options: options.to_owned() });
    }
    let mut targets: Vec<&str> = mounts.iter().map(|m| m.target.as_str()).collect();
    targets.extend(tmpfs.iter().map(|t| t.target.as_str()));
    targets.sort_unstable();
    match targets.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::new(ErrorKind::Invalid, format!("duplicate mount point: {}", pair[0]))),
        None => Ok((mounts, tmpfs)),
    }
}

/// `NAME[:ro|rw]`
pub(super) fn volumes_from(texts: &[&str]) -> Result<Vec<VolumesFrom>> {
    let one = |text: &&str| {
        let (container, mode) = text.split_once(':').map_or((*text, None), |(name, mode)| (name, Some(mode)));
        let read_only = match mode {
            None | Some("rw") => false,
            Some("ro") => true,
            Some(_) => return Err(wrong("volumes-from", text, "it must be CONTAINER[:ro|rw]")),
        };
        match container {
            "" => Err(wrong("volumes-from", text, "the container's name is missing")),
            name => Ok(VolumesFrom { container: name.to_owned(), read_only }),
        }
    };
    texts.iter().map(one).collect()
}

/// `[SRC:]DST[:OPTIONS]`
fn volume(text: &str) -> Result<Mount> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, path, options) = match parts[..] {
        [path] => (None, path, ""),
        [source, path] => (Some(source), path, ""),
        [source, path, options] => (Some(source), path, options),
        _ => return Err(wrong("volume", text, "it must be [SOURCE:]TARGET[:OPTIONS]")),
    };
    let source = match source {
        None => anonymous(),
        Some("") => return Err(wrong("volume", text, "the source is empty")),
        Some(s) if is_path(s) => MountSource::Bind { path: host_path(s), create: true },
        Some(name) => named("volume", text, name)?,
    };
    let mut mount = Mount::new(source, target("volume", text, path)?);
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" | "readonly" => mount.read_only = true,
            "nocopy" => mount.no_copy = true,
            "copy" => mount.no_copy = false,
            "rbind" => mount.below = Below::Same,
            "bind" => mount.below = Below::Hidden,
            "U" => mount.give_to_user = true,
            "idmap" => mount.id_mapped = true,
            a if ATTRIBUTES.contains(&a) => mount.attributes.push(a.to_owned()),
            "O" => {
                return Err(
                    unsupported("--volume option O").because("an overlay over a directory is what an image is for")
                );
            }
            // SELinux labels and Docker Desktop's cache hints: teu labels nothing and has no file sharing to tune.
            "rw" => mount.read_only = false,
            "z" | "Z" | "cached" | "delegated" | "consistent" => {}
            p if PROPAGATIONS.contains(&p) => mount.propagation = Some(p.to_owned()),
            other => return Err(wrong("volume", text, format!("unknown option '{other}'"))),
        }
    }
    Ok(mount)
}

enum Either {
    Mount(Mount),
    Tmpfs(Tmpfs),
}

/// Fields of `--mount` as they come.
#[derive(Default)]
struct Spec {
    kind: String,
    source: Option<String>,
    target: Option<String>,
    read_only: bool,
    propagation: Option<String>,
    no_copy: bool,
    create: bool,
    below: Below,
    /// Asked for by its own name: it is what `readonly` does anyway.
    all_read_only: bool,
    give_to_user: bool,
    id_mapped: bool,
    attributes: Vec<String>,
    tmpfs: Vec<String>,
}

fn mount(text: &str) -> Result<Either> {
    let mut spec = Spec { kind: "volume".into(), ..Spec::default() };
    for field in csv(text) {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(k, v)| (k, Some(v)));
        set(&mut spec, text, &key.to_ascii_lowercase(), value)?;
    }
    let bad = |why: &str| wrong("mount", text, why);
    let path = spec.target.as_deref().ok_or_else(|| bad("target is required"))?;
    let path = target("mount", text, path)?;
    let source = match (spec.kind.as_str(), spec.source.as_deref()) {
        ("tmpfs", Some(_)) => return Err(bad("a tmpfs has no source")),
        ("tmpfs", None) => {
            if spec.read_only {
                spec.tmpfs.push("ro".into());
            }
            spec.tmpfs.append(&mut spec.attributes);
            return Ok(Either::Tmpfs(Tmpfs { target: path, options: spec.tmpfs.join(",") }));
        }
        ("bind", None | Some("")) => return Err(bad("a bind needs a source")),
        ("bind", Some(s)) if is_path(s) => MountSource::Bind { path: host_path(s), create: spec.create },
        ("bind", Some(_)) => return Err(bad("the source of a bind must be a path with a '/'")),
        ("volume", None | Some("")) => anonymous(),
        ("volume", Some(s)) if is_path(s) => return Err(bad("a volume's source is a name; for a path use type=bind")),
        ("volume", Some(name)) => named("mount", text, name)?,
        ("image" | "npipe" | "cluster", _) => {
            return Err(unsupported(&format!("--mount type={}", spec.kind)));
        }
        (other, _) => return Err(bad(&format!("unknown type '{other}'; there are bind, volume, tmpfs"))),
    };
    if spec.all_read_only && !spec.read_only {
        return Err(bad("bind-recursive=readonly needs readonly"));
    }
    Ok(Either::Mount(Mount {
        read_only: spec.read_only,
        propagation: spec.propagation,
        no_copy: spec.no_copy,
        attributes: spec.attributes,
        below: spec.below,
        give_to_user: spec.give_to_user,
        id_mapped: spec.id_mapped,
        ..Mount::new(source, path)
    }))
}

fn set(spec: &mut Spec, text: &str, key: &str, value: Option<&str>) -> Result<()> {
    let bad = |why: String| wrong("mount", text, why);
    let flag = || match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(bad(format!("'{other}' is neither true nor false"))),
    };
    match key {
        "readonly" | "ro" => spec.read_only = flag()?,
        "volume-nocopy" => spec.no_copy = flag()?,
        "bind-create-src" => spec.create = flag()?,
        "bind-nonrecursive" => spec.below = if flag()? { Below::Hidden } else { Below::Same },
        "rw" => spec.read_only = !flag()?,
        "u" | "chown" => spec.give_to_user = flag()?,
        "idmap" => spec.id_mapped = flag()?,
        "nosuid" | "nodev" | "noexec" | "suid" | "dev" | "exec" if value.is_none() => {
            spec.attributes.push(key.to_owned())
        }
        _ => {
            let value = value.ok_or_else(|| bad(format!("'{key}' must be {key}=VALUE")))?.to_owned();
            match key {
                "type" => spec.kind = value.to_ascii_lowercase(),
                "source" | "src" => spec.source = Some(value),
                "target" | "dst" | "destination" => spec.target = Some(value),
                "consistency" => {}
                "bind-propagation" if PROPAGATIONS.contains(&value.as_str()) => spec.propagation = Some(value),
                "bind-propagation" => return Err(bad(format!("unknown propagation '{value}'"))),
                "tmpfs-size" => {
                    let bytes = parse_bytes(&value).ok_or_else(|| bad(format!("'{value}' is not a size")))?;
                    spec.tmpfs.push(format!("size={bytes}"));
                }
                "tmpfs-mode" => {
                    u32::from_str_radix(&value, 8).map_err(|_| bad(format!("'{value}' is not an octal mode")))?;
                    spec.tmpfs.push(format!("mode={value}"));
                }
                "bind-recursive" => match value.as_str() {
                    "enabled" => spec.below = Below::Same,
                    "disabled" => spec.below = Below::Hidden,
                    "writable" => spec.below = Below::Writable,
                    "readonly" => (spec.below, spec.all_read_only) = (Below::Same, true),
                    _ => return Err(bad("bind-recursive is enabled, disabled, writable or readonly".into())),
                },
                // SELinux labels: see the short form.
                "relabel" if matches!(value.as_str(), "shared" | "private") => {}
                "volume-driver" | "volume-opt" | "volume-label" | "volume-subpath" => {
                    return Err(unsupported(&format!("--mount {key}")));
                }
                _ => return Err(bad(format!("unexpected key '{key}'"))),
            }
        }
    }
    Ok(())
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} is not supported"))
}

/// Fields between commas; a field in double quotes may hold commas, `""` is a quote.
fn csv(text: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

/// Docker's rule: something with a leading `/`, `./`, `../` or just `.` is a path, anything else a volume's name.
fn is_path(source: &str) -> bool {
    source.starts_with('/') || source.starts_with("./") || source.starts_with("../") || source == "." || source == ".."
}

fn host_path(source: &str) -> String {
    let absolute = std::path::absolute(source).unwrap_or_else(|_| source.into());
    let text = absolute.to_string_lossy();
    match text.starts_with('/') {
        true => clean(&text),
        false => source.to_owned(),
    }
}

fn named(flag: &str, text: &str, name: &str) -> Result<MountSource> {
    check_name(name).map_err(|e| wrong(flag, text, e))?;
    Ok(MountSource::Volume { name: name.to_owned() })
}

/// Docker's anonymous volumes have names that look like ids.
fn anonymous() -> MountSource {
    MountSource::Anonymous { name: ContainerId::random().into() }
}

fn target(flag: &str, text: &str, path: &str) -> Result<String> {
    if !path.starts_with('/') {
        return Err(wrong(flag, text, "the path inside the container must be absolute"));
    }
    match clean(path) {
        root if root == "/" => Err(wrong(flag, text, "the path inside the container cannot be '/'")),
        path => Ok(path),
    }
}

/// Lexical: no `.`, `..`, doubled or trailing slashes.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(path: &str, create: bool) -> MountSource {
        MountSource::Bind { path: path.into(), create }
    }

    fn check(text: &str, source: MountSource, to: &str, read_only: bool) {
        let m = volume(text).expect(text);
        assert_eq!((m.source, m.target.as_str(), m.read_only), (source, to, read_only), "{text}");
    }

    #[test]
    fn short_form() {
        check("/a:/b", bind("/a", true), "/b", false);
        check("/a/../c//d/:/b/./x/:ro", bind("/c/d", true), "/b/x", true);
        check("data:/b:ro,nocopy", MountSource::Volume { name: "data".into() }, "/b", true);
        assert!(matches!(volume("/data").unwrap().source, MountSource::Anonymous { .. }));
        assert!(matches!(volume("./x:/b").unwrap().source, MountSource::Bind { path, .. } if path.ends_with("/x")));
        assert_eq!(volume("/a:/b:rshared").unwrap().propagation.as_deref(), Some("rshared"));
        for bad in ["", ":", ":/b", "/a:b", "/a:/b:ro:x", "/a:/", "na me:/b", "/a:/b:what", "data:ro"] {
            assert!(volume(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn podman_s_options_and_docker_s_recursion() {
        let m = volume("/a:/b:nosuid,exec,U,bind,ro,rw").unwrap();
        assert_eq!((m.attributes.join(","), m.below, m.give_to_user), ("nosuid,exec".into(), Below::Hidden, true));
        assert!(!m.read_only, "the last one wins");
        assert!(volume("v:/b:idmap").unwrap().id_mapped);
        for (option, below) in [
            ("bind-nonrecursive", Below::Hidden),
            ("bind-nonrecursive=false", Below::Same),
            ("bind-recursive=disabled", Below::Hidden),
            ("bind-recursive=writable", Below::Writable),
            ("ro,bind-recursive=readonly", Below::Same),
        ] {
            let Either::Mount(m) = mount(&format!("type=bind,src=/a,dst=/b,{option}")).unwrap() else { unreachable!() };
            assert_eq!(m.below, below, "{option}");
        }
        match mount("type=tmpfs,dst=/t,exec").unwrap() {
            Either::Tmpfs(t) => assert_eq!(t.options, "exec"),
            Either::Mount(_) => unreachable!(),
        }
        for bad in ["bind-recursive=readonly", "bind-recursive=yes", "bind-nonrecursive=maybe", "nosuid=1"] {
            assert!(mount(&format!("type=bind,src=/a,dst=/b,{bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_form() {
        let m = |text: &str| match mount(text).expect(text) {
            Either::Mount(m) => m,
            Either::Tmpfs(_) => unreachable!("{text}"),
        };
        let a = m("type=bind,src=/a,dst=/b,ro");
        assert_eq!((a.source, a.target.as_str(), a.read_only), (bind("/a", false), "/b", true));
        assert_eq!(m("source=v,target=/b,readonly=false").source, MountSource::Volume { name: "v".into() });
        assert_eq!(m("\"type=bind\",\"source=/a,b\",target=/b").source, bind("/a,b", false));
        match mount("type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770").unwrap() {
            Either::Tmpfs(t) => assert_eq!((t.target.as_str(), t.options.as_str()), ("/t", "size=1048576,mode=1770")),
            Either::Mount(_) => unreachable!(),
        }
        for bad in [
            "type=bind,dst=/b",
            "type=bind,src=/a",
            "type=what,dst=/b",
            "dst=/b,bogus=1",
            "dst",
            "type=tmpfs,src=/a,dst=/b",
        ] {
            assert!(mount(bad).is_err(), "{bad}");
        }
    }
}
