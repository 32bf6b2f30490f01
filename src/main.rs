//! Chooses the role before any thread or runtime exists; then the screen or one command of the command line.

#![cfg_attr(all(target_env = "gnu", not(test)), no_main)]

use std::env::{args_os, var, var_os};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use teu::cli::{self, Length, Parsed};
use teu::config::{Config, Overrides};
use teu::engine::{Engine, Error, ErrorKind, Inventory, LoadingMonitor, Result, entry};
use tokio::runtime::Builder;

teu::program!(begin);

fn begin() -> u8 {
    entry::hear_of_children();
    let (args, userns) = (args_os().skip(1).collect::<Vec<_>>(), var(entry::USERNS_VARIABLE).ok());
    if args.first().is_some_and(|a| a == "__monitor") {
        return teu::runtime::monitor::main(&args[1..], userns.as_deref());
    }
    if let Some(args) = cli::oci::arguments(args_os().next(), &args) {
        return cli::oci::main(args, &|name| var_os(name));
    }
    if let Some(shell) = var_os(cli::COMPLETE_VARIABLE) {
        return cli::complete(&shell, &args, inventory);
    }
    let look = cli::look(&args);
    // For root nothing has to be prepared before it.
    let load = || cli::load_monitor(look.length());
    let ahead = entry::is_root(userns.as_deref()).then(load).flatten();
    let parsed = look.parse();
    if parsed.fills_a_group()
        && let (Some(runtime_dir), None) = (var_os("XDG_RUNTIME_DIR"), var_os(entry::SCOPE_VARIABLE))
    {
        entry::enter_scope(&args, runtime_dir.as_ref());
    }
    let code = match parsed {
        Parsed::Done(code) => Ok(code),
        Parsed::Command(command) if !command.needs_engine() => Ok(cli::run_without_engine(&command)),
        Parsed::Command(command) => {
            let run = async |engine, config| Ok(cli::run(&command, engine, &config).await);
            start(&command.globals.overrides, command.length(), ahead, run)
        }
        Parsed::Screen(globals) => start(&globals.overrides, Length::Screen, None, async |engine, config| {
            teu::tui::run(engine, config).await.map_err(|e| Error::from_source(ErrorKind::Internal, "the screen", &e))
        }),
    };
    code.unwrap_or_else(|e| cli::failed_before_start(&e))
}

/// Everything in its order: settings, the user namespace while there is one thread, then the runtime and the engine.
/// One worker is quickest to start; work that takes long (pulls, the screen) gets its own threads.
fn start<F>(overrides: &Overrides, length: Length, ahead: Option<LoadingMonitor>, then: F) -> Result<u8>
where
    F: AsyncFnOnce(Engine, Config) -> Result<u8>,
{
    let config = cli::prepare(overrides, var(entry::USERNS_VARIABLE).ok().as_deref(), length)?;
    let options = cli::options(&config, length == Length::Screen);
    let monitor = ahead.or_else(|| cli::load_monitor(length));
    let threads = matches!(length, Length::Long | Length::Screen);
    let mut builder = if threads { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    let failed = |e| Error::from_source(ErrorKind::Internal, "starting the async runtime", &e);
    // Neither is dropped: at a command's end the kernel takes all back at once, and a thread blocked reading stdin must not
    // keep the program alive.
    let runtime = ManuallyDrop::new(builder.worker_threads(2).enable_all().build().map_err(failed)?);
    runtime.block_on(async {
        let engine = ManuallyDrop::new(Engine::open_with(options, monitor).await?);
        let code = then(Engine::clone(&engine), config).await;
        engine.end();
        code
    })
}

/// For shell completion: what there is, or nothing when that cannot be read.
fn inventory(overrides: &Overrides) -> Option<Arc<Inventory>> {
    let config = cli::prepare(overrides, var(entry::USERNS_VARIABLE).ok().as_deref(), Length::Short).ok()?;
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { Engine::open(cli::options(&config, false)).await.ok().map(|e| e.inventory()) })
}
