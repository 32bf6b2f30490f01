//! The jobs page's rows: what runs and can be stopped, what came of the rest, and pulls that can go on.

use super::page::Line;
use crate::engine::job::{Job, JobStatus};
use crate::model::reference::Reference;
use crate::tui::app::App;
use crate::tui::app::work::{Purpose, Task, Ticket, error_text};
use crate::tui::figures::age;
use crate::tui::text;
use crate::tui::theme::Role;
use std::sync::Arc;

/// Reads, sessions and housekeeping: nobody started them on purpose.
const QUIET: [&str; 9] = ["sample", "reconcile", "reap", "logs", "stats", "events", "inspect", "doctor", "wait"];

enum Row<'a> {
    Own(Ticket, &'a Task),
    Other(&'a Arc<Job>),
}

fn rows(app: &App) -> Vec<Row<'_>> {
    let own = app.work.running.iter().rev();
    let acts = own.filter(|(_, t)| matches!(t.purpose, Purpose::Act | Purpose::Pull | Purpose::Shell));
    let ids: Vec<_> = app.work.running.values().filter_map(|t| t.job).collect();
    let others = app.inventory.jobs.iter().filter(|j| !ids.contains(&j.id) && !QUIET.contains(&j.name));
    acts.map(|(ticket, task)| Row::Own(*ticket, task)).chain(others.map(Row::Other)).collect()
}

/// Stops the job of this row.
pub(super) fn stop(app: &mut App, row: usize) {
    let ticket = match rows(app).get(row) {
        Some(Row::Own(ticket, _)) => *ticket,
        Some(Row::Other(job)) if !job.status.is_over() => {
            return app.say("another teu runs that job; stop it there");
        }
        _ => return,
    };
    app.cancel(ticket);
}

/// Goes on with the pull of this row; layers and parts of layers that are there are kept.
pub(super) fn resume(app: &mut App, row: usize) {
    let subject = match rows(app).get(row) {
        Some(Row::Other(job)) if job.name == "pull" && job.status.is_over() => job.subject.clone(),
        _ => return,
    };
    if let Ok(reference) = subject.parse::<Reference>() {
        app.pull(reference);
    }
}

pub(super) fn lines(app: &App) -> Vec<Line> {
    let lines: Vec<Line> = rows(app).iter().map(|row| line(app, row)).collect();
    if lines.is_empty() { vec![(String::from("no jobs"), Role::Dim)] } else { lines }
}

fn line(app: &App, row: &Row<'_>) -> Line {
    let head = |started, word: &str| {
        let since = age(app.now.seconds_since(started));
        format!("{} {}", text::fit_right(&since, 4), text::fit(word, 11))
    };
    match row {
        Row::Own(_, task) => {
            let word = if task.cancelling { "stopping" } else { "running" };
            let share = crate::tui::views::images::share(task).map(|s| format!(" {:.0}%", s * 100.0));
            let (stage, share) = (&task.progress.stage, share.unwrap_or_default());
            (format!("{} {}  {stage}{share}", head(task.started, word), named(app, &task.title)), Role::Accent)
        }
        Row::Other(job) => {
            let resumable = app.interrupted_pulls().contains(&job.subject);
            let (role, why) = match &job.status {
                JobStatus::Failed(error) => (Role::Error, format!("  {}", error_text(error))),
                JobStatus::Interrupted if job.name == "pull" && resumable => {
                    (Role::Warn, String::from("  r goes on with it"))
                }
                JobStatus::Interrupted => (Role::Warn, String::new()),
                JobStatus::Done | JobStatus::Cancelled => (Role::Dim, String::new()),
                _ => (Role::Text, String::new()),
            };
            let subject = named(app, &job.subject);
            (format!("{} {} {subject}{why}", head(job.started, job.status.word()), job.name), role)
        }
    }
}

/// Whole ids become the names of their containers.
fn named(app: &App, title: &str) -> String {
    let name = |word: &str| -> String {
        if word.len() != 64 {
            return word.to_owned();
        }
        let entry = app.inventory.containers.iter().find(|c| c.container.id.as_str() == word);
        entry.map_or_else(|| word.chars().take(12).collect(), |c| c.container.name.clone())
    };
    title.split(' ').map(name).collect::<Vec<_>>().join(" ")
}
