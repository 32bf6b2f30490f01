//! Saved credentials: docker's `config.json` and podman's `auth.json`, with the helper programs they name.

use base64::Engine as _;
use serde::Deserialize;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Files to look into, in order; those that do not exist are passed over.
#[derive(Clone, Debug, Default)]
pub struct AuthSources {
    pub files: Vec<PathBuf>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    Password {
        username: String,
        password: String,
    },
    /// An OAuth2 refresh token, exchanged at the realm.
    IdentityToken(String),
    /// Sent to the registry as it is.
    RegistryToken(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Both files' format.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: Option<HashMap<String, Option<Entry>>>,
    creds_store: Option<String>,
    cred_helpers: Option<HashMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

const LARGEST_FILE: u64 = 1 << 20;
const HELPER_PATIENCE: Duration = Duration::from_secs(10);
const HELPER_ANSWER: u64 = 1 << 20;

impl AuthSources {
    /// The first credentials that fit, the most specific key of a file first; and what was wrong on the way.
    pub async fn find(&self, registry: &str, repository: &str) -> (Option<Credentials>, Vec<String>) {
        let mut notes = Vec::new();
        for path in &self.files {
            match find_in(path, registry, repository, &mut notes).await {
                Ok(Some(found)) => return (Some(found), notes),
                Ok(None) => {}
                Err(why) => notes.push(format!("{}: {why}", path.display())),
            }
        }
        (None, notes)
    }
}

async fn find_in(
    path: &Path,
    registry: &str,
    repository: &str,
    notes: &mut Vec<String>,
) -> Result<Option<Credentials>, String> {
    let text = match read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.to_string()),
    };
    let file: File = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
    let helper = file.cred_helpers.as_ref().and_then(|h| h.iter().find(|(key, _)| host_of(key) == host_of(registry)));
    let helper = helper.map(|(_, program)| program).or(file.creds_store.as_ref()).filter(|name| !name.is_empty());
    if let Some(helper) = helper {
        match ask_helper(helper, server_address(registry)).await {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => {}
            Err(why) => notes.push(format!("credential helper '{helper}': {why}")),
        }
    }
    let auths = file.auths.unwrap_or_default();
    for wanted in keys(registry, repository) {
        let entry = auths.iter().find(|(key, _)| normalised(key) == wanted).and_then(|(_, entry)| entry.as_ref());
        if let Some(found) = entry.and_then(|entry| decode(entry).transpose()) {
            return found.map(Some);
        }
    }
    Ok(None)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(io::Error::other("the file is larger than 1 MiB"));
    }
    Ok(text)
}

/// `registry/a/b`, `registry/a`, `registry`: podman keeps credentials for parts of a registry.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let host = host_of(registry);
    let mut keys = Vec::new();
    let mut path = repository;
    loop {
        keys.push(format!("{host}/{path}"));
        match path.rsplit_once('/') {
            Some((parent, _)) => path = parent,
            None => break,
        }
    }
    keys.push(host);
    keys
}

/// docker writes `https://index.docker.io/v1/` and `https://host/v2/`; podman `host/namespace`.
fn normalised(key: &str) -> String {
    let bare = key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    match path {
        "" | "v1" | "v2" => host_of(host),
        path => format!("{}/{path}", host_of(host)),
    }
}

fn host_of(registry: &str) -> String {
    let bare = registry.trim_start_matches("https://").trim_start_matches("http://");
    match bare.split('/').next().unwrap_or_default() {
        "index.docker.io" | "registry-1.docker.io" | "docker.io" => String::from("docker.io"),
        other => other.to_ascii_lowercase(),
    }
}

/// The name under which docker stores a registry's credentials in helpers.
fn server_address(registry: &str) -> &str {
    if host_of(registry) == "docker.io" { "https://index.docker.io/v1/" } else { registry }
}

