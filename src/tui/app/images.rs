//! The images list: one row per name of an image, one for an image without a name.

use crate::engine::{ImageEntry, Inventory};
use crate::model::reference::Digest;
use crate::model::time::Timestamp;
use crate::tui::filter::Filter;
use crate::tui::list::List;
use std::collections::HashSet;

/// What a row shows.
#[derive(Clone, Debug)]
pub struct ImageRow {
    /// Name, or the id of a dangling one: unique in the list.
    pub key: String,
    pub id: Digest,
    /// `nginx:1.29`, `<dangling> 9f1c02`.
    pub name: String,
    pub dangling: bool,
    pub size: u64,
    pub used: usize,
    pub created: Option<Timestamp>,
    pub platform: String,
}

pub const SORTS: [&str; 4] = ["name", "size", "used", "age"];
const FIELDS: [&str; 3] = ["name", "id", "platform"];

#[derive(Debug, Default)]
pub struct Images {
    pub list: List<String>,
    pub rows: Vec<ImageRow>,
    /// Bytes of all images, each once, and of those no container uses.
    pub size: u64,
    pub unused: u64,
}

impl Images {
    pub fn rebuild(&mut self, inventory: &Inventory) {
        let filter = Filter::parse(self.list.filter.text(), &FIELDS);
        let mut rows: Vec<ImageRow> = inventory.images.iter().flat_map(|e| rows_of(e)).collect();
        let total = rows.len();
        let present: HashSet<String> = rows.iter().map(|r| r.key.clone()).collect();
        rows.retain(|r| filter.matches(&[("name", &r.name), ("id", r.id.hex()), ("platform", &r.platform)]));
        let reverse = self.list.reverse;
        let sort = SORTS[self.list.sort.min(SORTS.len() - 1)];
        rows.sort_by(|a, b| {
            let order = match sort {
                "size" => b.size.cmp(&a.size),
                "used" => b.used.cmp(&a.used),
                "age" => b.created.cmp(&a.created),
                _ => a.dangling.cmp(&b.dangling),
            };
            let order = order.then_with(|| a.name.cmp(&b.name));
            if reverse { order.reverse() } else { order }
        });
        self.size = inventory.images.iter().map(|e| e.image.size).sum();
        self.unused = inventory.images.iter().filter(|e| e.used_by.is_empty()).map(|e| e.image.size).sum();
        self.list.set_order(rows.iter().map(|r| r.key.clone()).collect(), total, |key| present.contains(key));
        self.rows = rows;
    }

    pub fn selected(&self) -> Option<&ImageRow> {
        self.list.selected_index().and_then(|i| self.rows.get(i))
    }

    pub fn target_rows(&self) -> Vec<&ImageRow> {
        let targets = self.list.targets();
        self.rows.iter().filter(|r| targets.contains(&r.key)).collect()
    }
}

fn rows_of(entry: &ImageEntry) -> Vec<ImageRow> {
    let image = &entry.image;
    let row = |key: String, name: String, dangling| ImageRow {
        key,
        id: image.id.clone(),
        name,
        dangling,
        size: image.size,
        used: entry.used_by.len(),
        created: image.created.or(Some(image.stored)),
        platform: format!("{}/{}", image.os, image.architecture),
    };
    if image.references.is_empty() {
        return vec![row(image.id.to_string(), format!("<dangling> {}", image.id.short()), true)];
    }
    image
        .references
        .iter()
        .map(|r| {
            let name = r.familiar();
            row(name.clone(), name, false)
        })
        .collect()
}
