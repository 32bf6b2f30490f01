//! Rows and the model: the only SQL. Every function works on a connection or transaction the caller holds briefly.

mod jobs;
mod names;
mod networks;
#[cfg(test)]
mod tests;

pub use jobs::{JobRow, delete_jobs_before, jobs, put_job};
pub use names::{rename_container, restore_container};
pub use networks::{
    Lease, Taken, Want, delete_lease, delete_network, free_address, insert_network, lease_at, leases,
    leases_of_container, leases_of_network, leases_started, network, network_by_name, networks, put_lease, take_leases,
};

use super::process::Owner;
use super::{Error, Result};
use crate::model::container::Container;
use crate::model::id::ContainerId;
use crate::model::image::Image;
use crate::model::mount::Volume;
use crate::model::reference::{Digest, Reference};
use crate::model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction, params};

/// A change that spans database and disk, and which process is making it. When that one is dead the change is undone
/// (`Create`) or finished (`Remove`) by whoever comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    Create(Owner),
    Remove(Owner),
}

impl Busy {
    pub fn owner(&self) -> Owner {
        match self {
            Busy::Create(owner) | Busy::Remove(owner) => *owner,
        }
    }

    fn to_text(self) -> String {
        match self {
            Busy::Create(owner) => format!("create:{owner}"),
            Busy::Remove(owner) => format!("remove:{owner}"),
        }
    }

    fn from_text(text: &str) -> Option<Busy> {
        let (word, owner) = text.split_once(':')?;
        let owner = owner.parse().ok()?;
        match word {
            "create" => Some(Busy::Create(owner)),
            "remove" => Some(Busy::Remove(owner)),
            _ => None,
        }
    }
}

/// A container's row.
#[derive(Clone, Debug)]
pub struct ContainerRow {
    pub container: Container,
    pub busy: Option<Busy>,
}

fn from_json<T: serde::de::DeserializeOwned>(what: impl FnOnce() -> String, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|e| Error::Corrupt { what: what(), why: e.to_string() })
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::Corrupt { what: "a new record".into(), why: e.to_string() })
}

fn query<T>(c: &Connection, sql: &str, p: impl Params, f: impl Fn(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
    let mut statement = c.prepare_cached(sql).map_err(Error::row)?;
    let mut rows = statement.query(p).map_err(Error::row)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(Error::row)? {
        out.push(f(row)?);
    }
    Ok(out)
}

fn execute(c: &Connection, sql: &str, p: impl Params) -> Result<usize> {
    c.prepare_cached(sql).and_then(|mut s| s.execute(p)).map_err(Error::row)
}

fn text(row: &Row<'_>, index: usize) -> Result<String> {
    row.get(index).map_err(Error::row)
}

// ---- containers -------------------------------------------------------------------------------------------------

/// Reserves the name and writes the row in one transaction; the directories come after it. Fails with `NameTaken`, and
/// with `Gone` when the image has been removed meanwhile.
pub fn insert_container(t: &Transaction<'_>, container: &Container, busy: Option<Busy>) -> Result<()> {
    names::claim(t, &container.name)?;
    if image(t, &container.image)?.is_none() {
        return Err(Error::Gone { what: format!("image {}", container.image), why: "has been removed" });
    }
    execute(
        t,
        "INSERT INTO containers (id, image, created, busy, json) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            container.id.as_str(),
            container.image.to_string(),
            container.created.0,
            busy.map(Busy::to_text),
            to_json(container)?
        ],
    )?;
    execute(t, "INSERT INTO names (name, container) VALUES (?1, ?2)", params![container.name, container.id.as_str()])?;
    Ok(())
}

const CONTAINER: &str = "SELECT c.id, c.json, c.busy, n.name FROM containers c LEFT JOIN names n ON n.container = c.id";

