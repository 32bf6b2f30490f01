//! The tabs of the detail pane.

/// What the detail pane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tab {
    Logs,
    Stats,
    Inspect,
    Env,
    /// A container's processes.
    Top,
    /// What a container changed of its image.
    Files,
    Layers,
}

impl Tab {
    pub fn title(self) -> &'static str {
        match self {
            Tab::Logs => "Logs",
            Tab::Stats => "Stats",
            Tab::Inspect => "Inspect",
            Tab::Env => "Env",
            Tab::Top => "Top",
            Tab::Files => "Files",
            Tab::Layers => "Layers",
        }
    }
}
