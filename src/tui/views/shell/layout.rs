//! How panes share a tab: a tree of splits, as pure geometry.

use super::TermId;
use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Side by side, a column between them.
    Right,
    /// One above the other, a row between them.
    Below,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Leaf(TermId),
    Pair(Split, Box<Node>, Box<Node>),
}

/// A line between two panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Separator {
    pub area: Rect,
    pub split: Split,
}

impl Node {
    pub fn leaves(&self) -> Vec<TermId> {
        match self {
            Node::Leaf(id) => vec![*id],
            Node::Pair(_, a, b) => [a.leaves(), b.leaves()].concat(),
        }
    }

    /// Puts `new` beside or below `at`; `false`: `at` is not here.
    pub fn split(&mut self, at: TermId, how: Split, new: TermId) -> bool {
        match self {
            Node::Leaf(id) if *id == at => {
                *self = Node::Pair(how, Box::new(Node::Leaf(at)), Box::new(Node::Leaf(new)));
                true
            }
            Node::Leaf(_) => false,
            Node::Pair(_, a, b) => a.split(at, how, new) || b.split(at, how, new),
        }
    }

    /// The tree without `id`; `None`: nothing is left.
    pub fn without(self, id: TermId) -> Option<Node> {
        match self {
            Node::Leaf(leaf) => (leaf != id).then_some(Node::Leaf(leaf)),
            Node::Pair(how, a, b) => match (a.without(id), b.without(id)) {
                (Some(a), Some(b)) => Some(Node::Pair(how, Box::new(a), Box::new(b))),
                (one, other) => one.or(other),
            },
        }
    }

    /// Each pane's area and the lines between them.
    pub fn place(&self, area: Rect) -> (Vec<(TermId, Rect)>, Vec<Separator>) {
        let (mut panes, mut lines) = (Vec::new(), Vec::new());
        self.place_into(area, &mut panes, &mut lines);
        (panes, lines)
    }

    fn place_into(&self, area: Rect, panes: &mut Vec<(TermId, Rect)>, lines: &mut Vec<Separator>) {
        match self {
            Node::Leaf(id) => panes.push((*id, area)),
            Node::Pair(split, a, b) => {
                let (first, line, second) = halves(area, *split, a.span(*split), b.span(*split));
                lines.push(Separator { area: line, split: *split });
                a.place_into(first, panes, lines);
                b.place_into(second, panes, lines);
            }
        }
    }

    /// Panes in a row in this direction, so that three side by side get a third each.
    fn span(&self, along: Split) -> u16 {
        match self {
            Node::Pair(split, a, b) if *split == along => a.span(along) + b.span(along),
            _ => 1,
        }
    }
}

fn halves(area: Rect, split: Split, a: u16, b: u16) -> (Rect, Rect, Rect) {
    let cut = |length: u16| {
        let usable = length.saturating_sub(1);
        let first = (u32::from(usable) * u32::from(a) / u32::from(a + b)) as u16;
        (first, length.min(1), usable - first)
    };
    match split {
        Split::Right => {
            let (first, line, second) = cut(area.width);
            (
                Rect { width: first, ..area },
                Rect { x: area.x + first, width: line, ..area },
                Rect { x: area.x + first + line, width: second, ..area },
            )
        }
        Split::Below => {
            let (first, line, second) = cut(area.height);
            (
                Rect { height: first, ..area },
                Rect { y: area.y + first, height: line, ..area },
                Rect { y: area.y + first + line, height: second, ..area },
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: u64) -> TermId {
        TermId(n)
    }

    #[test]
    fn three_in_a_row_share_evenly() {
        let mut tree = Node::Leaf(id(1));
        assert!(tree.split(id(1), Split::Right, id(2)));
        assert!(tree.split(id(2), Split::Right, id(3)));
        assert!(!tree.split(id(9), Split::Right, id(4)));
        let (panes, lines) = tree.place(Rect::new(0, 0, 62, 10));
        assert_eq!(panes.iter().map(|(_, r)| r.width).collect::<Vec<_>>(), [20, 20, 20]);
        assert_eq!(lines.len(), 2);
        let tree = tree.without(id(2)).unwrap();
        assert_eq!(tree.leaves(), [id(1), id(3)]);
        assert_eq!(tree.without(id(1)).unwrap().without(id(3)), None);
    }

    proptest! {
        #[test]
        fn panes_fill_the_area(cuts in proptest::collection::vec((0u64..8, any::<bool>()), 0..8), w in 0u16..90, h in 0u16..40) {
            let mut tree = Node::Leaf(id(0));
            for (n, (at, right)) in cuts.iter().enumerate() {
                let how = if *right { Split::Right } else { Split::Below };
                tree.split(id(at % (n as u64 + 1)), how, id(n as u64 + 1));
            }
            let area = Rect::new(3, 5, w, h);
            let (panes, lines) = tree.place(area);
            let sum: u32 = panes.iter().map(|(_, r)| r.area()).chain(lines.iter().map(|l| l.area.area())).sum();
            prop_assert_eq!(sum, area.area());
            prop_assert!(panes.iter().all(|(_, r)| r.is_empty() || area.intersection(*r) == *r));
        }
    }
}
