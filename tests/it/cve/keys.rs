//! The keys of whoever starts a container (keyrings(7)): passwords of network file systems, tickets, disk keys.
#![cfg(target_arch = "x86_64")]

use crate::isolation::run;
use crate::needs;
use crate::oci::bundle::{Bundle, mounts};
use crate::support::StateRoot;
use crate::support::syscall::{self, Abi, DATA};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use teu::sys::attributes;

const ADD_KEY: u32 = 248;
const KEYCTL: u32 = 250;
const KEYCTL_SEARCH: u32 = 10;
const SESSION_KEYRING: u32 = -3_i32 as u32;
/// ENOKEY
const NO_KEY: i32 = 126;

/// A program that ends with 0 where the session keyring has the key.
fn searching(path: &Path) {
    syscall::write(path, Abi::X86_64, KEYCTL, &[KEYCTL_SEARCH, SESSION_KEYRING, DATA, DATA + 8, 0], &words());
}

/// `user`, and the key's name at 8.
fn words() -> Vec<u32> {
    let bytes = b"user\0\0\0\0teu-test-key\0\0\0\0";
    bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// This thread, and what it starts, has a session with a key in it. `None`: a kernel, or a surrounding, without keys.
fn have_key(dir: &Path) -> Option<()> {
    attributes::join_session_keyring(Some(c"teu-test")).unwrap();
    let (add, search) = (dir.join("add"), dir.join("search"));
    syscall::write(&add, Abi::X86_64, ADD_KEY, &[DATA, DATA + 8, DATA, 4, SESSION_KEYRING], &words());
    searching(&search);
    let added = Command::new(add).status().unwrap().code() == Some(0);
    if !added {
        eprintln!("SKIP: no keys here");
        return None;
    }
    assert_eq!(Command::new(search).status().unwrap().code(), Some(0));
    Some(())
}

/// The default filter hides all keys; without it a container must still have a session of its own.
#[test]
fn the_caller_s_keys_are_not_in_a_container() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    if have_key(dir.path()).is_none() {
        return;
    }
    let volume = format!("{}:/keys", dir.path().display());
    for how in [&["--security-opt", "seccomp=unconfined"][..], &["--privileged"]] {
        let options = [how, &["-v", &volume]].concat();
        let answer = run(&root, &options, "/keys/search; echo $?");
        assert_eq!(answer.exits(0).stdout, format!("{NO_KEY}\n"), "{how:?}");
        let id = root.teu(
            &[&["run", "-d", "--network", "none"], &options[..], &[&crate::support::image::name(), "sleep", "1000"]]
                .concat(),
        );
        let id = id.exits(0).stdout.trim().to_owned();
        assert_eq!(root.teu(&["exec", &id, "/keys/search"]).code, NO_KEY, "exec {how:?}");
        root.teu(&["rm", "-f", &id]).exits(0);
    }
}

#[test]
fn the_caller_s_keys_are_not_in_a_bundle() {
    needs!(Userns);
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    if have_key(dir.path()).is_none() {
        return;
    }
    for (flags, found) in [(&[][..], NO_KEY), (&["--no-new-keyring"][..], 0)] {
        let mut bundle = Bundle::new("/keys/search; echo $?; exec sleep 1000");
        let wanted = json!({ "destination": "/keys", "type": "bind", "source": dir.path(), "options": ["rbind"] });
        mounts(&mut bundle.config).push(wanted);
        bundle.config["linux"]["seccomp"] = json!(null);
        bundle.create_with(flags).exits(0);
        bundle.on(&["start"]).exits(0);
        assert_eq!(bundle.call(&["exec", &bundle.id, "/keys/search"]).code, found, "exec {flags:?}");
        crate::support::wait_until("its word", || (bundle.out() == format!("{found}\n")).then_some(()));
    }
}
