//! The closure of real programs must run where nothing else is: checked by running them there.

use super::*;
use std::collections::BTreeMap;
use std::io::Read;

fn entries(plan: &Plan) -> BTreeMap<String, (tar::EntryType, Vec<u8>)> {
    let mut tar = Vec::new();
    plan.write_tar(&mut tar).unwrap();
    let mut archive = tar::Archive::new(tar.as_slice());
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if let Some(target) = entry.link_name().unwrap() {
            content = target.to_string_lossy().into_owned().into_bytes();
        }
        (name, (entry.header().entry_type(), content))
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn the_starter_is_whole_and_the_same_each_time() {
    let one = plan(&[]).unwrap();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    one.write_tar(&mut a).unwrap();
    plan(&[]).unwrap().write_tar(&mut b).unwrap();
    assert!(a == b, "two builds differ");
    let files = entries(&one);
    for name in ["etc/passwd", "tmp", "proc", "root/.bashrc"] {
        assert!(files.keys().any(|f| f.trim_end_matches('/') == name), "{name} is missing");
    }
    assert!(one.command()[0].starts_with("/bin/"));
    assert!(one.created() > 0);
}

#[test]
fn a_script_takes_its_interpreter_along() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("hello");
    std::fs::write(&script, "#!/usr/bin/env sh\necho hi\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let plan = plan(&[script.to_string_lossy().into_owned()]).unwrap();
    let files = entries(&plan);
    assert!(files.keys().any(|f| f.ends_with("bin/env")), "{:?}", files.keys());
    assert!(files.keys().any(|f| f.ends_with("bin/sh")));
    assert_eq!(plan.command(), [script.to_string_lossy()]);
}

#[test]
fn what_is_missing_is_named() {
    let error =
        |names: &[&str]| plan(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).err().unwrap().to_string();
    assert!(error(&["surely-no-such-program"]).starts_with("program 'surely-no-such-program' is not on this machine"));
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path.to_string_lossy().into_owned()
    };
    let script = make("script", b"#!/nowhere/perl\n");
    assert!(error(&[&script]).contains("needs the interpreter /nowhere/perl"));
    let text = make("text", b"hello");
    assert!(error(&[&text]).contains("neither an ELF file nor a script"));
    let cut = make("cut", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0");
    assert!(error(&[&cut]).contains("cannot be run"));
}

#[test]
fn becomes_an_image_in_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let root = crate::store::StateRoot::new(dir.path(), dir.path().join("run"));
    let layers = crate::image::layers::LayerStore::open(&root).unwrap();
    let content = crate::store::content::ContentStore::open(&root).unwrap();
    let name = STARTER_NAME.parse().unwrap();
    let now = crate::model::time::Timestamp(1);
    let image = build(&layers, &content, &["true".into()], &name, now).unwrap();
    assert!(content.contains(&image.id) && content.contains(&image.manifest));
    let fs = layers.path(&image.layers[0].chain_id);
    let merged = std::fs::read_link("/bin").ok();
    assert_eq!(std::fs::read_link(fs.join("bin")).ok(), merged, "a merged /usr is merged in the image");
    assert!(fs.join("usr/bin/true").exists() && fs.join("etc/passwd").exists());
    assert_eq!(build(&layers, &content, &["true".into()], &name, now).unwrap(), image);
}
