//! Roles and the styles a theme gives them. Views ask for a role, never for a colour.

use crate::config::Colours;
use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;
use std::str::FromStr;

/// What a piece of text *is*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Text,
    Dim,
    Title,
    Header,
    Border,
    BorderFocus,
    Selection,
    /// Selection in a pane without focus.
    SelectionDim,
    Running,
    Paused,
    Failed,
    Exited,
    Ok,
    Warn,
    Error,
    Accent,
    /// A key in a hint or in help.
    Key,
    Graph,
    /// From 70 % up.
    GraphHigh,
    /// From 90 % up.
    GraphCritical,
    GraphTrack,
    SearchHit,
    SearchCurrent,
    Stderr,
    Mark,
    Input,
    Toast,
    /// The border and tag of a shell pane that has the keyboard.
    ShellFocus,
}

/// The styles of a theme. The default uses the terminal's own 16 colours and background.
#[derive(Clone, Debug, Default)]
pub struct Theme {
    title: String,
    overrides: BTreeMap<Role, Style>,
}

/// Names of the roles in theme files.
const ROLES: [(&str, Role); 28] = [
    ("text", Role::Text),
    ("dim", Role::Dim),
    ("title-text", Role::Title),
    ("header", Role::Header),
    ("border", Role::Border),
    ("border-focus", Role::BorderFocus),
    ("selection", Role::Selection),
    ("selection-dim", Role::SelectionDim),
    ("running", Role::Running),
    ("paused", Role::Paused),
    ("failed", Role::Failed),
    ("exited", Role::Exited),
    ("ok", Role::Ok),
    ("warn", Role::Warn),
    ("error", Role::Error),
    ("accent", Role::Accent),
    ("key", Role::Key),
    ("graph", Role::Graph),
    ("graph-high", Role::GraphHigh),
    ("graph-critical", Role::GraphCritical),
    ("graph-track", Role::GraphTrack),
    ("search-hit", Role::SearchHit),
    ("search-current", Role::SearchCurrent),
    ("stderr", Role::Stderr),
    ("mark", Role::Mark),
    ("input", Role::Input),
    ("toast", Role::Toast),
    ("shell-focus", Role::ShellFocus),
];

/// The themes that come with teu; the first is the default.
const BUILT_IN: [(&str, &str); 7] = [
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("colour-blind", include_str!("../../themes/colour-blind.toml")),
    ("nord", include_str!("../../themes/nord.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// All themes by name, the user's own after or instead of the built-in ones, and what is wrong in which line.
///
/// A role that asks for colours which the terminal has not looks as in a theme that can do without them.
pub fn load(user: &[(String, String)], colours: Colours) -> (Vec<(String, Theme)>, Vec<String>) {
    let (mut themes, mut problems): (Vec<(String, Theme)>, _) = (Vec::new(), Vec::new());
    let built_in = BUILT_IN.iter().map(|(name, text)| (*name, *text));
    for (name, text) in built_in.chain(user.iter().map(|(n, t)| (n.as_str(), t.as_str()))) {
        let (mut theme, wrong) = Theme::parse(text);
        theme.reduce(colours);
        problems.extend(wrong.into_iter().map(|w| format!("theme {name}, {w}")));
        match themes.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = theme,
            None => themes.push((name.to_owned(), theme)),
        }
    }
    (themes, problems)
}

impl Theme {
    /// One line about it, for the picker.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Reads a theme file. Mistakes are told by line and leave that role as it is by default.
    pub fn parse(text: &str) -> (Theme, Vec<String>) {
        let mut theme = Theme::default();
        let mut problems = Vec::new();
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                let at = error.span().map_or(0, |s| s.start.min(text.len()));
                let line = text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
                return (theme, vec![format!("line {line}: {}", error.message())]);
            }
        };
        for (key, value) in &table {
            let line = || 1 + text.lines().position(|l| l.trim_start().starts_with(key.as_str())).unwrap_or(0);
            let Some(value) = value.as_str() else {
                problems.push(format!("line {}: {key} is not a text", line()));
                continue;
            };
            if key == "title" {
                value.clone_into(&mut theme.title);
                continue;
            }
            let Some((_, role)) = ROLES.iter().find(|(name, _)| name == key) else {
                problems.push(format!("line {}: there is no role '{key}'", line()));
                continue;
            };
            match parse_style(value) {
                Ok(style) => {
                    theme.overrides.insert(*role, style);
                }
                Err(word) => problems.push(format!("line {}: '{word}' is neither a colour nor an attribute", line())),
            }
        }
        (theme, problems)
    }

    /// With sixteen colours the default theme is the way out, as the nearest of sixteen would often be the background;
    /// without any it is `mono`: nothing may be told by a colour alone.
    fn reduce(&mut self, colours: Colours) {
        match colours {
            Colours::Sixteen => self.overrides.retain(|_, style| fits_sixteen(style)),
            Colours::None => self.overrides = Theme::parse(include_str!("../../themes/mono.toml")).0.overrides,
            Colours::TwoHundredFiftySix | Colours::Full => {}
        }
    }

    pub fn style(&self, role: Role) -> Style {
        self.overrides.get(&role).copied().unwrap_or_else(|| default_style(role))
    }
}

fn fits_sixteen(style: &Style) -> bool {
    let fits = |colour: Option<Color>| !matches!(colour, Some(Color::Rgb(..) | Color::Indexed(16..)));
    fits(style.fg) && fits(style.bg)
}

