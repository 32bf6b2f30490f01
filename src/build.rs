//! How `teu` is linked: so that an exec of it is quick. Each `teu run` is one or two of them: its own, and its monitor's.

use std::env::var;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    // A position-independent program of this size has its relocations applied page by page at every exec (3 ms).
    println!("cargo::rustc-link-arg-bins=-no-pie");
    // The shared libgcc asks the processor for all its features when it is loaded, which takes long in a virtual machine.
    if var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu") && links(&["-l", "static:-bundle=gcc_eh"]) {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
    // The other linkers write through a memory map: the page cache then has the program in small pages, until it is read
    // from the disk, and each page fault in it takes twice as long. Debugging information this one is slow with.
    if var("PROFILE").is_ok_and(|profile| profile == "release") && !flags().contains("fuse-ld") && links(&GNU_LINKER) {
        println!("cargo::rustc-link-arg-bins=-fuse-ld=bfd");
    }
}

const GNU_LINKER: [&str; 2] = ["-C", "link-arg=-fuse-ld=bfd"];

/// What the user asks of the compiler, separated by 0x1f.
fn flags() -> String {
    var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default()
}

/// Whether the linker that will be used knows these options: an empty program is linked with them.
fn links(options: &[&str]) -> bool {
    let (Ok(rustc), Ok(target), Ok(out)) = (var("RUSTC"), var("TARGET"), var("OUT_DIR")) else { return false };
    let (source, program) = (Path::new(&out).join("empty.rs"), Path::new(&out).join("empty"));
    if std::fs::write(&source, "fn main() {}").is_err() {
        return false;
    }
    let linker = var("RUSTC_LINKER").map(|linker| format!("linker={linker}"));
    let mut command = Command::new(rustc);
    command.arg("--target").arg(target).arg("-o").arg(program).arg(source).args(options);
    command.args(flags().split('\u{1f}').filter(|flag| !flag.is_empty()));
    command.args(linker.iter().flat_map(|linker| ["-C", linker]));
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
