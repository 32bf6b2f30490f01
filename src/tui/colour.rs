//! Colours that the terminal has: what a theme or a program in a shell asks for becomes the nearest of them.

use crate::config::Colours;
use ratatui::style::Color;

/// What xterm shows for its sixteen; other palettes are not far from it.
const SIXTEEN: [[u8; 3]; 16] = [
    [0, 0, 0],
    [205, 0, 0],
    [0, 205, 0],
    [205, 205, 0],
    [0, 0, 238],
    [205, 0, 205],
    [0, 205, 205],
    [229, 229, 229],
    [127, 127, 127],
    [255, 0, 0],
    [0, 255, 0],
    [255, 255, 0],
    [92, 92, 255],
    [255, 0, 255],
    [0, 255, 255],
    [255, 255, 255],
];

/// The steps of the 6x6x6 cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// `colour` itself when the terminal has it.
pub fn nearest(has: Colours, colour: Color) -> Color {
    match (has, colour) {
        (Colours::TwoHundredFiftySix, Color::Rgb(r, g, b)) => Color::Indexed(among_256([r, g, b])),
        (Colours::Sixteen, Color::Rgb(r, g, b)) => among_16([r, g, b]),
        (Colours::Sixteen, Color::Indexed(index)) => match index {
            0..16 => super::theme::ANSI[usize::from(index)],
            _ => among_16(of_index(index)),
        },
        (Colours::None, _) => Color::Reset,
        _ => colour,
    }
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

fn among_16(rgb: [u8; 3]) -> Color {
    let best = (0..16).min_by_key(|i| distance(SIXTEEN[*i], rgb)).unwrap_or(0);
    super::theme::ANSI[best]
}

/// From the cube or the greys: the first sixteen may be anything.
fn among_256(rgb: [u8; 3]) -> u8 {
    let step = |v: u8| (0..6).min_by_key(|i| STEPS[usize::from(*i)].abs_diff(v)).unwrap_or(0);
    let [r, g, b] = rgb.map(step);
    let cube: u8 = 16 + 36 * r + 6 * g + b;
    let mean = (u32::from(rgb[0]) + u32::from(rgb[1]) + u32::from(rgb[2])) / 3;
    let grey = 232 + u8::try_from((mean.saturating_sub(3) / 10).min(23)).unwrap_or(23);
    if distance(of_index(grey), rgb) < distance(of_index(cube), rgb) { grey } else { cube }
}

/// What an index from 16 up stands for.
fn of_index(index: u8) -> [u8; 3] {
    match index.saturating_sub(16) {
        cube @ 0..216 => [cube / 36, cube / 6 % 6, cube % 6].map(|step| STEPS[usize::from(step)]),
        grey => [8 + 10 * (grey - 216); 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_what_the_terminal_has() {
        let rgb = Color::Rgb;
        for (wanted, in_256, in_16) in [
            (rgb(0, 0, 0), Color::Indexed(16), Color::Black),
            (rgb(255, 255, 255), Color::Indexed(231), Color::White),
            (rgb(255, 135, 0), Color::Indexed(208), Color::Yellow),
            (rgb(38, 38, 38), Color::Indexed(235), Color::Black),
            (rgb(127, 201, 127), Color::Indexed(114), Color::DarkGray),
            (Color::Indexed(196), Color::Indexed(196), Color::LightRed),
            (Color::Indexed(244), Color::Indexed(244), Color::DarkGray),
            (Color::Indexed(9), Color::Indexed(9), Color::LightRed),
            (Color::Cyan, Color::Cyan, Color::Cyan),
            (Color::Reset, Color::Reset, Color::Reset),
        ] {
            assert_eq!(nearest(Colours::Full, wanted), wanted);
            assert_eq!(nearest(Colours::None, wanted), Color::Reset);
            assert_eq!(nearest(Colours::TwoHundredFiftySix, wanted), in_256, "{wanted:?}");
            assert_eq!(nearest(Colours::Sixteen, wanted), in_16, "{wanted:?}");
        }
    }

    #[test]
    fn every_index_is_its_own_nearest() {
        for index in 16..=255 {
            let [r, g, b] = of_index(index);
            let found = nearest(Colours::TwoHundredFiftySix, Color::Rgb(r, g, b));
            assert!(matches!(found, Color::Indexed(i) if of_index(i) == of_index(index)), "{index}: {found:?}");
        }
    }
}
