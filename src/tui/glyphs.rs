//! The shapes the screen is drawn with, and their ASCII stand-ins where the locale or the user asks for those.

use ratatui::buffer::Buffer;

pub const RUNNING: &str = "▶";
pub const HEALTHY: &str = "+";
pub const STARTING: &str = "…";
pub const PAUSED: &str = "‖";
pub const EXITED: &str = "■";
pub const FAILED: &str = "✗";
pub const CREATED: &str = "○";
pub const RESTARTING: &str = "↻";
pub const ORPHANED: &str = "?";
pub const CURSOR: &str = "▸";
pub const MARK: &str = "*";
pub const UP: &str = "↑";
pub const DOWN: &str = "↓";
pub const BAR_FULL: &str = "█";
pub const BAR_PENDING: &str = "▒";
pub const BAR_EMPTY: &str = "░";
pub const DIVIDER: &str = "│";
pub const FOLDED: &str = "▸";
pub const UNFOLDED: &str = "▾";
const SPARK: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A sparkline of the last `columns` values, scaled to `top`; missing ones are blank.
pub fn sparkline(values: impl DoubleEndedIterator<Item = f32>, columns: usize, top: f32) -> String {
    let level = |v: f32| if top > 0.0 { (v / top * 7.0).round().clamp(0.0, 7.0) as usize } else { 0 };
    let mut cells: Vec<char> = values.rev().take(columns).map(|v| SPARK[level(v)]).collect();
    cells.extend(std::iter::repeat_n(' ', columns - cells.len()));
    cells.iter().rev().collect()
}

/// A bar of `columns` cells filled to `share` (0..=1): the full part and the rest.
pub fn bar(share: f64, columns: usize) -> (String, String) {
    let full = ((share * columns as f64).round().max(0.0) as usize).min(columns);
    (BAR_FULL.repeat(full), BAR_EMPTY.repeat(columns - full))
}

/// A bar of `columns` cells for work in two steps: what is done, what is only begun (`begun` counts what is done), the rest.
pub fn bar_of_two(done: f64, begun: f64, columns: usize) -> [String; 3] {
    let cells = |share: f64| ((share * columns as f64).round().max(0.0) as usize).min(columns);
    let (full, pending) = (cells(done), cells(begun).saturating_sub(cells(done)));
    [BAR_FULL.repeat(full), BAR_PENDING.repeat(pending), BAR_EMPTY.repeat(columns - full - pending)]
}

/// Replaces everything outside ASCII in what was drawn; letters of other scripts become `?`.
pub fn downgrade(buf: &mut Buffer) {
    for cell in &mut buf.content {
        let symbol = cell.symbol();
        if !symbol.is_ascii() {
            let stand_in = symbol.chars().next().map_or(' ', ascii);
            cell.set_char(stand_in);
        }
    }
}

fn ascii(c: char) -> char {
    match c {
        '▶' | '▸' | '→' => '>',
        '◂' | '←' => '<',
        '‖' | '═' => '=',
        '■' | '·' | '•' => '.',
        '✗' | '×' => 'x',
        '○' => 'o',
        '↻' => '@',
        '↑' | '▲' => '^',
        '↓' | '▾' | '▼' => 'v',
        '…' => '~',
        '─' | '━' | '▄' | '▃' | '░' => '-',
        '│' | '┃' | '║' => '|',
        '▁' | '▂' => '_',
        '▅' | '▆' | '▒' => '=',
        '▇' | '█' | '▓' => '#',
        '┈' => '.',
        '✓' => 'v',
        '⎇' => 'b',
        '\u{2500}'..='\u{257f}' => '+',
        '\u{2800}' | '\u{a0}' => ' ',
        '\u{2801}'..='\u{28ff}' => '*',
        '\u{2400}'..='\u{243f}' => '.',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    #[test]
    fn sparklines_are_as_wide_as_asked() {
        assert_eq!(sparkline([0.0, 50.0, 100.0].into_iter(), 4, 100.0), " ▁▅█");
        assert_eq!(bar(2.0, 3).0, "███");
        assert_eq!(bar(f64::NAN, 2).1, "░░");
        assert_eq!(bar_of_two(0.25, 0.75, 4).concat(), "█▒▒░");
        assert_eq!(bar_of_two(1.0, 0.0, 2).concat(), "██");
    }

    #[test]
    fn a_downgraded_screen_is_ascii() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 1));
        buf.set_string(0, 0, "┌▶…日▇", ratatui::style::Style::new());
        downgrade(&mut buf);
        assert!(buf.content.iter().all(|c| c.symbol().is_ascii()));
    }
}
