//! Roles and the styles a theme gives them. Views ask for a role, never for a colour.

use ratatui::style::{Color, Modifier, Style};

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
    overrides: std::collections::BTreeMap<Role, Style>,
}

impl Theme {
    pub fn style(&self, role: Role) -> Style {
        self.overrides.get(&role).copied().unwrap_or_else(|| default_style(role))
    }
}

fn default_style(role: Role) -> Style {
    let fg = |c| Style::new().fg(c);
    match role {
        Role::Text | Role::Input => Style::new(),
        Role::Dim | Role::Border | Role::Exited | Role::GraphTrack => fg(Color::DarkGray),
        Role::Title | Role::Header => Style::new().add_modifier(Modifier::BOLD),
        Role::BorderFocus | Role::Accent => fg(Color::Cyan),
        Role::Selection => Style::new().add_modifier(Modifier::REVERSED),
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
