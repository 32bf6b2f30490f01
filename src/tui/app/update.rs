//! `update`: one message in, commands out. Only routes; each topic has its own file.

use super::work::{Entry, Purpose, Task, Ticket, error_text};
use super::{App, Cmd, Msg};
use crate::engine::job::{Chunk, Progress};
use crate::engine::{Error, ErrorKind, Inventory, Output, StatsBoard};
use crate::model::event::EventRecord;
use crate::model::time::Timestamp;
use crate::tui::figures;
use std::sync::Arc;

/// Events kept for the page that shows them.
const EVENTS: usize = 500;

impl App {
    /// Takes one message at this moment and returns what is to be done. Pure: no IO, no clock, no waiting.
    pub fn update(&mut self, msg: Msg, now: Timestamp) -> Vec<Cmd> {
        self.now = now;
        self.dirty = true;
        match msg {
            Msg::Key(key) => self.key(key),
            Msg::Paste(text) => self.paste(&text),
            Msg::Mouse(event, hit) => self.mouse_event(event, hit),
            Msg::Resize(width, height) => self.size = (width, height),
            Msg::Focus(_) => {}
            Msg::Inventory(inventory) => self.take_inventory(inventory),
            Msg::Stats(stats) => self.take_stats(stats),
            Msg::Event(record) => self.take_event(&record),
            Msg::Started(ticket, job) => {
                if let Some(task) = self.work.running.get_mut(&ticket) {
                    task.job = Some(job);
                }
            }
            Msg::Progress(ticket, progress) => self.progress(ticket, progress),
            Msg::Done(ticket, result) => self.done(ticket, result),
            Msg::Session(ticket, chunk) => self.session(ticket, chunk),
            Msg::History(id, samples) => self.history(&id, samples),
            Msg::Wake => {
                self.toasts.retain(|t| t.until > now);
                self.tick_terms();
            }
            Msg::Terminate => self.quit = true,
        }
        self.tend_detail();
        self.sync_layout();
        std::mem::take(&mut self.cmds)
    }

    fn take_inventory(&mut self, inventory: Arc<Inventory>) {
        self.inventory = inventory;
        self.loaded = true;
        self.rebuild_lists();
        self.offer_resume();
        self.reattach();
        self.name_terms();
        self.fetch_detail();
    }

    fn session(&mut self, ticket: Ticket, chunk: Chunk) {
        match self.work.running.get(&ticket).map(|t| &t.purpose) {
            Some(Purpose::Logs) => self.logs_chunk(ticket, chunk),
            _ => {
                self.term_chunk(ticket, chunk);
            }
        }
    }

    /// After a change of the inventory.
    pub(super) fn rebuild_lists(&mut self) {
        self.containers.rebuild(&self.inventory, &self.stats, self.now, false);
        self.images.rebuild(&self.inventory);
    }

    /// After a person changed a filter or an order.
    pub(super) fn refilter(&mut self) {
        self.rebuild_lists();
        self.detail.processes.rebuild();
        self.detail.changes.rebuild();
    }

    fn take_stats(&mut self, stats: Arc<StatsBoard>) {
        self.stats = stats;
        for name in self.containers.take_stats(&self.stats, self.now) {
            self.toast(oom_text(&name), true);
        }
        let total = self.stats.latest.values().fold(0.0, |sum, s| sum + s.rates.cpu_percent);
        let cpus = f64::from(self.inventory.host.cpus.max(1));
        self.host_cpu.push((total / cpus) as f32);
        self.host_cpu_shown = figures::steady(self.host_cpu_shown, total / cpus, 0.75);
        let extra = self.host_cpu.len().saturating_sub(16);
        self.host_cpu.drain(..extra);
        self.containers.rebuild(&self.inventory, &self.stats, self.now, true);
        self.push_sample();
        self.look_at_processes();
    }

