//! The table of everything a user can intend: keymap, help, palette, hint line and mouse all derive from it.

/// Where an action means something. A key is looked up in the focused pane's scopes first, then globally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    Global,
    /// Both lists.
    List,
    Containers,
    Images,
    /// The detail pane, whatever the tab.
    Detail,
    Logs,
    Tree,
    Stats,
    /// The Top tab.
    Processes,
    /// The Files tab.
    Changes,
    /// The page of networks.
    Networks,
    /// After the leader, in the shells pane.
    Shells,
}

/// One row of the table.
#[derive(Debug)]
pub struct Spec {
    pub action: Action,
    /// The stable name used in the configuration.
    pub name: &'static str,
    /// What help and palette call it.
    pub title: &'static str,
    /// One word for the hint line; empty: not hinted.
    pub hint: &'static str,
    pub keys: &'static [&'static str],
    pub scope: Scope,
}

macro_rules! actions {
    ($($action:ident, $name:literal, $scope:ident, [$($key:literal),*], $title:literal, $hint:literal;)*) => {
        /// A user's intention.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $($action,)* }

        pub const TABLE: &[Spec] = &[$(Spec {
            action: Action::$action,
            name: $name,
            title: $title,
            hint: $hint,
            keys: &[$($key),*],
            scope: Scope::$scope,
        },)*];
    };
}