fn container_row(row: &Row<'_>) -> Result<ContainerRow> {
    let id = text(row, 0)?;
    let mut container: Container = from_json(|| format!("container {id}"), &text(row, 1)?)?;
    let busy: Option<String> = row.get(2).map_err(Error::row)?;
    let name: Option<String> = row.get(3).map_err(Error::row)?;
    container.name = name.unwrap_or_default();
    Ok(ContainerRow { container, busy: busy.as_deref().and_then(Busy::from_text) })
}

/// Newest first, without those that cannot be read: one damaged row must not hide all others (see [`damaged`]).
pub fn containers(c: &Connection) -> Result<Vec<ContainerRow>> {
    Ok(readable(query(c, &format!("{CONTAINER} ORDER BY c.created DESC"), [], |row| or_damaged(container_row(row)))?))
}

/// What is wrong with each row that cannot be read.
pub fn damaged(c: &Connection) -> Result<Vec<String>> {
    let mut found = query(c, CONTAINER, [], |row| or_damaged(container_row(row).map(drop)))?;
    found.extend(query(c, IMAGE, [], |row| or_damaged(image_row(row).map(drop)))?);
    found.extend(networks::damaged_networks(c)?);
    Ok(found.into_iter().filter_map(Result::err).map(|e| e.to_string()).collect())
}

/// A damaged row is a finding, every other error ends the query.
fn or_damaged<T>(row: Result<T>) -> Result<Result<T>> {
    match row {
        Err(e) if !matches!(e, Error::Corrupt { .. }) => Err(e),
        row => Ok(row),
    }
}

fn readable<T>(rows: Vec<Result<T>>) -> Vec<T> {
    rows.into_iter().filter_map(Result::ok).collect()
}

pub fn container(c: &Connection, id: &str) -> Result<Option<ContainerRow>> {
    Ok(query(c, &format!("{CONTAINER} WHERE c.id = ?1"), [id], container_row)?.pop())
}

pub fn container_by_name(c: &Connection, name: &str) -> Result<Option<ContainerRow>> {
    Ok(query(c, &format!("{CONTAINER} WHERE n.name = ?1"), [name], container_row)?.pop())
}

/// Up to `limit` containers whose id begins with `prefix` (hex digits).
pub fn containers_by_prefix(c: &Connection, prefix: &str, limit: usize) -> Result<Vec<ContainerRow>> {
    // ':' follows '9' and 'g' follows 'f': every continuation of the prefix lies below prefix + 'g'.
    query(
        c,
        &format!("{CONTAINER} WHERE c.id >= ?1 AND c.id < ?1 || 'g' ORDER BY c.id LIMIT ?2"),
        params![prefix, limit as i64],
        container_row,
    )
}

pub fn container_ids(c: &Connection) -> Result<Vec<String>> {
    query(c, "SELECT id FROM containers", [], |row| text(row, 0))
}

/// Marks or unmarks a change in progress.
pub fn set_busy(t: &Connection, id: &ContainerId, busy: Option<Busy>) -> Result<()> {
    let changed =
        execute(t, "UPDATE containers SET busy = ?2 WHERE id = ?1", params![id.as_str(), busy.map(Busy::to_text)])?;
    if changed == 0 {
        return Err(Error::Gone { what: format!("container {}", id.short()), why: "has been removed" });
    }
    Ok(())
}

/// Replaces the record (limits may change after creation); the name stays.
pub fn update_container(t: &Transaction<'_>, container: &Container) -> Result<()> {
    execute(t, "UPDATE containers SET json = ?2 WHERE id = ?1", params![container.id.as_str(), to_json(container)?])?;
    Ok(())
}

const DELETE_CONTAINER: &str = "DELETE FROM containers WHERE id = ?1";

/// Row and name; nothing when it is gone already.
pub fn delete_container(t: &Connection, id: &str) -> Result<bool> {
    Ok(execute(t, DELETE_CONTAINER, [id])? > 0)
}

