//! Links `teu` at a fixed address.
//!
//! A position-independent program of this size has its relocations applied page by page at every exec (ENGINE
//! measurements: about 3 ms). The container's monitor is an exec of this same binary, so `teu run` would pay it twice.

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rustc-link-arg-bins=-no-pie");
}
