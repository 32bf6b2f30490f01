//! Where the panes are: pure geometry from a screen size, the focus, the zoom and the user's proportions.

use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pane {
    Containers,
    Images,
    Stats,
    Detail,
    Shells,
}

impl Pane {
    pub const ALL: [Pane; 5] = [Pane::Containers, Pane::Images, Pane::Stats, Pane::Detail, Pane::Shells];

    /// The number in its title.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    pub fn is_list(self) -> bool {
        matches!(self, Pane::Containers | Pane::Images)
    }
}

/// A border that the mouse can drag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Between the list column and the rest.
    Column,
    /// Between the first and second, second and third pane of the left column.
    Left(u8),
    /// Between detail and shells.
    Right,
}

/// What the user can change and what is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Proportions {
    /// Permille of the width for the list column.
    pub column: u16,
    /// Weights of the left column's three panes.
    pub left: [u16; 3],
    /// Weights of detail and shells.
    pub right: [u16; 2],
}

impl Default for Proportions {
    fn default() -> Self {
        Self { column: 417, left: [120, 110, 100], right: [170, 160] }
    }
}

impl Proportions {
    /// `417 120,110,100 170,160`.
    pub fn to_text(&self) -> String {
        let [a, b, c] = self.left;
        let [d, e] = self.right;
        format!("{} {a},{b},{c} {d},{e}", self.column)
    }

    /// `None` for anything that is not sane.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let column: u16 = parts.next()?.parse().ok()?;
        let list = |t: &str| t.split(',').map(|n| n.parse().ok().filter(|n| (1..=10_000).contains(n))).collect();
        let left: Option<Vec<u16>> = list(parts.next()?);
        let right: Option<Vec<u16>> = list(parts.next()?);
        let valid = (100..=900).contains(&column);
        valid.then_some(Self { column, left: left?.try_into().ok()?, right: right?.try_into().ok()? })
    }
}

/// How much of the screen there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Below 40x10: a notice.
    Tiny,
    /// One pane.
    One,
    /// Two panes, one above the other.
    Stacked,
    /// Two panes side by side.
    Beside,
    /// Narrow and high: four panes.
    Portrait,
    /// Everything at once.
    Full,
    /// Everything, with the shells as a third column.
    Wide,
}

impl Shape {
    pub fn of(width: u16, height: u16) -> Shape {
        match (width, height) {
            (w, h) if w < 40 || h < 10 => Shape::Tiny,
            (w, h) if w < 72 || h < 20 => {
                if w >= 60 && h >= 44 {
                    Shape::Portrait
                } else {
                    Shape::One
                }
            }
            (w, h) if w >= 180 && h >= 30 => Shape::Wide,
            (w, h) if w >= 110 && h >= 30 => Shape::Full,
            (w, h) if w >= 110 && h < 30 => Shape::Beside,
            (_, h) if h >= 44 => Shape::Portrait,
            _ => Shape::Stacked,
        }
    }
}

/// Rectangles of one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    pub header: Rect,
    pub status: Rect,
    pub hint: Rect,
    pub panes: Vec<(Pane, Rect)>,
    /// Draggable borders: the cells they lie on, both panes' lines.
    pub edges: Vec<(Edge, Rect)>,
}

/// Focus, zoom and proportions.
#[derive(Clone, Debug)]
pub struct Panes {
    pub focus: Pane,
    pub zoomed: bool,
    pub proportions: Proportions,
    /// Which list was focused last: it gives the detail its subject, and the upper half of small screens.
    pub last_list: Pane,
    /// Which other pane was focused last: the lower half of small screens.
    pub last_other: Pane,
}

impl Default for Panes {
    fn default() -> Self {
        Self {
            focus: Pane::Containers,
            zoomed: false,
            proportions: Proportions::default(),
            last_list: Pane::Containers,
            last_other: Pane::Detail,
        }
    }
}

impl Panes {
    pub fn set_focus(&mut self, pane: Pane) {
        self.focus = pane;
        if pane.is_list() {
            self.last_list = pane;
        } else {
            self.last_other = pane;
        }
    }

    /// Enlarges (`up`) or shrinks the focused pane by a step.
    pub fn resize(&mut self, up: bool) {
        let p = &mut self.proportions;
        let step = |v: &mut u16, up: bool| *v = if up { *v + *v / 6 + 1 } else { (*v - *v / 6).max(20) }.min(5000);
        match self.focus {
            Pane::Containers => step(&mut p.left[0], up),
            Pane::Images => step(&mut p.left[1], up),
            Pane::Stats => step(&mut p.left[2], up),
            Pane::Detail => step(&mut p.right[0], up),
            Pane::Shells => step(&mut p.right[1], up),
        }
        if !self.focus.is_list() && self.focus != Pane::Stats {
            p.column = if up { p.column.saturating_sub(20) } else { p.column + 20 }.clamp(150, 750);
        }
    }