actions! {
    Open, "open", List, ["enter", "d", "i"], "show the details", "";
    Shell, "shell", Containers, ["s", "x", "E"], "open a shell in a pane", "shell";
    Logs, "logs", Containers, ["l"], "show the logs", "logs";
    StartStop, "start-stop", Containers, ["t"], "start or stop", "start/stop";
    Restart, "restart", Containers, ["r"], "restart", "restart";
    Pause, "pause", Containers, ["p"], "pause or resume", "";
    Kill, "kill", Containers, ["X"], "send a signal", "";
    Attach, "attach", Containers, ["A"], "attach to the main process", "";
    Limits, "limits", Containers, ["e"], "change the limits", "";
    Rename, "rename", Containers, ["R"], "rename", "";
    OpenPort, "open-port", Containers, ["w"], "open a published port in a browser", "";
    ShowAll, "show-all", Containers, ["a"], "all or only running containers", "all/running";
    RunImage, "run", Images, ["R"], "run a container from this image", "run";
    Pull, "pull", List, ["P"], "pull an image", "pull";
    Tag, "tag", Images, ["T"], "give the image another name", "tag";
    Reclaim, "reclaim", Images, ["U"], "free the space of unused images", "";
    New, "new", List, ["n"], "make a new container", "new";
    Remove, "remove", List, ["D", "del"], "remove", "delete";
    Sort, "sort", List, ["o"], "sort by the next column", "sort";
    SortReverse, "sort-reverse", List, ["O"], "turn the sort order round", "";
    Mark, "mark", List, ["space"], "mark", "mark";
    MarkRange, "mark-range", List, ["v"], "mark from the last mark to here", "";
    MarkAll, "mark-all", List, ["*"], "mark all shown, or none", "";
    Fold, "fold", Tree, ["enter", "space"], "fold or unfold", "fold";
    FoldAll, "fold-all", Tree, ["C"], "fold or unfold all", "";
    SearchNext, "search-next", Tree, ["n"], "next match", "next";
    SearchPrevious, "search-previous", Tree, ["N"], "previous match", "";
    LogNext, "log-next", Logs, ["n"], "next match", "next";
    LogPrevious, "log-previous", Logs, ["N"], "previous match", "";
    LogFollow, "log-follow", Logs, ["f"], "follow the log", "follow";
    LogWrap, "log-wrap", Logs, ["w"], "wrap long lines", "wrap";
    LogTimes, "log-times", Logs, ["t"], "show times another way", "times";
    LogMark, "log-mark", Logs, ["m"], "draw a line into the log", "";
    LogKeep, "log-keep", Logs, ["&"], "keep only matching lines", "keep";
    LogDrop, "log-drop", Logs, ["!"], "drop matching lines", "";
    LogErrorNext, "log-error-next", Logs, ["e"], "next error or warning", "errors";
    LogErrorPrevious, "log-error-previous", Logs, ["E"], "previous error or warning", "";
    LogUnfold, "log-unfold", Logs, ["enter"], "unfold a structured line", "";
    LogSelect, "log-select", Logs, ["v"], "select lines", "select";
    LogRegex, "log-regex", Logs, ["ctrl-r"], "search by text or by expression", "";
    LogSave, "log-save", Logs, ["S"], "save the shown lines to a file", "";
    LogWindow, "log-window", Logs, ["T"], "show only the last minutes or hours", "window";
    LogPipe, "log-pipe", Logs, ["|"], "give the shown lines to a command", "pipe";
    LogLeft, "log-left", Logs, ["left"], "pan left", "";
    LogRight, "log-right", Logs, ["right"], "pan right", "";
    ZoomTimeIn, "time-in", Stats, ["+", "="], "look at a shorter time", "time";
    ZoomTimeOut, "time-out", Stats, ["-"], "look at a longer time", "";
    Hold, "hold", Stats, ["f"], "hold the plot", "hold";
    CursorLeft, "cursor-left", Stats, ["left"], "move the read-out back", "";
    CursorRight, "cursor-right", Stats, ["right"], "move the read-out forward", "";
    GlyphSet, "plot-glyphs", Stats, ["b"], "draw plots with other glyphs", "";
    ProcessSort, "process-sort", Processes, ["o"], "sort by the next column", "sort";
    ProcessSortReverse, "process-sort-reverse", Processes, ["O"], "turn the sort order round", "";
    FilesRefresh, "files-refresh", Changes, ["r"], "compare with the image again", "refresh";
    NetworkNew, "network-new", Networks, ["n"], "make a new network", "new";
    NetworkConnect, "network-connect", Networks, ["c"], "connect a container to this network", "connect";
    NetworkDisconnect, "network-disconnect", Networks, ["x"], "take this container off the network", "disconnect";
    NetworkRemove, "network-remove", Networks, ["D", "del"], "remove this network", "remove";
    NetworkPort, "network-port", Networks, ["w"], "open a port in a browser, or copy its address", "open";
    NetworkPrune, "network-prune", Networks, ["U"], "remove networks that no container is to be on", "";
    NetworkReload, "network-reload", Networks, ["r"], "put back what somebody has taken from bridges and firewall", "";
    NextPane, "next-pane", Global, ["tab"], "next pane", "pane";
    PreviousPane, "previous-pane", Global, ["shift-tab"], "previous pane", "";
    PaneContainers, "pane-containers", Global, ["1"], "go to the containers", "";
    PaneImages, "pane-images", Global, ["2"], "go to the images", "";
    PaneStats, "pane-stats", Global, ["3"], "go to the stats", "";
    PaneDetail, "pane-detail", Global, ["4"], "go to the detail", "";
    PaneShells, "pane-shells", Global, ["5"], "go to the shells", "";
    Zoom, "zoom", Global, ["z"], "zoom this pane, or put all back", "zoom";
    Grow, "grow", Global, ["+", "="], "make this pane larger", "";
    Shrink, "shrink", Global, ["_", "-"], "make this pane smaller", "";
    NextTab, "next-tab", Global, ["]"], "next detail tab", "";
    PreviousTab, "previous-tab", Global, ["["], "previous detail tab", "";
    DetailDown, "detail-down", Global, ["J"], "scroll the detail down", "";
    DetailUp, "detail-up", Global, ["K"], "scroll the detail up", "";
    Down, "down", Global, ["j", "down"], "down", "";
    Up, "up", Global, ["k", "up"], "up", "";
    PageDown, "page-down", Global, ["pgdn", "ctrl-d", "ctrl-f"], "a page down", "";
    PageUp, "page-up", Global, ["pgup", "ctrl-u", "ctrl-b"], "a page up", "";
    First, "first", Global, ["g", "home"], "to the first", "";
    Last, "last", Global, ["G", "end"], "to the last", "";
    Filter, "filter", Global, ["/"], "filter or search", "filter";
    Palette, "palette", Global, [":"], "command palette", "cmd";
    Help, "help", Global, ["?", "f1"], "help for what is here", "help";
    Copy, "copy", Global, ["y"], "copy something about this", "";
    Undo, "undo", Global, ["u"], "take the last removal back", "";
    ActionLog, "action-log", Global, ["L"], "what was done, with results and commands", "";
    Jobs, "jobs", Global, ["f2"], "jobs, with cancel", "";
    Doctor, "doctor", Global, ["f3"], "what this machine lacks", "";
    Theme, "theme", Global, ["f4"], "choose a theme", "";
    Leader, "leader", Global, [], "choose the leader key of shells", "";
    Events, "events", Global, ["f5"], "events", "";
    Networks, "networks", Global, ["f6"], "networks: who is on them, who can reach which port", "";
    Mouse, "mouse", Global, ["M"], "give the mouse to the terminal, or take it", "";
    Redraw, "redraw", Global, ["ctrl-l"], "draw the screen anew", "";
    Suspend, "suspend", Global, ["ctrl-z"], "suspend teu", "";
    Back, "back", Global, ["esc"], "one level back", "";
    Quit, "quit", Global, ["q", "ctrl-c"], "quit; containers and shells go on", "";
}

/// The table's row of an action.
pub fn spec(action: Action) -> &'static Spec {
    // The enum and the table come from one macro, in one order.
    &TABLE[action as usize]
}

/// The action with this configuration name.
pub fn by_name(name: &str) -> Option<Action> {
    TABLE.iter().find(|s| s.name == name).map(|s| s.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keys::Chord;
    use std::collections::HashSet;

    #[test]
    fn every_row_is_whole_and_names_are_unique() {
        let mut names = HashSet::new();
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.action as usize, i);
            assert!(names.insert(row.name), "{}", row.name);
            assert!(!row.title.is_empty());
            for key in row.keys {
                Chord::parse(key).expect(row.name);
            }
        }
    }

    #[test]
    fn no_key_means_two_things_in_one_scope() {
        let mut seen = HashSet::new();
        for row in TABLE {
            for key in row.keys {
                let chord = Chord::parse(key).expect("parsed above");
                assert!(seen.insert((row.scope, chord)), "{key} in {:?}", row.scope);
            }
        }
    }
}
