//! Who may speak to a container's monitor, and who may see the data.

use crate::needs;
use crate::support::{StateRoot, image, program};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// CVE-2020-15257 (containerd): the shim's socket had no owner, and everybody in the host's network could use it.
#[test]
fn cve_2020_15257_sockets_are_files_of_their_owner() {
    needs!(Root, Registry, Perl);
    let root = StateRoot::with_image();
    let id = root.run_detached("box", &[], &["sleep", "1000"]);
    let run = root.path().join("run");
    let socket = run.join("containers").join(&id).join("sock");
    assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
    assert_eq!((mode(&socket), mode(&run.join("containers").join(&id))), (0o600, 0o700));
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    let nameless =
        table.lines().filter_map(|l| l.split_whitespace().nth(7)).find(|n| n.starts_with('@') && n.contains(&id));
    assert_eq!(nameless, None);
    // Also where the way there is open to everybody: who is not the owner is not heard.
    for (path, mode) in [
        (root.path().to_owned(), 0o755),
        (run.clone(), 0o755),
        (run.join("containers"), 0o755),
        (run.join("containers").join(&id), 0o755),
        (socket.clone(), 0o666),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let ask = "$s = IO::Socket::UNIX->new(Peer => shift) or die; $SIG{PIPE} = 'IGNORE'; \
        syswrite($s, 'no word of the protocol at all'); print sysread($s, $b, 100) ? 'answered' : 'hung up'";
    let by = |uid: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", uid, "--clear-groups", "perl", "-MIO::Socket::UNIX", "-e", ask, "sock"]);
        // A socket's name has an end that paths have not.
        command.current_dir(run.join("containers").join(&id));
        program::finish(&mut command).exits(0).stdout
    };
    assert_eq!((by("0").as_str(), by("65534").as_str()), ("answered", "hung up"));
}

/// CVE-2021-41091 (moby): a data directory through which everybody reached setuid programs of images.
#[test]
fn cve_2021_41091_the_data_are_their_owner_s() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    // What is in the image is as it is there; the ways to it are closed.
    root.teu(&["create", "--network", "none", &image::name(), "true"]).exits(0);
    let mut seen = 0;
    for entry in fs::read_dir(root.path()).unwrap().flatten() {
        let open = mode(&entry.path()) & 0o077;
        if entry.file_type().unwrap().is_dir() {
            seen += 1;
            assert_eq!(open, 0, "{} is open to others", entry.path().display());
        } else {
            assert_eq!(open & 0o022, 0, "{} can be written by others", entry.path().display());
        }
    }
    assert!(seen >= 3, "{seen}");
}