    /// Kept for the events page; a death nobody asked for is told.
    fn take_event(&mut self, record: &Arc<EventRecord>) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(record.clone());
        let name = record.attributes.get("name").unwrap_or(&record.id);
        let name: String = name.chars().take(40).collect();
        let code = record.attributes.get("exitCode").map_or("", String::as_str);
        match (record.kind.as_str(), record.action.as_str()) {
            ("container", "oom") => self.toast(oom_text(&name), true),
            ("container", "die") if !matches!(code, "" | "0" | "130" | "137" | "143") => {
                self.toast(format!("{name} ended: exit {code}"), true);
            }
            ("container", "health_status: unhealthy") => self.toast(format!("{name} is unhealthy"), true),
            _ => {}
        }
    }

    /// A removal that is out of sight is told as done: what follows is only the time to take it back.
    fn progress(&mut self, ticket: Ticket, progress: Progress) {
        let before = self.work.undoable();
        self.work.progress(ticket, self.now, progress);
        if self.work.undoable() == before || self.work.undoable() != Some(ticket) {
            return;
        }
        if let Some(task) = self.work.running.get(&ticket) {
            let nanos = self.now.0.saturating_sub(task.started.0);
            self.say(format!("{}  {}", task.title, figures::duration(nanos)));
        }
    }

    fn done(&mut self, ticket: Ticket, result: Result<Output, Error>) {
        let Some(task) = self.work.finish(ticket) else { return };
        match &task.purpose {
            Purpose::Act | Purpose::Pull => {
                self.report(&task, &result);
                self.answer_form(ticket, &result);
                // What was just made is what one wants to look at.
                if let Ok(Output::Container { id, .. }) = &result {
                    self.containers.list.want(id.clone());
                    self.rebuild_lists();
                }
            }
            Purpose::Shell if self.reopen_form(ticket, &result) => self.report(&task, &result),
            Purpose::Shell => self.term_done(&task, ticket, &result),
            Purpose::Logs => {
                let error = result.err().filter(|e| e.kind() != ErrorKind::Cancelled);
                self.logs_done(ticket, error.map(|e| error_text(&e)));
            }
            Purpose::Inspect(name) => {
                let value = match result {
                    Ok(Output::Inspected(mut values)) if !values.is_empty() => Ok(values.swap_remove(0)),
                    Ok(_) => Err(format!("{name} is not there any more")),
                    Err(error) => Err(error_text(&error)),
                };
                self.inspected(name, value);
            }
            Purpose::Processes => {
                let answer = match result {
                    Ok(Output::Processes(found)) => Ok(found),
                    Ok(_) => Ok(Vec::new()),
                    Err(error) => Err(error_text(&error)),
                };
                self.processes_answer(ticket, answer);
            }
            Purpose::Changes => {
                let answer = match result {
                    Ok(Output::Changes(found)) => Ok(found),
                    Ok(_) => Ok(Vec::new()),
                    Err(error) => Err(error_text(&error)),
                };
                self.changes_answer(ticket, answer);
            }
            Purpose::Doctor => {
                self.doctor = Some(match result {
                    // The engine knows of the files' mistakes; what keys, actions and themes there are is known here.
                    Ok(Output::Doctor(checks)) => Ok(checks.into_iter().chain(self.problems.clone()).collect()),
                    Ok(_) => Ok(Vec::new()),
                    Err(error) => Err(error_text(&error)),
                });
            }
            Purpose::Reclaim => match result {
                Ok(Output::Pruned { images, bytes, .. }) => self.reclaim_answer(&images, bytes),
                other => self.report(&task, &other),
            },
        }
    }

    /// The status line and the action log.
    pub(super) fn report(&mut self, task: &Task, result: &Result<Output, Error>) {
        let until = task.hidden.unwrap_or(self.now);
        let nanos = until.0.saturating_sub(task.started.0);
        let (outcome, text) = match result {
            Err(error) if error.kind() == ErrorKind::Cancelled && task.hidden.is_some() => {
                let detail = [&[String::from("taken back")], error.cleanup_failures()].concat().join("; ");
                (Ok(detail.clone()), format!("{}  {detail}", task.title))
            }
            Ok(output) => {
                let (good, detail) = describe(output);
                let text = format!("{}  {}{}", task.title, figures::duration(nanos), spaced(&detail));
                (if good { Ok(detail) } else { Err(detail) }, text)
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                (Err(String::from("cancelled")), format!("{} cancelled", task.title))
            }
            Err(error) => (Err(error_text(error)), error_text(error)),
        };
        let cancelled = matches!(result, Err(error) if error.kind() == ErrorKind::Cancelled);
        if task.hidden.is_some() && result.is_ok() {
            // Told when it went out of sight; other news may have come since.
        } else if outcome.is_ok() || cancelled {
            self.say(text)
        } else {
            self.complain(text)
        }
        let (time, title, command) = (task.started, task.title.clone(), task.command.clone());
        self.work.write(Entry { time, title, result: outcome, nanos, command });
    }
}

pub(super) fn oom_text(name: &str) -> String {
    format!("{name}: out of memory, the kernel killed a process")
}

fn spaced(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!("  {detail}") }
}

/// Whether all went well, and what came of it in a few words.
pub(super) fn describe(output: &Output) -> (bool, String) {
    match output {
        Output::Pulled { up_to_date: true, .. } => (true, String::from("is up to date")),
        Output::Container { warnings, .. } => (true, warnings.join("; ")),
        Output::Exited { code, oom } => {
            (true, format!("exit {code}{}", if *oom { ", killed: out of memory" } else { "" }))
        }
        Output::Many(results) => many(results),
        Output::Updated { results, warnings } => {
            let (ok, text) = many(results);
            let told: Vec<&str> = [text.as_str()].into_iter().chain(warnings.iter().map(String::as_str)).collect();
            (ok, told.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; "))
        }
        Output::RemovedImages { untagged, deleted } => {
            (true, format!("({} names, {} images)", untagged.len(), deleted.len()))
        }
        Output::Pruned { containers, images, volumes, networks, bytes } => {
            let count = containers.len() + images.len() + volumes.len() + networks.len();
            (true, format!("{count} removed, {} freed", crate::model::units::decimal_size(*bytes)))
        }
        _ => (true, String::new()),
    }
}

fn many(results: &[(String, Result<String, Error>)]) -> (bool, String) {
    let failed: Vec<String> =
        results.iter().filter_map(|(name, r)| r.as_ref().err().map(|e| format!("{name}: {}", error_text(e)))).collect();
    let done = results.len() - failed.len();
    match (failed.is_empty(), results.len()) {
        (true, 0 | 1) => (true, String::new()),
        (true, _) => (true, format!("({done} done)")),
        (false, _) if done == 0 => (false, failed.join("; ")),
        (false, _) => (false, format!("{done} done, {} failed: {}", failed.len(), failed.join("; "))),
    }
}
