//! Nothing a person can ask for is half there: every request is named, tried and reachable, every action has its row.

use super::scan::head;
use super::{House, Rule};

const REQUESTS: &str = "engine/request/mod.rs";
const ACTIONS: &str = "tui/action.rs";
/// Where every request is submitted and cancelled.
const TRIED: &str = "requests.rs";

/// Requests that no key and no palette entry leads to, each with the reason.
const NOT_IN_PALETTE: &[(&str, &str)] = &[
    ("FromHost", "a step of a run of `localhost/starter`, which the first screen offers"),
    ("Create", "a step of a run; the screen always starts what it makes"),
    ("Wait", "the screen sees each end as it happens"),
    ("Stats", "the engine samples by itself while a screen is open"),
    ("Events", "the screen follows the engine's own events"),
    ("CreateVolume", "volumes have no list on the screen yet; a run makes those it names"),
    ("RemoveVolumes", "volumes have no list on the screen yet"),
    ("Publish", "`teu update --publish-add`; the screen shows what is published"),
    ("Reap", "a monitor's, after a container of `--rm`"),
    ("Sample", "the engine's own"),
    ("Reconcile", "the engine's own"),
];

pub const RULES: &[Rule] = &[
    Rule {
        holds: "every request has a name, a subject and an answer to what becomes of it at exit",
        cure: "give it its arms in name(), subject() and on_exit(), without a catch-all",
        check: |house| {
            let code = house.code(REQUESTS);
            let half = variants(house).into_iter().filter(|v| times(code, &format!("Request::{v}")) < 3);
            let mut findings: Vec<_> = half.map(|v| format!("{REQUESTS}: {v} lacks an arm")).collect();
            if code.contains("        _ =>") {
                findings.push(format!("{REQUESTS}: a catch-all arm hides what is forgotten"));
            }
            findings
        },
        broken: &[(REQUESTS, "pub enum Request {\n    Nap(Args),\n}\nfn name() { match r { Request::Nap(_) => 1 } }")],
    },
    Rule {
        holds: "every request is submitted and cancelled by a test",
        cure: "add it to the list in tests/it/requests.rs",
        check: |house| {
            let tried = house.tests.iter().find(|t| t.path == TRIED).map_or("", |t| &t.code);
            let missing = variants(house).into_iter().filter(|v| times(tried, &format!("Request::{v}")) == 0);
            missing.map(|v| format!("tests/it/{TRIED}: no Request::{v}")).collect()
        },
        broken: &[(REQUESTS, "pub enum Request {\n    Nap(Args),\n}")],
    },
    Rule {
        holds: "every request can be asked for on the screen, or it is said why not",
        cure: "give it an action in tui/action.rs that submits it, or a reason in NOT_IN_PALETTE",
        check: |house| {
            let asks = |variant: &str| {
                // The table of command lines names them all and asks for none.
                let screen = house.sources.iter().filter(|s| s.layer() == "tui" && s.path != "tui/command.rs");
                screen.map(|s| times(&s.code, &format!("Request::{variant}"))).sum::<usize>() > 0
            };
            let mut findings = Vec::new();
            for variant in variants(house) {
                match (asks(&variant), NOT_IN_PALETTE.iter().any(|(name, _)| *name == variant)) {
                    (false, false) => findings.push(format!("{REQUESTS}: nothing on the screen asks for {variant}")),
                    (true, true) => findings.push(format!("{REQUESTS}: {variant} is asked for: strike its exemption")),
                    _ => {}
                }
            }
            findings
        },
        broken: &[(REQUESTS, "pub enum Request {\n    Nap(Args),\n}")],
    },
    Rule {
        holds: "every action has a name, a title and something that does it; help and palette are made from the table",
        cure: "fill in its row in tui/action.rs, and give it an arm in tui/app/act.rs",
        check: half_actions,
        broken: &[
            (ACTIONS, "actions! {\n    Nap, \"\", Global, [], \"take a nap\", \"\";\n}"),
            (ACTIONS, "actions! {\n    Nap, \"nap\", Global, [], \"\", \"\";\n}"),
            (ACTIONS, "actions! {\n    Nap, \"nap\", Global, [\"n\"], \"take a nap\", \"\";\n}"),
            ("tui/overlay/picker.rs", "    fn palette() {\n    }\n    fn help() { TABLE.iter() }"),
            ("tui/overlay/picker.rs", "    fn palette() { TABLE.iter() }"),
        ],
    },
];

fn times(code: &str, path: &str) -> usize {
    let ends = |at: usize| !code[at + path.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    code.match_indices(path).filter(|(at, _)| ends(*at)).count()
}

fn variants(house: &House) -> Vec<String> {
    let body = house.code(REQUESTS).split("pub enum Request {").nth(1).and_then(|rest| rest.split("\n}").next());
    let lines = body.unwrap_or("").lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
    lines.map(head).filter(|name| name.starts_with(char::is_uppercase)).collect()
}

/// Rows of the table as written: `Open, "open", List, ["enter"], "show the details", "";`. The macro makes the enum from
/// the rows, so an action without a row cannot be.
fn half_actions(house: &House) -> Vec<String> {
    let mut findings = Vec::new();
    if let Some(source) = house.sources.iter().find(|s| s.path == ACTIONS) {
        let table = source.raw.split("\nactions! {").nth(1).or_else(|| source.raw.strip_prefix("actions! {"));
        let rows = table.and_then(|t| t.split("\n}").next()).unwrap_or("").lines().filter(|l| l.contains(", \""));
        let done = |action: &str| {
            let acts = house.sources.iter().filter(|s| s.path.starts_with("tui/app/"));
            acts.map(|s| times(&s.code, &format!("Action::{action}"))).sum::<usize>() > 0
        };
        let mut count = 0;
        for row in rows {
            count += 1;
            let (action, words): (String, Vec<&str>) = (head(row), row.split('"').skip(1).step_by(2).collect());
            let (name, title) = (words.first().copied(), words.iter().rev().nth(1).copied());
            if name.is_none_or(str::is_empty) || title.is_none_or(str::is_empty) || words.len() < 3 {
                findings.push(format!("{ACTIONS}: {action} lacks a name or a title"));
            }
            if !done(&action) {
                findings.push(format!("{ACTIONS}: nothing in tui/app does {action}"));
            }
        }
        if count == 0 {
            findings.push(format!("{ACTIONS}: the scan lost the table"));
        }
    }
    let picker = house.code("tui/overlay/picker.rs");
    for made in ["fn help(", "fn palette("] {
        let body = picker.split(made).nth(1).map(|rest| rest.split("\n    }").next().unwrap_or(""));
        let from_table = body.is_some_and(|body| body.contains("TABLE"));
        if !picker.is_empty() && !from_table {
            findings.push(format!("tui/overlay/picker.rs: {made}) is not made from the table"));
        }
    }
    findings
}
