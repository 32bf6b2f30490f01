//! From what people type to objects: name, full id, or an id prefix that is unique.

use super::core::Core;
use super::inventory::ContainerEntry;
use super::{Error, ErrorKind, Result, recover};
use crate::model::image::Image;
use crate::model::reference::{Digest, Reference};
use crate::store::records::{self, Busy, ContainerRow};

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn no_such(what: &str, text: &str) -> Error {
    let list = match what {
        "image" => "`teu images` lists them",
        "volume" => "`teu volume ls` lists them",
        _ => "`teu ps -a` lists them",
    };
    Error::new(ErrorKind::NotFound, format!("no such {what}: {text}")).hint(list)
}

fn ambiguous(what: &str, text: &str, matches: &[String]) -> Error {
    Error::new(ErrorKind::Invalid, format!("'{text}' is the beginning of several {what} ids"))
        .because(matches.join(", "))
        .hint("give more digits of the id, or the name")
}

impl Core {
    /// The container that `text` names, with its present state.
    pub fn container(&self, text: &str) -> Result<ContainerEntry> {
        let row = self.container_row(text)?;
        if let Some(Busy::Remove(owner)) = row.busy
            && owner.is_alive()
        {
            return Err(Error::new(ErrorKind::Conflict, format!("container {text} is being removed")));
        }
        self.entry(row).ok_or_else(|| no_such("container", text))
    }

    /// A name was held by a container that was left half made: it is free now. `short` is the beginning of its id.
    pub fn tidied(&self, short: &str) -> bool {
        let Ok(rows) = self.db.read(|c| records::containers_by_prefix(c, short, 1)) else { return false };
        let dead: Vec<_> = rows.into_iter().filter(|r| r.busy.is_some_and(|b| !b.owner().is_alive())).collect();
        let found = !dead.is_empty();
        dead.iter().for_each(|row| recover::finish(self, row));
        found
    }

    /// Has live processes now.
    pub fn is_live(&self, id: &crate::model::id::ContainerId) -> bool {
        self.read_state(id.as_str()).status.is_live()
    }

    fn container_row(&self, text: &str) -> Result<ContainerRow> {
        let text = text.strip_prefix('/').unwrap_or(text);
        let found = self.db.read(|c| {
            if text.len() == 64
                && let Some(row) = records::container(c, text)?
            {
                return Ok(vec![row]);
            }
            if let Some(row) = records::container_by_name(c, text)? {
                return Ok(vec![row]);
            }
            if is_hex(text) { records::containers_by_prefix(c, text, 4) } else { Ok(Vec::new()) }
        })?;
        match found.len() {
            0 => Err(no_such("container", text)),
            1 => found.into_iter().next().ok_or_else(|| no_such("container", text)),
            _ => {
                let names: Vec<_> = found.iter().map(|r| r.container.id.short().to_owned()).collect();
                Err(ambiguous("container", text, &names))
            }
        }
    }

    /// The image that `text` names: a reference as people write it, an id, or the beginning of one.
    pub fn image(&self, text: &str) -> Result<Image> {
        self.find_image(text)?.ok_or_else(|| no_such("image", text))
    }

    /// `None`: nothing here is called that.
    pub fn find_image(&self, text: &str) -> Result<Option<Image>> {
        let found = self.db.read(|c| {
            let by_id = match text.parse::<Digest>() {
                Ok(id) => records::image(c, &id)?,
                Err(_) => None,
            };
            match (by_id, text.parse::<Reference>()) {
                (Some(image), _) => Ok(Some(image)),
                (None, Ok(reference)) => records::image_by_reference(c, &reference),
                (None, Err(_)) => Ok(None),
            }
        })?;
        if found.is_some() {
            return Ok(found);
        }
        let prefix = text.strip_prefix("sha256:").unwrap_or(text);
        if !is_hex(prefix) {
            return Ok(None);
        }
        let ids = self.db.read(|c| records::image_ids_by_prefix(c, prefix, 4))?;
        match ids.as_slice() {
            [] => Ok(None),
            [id] => Ok(self.db.read(|c| records::image(c, id))?),
            _ => Err(ambiguous("image", text, &ids.iter().map(|i| i.short().to_owned()).collect::<Vec<_>>())),
        }
    }

    pub fn volume(&self, name: &str) -> Result<crate::model::mount::Volume> {
        self.db.read(|c| records::volume(c, name))?.ok_or_else(|| no_such("volume", name))
    }
}
