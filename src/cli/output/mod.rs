//! How lists are shown: docker's columns, templates, JSON lines.

mod columns;
pub(super) mod filter;
pub(super) mod text;

use super::template::{Data, Template, TemplateError};
use crate::engine::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// One kind of list: its default table and what its columns are called.
pub(super) struct Listing {
    /// Template of the default table.
    pub table: &'static str,
    /// Template of `-q`.
    pub quiet: &'static str,
    /// Field to heading.
    pub headings: &'static [(&'static str, &'static str)],
}

/// Renders all rows, a line each. `format` as given to `--format`.
pub(super) fn render(rows: &[Data], listing: &Listing, format: Option<&str>, quiet: bool) -> Result<String> {
    match format.unwrap_or("table") {
        "json" => Ok(rows.iter().map(|row| format!("{}\n", row.value)).collect()),
        "table" if quiet => lines(rows, listing.quiet),
        "table" => table(rows, listing, listing.table),
        other => match other.strip_prefix("table ").or_else(|| other.strip_prefix("table\t")) {
            Some(template) => table(rows, listing, template),
            None => lines(rows, other),
        },
    }
}

fn lines(rows: &[Data], template: &str) -> Result<String> {
    let parsed = parse(template)?;
    let mut out = String::new();
    for row in rows {
        out.push_str(&parsed.render(row).map_err(|e| bad_template(template, e))?);
        out.push('\n');
    }
    Ok(out)
}

fn table(rows: &[Data], listing: &Listing, template: &str) -> Result<String> {
    let heading = |(field, heading): &(&str, &str)| ((*field).to_owned(), Value::from(*heading));
    let headings: Map<String, Value> = listing.headings.iter().map(heading).collect();
    let head = Data { value: Value::Object(headings), ..Data::default() };
    let parsed = parse(template)?;
    // A heading may not be what the template's functions expect: then the columns go without.
    let mut text = parsed.render(&head).map(|line| line + "\n").unwrap_or_default();
    text.push_str(&lines(rows, template)?);
    Ok(columns::align(&text))
}

/// One object by a template or as JSON; `None`: the caller's own text.
pub(super) fn render_one(data: &Data, format: Option<&str>) -> Result<Option<String>> {
    match format {
        None => Ok(None),
        Some("json") => Ok(Some(format!("{}\n", data.value))),
        Some(template) => lines(std::slice::from_ref(data), template).map(Some),
    }
}

/// On the command line `\t` and `\n` are mostly typed as two characters.
fn parse(template: &str) -> Result<Template> {
    Template::parse(&template.replace("\\t", "\t").replace("\\n", "\n")).map_err(|e| bad_template(template, e))
}

fn bad_template(template: &str, error: TemplateError) -> Error {
    Error::new(ErrorKind::Invalid, format!("the template '{template}' cannot be used")).because(error.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LISTING: Listing = Listing {
        table: "{{.ID}}\t{{.Names}}\t{{.Status}}",
        quiet: "{{.ID}}",
        headings: &[("ID", "CONTAINER ID"), ("Names", "NAMES"), ("Status", "STATUS")],
    };

    fn rows() -> Vec<Data> {
        let row = |id: &str, name: &str, status: &str| Data {
            value: json!({"ID": id, "Names": name, "Status": status}),
            ..Data::default()
        };
        vec![row("0123456789ab", "web", "Up 3 minutes"), row("ba9876543210", "a_longer_name", "Created")]
    }

    fn check(format: Option<&str>, quiet: bool, expected: &str) {
        assert_eq!(render(&rows(), &LISTING, format, quiet).unwrap(), expected, "{format:?}");
    }

    #[test]
    fn as_docker_prints_them() {
        let table = "CONTAINER ID   NAMES           STATUS\n0123456789ab   web             Up 3 minutes\n\
                     ba9876543210   a_longer_name   Created\n";
        check(None, false, table);
        check(Some("table"), false, table);
        check(None, true, "0123456789ab\nba9876543210\n");
        check(
            Some("table {{.Names}}\\t{{.ID}}"),
            false,
            "NAMES           CONTAINER ID\nweb             0123456789ab\na_longer_name   ba9876543210\n",
        );
        check(Some("{{.Names}}|{{.ID}}"), true, "web|0123456789ab\na_longer_name|ba9876543210\n");
        let json = render(&rows(), &LISTING, Some("json"), false).unwrap();
        assert_eq!(json.lines().next(), Some(r#"{"ID":"0123456789ab","Names":"web","Status":"Up 3 minutes"}"#));
        assert!(render(&[], &LISTING, Some("{{.ID"), false).unwrap_err().to_string().contains("unclosed action"));
    }
}
