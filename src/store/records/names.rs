//! Who is called what: a name belongs to one container, and to none that is being removed.

use super::{Busy, Error, Result, container, execute, query, set_busy, text};
use crate::model::container::Container;
use crate::model::id::ContainerId;
use rusqlite::{Connection, Transaction, params};

/// Frees the name for a new owner. A container that is being removed gives it up; any other keeps it (`NameTaken`).
pub(super) fn claim(t: &Transaction<'_>, name: &str) -> Result<()> {
    let Some(owner) = owner(t, name)? else { return Ok(()) };
    match container(t, &owner)?.and_then(|row| row.busy) {
        Some(Busy::Remove(_)) => execute(t, "DELETE FROM names WHERE name = ?1", [name]).map(drop),
        _ => Err(Error::NameTaken { name: name.to_owned(), by: owner.chars().take(12).collect() }),
    }
}

/// The id of the container that has this name.
fn owner(c: &Connection, name: &str) -> Result<Option<String>> {
    Ok(query(c, "SELECT container FROM names WHERE name = ?1", [name], |row| text(row, 0))?.pop())
}

pub fn rename_container(t: &Transaction<'_>, id: &ContainerId, name: &str) -> Result<()> {
    claim(t, name)?;
    execute(t, "UPDATE names SET name = ?2 WHERE container = ?1", params![id.as_str(), name]).map(drop)
}

/// Takes a removal back. The container gets its name back or, when somebody has taken that meanwhile, the first free
/// one of `name-2`, `name-3`, ...: the name it has now.
pub fn restore_container(t: &Transaction<'_>, container: &Container) -> Result<String> {
    set_busy(t, &container.id, None)?;
    let mut name = container.name.clone();
    let mut number = 1;
    while let Some(by) = owner(t, &name)? {
        if by == container.id.as_str() {
            return Ok(name);
        }
        number += 1;
        name = format!("{}-{number}", container.name);
    }
    execute(t, "INSERT INTO names (name, container) VALUES (?1, ?2)", params![name, container.id.as_str()])?;
    Ok(name)
}