fn default_style(role: Role) -> Style {
    let fg = |c| Style::new().fg(c);
    match role {
        Role::Text | Role::Input => Style::new(),
        Role::Dim | Role::Border | Role::Exited | Role::GraphTrack => fg(Color::DarkGray),
        Role::Title | Role::Header => Style::new().add_modifier(Modifier::BOLD),
        Role::BorderFocus | Role::Accent => fg(Color::Cyan),
        // The colours of roles would make it a patchwork, and grey on grey where grey is near the background.
        Role::Selection => Style::new().fg(Color::Reset).bg(Color::Reset).add_modifier(Modifier::REVERSED),
        Role::SelectionDim => Style::new().add_modifier(Modifier::BOLD),
        Role::Running | Role::Ok | Role::Graph => fg(Color::Green),
        Role::Paused | Role::Warn | Role::GraphHigh => fg(Color::Yellow),
        Role::Failed | Role::Error | Role::GraphCritical => fg(Color::Red),
        Role::Key => fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::SearchHit => fg(Color::Black).bg(Color::Yellow),
        Role::SearchCurrent => fg(Color::Black).bg(Color::Cyan),
        Role::Stderr => fg(Color::Red),
        Role::Mark => fg(Color::Magenta),
        Role::Toast => fg(Color::Black).bg(Color::Cyan),
        Role::ShellFocus => fg(Color::Green),
    }
}

/// `cyan bold`, `#c0caf5 on #1a1b26`, `on 17`, `reversed`. `Err`: the word that is none of these.
fn parse_style(text: &str) -> Result<Style, String> {
    let mut style = Style::new();
    let mut background = false;
    for word in text.split_whitespace() {
        let modifier = match word {
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underlined" => Modifier::UNDERLINED,
            "reversed" => Modifier::REVERSED,
            _ => Modifier::empty(),
        };
        if word == "on" {
            background = true;
        } else if !modifier.is_empty() {
            style = style.add_modifier(modifier);
        } else {
            let colour = match word {
                "default" => Color::Reset,
                word => Color::from_str(word).map_err(|_| word.to_owned())?,
            };
            style = if std::mem::take(&mut background) { style.bg(colour) } else { style.fg(colour) };
        }
    }
    Ok(style)
}

/// The sixteen colours of the host's own palette, in the order of their numbers.
pub const ANSI: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_themes_have_no_mistakes() {
        let (themes, problems) = load(&[], Colours::Full);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(themes.len(), BUILT_IN.len());
        assert!(themes.iter().all(|(_, t)| !t.title().is_empty()));
    }

    #[test]
    fn mistakes_are_told_by_line_and_the_rest_counts() {
        let text = "title = \"mine\"\nrunning = \"green bold\"\n\n# seven\nfly = \"red\"\n\nfailed = \"reddish\"\n";
        let (theme, problems) = Theme::parse(text);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("line 7") && p.contains("reddish")), "{problems:?}");
        assert_eq!(theme.style(Role::Running), Style::new().fg(Color::Green).add_modifier(Modifier::BOLD));
        assert_eq!(theme.style(Role::Failed), default_style(Role::Failed));
        let (_, problems) = Theme::parse("a = 1\nb = [");
        assert!(problems[0].starts_with("line 2"), "{problems:?}");
    }

    #[test]
    fn sixteen_colours_or_none_are_enough_for_every_theme() {
        for (name, theme) in load(&[], Colours::Sixteen).0 {
            for (role_name, role) in ROLES {
                assert!(fits_sixteen(&theme.style(role)), "{name}: {role_name}");
            }
        }
        for (name, theme) in load(&[], Colours::None).0 {
            let none = |colour| matches!(colour, None | Some(Color::Reset));
            for (role_name, role) in ROLES {
                let style = theme.style(role);
                assert!(none(style.fg) && none(style.bg), "{name}: {role_name}");
            }
            assert!(theme.style(Role::Selection).add_modifier.contains(Modifier::REVERSED), "{name}");
        }
    }

    /// WCAG's relative luminance.
    fn luminance(colour: Color) -> Option<f64> {
        let Color::Rgb(r, g, b) = colour else { return None };
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.03928 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        Some(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b))
    }

    #[test]
    fn text_can_be_read_in_every_theme_also_where_a_row_is_selected() {
        let decoration = [Role::Border, Role::GraphTrack];
        for (name, theme) in load(&[], Colours::Full).0 {
            let (text, other_row) = (theme.style(Role::Text), theme.style(Role::SelectionDim));
            for (role_name, role) in ROLES.iter().filter(|(_, role)| !decoration.contains(role)) {
                let style = theme.style(*role);
                let front = style.fg.or(text.fg).and_then(luminance);
                let grounds = if style.bg.is_some() { [style.bg, None] } else { [text.bg, other_row.bg] };
                for ground in grounds.into_iter().flatten().filter_map(luminance) {
                    let Some(front) = front else { continue };
                    let ratio = (front.max(ground) + 0.05) / (front.min(ground) + 0.05);
                    assert!(ratio >= 4.5, "{name}: {role_name} has a contrast of {ratio:.2} only");
                }
            }
        }
    }

    #[test]
    fn a_users_theme_replaces_one_of_the_same_name() {
        let (themes, _) = load(&[("dark".into(), "title = \"my dark\"".into())], Colours::Full);
        assert_eq!(themes.iter().filter(|(n, t)| n == "dark" && t.title() == "my dark").count(), 1);
    }
}