    /// The frame's rectangles.
    pub fn layout(&self, width: u16, height: u16) -> Layout {
        let shape = Shape::of(width, height);
        let row = |y: u16| Rect::new(0, y, width, 1);
        let mut layout = Layout::default();
        if shape == Shape::Tiny {
            return layout;
        }
        let shell_alone = self.zoomed && self.focus == Pane::Shells;
        let header = u16::from(shape != Shape::One || shell_alone);
        let footer = if shell_alone { 0 } else { 2 };
        if header == 1 {
            layout.header = row(0);
        }
        if footer == 2 {
            layout.status = row(height - 2);
            layout.hint = row(height - 1);
        }
        let body = Rect::new(0, header, width, height - header - footer);
        if self.zoomed || shape == Shape::One {
            layout.panes.push((self.focus, body));
            return layout;
        }
        match shape {
            Shape::Stacked => self.stacked(body, &mut layout),
            Shape::Beside => self.beside(body, &mut layout),
            Shape::Portrait => self.portrait(body, &mut layout),
            Shape::Wide => self.wide(body, &mut layout),
            _ => self.full(body, &mut layout),
        }
        layout
    }

    /// The list above, what belongs to it below; 12 of 21 rows above at 80x24.
    fn stacked(&self, body: Rect, layout: &mut Layout) {
        let upper = (u32::from(body.height) * 4 / 7) as u16;
        let [a, b] = split_rows(body, upper);
        layout.panes.extend([(self.last_list, a), (self.last_other, b)]);
    }

    fn beside(&self, body: Rect, layout: &mut Layout) {
        let [a, b] = self.columns(body, layout);
        layout.panes.extend([(self.last_list, a), (self.last_other, b)]);
    }

    fn portrait(&self, body: Rect, layout: &mut Layout) {
        let p = &self.proportions;
        let weights = [p.left[0], p.left[1] * 2 / 3, p.right[0], p.right[1]];
        let rows = shares(body.height, &weights);
        let other = if self.last_other == Pane::Stats { Pane::Stats } else { Pane::Detail };
        let mut y = body.y;
        for (pane, h) in [Pane::Containers, Pane::Images, other, Pane::Shells].into_iter().zip(rows) {
            layout.panes.push((pane, Rect::new(body.x, y, body.width, h)));
            y += h;
        }
    }

    fn full(&self, body: Rect, layout: &mut Layout) {
        let [left, right] = self.columns(body, layout);
        self.left_column(left, layout);
        let rows = shares(right.height, &self.proportions.right);
        let [detail, shells] = split_rows(right, rows[0]);
        layout.edges.push((Edge::Right, Rect::new(shells.x, shells.y - 1, shells.width, 2)));
        layout.panes.extend([(Pane::Detail, detail), (Pane::Shells, shells)]);
    }

    fn wide(&self, body: Rect, layout: &mut Layout) {
        let left_width = (u32::from(body.width) * u32::from(self.proportions.column) / 1250) as u16;
        let left_width = left_width.clamp(50, body.width - 120);
        let [left, rest] = split_columns(body, left_width);
        layout.edges.push((Edge::Column, Rect::new(rest.x - 1, rest.y, 2, rest.height)));
        self.left_column(left, layout);
        let total = u32::from(self.proportions.right[0]) + u32::from(self.proportions.right[1]);
        let detail_width = (u32::from(rest.width) * u32::from(self.proportions.right[0]) / total) as u16;
        let [detail, shells] = split_columns(rest, detail_width.clamp(40, rest.width - 40));
        layout.edges.push((Edge::Right, Rect::new(shells.x - 1, shells.y, 2, shells.height)));
        layout.panes.extend([(Pane::Detail, detail), (Pane::Shells, shells)]);
    }

    fn left_column(&self, left: Rect, layout: &mut Layout) {
        let rows = shares(left.height, &self.proportions.left);
        let mut y = left.y;
        for (i, (pane, h)) in [Pane::Containers, Pane::Images, Pane::Stats].into_iter().zip(rows).enumerate() {
            layout.panes.push((pane, Rect::new(left.x, y, left.width, h)));
            if i > 0 {
                layout.edges.push((Edge::Left(i as u8 - 1), Rect::new(left.x, y - 1, left.width, 2)));
            }
            y += h;
        }
    }

    fn columns(&self, body: Rect, layout: &mut Layout) -> [Rect; 2] {
        let width = (u32::from(body.width) * u32::from(self.proportions.column) / 1000) as u16;
        let [left, right] = split_columns(body, width.clamp(30, body.width - 30));
        layout.edges.push((Edge::Column, Rect::new(right.x - 1, right.y, 2, right.height)));
        [left, right]
    }