fn decode(entry: &Entry) -> Result<Option<Credentials>, String> {
    let filled = |field: &Option<String>| field.clone().filter(|s| !s.is_empty());
    if let Some(token) = filled(&entry.identitytoken) {
        return Ok(Some(Credentials::IdentityToken(token)));
    }
    if let Some(token) = filled(&entry.registrytoken) {
        return Ok(Some(Credentials::RegistryToken(token)));
    }
    if let (Some(username), Some(password)) = (filled(&entry.username), filled(&entry.password)) {
        return Ok(Some(Credentials::Password { username, password }));
    }
    let Some(auth) = filled(&entry.auth) else { return Ok(None) };
    let bad = || String::from("an \"auth\" field is not base64 of \"user:password\"");
    let bytes = base64::engine::general_purpose::STANDARD.decode(auth.trim()).map_err(|_| bad())?;
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    let (username, password) = text.trim_end_matches('\0').split_once(':').ok_or_else(bad)?;
    Ok(Some(Credentials::Password { username: username.to_owned(), password: password.to_owned() }))
}

/// `docker-credential-NAME get`: the server's address on stdin, JSON on stdout.
async fn ask_helper(name: &str, server: &str) -> Result<Option<Credentials>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return Err(String::from("that is not a program's name"));
    }
    let mut command = tokio::process::Command::new(format!("docker-credential-{name}"));
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|e| format!("cannot be started: {e}"))?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(String::from("has no streams"));
    };
    let dialogue = async {
        // One that fails at once has not read the question: its own words say why.
        let asked = stdin.write_all(server.as_bytes()).await;
        drop(stdin);
        let (mut answer, mut words) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(HELPER_ANSWER), stderr.take(HELPER_ANSWER));
        let read = tokio::join!(stdout.read_to_end(&mut answer), stderr.read_to_end(&mut words));
        drop((stdout, stderr));
        let status = child.wait().await?;
        if status.success() {
            asked?;
            read.0.and(read.1)?;
        }
        Ok::<_, io::Error>((status, answer, words))
    };
    let (status, answer, words) = match tokio::time::timeout(HELPER_PATIENCE, dialogue).await {
        Err(_) => return Err(format!("gave no answer within {} s", HELPER_PATIENCE.as_secs())),
        Ok(Err(e)) => return Err(e.to_string()),
        Ok(Ok(done)) => done,
    };
    if !status.success() {
        let said = String::from_utf8_lossy(&answer);
        if said.contains("credentials not found") {
            return Ok(None);
        }
        let said = if said.trim().is_empty() { String::from_utf8_lossy(&words) } else { said };
        return Err(match said.trim() {
            "" => format!("failed ({status})"),
            said => format!("failed: {}", crate::image::registry_line(said)),
        });
    }
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| String::from("answers no credentials"))?;
    Ok(Some(match answer.username.as_str() {
        "<token>" => Credentials::IdentityToken(answer.secret),
        _ => Credentials::Password { username: answer.username, password: answer.secret },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(json: &str, registry: &str, repository: &str) -> Option<Credentials> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        std::fs::write(&file, json).unwrap();
        let (found, notes) =
            AuthSources { files: vec![dir.path().join("none"), file] }.find(registry, repository).await;
        assert_eq!(notes, Vec::<String>::new());
        found
    }

    fn password(username: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Password { username: username.into(), password: password.into() })
    }

    #[tokio::test]
    async fn both_formats_are_read() {
        let docker = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YTpiOmM="},"quay.io":{},"r:5000":null}}"#;
        assert_eq!(find(docker, "docker.io", "library/x").await, password("a", "b:c"));
        assert_eq!(find(docker, "quay.io", "x").await, None);
        let podman = r#"{"auths":{"quay.io/ns":{"auth":"bjpz"},"quay.io":{"auth":"aDpo"}}}"#;
        assert_eq!(find(podman, "quay.io", "ns/app").await, password("n", "s"));
        assert_eq!(find(podman, "quay.io", "nsx/app").await, password("h", "h"));
        assert_eq!(find(podman, "quay.io.evil.test", "ns/app").await, None);
        let token = r#"{"auths":{"r:5000":{"auth":"YTpi","identitytoken":"t"}}}"#;
        assert_eq!(find(token, "r:5000", "x").await, Some(Credentials::IdentityToken("t".into())));
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_and_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        std::fs::write(&file, r#"{"credsStore":"../x","auths":{"r":{"auth":"%%"}}}"#).unwrap();
        let (found, notes) = AuthSources { files: vec![file] }.find("r", "x").await;
        assert_eq!((found, notes.len()), (None, 2), "{notes:?}");
    }

    #[test]
    fn secrets_are_not_printed() {
        assert!(!format!("{:?}", password("user", "hunter2")).contains("hunter2"));
    }
}
