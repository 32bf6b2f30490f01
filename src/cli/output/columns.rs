//! Cells between tabs into aligned columns, by the rules of Go's tabwriter with docker's settings (width 10, gap 3).

use unicode_width::UnicodeWidthStr;

const LEAST: usize = 10;
const GAP: usize = 3;

/// A column is a run of lines that have a tab after that cell; the last cell of a line belongs to none.
pub(super) fn align(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let most = lines.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len()]).collect();
    for column in 0..most.saturating_sub(1) {
        let has = |line: &Vec<&str>| line.len() > column + 1;
        let mut start = 0;
        while start < lines.len() {
            let run = lines[start..].iter().take_while(|line| has(line)).count();
            let widest = lines[start..start + run].iter().map(|line| line[column].width()).max().unwrap_or(0);
            for width in &mut widths[start..start + run] {
                width[column] = (widest + GAP).max(LEAST);
            }
            start += run.max(1);
        }
    }
    let mut out = String::with_capacity(text.len() * 2);
    for (cells, widths) in lines.iter().zip(&widths) {
        for (cell, width) in cells.iter().zip(widths) {
            out.push_str(cell);
            out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_at_least_ten_wide() {
        assert_eq!(align("ID\tPORTS\tNAMES\nab\t\tx\n"), "ID        PORTS     NAMES\nab                  x\n");
        assert_eq!(align("a\t\tb\n"), "a                   b\n");
        assert_eq!(align("容器\tx\nabcdefghij\ty\n"), "容器         x\nabcdefghij   y\n");
    }
}