/// Compiles what a container's end will execute, while there is time: it is kept with the connection.
pub fn expect_end(c: &Connection, removed: bool) -> Result<()> {
    let statements = [jobs::PUT_JOB, DELETE_CONTAINER];
    let needed = if removed { &statements[..] } else { &statements[..1] };
    needed.iter().try_for_each(|sql| c.prepare_cached(sql).map(drop).map_err(Error::row))
}

// ---- images -----------------------------------------------------------------------------------------------------

/// Writes the image and points its references here; a reference moves away from the image that had it.
pub fn put_image(t: &Transaction<'_>, image: &Image) -> Result<()> {
    let bare = Image { references: Vec::new(), ..image.clone() };
    execute(
        t,
        "INSERT INTO images (id, manifest, stored, json) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest, json = excluded.json",
        params![image.id.to_string(), image.manifest.to_string(), image.stored.0, to_json(&bare)?],
    )?;
    image.references.iter().try_for_each(|reference| set_reference(t, reference, &image.id))
}

pub fn set_reference(t: &Transaction<'_>, reference: &Reference, image: &Digest) -> Result<()> {
    execute(
        t,
        "INSERT INTO image_refs (reference, image) VALUES (?1, ?2)
         ON CONFLICT (reference) DO UPDATE SET image = excluded.image",
        params![reference.to_string(), image.to_string()],
    )
    .map(drop)
}

pub fn delete_reference(t: &Transaction<'_>, reference: &Reference) -> Result<bool> {
    Ok(execute(t, "DELETE FROM image_refs WHERE reference = ?1", [reference.to_string()])? > 0)
}

pub fn delete_image(t: &Transaction<'_>, id: &Digest) -> Result<bool> {
    Ok(execute(t, "DELETE FROM images WHERE id = ?1", [id.to_string()])? > 0)
}

const IMAGE: &str = "SELECT id, json FROM images";

fn image_row(row: &Row<'_>) -> Result<Image> {
    let id = text(row, 0)?;
    from_json(|| format!("image {id}"), &text(row, 1)?)
}

/// By first name, nameless ones last; without those that cannot be read.
pub fn images(c: &Connection) -> Result<Vec<Image>> {
    let mut images = readable(query(c, IMAGE, [], |row| or_damaged(image_row(row)))?);
    for image in &mut images {
        image.references = references(c, &image.id)?;
    }
    images.sort_by_cached_key(|i| (i.references.is_empty(), i.references.first().cloned(), i.id.clone()));
    Ok(images)
}

pub fn image(c: &Connection, id: &Digest) -> Result<Option<Image>> {
    let found = query(c, "SELECT json FROM images WHERE id = ?1", [id.to_string()], |row| {
        from_json::<Image>(|| format!("image {id}"), &text(row, 0)?)
    })?;
    let Some(mut image) = found.into_iter().next() else { return Ok(None) };
    image.references = references(c, id)?;
    Ok(Some(image))
}

fn references(c: &Connection, image: &Digest) -> Result<Vec<Reference>> {
    query(c, "SELECT reference FROM image_refs WHERE image = ?1 ORDER BY reference", [image.to_string()], |row| {
        let value = text(row, 0)?;
        value.parse().map_err(|_| Error::Corrupt { what: "an image name".into(), why: value })
    })
}

/// By tag; by `name@digest` when an image was pulled with that manifest under that name.
pub fn image_by_reference(c: &Connection, reference: &Reference) -> Result<Option<Image>> {
    let id = query(c, "SELECT image FROM image_refs WHERE reference = ?1", [reference.to_string()], digest)?.pop();
    if let Some(id) = id {
        return image(c, &id);
    }
    let Some(manifest) = &reference.digest else { return Ok(None) };
    let known = format!("{}@{manifest}", reference.name());
    let familiar = format!("{}@{manifest}", reference.familiar_name());
    let image = image_by_manifest(c, manifest)?;
    Ok(image.filter(|i| i.repo_digests.iter().any(|d| *d == known || *d == familiar)))
}

