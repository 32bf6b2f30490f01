//! The rest of a small system: directories, a few files in /etc, terminal descriptions, and the default programs.

use super::tree::Tree;
use std::path::{Path, PathBuf};

/// Programs of the starter image, as far as the host has them (or its busybox does).
pub(super) const STARTER: &[&str] = &[
    "sh",
    "bash",
    "busybox",
    "awk",
    "basename",
    "cat",
    "chmod",
    "chown",
    "clear",
    "cp",
    "cut",
    "date",
    "dd",
    "df",
    "diff",
    "dirname",
    "dmesg",
    "du",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "free",
    "getopt",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "hostname",
    "id",
    "ip",
    "kill",
    "less",
    "ln",
    "ls",
    "mkdir",
    "mkfifo",
    "mktemp",
    "more",
    "mount",
    "mv",
    "nice",
    "nohup",
    "nproc",
    "od",
    "pgrep",
    "ping",
    "pkill",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "reset",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sha256sum",
    "sleep",
    "sort",
    "split",
    "stat",
    "stty",
    "sync",
    "tail",
    "tar",
    "tee",
    "test",
    "timeout",
    "top",
    "touch",
    "tput",
    "tr",
    "true",
    "truncate",
    "tty",
    "umount",
    "uname",
    "uniq",
    "uptime",
    "vi",
    "watch",
    "wc",
    "which",
    "who",
    "whoami",
    "xargs",
    "yes",
];

/// Terminals that people sit at, and the one teu's panes are.
const TERMINALS: [&str; 10] = [
    "x/xterm",
    "x/xterm-256color",
    "s/screen",
    "s/screen-256color",
    "t/tmux",
    "t/tmux-256color",
    "l/linux",
    "v/vt100",
    "d/dumb",
    "a/alacritty",
];
const TERMINFO: [&str; 3] = ["/lib/terminfo", "/usr/share/terminfo", "/etc/terminfo"];
/// Data without which a program of the set complains at its start.
const COMPANIONS: [&str; 2] = ["/etc/vim/vimrc.tiny", "/usr/lib/locale/C.utf8/LC_CTYPE"];

const PROFILE: &str = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
                       if [ \"$BASH\" ]; then [ -r ~/.bashrc ] && . ~/.bashrc; else PS1='$ '; fi\n";
const BASHRC: &str = "PS1='\\[\\e[1;32m\\]\\u@\\h\\[\\e[0m\\]:\\[\\e[1;34m\\]\\w\\[\\e[0m\\]\\$ '\n\
                      ls --color=auto -d / >/dev/null 2>&1 && alias ls='ls --color=auto'\nalias ll='ls -l'\n";

pub(super) fn lay(tree: &mut Tree, shell: &str) {
    for dir in [
        "/dev",
        "/etc",
        "/home",
        "/mnt",
        "/opt",
        "/proc",
        "/run",
        "/srv",
        "/sys",
        "/usr/bin",
        "/usr/local/bin",
        "/var/log",
    ] {
        tree.directory(dir, 0o755);
    }
    tree.directory("/root", 0o700);
    tree.directory("/tmp", 0o1777);
    tree.directory("/var/tmp", 0o1777);
    let nobody = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin";
    tree.text("/etc/passwd", format!("root:x:0:0:root:/root:{shell}\nuser:x:1000:1000:user:/home:{shell}\n{nobody}\n"));
    tree.text("/etc/group", "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n");
    tree.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
    tree.text("/etc/os-release", "NAME=\"teu starter\"\nID=teu-starter\nPRETTY_NAME=\"teu starter image\"\n");
    // What an engine mounts its own files on: otherwise every start makes them in the container's own layer.
    ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"].iter().for_each(|name| tree.text(name, ""));
    tree.text("/etc/shells", format!("{shell}\n"));
    tree.text("/etc/profile", PROFILE);
    tree.text("/root/.bashrc", BASHRC);
}

/// Terminal descriptions and data files: whatever of them the host has.
pub(super) fn add_data(tree: &mut Tree) {
    for name in TERMINALS {
        let found = TERMINFO.iter().map(|dir| Path::new(dir).join(name)).find(|p| p.exists());
        if let Some(path) = found {
            // An unreadable description is as good as none.
            let _ = tree.host(&path);
        }
    }
    let mut companions: Vec<PathBuf> = COMPANIONS.iter().map(PathBuf::from).collect();
    companions.extend(vim_defaults());
    for path in companions.iter().filter(|p| p.exists()) {
        let _ = tree.host(path);
    }
}

/// What vim reads at each start, under `/usr/share/vim/vim90`: it complains where one is missing.
const VIM: [&str; 12] = [
    "defaults.vim",
    "debian.vim",
    "filetype.vim",
    "ftplugin.vim",
    "indent.vim",
    "autoload/dist/ft.vim",
    "autoload/dist/script.vim",
    "colors/lists/default.vim",
    "syntax/syntax.vim",
    "syntax/synload.vim",
    "syntax/syncolor.vim",
    "syntax/sh.vim",
];

fn vim_defaults() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/share/vim").into_iter().flatten().flatten();
    versions.flat_map(|e| VIM.map(|f| e.path().join(f))).collect()
}

/// Does this busybox have the applet? Its table is in the binary, names between zero bytes.
pub(super) fn has_applet(busybox: &[u8], name: &str) -> bool {
    let needle = [b"\0", name.as_bytes(), b"\0"].concat();
    busybox.windows(needle.len()).any(|w| w == needle)
}
