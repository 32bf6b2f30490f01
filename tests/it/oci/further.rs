//! `exec` as the container's processes see it: one who may trace others (CAP_SYS_PTRACE) can do with a process on its way
//! to its program whatever he likes. It must have nothing by then that its program has not.

use super::bundle::{Bundle, mounts, namespaces};
use crate::needs;
use crate::support::wait_until;
use crate::support::watcher::{WATCHER, seen_besides};
use serde_json::json;
use std::fs;

#[test]
fn a_process_on_its_way_must_have_nothing_that_its_program_has_not() {
    needs!(Root, Perl);
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!(["/usr/bin/perl", "-e", WATCHER]);
    for dir in ["/usr", "/lib", "/lib64"] {
        let real = fs::canonicalize(dir).unwrap();
        mounts(&mut bundle.config)
            .push(json!({ "destination": dir, "type": "bind", "source": real, "options": ["rbind", "ro"] }));
    }
    let names = ["CAP_SYS_PTRACE", "CAP_KILL"];
    bundle.config["process"]["capabilities"] = json!({ "bounding": names, "effective": names, "permitted": names });
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    wait_until("it watches", || bundle.out().starts_with("ready\n").then_some(()));
    for round in 0..12 {
        let user = ["0:0", "1000:1000"][round % 2];
        bundle.call(&["exec", "--user", user, "-g", "7", &bundle.id, "/bin/true"]).exits(0);
    }
    // With everything that makes it wait for the runtime.
    let file = bundle.dir.join("process.json");
    let mut process = bundle.config["process"].clone();
    process["args"] = json!(["/bin/true"]);
    process["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 5 });
    process["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 64, "hard": 64 }]);
    fs::write(&file, process.to_string()).unwrap();
    for _ in 0..4 {
        bundle.call(&["exec", "--process", file.to_str().unwrap(), &bundle.id]).exits(0);
    }
    fs::write(bundle.dir.join("rootfs/stop"), "").unwrap();
    wait_until("it has seen enough", || bundle.out().ends_with("done\n").then_some(()));
    let powers = ["0000000000080020", "0000000000000000"];
    assert_eq!(seen_besides(&bundle.out(), &powers, &["", "7"]), Vec::<String>::new());
    assert!(bundle.out().contains("CapPrm 0000000000080020"), "it saw something: {}", bundle.out());
}

#[test]
fn groups_that_are_not_mapped_are_refused_not_left_as_they_are() {
    needs!(Root);
    let mut bundle = Bundle::new("sleep 1000");
    namespaces(&mut bundle.config).push(json!({ "type": "user" }));
    let ids = json!([{ "containerID": 0, "hostID": 0, "size": 1000 }]);
    bundle.config["linux"]["uidMappings"] = ids.clone();
    bundle.config["linux"]["gidMappings"] = ids;
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    bundle.call(&["exec", "-g", "7", &bundle.id, "/bin/true"]).exits(0);
    let answer = bundle.call(&["exec", "-g", "70000", &bundle.id, "/bin/true"]).exits(255);
    assert!(answer.stderr.contains("setting the groups"), "{}", answer.stderr);
}