/// Images pulled or made with this manifest.
pub fn image_by_manifest(c: &Connection, manifest: &Digest) -> Result<Option<Image>> {
    let id = query(c, "SELECT id FROM images WHERE manifest = ?1", [manifest.to_string()], digest)?.pop();
    id.map_or(Ok(None), |id| image(c, &id))
}

/// Up to `limit` ids that begin with `sha256:` + `prefix` (hex digits).
pub fn image_ids_by_prefix(c: &Connection, prefix: &str, limit: usize) -> Result<Vec<Digest>> {
    query(
        c,
        "SELECT id FROM images WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT ?2",
        params![format!("sha256:{prefix}"), limit as i64],
        digest,
    )
}

fn digest(row: &Row<'_>) -> Result<Digest> {
    let value = text(row, 0)?;
    value.parse().map_err(|_| Error::Corrupt { what: "a digest".into(), why: value })
}

/// Ids of the containers made from this image, half-made ones included.
pub fn containers_of_image(c: &Connection, image: &Digest) -> Result<Vec<ContainerId>> {
    query(c, "SELECT id FROM containers WHERE image = ?1", [image.to_string()], |row| {
        let id = text(row, 0)?;
        ContainerId::try_from(id).map_err(|e| Error::Corrupt { what: "a container id".into(), why: e.to_string() })
    })
}

// ---- volumes ----------------------------------------------------------------------------------------------------

/// `false`: a volume of that name exists. It counts as filled only after [`set_volume_ready`].
pub fn insert_volume(t: &Transaction<'_>, volume: &Volume) -> Result<bool> {
    let n = execute(
        t,
        "INSERT OR IGNORE INTO volumes (name, created, anonymous, ready, labels) VALUES (?1, ?2, ?3, 0, ?4)",
        params![volume.name, volume.created.0, volume.anonymous, to_json(&volume.labels)?],
    )?;
    Ok(n > 0)
}

/// The image's content has been copied in (or there was none).
pub fn set_volume_ready(t: &Connection, name: &str) -> Result<()> {
    execute(t, "UPDATE volumes SET ready = 1 WHERE name = ?1", [name]).map(drop)
}

/// Made on request and not yet used: its first user's image fills it, unless it holds something by then.
pub fn set_volume_unused(t: &Connection, name: &str, unused: bool) -> Result<()> {
    let ready = if unused { 2 } else { 0 };
    execute(t, "UPDATE volumes SET ready = ?2 WHERE name = ?1", params![name, ready]).map(drop)
}

pub fn is_volume_unused(c: &Connection, name: &str) -> Result<bool> {
    is_volume(c, name, 2)
}

pub fn is_volume_ready(c: &Connection, name: &str) -> Result<bool> {
    is_volume(c, name, 1)
}

fn is_volume(c: &Connection, name: &str, ready: i64) -> Result<bool> {
    c.query_row("SELECT ready = ?2 FROM volumes WHERE name = ?1", params![name, ready], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
        .map_err(Error::row)
}

pub fn volumes(c: &Connection) -> Result<Vec<Volume>> {
    query(c, "SELECT name, created, anonymous, labels FROM volumes ORDER BY name", [], volume_row)
}

pub fn volume(c: &Connection, name: &str) -> Result<Option<Volume>> {
    Ok(query(c, "SELECT name, created, anonymous, labels FROM volumes WHERE name = ?1", [name], volume_row)?.pop())
}

fn volume_row(row: &Row<'_>) -> Result<Volume> {
    let name = text(row, 0)?;
    Ok(Volume {
        created: Timestamp(row.get(1).map_err(Error::row)?),
        anonymous: row.get(2).map_err(Error::row)?,
        labels: from_json(|| format!("volume {name}"), &text(row, 3)?)?,
        name,
    })
}

pub fn delete_volume(t: &Connection, name: &str) -> Result<bool> {
    Ok(execute(t, "DELETE FROM volumes WHERE name = ?1", [name])? > 0)
}