    /// Moves a border to the cell under the mouse.
    pub fn drag(&mut self, edge: Edge, x: u16, y: u16, width: u16, height: u16) {
        let layout = self.layout(width, height);
        let rect = |pane| layout.panes.iter().find(|(p, _)| *p == pane).map(|(_, r)| *r);
        let wide = Shape::of(width, height) == Shape::Wide;
        match edge {
            Edge::Column => {
                let scale = if wide { 1250 } else { 1000 };
                self.proportions.column = (u32::from(x) * scale / u32::from(width.max(1))).clamp(150, 750) as u16;
            }
            Edge::Right => {
                if let (Some(a), Some(b)) = (rect(Pane::Detail), rect(Pane::Shells)) {
                    let (from, to, at) = if wide { (a.x, b.right(), x) } else { (a.y, b.bottom(), y) };
                    self.proportions.right = pair(from, to, at, 330);
                }
            }
            Edge::Left(i) => {
                let order = [Pane::Containers, Pane::Images, Pane::Stats];
                let i = usize::from(i.min(1));
                if let (Some(a), Some(b)) = (rect(order[i]), rect(order[i + 1])) {
                    let sum = self.proportions.left[i] + self.proportions.left[i + 1];
                    let [first, second] = pair(a.y, b.bottom(), y, sum);
                    self.proportions.left[i] = first;
                    self.proportions.left[i + 1] = second;
                }
            }
        }
    }
}

/// Splits the weight `sum` where `at` lies between `from` and `to`; neither side below three cells.
fn pair(from: u16, to: u16, at: u16, sum: u16) -> [u16; 2] {
    let length = to.saturating_sub(from).max(7);
    let first = at.saturating_sub(from).clamp(3, length - 3);
    let weight = (u32::from(sum) * u32::from(first) / u32::from(length)) as u16;
    let weight = weight.clamp(1, sum.saturating_sub(1).max(1));
    [weight, sum.saturating_sub(weight).max(1)]
}

fn split_rows(area: Rect, upper: u16) -> [Rect; 2] {
    let upper = upper.min(area.height);
    [Rect { height: upper, ..area }, Rect { y: area.y + upper, height: area.height - upper, ..area }]
}

fn split_columns(area: Rect, left: u16) -> [Rect; 2] {
    let left = left.min(area.width);
    [Rect { width: left, ..area }, Rect { x: area.x + left, width: area.width - left, ..area }]
}

/// Rows by weight, each at least three, the sum exact.
fn shares(total: u16, weights: &[u16]) -> Vec<u16> {
    let sum: u32 = weights.iter().map(|w| u32::from(*w)).sum::<u32>().max(1);
    let mut rows: Vec<u16> =
        weights.iter().map(|w| ((u32::from(total) * u32::from(*w) + sum / 2) / sum) as u16).map(|r| r.max(3)).collect();
    loop {
        let used: u16 = rows.iter().sum();
        if used == total {
            return rows;
        }
        let widest = (0..rows.len()).max_by_key(|i| rows[*i]).unwrap_or(0);
        if used < total {
            rows[widest] += total - used;
        } else if rows[widest] > 1 {
            rows[widest] -= 1;
        } else {
            return rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_design_sketch_at_120x36() {
        let layout = Panes::default().layout(120, 36);
        let rects: Vec<_> = layout.panes.iter().map(|(_, r)| (r.x, r.y, r.width, r.height)).collect();
        assert_eq!(rects, [(0, 1, 50, 12), (0, 13, 50, 11), (0, 24, 50, 10), (50, 1, 70, 17), (50, 18, 70, 16)]);
    }

    #[test]
    fn two_panes_at_80x24() {
        let layout = Panes::default().layout(80, 24);
        let rects: Vec<_> = layout.panes.iter().map(|(p, r)| (*p, r.y, r.height)).collect();
        assert_eq!(rects, [(Pane::Containers, 1, 12), (Pane::Detail, 13, 9)]);
    }

    #[test]
    fn proportions_survive_a_round_and_refuse_nonsense() {
        let p = Proportions::default();
        assert_eq!(Proportions::parse(&p.to_text()), Some(p));
        for bad in ["", "417", "0 1,1,1 1,1", "417 1,1 1,1", "417 0,1,1 1,1", "x y z"] {
            assert_eq!(Proportions::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn panes_never_leave_the_screen_or_overlap(
            w in 0u16..260, h in 0u16..90, focus in 0usize..5, zoomed: bool, drags in proptest::collection::vec((0u16..300, 0u16..100), 0..6)
        ) {
            let mut panes = Panes { zoomed, ..Panes::default() };
            panes.set_focus(Pane::ALL[focus]);
            for (x, y) in drags {
                for edge in [Edge::Column, Edge::Left(0), Edge::Left(1), Edge::Right] {
                    panes.drag(edge, x, y, w, h);
                }
                panes.resize(x % 2 == 0);
            }
            let layout = panes.layout(w, h);
            let screen = Rect::new(0, 0, w, h);
            for (i, (pane, r)) in layout.panes.iter().enumerate() {
                prop_assert_eq!(r.intersection(screen), *r);
                prop_assert!(r.height >= 3 && r.width >= 20, "{:?} {:?}", pane, r);
                for (_, other) in &layout.panes[..i] {
                    prop_assert!(!r.intersects(*other));
                }
            }
            if Shape::of(w, h) != Shape::Tiny {
                prop_assert!(layout.panes.iter().any(|(p, _)| *p == panes.focus));
            }
        }
    }
}
