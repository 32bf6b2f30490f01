//! Real packets between network namespaces: a host, an outside machine, containers. Each test has its own host.

mod failures;
mod firewall;
mod large;
mod live;
mod scale;
mod table;
mod traffic;
mod world;

/// All of it once more as root of a user namespace.
#[test]
fn an_ordinary_user_can_do_the_same() {
    crate::needs!(User, Userns);
    let mut again = std::process::Command::new("unshare");
    again.args(["-Urnm", "--"]).arg(std::env::current_exe().unwrap());
    again.args(["net::", "--skip", "an_ordinary_user_can_do_the_same"]);
    // In there it is root, of a kind: what this pass requires does not hold.
    again.env_remove("TEU_TEST_REQUIRE");
    let out = again.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}
