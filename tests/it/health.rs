//! Health checks: what a probe in the container says is seen in `ps`, `inspect` and the events.

use crate::needs;
use crate::support::needs::{Need, lacking};
use crate::support::{StateRoot, image, wait::wait_until};
use serde_json::{Value, json};

const QUICK: &[&str] = &["--health-interval", "60ms", "--health-retries", "2"];

fn health(root: &StateRoot, name: &str) -> Value {
    root.inspect(name)["State"]["Health"].clone()
}

fn becomes(root: &StateRoot, name: &str, status: &str) -> Value {
    wait_until(&format!("{name} is {status}"), || Some(health(root, name)).filter(|h| h["Status"] == status))
}

#[test]
fn a_container_is_what_its_probes_say() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let check = [QUICK, &["--health-cmd", "echo looked >&2; test -e /tmp/up"]].concat();
    root.run_detached("web", &check, &["sleep", "600"]);
    let sick = becomes(&root, "web", "unhealthy");
    let last = sick["Log"].as_array().and_then(|log| log.last()).unwrap();
    assert_eq!((&last["ExitCode"], &last["Output"]), (&json!(1), &json!("looked\n")));
    assert!(sick["FailingStreak"].as_i64() >= Some(2), "{sick}");
    let listed = |filter: &str| root.teu(&["ps", "-q", "--filter", filter]).exits(0).stdout.lines().count();
    assert_eq!((listed("health=unhealthy"), listed("health=none")), (1, 0));
    root.teu(&["exec", "web", "touch", "/tmp/up"]).exits(0);
    becomes(&root, "web", "healthy");
    let status = root.teu(&["ps", "--format", "{{.Status}}"]).exits(0).stdout;
    assert!(status.starts_with("Up ") && status.ends_with(" (healthy)\n"), "{status}");
    let execs = root.inspect("web")["ExecIDs"].clone();
    assert_eq!(execs, json!([]), "a probe is nobody's session");
    wait_until("only the last five results are kept", || {
        let log = health(&root, "web")["Log"].as_array().cloned().unwrap_or_default();
        assert!(log.len() <= 5);
        log.iter().all(|r| r["ExitCode"] == 0).then_some(())
    });
    root.teu(&["stop", "-t", "0", "web"]).exits(0);
    let events = ["events", "--since", "1h", "--until", "0s", "--filter", "event=health_status", "--format"];
    let told = root.teu(&[&events[..], &["{{.Action}}"]].concat()).exits(0).stdout;
    assert_eq!(told, "health_status: unhealthy\nhealth_status: healthy\n");
    let ended = root.teu(&["ps", "-a", "--format", "{{.Status}}"]).exits(0).stdout;
    assert!(ended.starts_with("Exited (137)"), "{ended}");
}

#[test]
fn an_image_s_check_holds_unless_it_is_refused() {
    needs!(Registry, Userns);
    let root = StateRoot::new();
    // Its own shell, and a probe that outlives its time and has a child.
    let check = json!({"Test": ["CMD-SHELL", "sleep 600; true"], "Interval": 60_000_000, "Timeout": 100_000_000,
        "Retries": 1});
    let config = json!({"Cmd": ["sleep", "600"], "Env": ["PATH=/bin"], "Healthcheck": check, "Shell": ["sh", "-ec"]});
    let image = image::push("checked", &[image::applets(), image::files()], config);
    let run = |name: &str, options: &[&str]| {
        root.teu(&[&["run", "-d", "--network", "none", "--name", name], options, &[image.as_str()]].concat()).exits(0);
    };
    run("slow", &[]);
    let slow = becomes(&root, "slow", "unhealthy");
    assert_eq!(slow["Log"][0]["ExitCode"], -1, "{slow}");
    assert_eq!(slow["Log"][0]["Output"], "Health check exceeded timeout (100ms)");
    if lacking(Need::Cgroup).is_none() {
        root.teu(&["pause", "slow"]).exits(0);
        root.teu(&["unpause", "slow"]).exits(0);
    }
    let rest = || root.teu(&["top", "slow"]).exits(0).stdout.matches("sleep 600").count();
    // One is the container's, two are a probe that is not over its time yet.
    wait_until("probes that were killed leave nothing running", || (rest() == 1).then_some(()));
    run("off", &["--no-healthcheck"]);
    assert_eq!(health(&root, "off"), Value::Null);
    assert_eq!(root.inspect("off")["Config"]["Healthcheck"], json!({"Test": ["NONE"]}));
    run("own", &["--health-cmd", "true", "--health-start-period=1m", "--health-start-interval", "50ms"]);
    becomes(&root, "own", "healthy");
    let config = root.inspect("own")["Config"].clone();
    assert_eq!(config["Healthcheck"]["Test"], json!(["CMD-SHELL", "true"]));
    assert_eq!(config["Healthcheck"]["Interval"], 60_000_000, "what the user leaves open is the image's");
    assert_eq!(config["Shell"], json!(["sh", "-ec"]));
}

#[test]
fn a_probe_that_cannot_run_and_one_while_it_starts() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let gone = [QUICK, &["--health-cmd", "/not/there", "--health-start-period", "1h"]].concat();
    let gone = [&gone[..], &["--health-start-interval", "50ms"]].concat();
    root.run_detached("young", &gone, &["sleep", "600"]);
    let young = wait_until("it was probed three times", || {
        Some(health(&root, "young")).filter(|h| h["Log"].as_array().is_some_and(|log| log.len() > 2))
    });
    assert_eq!((&young["Status"], &young["FailingStreak"]), (&json!("starting"), &json!(0)), "{young}");
    assert_eq!(young["Log"][0]["ExitCode"], 127, "{young}");
    let status = root.teu(&["ps", "--format", "{{.Status}}"]).exits(0).stdout;
    assert!(status.ends_with(" (health: starting)\n"), "{status}");
    let fails = |options: &[&str], why: &str| {
        let answer = root.teu(&[&["run"], options, &["x"]].concat()).exits(125);
        assert!(answer.stderr.contains(why), "{answer:?}");
    };
    fails(&["--no-healthcheck", "--health-cmd=x"], "--no-healthcheck conflicts with --health-* options");
    fails(&["--health-interval=-1s"], "it cannot be negative");
    fails(&["--health-timeout=1us"], "it cannot be less than 1ms");
    fails(&["--health-start-period=soon"], "it is not a duration");
}
