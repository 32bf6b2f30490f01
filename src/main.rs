//! Chooses the role before any thread or runtime exists; then the screen or one command of the command line.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;
use teu::cli::{self, Parsed};
use teu::config::{self, Config, Overrides};
use teu::engine::{Engine, Error, ErrorKind};
use teu::runtime::cgroup::scope;
use teu::sys::{process, userns};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    // Whoever started teu may ignore it: then nobody would ever hear of a container's end.
    process::default_child_signal();
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|a| a == "__monitor") {
        return monitor(args.get(1));
    }
    if let Some(shell) = std::env::var_os(cli::COMPLETE_VARIABLE) {
        return cli::complete(&shell, &args, inventory).into();
    }
    let code =
        match cli::parse(&args) {
            Parsed::Done(code) => Ok(code),
            Parsed::Screen(globals) => {
                enter_scope(&args);
                start(&globals.overrides, Kind::Screen, screen)
            }
            Parsed::Command(command) if !command.needs_engine() => Ok(cli::run_without_engine(&command)),
            Parsed::Command(command) => {
                if command.starts_containers() {
                    enter_scope(&args);
                }
                let kind = if command.is_long() { Kind::Long } else { Kind::Short };
                start(&command.globals.overrides, kind, async |engine, config| {
                    Ok(cli::run(&command, engine, &config).await)
                })
            }
        };
    ExitCode::from(code.unwrap_or_else(|e| cli::failed_before_start(&e)))
}

/// The role of a container's monitor; its socket is the descriptor of this number.
fn monitor(descriptor: Option<&OsString>) -> ExitCode {
    let descriptor = descriptor.and_then(|d| d.to_str()).and_then(|d| d.parse().ok());
    let inherited = std::env::var(userns::VARIABLE).ok();
    descriptor.map_or(ExitCode::FAILURE, |d| ExitCode::from(teu::runtime::monitor::main(d, inherited.as_deref())))
}

async fn screen(engine: Engine, config: Config) -> Result<u8, Error> {
    teu::tui::run(engine, config).await.map_err(|e| Error::from_source(ErrorKind::Internal, "running the screen", &e))
}

/// Where a user's session has no control group for containers, goes on in one that has. Without it: no limits.
fn enter_scope(args: &[OsString]) {
    let Some(runtime_dir) = std::env::var_os("XDG_RUNTIME_DIR") else { return };
    if std::env::var_os(scope::VARIABLE).is_none()
        && let Ok(program) = std::env::current_exe()
        && let Some(mut command) = scope::command(&program, args, runtime_dir.as_ref())
    {
        // Returns only when there is no systemd-run: then it goes on without, and the doctor says what is missing.
        let _ = command.exec();
    }
}

/// How long the program is going to run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Short,
    /// Pulls and the like.
    Long,
    /// Until the user has enough, following what other processes change.
    Screen,
}

/// Everything in its order: settings, the user namespace while there is one thread, then the runtime and the engine.
fn start<F>(overrides: &Overrides, kind: Kind, then: F) -> Result<u8, Error>
where
    F: AsyncFnOnce(Engine, Config) -> Result<u8, Error>,
{
    let config = prepare(overrides)?;
    // One worker is quickest to start; work that takes long (pulls, the screen) gets its own threads.
    let mut builder = match kind {
        Kind::Long | Kind::Screen => Builder::new_multi_thread(),
        Kind::Short => Builder::new_current_thread(),
    };
    let runtime = builder.worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Error::from_source(ErrorKind::Internal, "starting the async runtime", &e))?;
    let code = runtime.block_on(async {
        let engine = Engine::open(cli::options(&config, kind == Kind::Screen)).await?;
        let code = then(engine.clone(), config).await;
        engine.write_history();
        code
    });
    // A thread blocked reading stdin must not keep the program alive.
    runtime.shutdown_background();
    code
}

fn prepare(overrides: &Overrides) -> Result<Config, Error> {
    let config =
        config::load(overrides).map_err(|e| Error::from_source(ErrorKind::Invalid, "finding teu's directories", &e))?;
    config::prepare_run_dir(&config.run_dir)
        .map_err(|e| Error::from_source(ErrorKind::Denied, "preparing the run directory", &e))
        .map_err(|e| e.hint("--root DIR (or TEU_ROOT) keeps all state in a directory of yours"))?;
    let inherited = std::env::var(userns::VARIABLE).ok();
    userns::enter(&config.run_dir, inherited.as_deref()).map_err(|e| {
        let error = Error::from_source(ErrorKind::Denied, "becoming root of an own user namespace", &e);
        e.hint.iter().fold(error, |error, hint| error.hint(hint))
    })?;
    Ok(config)
}

/// For shell completion: what there is, or nothing when that cannot be read.
fn inventory(overrides: &Overrides) -> Option<std::sync::Arc<teu::engine::Inventory>> {
    let config = prepare(overrides).ok()?;
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { Engine::open(cli::options(&config, false)).await.ok().map(|e| e.inventory()) })
}
