//! A list's state: the selection follows the object, marks and filter stay while rows come and go.

use super::input::Input;
use std::collections::BTreeSet;

/// State of a list whose rows are known by `K`.
#[derive(Clone, Debug)]
pub struct List<K> {
    /// Keys of the rows shown, in order.
    pub order: Vec<K>,
    /// Rows there would be without a filter.
    pub total: usize,
    pub selected: Option<K>,
    pub marks: BTreeSet<K>,
    /// The last mark set: one end of a range.
    anchor: Option<K>,
    pub filter: Input,
    /// The filter field has the keyboard.
    pub filtering: bool,
    /// Index of the column sorted by.
    pub sort: usize,
    pub reverse: bool,
    /// Where the selection was, for when its object goes.
    index: usize,
    /// To be selected as soon as it appears.
    wanted: Option<K>,
}

impl<K> Default for List<K> {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            total: 0,
            selected: None,
            marks: BTreeSet::new(),
            anchor: None,
            filter: Input::default(),
            filtering: false,
            sort: 0,
            reverse: false,
            index: 0,
            wanted: None,
        }
    }
}

impl<K: Clone + Ord> List<K> {
    /// The filter, and whether its field has the keyboard.
    pub fn filter_field(&mut self) -> (&mut Input, &mut bool) {
        (&mut self.filter, &mut self.filtering)
    }

    /// Takes the rows of a new state of the world; `exists` tells which marks are still of use.
    pub fn set_order(&mut self, order: Vec<K>, total: usize, exists: impl Fn(&K) -> bool) {
        self.order = order;
        self.total = total;
        self.marks.retain(|k| exists(k));
        if self.wanted.as_ref().is_some_and(|w| self.order.contains(w)) {
            self.selected = self.wanted.take();
        }
        match self.selected_index() {
            Some(i) => self.index = i,
            None => {
                self.index = self.index.min(self.order.len().saturating_sub(1));
                self.selected = self.order.get(self.index).cloned();
            }
        }
    }

    /// Selects an object that may not be in the list yet.
    pub fn want(&mut self, key: K) {
        self.wanted = Some(key);
    }

    pub fn selected_index(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.order.iter().position(|k| k == selected)
    }

    pub fn select_index(&mut self, index: usize) {
        self.index = index.min(self.order.len().saturating_sub(1));
        self.selected = self.order.get(self.index).cloned();
    }

    /// Moves the selection, stopping at the ends.
    pub fn step(&mut self, by: isize) {
        let now = self.selected_index().unwrap_or(0);
        self.select_index(now.saturating_add_signed(by));
    }

    pub fn toggle_mark(&mut self) {
        if let Some(key) = self.selected.clone() {
            if !self.marks.remove(&key) {
                self.marks.insert(key.clone());
            }
            self.anchor = Some(key);
            self.step(1);
        }
    }

    /// Marks everything from the last mark to the selection.
    pub fn mark_range(&mut self) {
        let anchor = self.anchor.as_ref().and_then(|a| self.order.iter().position(|k| k == a));
        if let (Some(to), Some(from)) = (self.selected_index(), anchor.or(self.selected_index())) {
            let (low, high) = (from.min(to), from.max(to));
            self.marks.extend(self.order[low..=high].iter().cloned());
            self.anchor = self.selected.clone();
        }
    }

    /// Marks all rows shown; when they all are already, none.
    pub fn mark_all(&mut self) {
        if self.order.iter().all(|k| self.marks.contains(k)) {
            self.marks.clear();
        } else {
            self.marks.extend(self.order.iter().cloned());
        }
    }

    /// Takes back marks, or else the filter; `false` when there is neither.
    pub fn step_back(&mut self) -> bool {
        if !self.marks.is_empty() {
            self.marks.clear();
        } else if !self.filter.is_empty() {
            self.filter.set("");
        } else {
            return false;
        }
        true
    }

    /// What a verb acts on: the marked rows that are shown, else the selection.
    pub fn targets(&self) -> Vec<K> {
        if self.marks.is_empty() {
            self.selected.iter().filter(|k| self.order.contains(k)).cloned().collect()
        } else {
            self.order.iter().filter(|k| self.marks.contains(k)).cloned().collect()
        }
    }
}

/// First row shown so that `selected` is visible, moving as little as possible from `offset`.
pub fn scroll(offset: usize, selected: Option<usize>, rows: usize, height: usize) -> usize {
    let mut offset = offset.min(rows.saturating_sub(height));
    if let Some(selected) = selected {
        if selected < offset {
            offset = selected;
        } else if height > 0 && selected >= offset + height {
            offset = selected + 1 - height;
        }
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(keys: &[u32]) -> List<u32> {
        let mut list = List::default();
        list.set_order(keys.to_vec(), keys.len(), |_| true);
        list
    }

    #[test]
    fn the_selection_follows_its_object_and_falls_to_a_neighbour() {
        let mut l = list(&[1, 2, 3, 4]);
        l.step(2);
        l.set_order(vec![3, 1, 2, 4], 4, |_| true);
        assert_eq!((l.selected, l.selected_index()), (Some(3), Some(0)));
        l.step(3);
        l.set_order(vec![3, 1], 2, |_| true);
        assert_eq!(l.selected, Some(1));
        l.set_order(vec![], 0, |_| false);
        assert_eq!(l.selected, None);
        l.step(1);
        assert!(l.targets().is_empty());
    }

    #[test]
    fn marks_and_ranges() {
        let mut l = list(&[1, 2, 3, 4, 5]);
        l.step(1);
        l.toggle_mark();
        l.step(1);
        l.mark_range();
        assert_eq!(l.targets(), [2, 3, 4]);
        l.mark_all();
        assert_eq!(l.targets().len(), 5);
        l.mark_all();
        assert_eq!(l.targets(), [4]);
    }

    #[test]
    fn scrolling_keeps_the_selection_in_view() {
        assert_eq!(scroll(0, Some(9), 20, 5), 5);
        assert_eq!(scroll(7, Some(3), 20, 5), 3);
        assert_eq!(scroll(18, Some(19), 20, 5), 15);
        assert_eq!(scroll(3, None, 0, 0), 0);
    }
}
