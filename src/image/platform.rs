//! Which of an index's images fits a platform.

use super::manifest::{Descriptor, PlatformField};
use crate::model::image::Platform;

/// The machine teu was built for.
pub fn host() -> Platform {
    let (architecture, variant) = match std::env::consts::ARCH {
        "x86_64" => ("amd64", None),
        "aarch64" => ("arm64", Some("v8")),
        "x86" => ("386", None),
        "arm" => ("arm", Some("v7")),
        "powerpc64" => ("ppc64le", None),
        "loongarch64" => ("loong64", None),
        other => (other, None),
    };
    Platform { os: String::from("linux"), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
}

/// `os/arch[/variant]`, or only an architecture, in the words people use for them.
pub fn parse(text: &str) -> Option<Platform> {
    let parts: Vec<&str> = text.split('/').collect();
    let (os, architecture, variant) = match parts[..] {
        [architecture] => ("linux", architecture, None),
        [os, architecture] => (os, architecture, None),
        [os, architecture, variant] => (os, architecture, Some(variant)),
        _ => return None,
    };
    let known = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if !known(os) || !known(architecture) || !variant.is_none_or(known) {
        return None;
    }
    let (architecture, implied) = canonical(&architecture.to_ascii_lowercase());
    let variant = variant.map(str::to_ascii_lowercase).or(implied);
    Some(Platform { os: os.to_ascii_lowercase(), architecture, variant })
}

fn canonical(architecture: &str) -> (String, Option<String>) {
    let (word, variant) = match architecture {
        "x86_64" | "x86-64" => ("amd64", None),
        "aarch64" => ("arm64", None),
        "armhf" => ("arm", Some("v7")),
        "armel" => ("arm", Some("v6")),
        "i386" | "i686" | "x86" => ("386", None),
        other => (other, None),
    };
    (word.to_owned(), variant.map(str::to_owned))
}

/// Variants of an architecture, best first, that run where `wanted` runs. `None` matches an entry without a variant.
fn acceptable(wanted: &Platform) -> Vec<Option<&str>> {
    let from = |all: &'static [&'static str], wanted: &str| {
        let start = all.iter().position(|v| *v == wanted).unwrap_or(all.len());
        all[start..].iter().map(|v| Some(*v)).collect::<Vec<_>>()
    };
    match (wanted.architecture.as_str(), wanted.variant.as_deref()) {
        ("arm64", None | Some("v8")) => vec![Some("v8"), None],
        ("arm", variant) => {
            let mut list = from(&["v8", "v7", "v6", "v5"], variant.unwrap_or("v7"));
            list.push(None);
            list
        }
        ("amd64", None | Some("v1")) => vec![None, Some("v1")],
        ("amd64", Some(variant)) => {
            let mut list = from(&["v4", "v3", "v2", "v1"], variant);
            list.push(None);
            list
        }
        (_, variant @ Some(_)) => vec![variant, None],
        (_, None) => vec![None],
    }
}

/// True when an image of platform `has` runs where `wanted` is asked for.
pub fn fits(has: &PlatformField, wanted: &Platform) -> bool {
    rank(has, wanted).is_some()
}

fn rank(has: &PlatformField, wanted: &Platform) -> Option<usize> {
    let (architecture, implied) = canonical(&has.architecture);
    if has.os != wanted.os || architecture != wanted.architecture {
        return None;
    }
    let variant = has.variant.clone().filter(|v| !v.is_empty()).or(implied);
    let acceptable = acceptable(wanted);
    let exact = acceptable.iter().position(|v| *v == variant.as_deref());
    // Without a wish, an architecture with variants we know nothing about takes any.
    exact.or((wanted.variant.is_none() && acceptable.len() == 1).then_some(acceptable.len()))
}

/// The best entry; the first of equals. A single entry that names no platform is taken as it is.
pub fn choose<'a>(entries: &'a [Descriptor], wanted: &Platform) -> Option<&'a Descriptor> {
    let ranked = entries.iter().filter_map(|e| Some((rank(e.platform.as_ref()?, wanted)?, e)));
    let best = ranked.min_by_key(|(rank, _)| *rank).map(|(_, entry)| entry);
    best.or(match entries {
        [only] if only.platform.is_none() => Some(only),
        _ => None,
    })
}

/// What an index offers, for a message; attestations and the like left out.
pub fn offered(entries: &[Descriptor]) -> String {
    let mut words: Vec<String> = entries
        .iter()
        .filter_map(|e| e.platform.as_ref())
        .filter(|p| p.os != "unknown")
        .map(|p| match &p.variant {
            Some(v) if !v.is_empty() => format!("{}/{}/{v}", p.os, p.architecture),
            _ => format!("{}/{}", p.os, p.architecture),
        })
        .map(|word| super::registry_line(&word))
        .collect();
    words.dedup();
    words.truncate(30);
    if words.is_empty() { String::from("none") } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reference::Digest;

    fn index(platforms: &[&str]) -> Vec<Descriptor> {
        platforms
            .iter()
            .map(|text| {
                let parts: Vec<&str> = text.split('/').collect();
                let platform = PlatformField {
                    os: parts[0].into(),
                    architecture: parts[1].into(),
                    variant: parts.get(2).map(|v| (*v).into()),
                };
                let digest = Digest::of(text.as_bytes());
                Descriptor { media_type: String::new(), digest, size: 1, platform: Some(platform) }
            })
            .collect()
    }

    fn chosen(platforms: &[&str], wanted: &str) -> Option<usize> {
        let entries = index(platforms);
        let found = choose(&entries, &parse(wanted).unwrap())?;
        entries.iter().position(|e| e == found)
    }

    #[test]
    fn variants_fall_back_downwards_only() {
        let arm = ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8"];
        assert_eq!(chosen(&arm, "linux/arm/v6"), Some(1));
        assert_eq!(chosen(&arm, "arm"), Some(2));
        assert_eq!(chosen(&arm[2..], "linux/arm/v6"), None);
        assert_eq!(chosen(&arm, "aarch64"), Some(3));
        assert_eq!(chosen(&["linux/amd64/v3", "linux/amd64"], "linux/amd64"), Some(1));
        assert_eq!(chosen(&["linux/amd64/v2", "linux/amd64"], "linux/amd64/v3"), Some(0));
        assert_eq!(chosen(&["linux/amd64", "linux/amd64"], "amd64"), Some(0));
        assert_eq!(chosen(&["windows/amd64", "unknown/unknown"], "amd64"), None);
    }

    #[test]
    fn offers_leave_out_attestations() {
        assert_eq!(offered(&index(&["linux/arm64/v8", "unknown/unknown"])), "linux/arm64/v8");
        assert_eq!(parse("linux//x"), None);
        assert_eq!(parse("a/b/c/d"), None);
    }
}
