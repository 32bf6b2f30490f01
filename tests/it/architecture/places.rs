//! Where dangerous and telling things may be: unsafe, executors, serialisation, files, the environment, locks, queues.

use super::scan::Source;
use super::{House, Rule};

/// Where tasks may be. Everywhere else is pure data, blocking work, or a process with one thread.
const TOKIO: &[&str] = &["image/pull", "image/registry", "runtime/task", "engine", "tui", "cli", "main"];

/// What is stored or sent, by file. The published rule (config, records, protocol, dto, output) is wider here on
/// purpose: a container's record, its launch message and its state file are the model's own types, so that no field is
/// copied by hand between two structs that must stay alike; and documents of others are parsed where they are verified.
const SERDE: &[&str] = &[
    "model",
    "runtime/launch",
    // The record of a container of the OCI runtime.
    "runtime/oci/container",
    "runtime/protocol",
    // The profile's format is moby's.
    "runtime/seccomp/profile",
    // Registries' documents.
    "image/manifest",
    "image/registry",
    // Part of the launch message.
    "net/plan",
    // What programs in containers write, with its fields in their order.
    "tui/views/logs/structured",
];

/// The emulator reports through callbacks that take `&self` and must be `Sync`: what they collect between two feeds
/// needs interior mutability. One thread ever takes this lock; nothing waits for it.
const LOCKS_IN_TUI: &[&str] = &["tui/emulator/alacritty/events"];

/// Where a name that a caller gave is made absolute, before anything of a container exists.
const CANONICAL: &[&str] = &["runtime/oci/config"];

/// Queues without a bound, each with the reason why it cannot grow.
const UNBOUNDED: &[&str] = &[];

/// Layers that ask nothing of the disk themselves.
const NO_FILES: &[&str] = &["model", "engine", "tui"];

