//! Values as filled shapes in text cells: blocks (8 levels a cell), braille (4 rows, 2 columns a cell) or ASCII.

use super::GlyphSet;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 4] = ['_', '.', ':', '#'];
/// Dots of a braille cell's left and right column, from the bottom.
const LEFT: [u32; 4] = [0x40, 0x04, 0x02, 0x01];
const RIGHT: [u32; 4] = [0x80, 0x20, 0x10, 0x08];

/// Values in one text column.
pub(super) fn per_cell(glyphs: GlyphSet) -> usize {
    match glyphs {
        GlyphSet::Braille => 2,
        GlyphSet::Block | GlyphSet::Ascii => 1,
    }
}

fn levels(glyphs: GlyphSet) -> usize {
    match glyphs {
        GlyphSet::Braille => 4,
        GlyphSet::Block => BLOCKS.len(),
        GlyphSet::Ascii => ASCII.len(),
    }
}

/// The glyphs of one text column from the top row to the bottom; `' '`: empty. A value of nothing is not drawn at all, zero
/// is drawn as the lowest mark.
pub(super) fn column(values: &[Option<f64>], top: f64, rows: usize, glyphs: GlyphSet) -> Vec<char> {
    let full = rows * levels(glyphs);
    let heights: Vec<Option<usize>> = values.iter().map(|v| v.map(|v| height(v, top, full))).collect();
    (0..rows)
        .map(|row| {
            let below = (rows - 1 - row) * levels(glyphs);
            match glyphs {
                GlyphSet::Braille => braille(&heights, below),
                GlyphSet::Block => solid(heights[0], below, &BLOCKS),
                GlyphSet::Ascii => solid(heights[0], below, &ASCII),
            }
        })
        .collect()
}

/// Levels a value fills: at least one, so that it is seen to be there.
fn height(value: f64, top: f64, full: usize) -> usize {
    let share = if top > 0.0 && value.is_finite() { (value / top).clamp(0.0, 1.0) } else { 0.0 };
    ((share * full as f64).round() as usize).max(1)
}

fn solid(height: Option<usize>, below: usize, steps: &[char]) -> char {
    match height.map_or(0, |h| h.saturating_sub(below)) {
        0 => ' ',
        n => steps[n.min(steps.len()) - 1],
    }
}

fn braille(heights: &[Option<usize>], below: usize) -> char {
    let dots = |height: Option<&Option<usize>>, column: &[u32; 4]| -> u32 {
        let filled = height.copied().flatten().map_or(0, |h| h.saturating_sub(below)).min(4);
        column[..filled].iter().sum()
    };
    match dots(heights.first(), &LEFT) + dots(heights.get(1), &RIGHT) {
        0 => ' ',
        bits => char::from_u32(0x2800 + bits).unwrap_or(' '),
    }
}

/// A round number at or above the largest value: the top of a scale that has no limit.
pub(super) fn nice_top(largest: f64, least: f64) -> f64 {
    let largest = if largest.is_finite() { largest.max(least) } else { least };
    let unit = 10f64.powf(largest.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * unit).find(|top| *top >= largest * 0.999).unwrap_or(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_from_the_bottom() {
        assert_eq!(column(&[Some(0.5)], 1.0, 2, GlyphSet::Block), [' ', '█']);
        assert_eq!(column(&[Some(0.0)], 1.0, 1, GlyphSet::Block), ['▁']);
        assert_eq!(column(&[None], 1.0, 1, GlyphSet::Block), [' ']);
        assert_eq!(column(&[Some(9.0)], 1.0, 1, GlyphSet::Ascii), ['#']);
        assert_eq!(column(&[Some(1.0), Some(0.0)], 1.0, 1, GlyphSet::Braille), ['⣇']);
        assert_eq!(column(&[None, Some(0.5)], 1.0, 2, GlyphSet::Braille), [' ', '⢸']);
    }

    #[test]
    fn tops_are_round() {
        assert_eq!(
            [nice_top(3.0, 1.0), nice_top(12.0, 1.0), nice_top(0.0, 10.0), nice_top(100.0, 1.0)],
            [5.0, 20.0, 10.0, 100.0]
        );
        assert_eq!(nice_top(f64::NAN, 1.0), 1.0);
    }
}
