//! A real registry server (docker-registry) on a free loopback port, one per test process, gone with it.

use super::wait::wait_until;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

pub struct Server {
    /// `127.0.0.1:PORT`
    pub address: String,
    /// The shell that guards it: it ends the server, and removes its files, when the pipe to it closes, which also
    /// happens when the test process is killed.
    _guard: Child,
}

pub fn get() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn start() -> Server {
    // Another process may take a port between our asking and the server's start: then another one is tried.
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let address = format!("127.0.0.1:{port}");
        let mut guard = spawn(&address);
        let up = wait_until("the registry answers, or has failed", || {
            if guard.try_wait().expect("the guard").is_some() {
                return Some(false);
            }
            answers(&address).then_some(true)
        });
        if up {
            return Server { address, _guard: guard };
        }
    }
    panic!("docker-registry does not start");
}

fn spawn(address: &str) -> Child {
    let dir = std::env::temp_dir().join(format!("teu-test-registry-{}-{}", std::process::id(), &address[10..]));
    fs::create_dir(&dir).expect("the registry's directory");
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
         http:\n  addr: {address}\n",
        dir.display()
    );
    fs::write(dir.join("config.yml"), config).expect("its configuration");
    let script = "exec 3<&0\n\
                  docker-registry serve \"$1/config.yml\" </dev/null >\"$1/log\" 2>&1 3<&- & server=$!\n\
                  (cat <&3 >/dev/null; kill $server) & watch=$!\n\
                  wait $server; kill $watch 2>/dev/null; rm -rf \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "guard"]).arg(&dir);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("sh")
}

fn answers(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut text = String::new();
    stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_to_string(&mut text).is_ok()
        && text.contains(" 200 ")
}