pub const RULES: &[Rule] = &[
    Rule {
        holds: "unsafe code is under sys, and nowhere else",
        cure: "put the call into sys, behind a safe function",
        check: |house| {
            // `lib` forbids it, and allows it to sys.
            let outside = |s: &&Source| !["sys", "lib"].contains(&s.layer());
            each(house, outside, &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe_code"])
        },
        broken: &[("runtime/x.rs", "fn f() { unsafe { g() } }"), ("image/x.rs", "#![allow(unsafe_code)]")],
    },
    Rule {
        holds: "no executor where there is one thread, or no waiting",
        cure: "wait with poll in a role of one thread; block in what the engine runs on a thread of its own",
        check: |house| each(house, |s| !s.below(TOKIO), &["tokio", "tokio_util"]),
        broken: &[("model/x.rs", "use tokio::sync::watch;"), ("runtime/monitor/x.rs", "async fn f() { tokio::x() }")],
    },
    Rule {
        holds: "types that are stored or sent are in the files listed for it",
        cure: "declare the type in one of them (see SERDE), or map to one that is there",
        check: |house| house.sources.iter().filter(|s| !s.below(SERDE)).flat_map(stored_types).collect(),
        broken: &[
            ("engine/x.rs", "#[derive(Clone, Serialize)]\nstruct A;"),
            ("tui/theme.rs", "#[derive(Debug, serde::Deserialize)]\nstruct A;"),
            ("cli/x.rs", "impl Serialize for A {}"),
        ],
    },
    Rule {
        holds: "the screen, the rules and the engine do no file IO",
        cure: "ask the engine; in the engine, ask the layer that owns the path",
        check: |house| {
            let words = [
                "std::fs",
                "fs::",
                "File",
                "OpenOptions",
                "DirBuilder",
                ".exists()",
                ".is_file()",
                ".is_dir()",
                ".read_dir()",
                ".read_link()",
                ".canonicalize()",
                ".metadata()",
                ".symlink_metadata()",
            ];
            each(house, |s| NO_FILES.contains(&s.layer()), &words)
        },
        broken: &[
            ("engine/x.rs", "use std::fs;"),
            ("tui/x.rs", "use std::{fs, io};\nfn f() { fs::read(x) }"),
            ("model/x.rs", "fn f(p: &Path) -> bool { p.exists() }"),
            ("engine/ops/x.rs", "fn f() { tokio::fs::read(x) }"),
        ],
    },
    Rule {
        holds: "only main and the command line talk to the program's streams",
        cure: "return what is to be said",
        check: |house| {
            let words = ["println!", "eprintln!", "print!", "eprint!", "stdout()", "stderr()"];
            // The screen writes to the terminal it owns; the console asks for its size; at the end all is written out.
            each(house, |s| !s.below(&["main", "cli", "build", "tui/terminal", "sys/console", "sys/start"]), &words)
        },
        broken: &[("engine/x.rs", "fn f() { println!() }"), ("tui/app/x.rs", "fn f() { std::io::stdout() }")],
    },
    Rule {
        holds: "only main and config read the environment",
        cure: "make it a setting, read there",
        check: |house| {
            let words = ["env::var", "env::var_os", "env::vars", "env::vars_os", "env::{"];
            each(house, |s| !s.below(&["main", "config", "build"]), &words)
        },
        broken: &[("sys/x.rs", "fn f() { std::env::var(X) }"), ("cli/x.rs", "use std::env::{self, var};")],
    },
    Rule {
        holds: "nothing ends the process but main's return",
        cure: "return an exit code: destructors give the terminal back",
        check: |house| each(house, |s| !s.below(&["main", "build"]), &["process::exit", "process::abort"]),
        broken: &[("tui/x.rs", "fn f() { std::process::exit(1) }")],
    },
    Rule {
        holds: "nothing below a root file system is named by joining strings",
        cure: "open it in the root (sys::in_root), and work with the descriptor: a link could be on the way",
        check: |house| {
            let words =
                ["rootfs.join(", "rootfs().join(", "merged.join(", "upper.join(", "lower.join(\"/", "rootfs.display()"];
            let mut findings = each(house, |s| s.layer() != "config" && !s.below(CANONICAL), &words);
            findings.extend(each(house, |s| !s.below(CANONICAL), &["canonicalize"]));
            findings.extend(in_strings(house, &[], &["}/root/", "}/rootfs/", "/rootfs/etc"]));
            findings
        },
        broken: &[
            ("runtime/x.rs", "fn f(rootfs: &Path) { rootfs.join(\"etc/passwd\") }"),
            ("sys/x.rs", "fn f(p: &Path) { p.canonicalize() }"),
            ("engine/x.rs", "use std::fs::canonicalize;"),
            ("image/x.rs", "fn f(pid: i32) { format!(\"/proc/{pid}/root/etc\") }"),
            ("runtime/oci/x.rs", "fn f() { format!(\"{}/dev\", bundle.rootfs.display()) }"),
        ],
    },
    Rule {
        holds: "what is hidden from containers, or read-only for them, stands in one table",
        cure: "use runtime::bundle::sealed",
        check: |house| {
            let words = ["\"/proc/timer_list\"", "\"/proc/keys\"", "\"/proc/sysrq-trigger\"", "\"/sys/firmware\""];
            in_strings(house, &["runtime/bundle/sealed"], &words)
        },
        broken: &[("runtime/oci/x.rs", "const MASKED: [&str; 1] = [\"/proc/keys\"];")],
    },
    Rule {
        holds: "the screen has no locks: its state has one owner",
        cure: "send a message",
        check: |house| each(house, |s| s.layer() == "tui" && !s.below(LOCKS_IN_TUI), &["Mutex", "RwLock", "FairMutex"]),
        broken: &[("tui/x.rs", "use std::sync::Mutex;"), ("tui/app/x.rs", "struct A(std::sync::RwLock<u8>);")],
    },
    Rule {
        holds: "every queue has a bound",
        cure: "a queue without a bound is a leak waiting for a slow reader: give it a length, and say what happens then",
        check: |house| {
            let words = ["unbounded_channel", "UnboundedSender", "UnboundedReceiver", "unbounded", "mpsc::channel()"];
            each(house, |s| !s.below(UNBOUNDED), &words)
        },
        broken: &[
            ("engine/x.rs", "use tokio::sync::mpsc::unbounded_channel;"),
            ("image/x.rs", "fn f() { std::sync::mpsc::channel() }"),
        ],
    },
];

/// Derives and impls of the two traits. Functions that take any such type are no declaration.
fn stored_types(source: &Source) -> Vec<String> {
    let told = |line: &str| {
        line.contains("erialize")
            && (line.contains("derive(")
                || line.contains("impl") && line.contains("erialize") && line.contains(" for "))
    };
    let lines = source.code.lines().enumerate().filter(|(_, line)| told(line));
    lines.map(|(at, line)| format!("{}:{}: {}", source.path, at + 1, line.trim())).collect()
}

/// Lines of production code, outside the places, with one of these words in a string.
fn in_strings(house: &House, places: &[&str], words: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in house.sources.iter().filter(|s| !s.below(places)) {
        let shipped = source.code.lines().count();
        for (at, line) in source.raw.lines().enumerate().take(shipped) {
            let comment = line.trim_start().starts_with("//");
            for word in words.iter().filter(|word| !comment && line.contains(**word)) {
                findings.push(format!("{}:{}: {word}", source.path, at + 1));
            }
        }
    }
    findings
}

/// Every place of the chosen files with one of these words.
fn each(house: &House, chosen: impl Fn(&&Source) -> bool, words: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in house.sources.iter().filter(chosen) {
        for word in words {
            findings.extend(source.lines_with(word).map(|line| format!("{}:{line}: {word}", source.path)));
        }
    }
    findings
}
