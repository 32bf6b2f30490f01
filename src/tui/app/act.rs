//! What each action does, whoever asked for it: a key, the palette, the mouse.

use super::{App, Cmd, Tab};
use crate::tui::action::Action;
use crate::tui::overlay::{Confirm, Form, Intent, Overlay, PageKind, Picker, PullPrompt};
use crate::tui::panes::Pane;

impl App {
    /// Does what an action says. Actions of a list work from anywhere: the palette and the mouse use them too.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::NextPane => self.cycle(1),
            Action::PreviousPane => self.cycle(Pane::ALL.len() - 1),
            Action::PaneContainers => self.focus(Pane::Containers),
            Action::PaneImages => self.focus(Pane::Images),
            Action::PaneStats => self.focus(Pane::Stats),
            Action::PaneDetail => self.focus(Pane::Detail),
            Action::PaneShells => self.focus(Pane::Shells),
            Action::Zoom => self.panes.zoomed = !self.panes.zoomed,
            Action::Grow => self.resize(true),
            Action::Shrink => self.resize(false),
            Action::NextTab => self.turn_tab(1),
            Action::PreviousTab => self.turn_tab(usize::MAX),
            Action::Down => self.step(1),
            Action::Up => self.step(-1),
            Action::PageDown => self.step(self.page()),
            Action::PageUp => self.step(-self.page()),
            Action::First => self.step(isize::MIN),
            Action::Last => self.step(isize::MAX),
            Action::Filter => self.start_filter(),
            Action::Undo => self.undo(),
            Action::Mouse => self.toggle_mouse(),
            Action::Redraw => self.push(Cmd::Redraw),
            Action::Suspend => self.push(Cmd::Suspend),
            Action::Back => self.back(),
            Action::Quit => self.ask_quit(),
            Action::DetailDown => self.scroll_detail(1),
            Action::DetailUp => self.scroll_detail(-1),
            other => self.act_on_objects(other),
        }
    }

    /// Verbs, and what opens an overlay.
    fn act_on_objects(&mut self, action: Action) {
        match action {
            Action::Open => self.open(),
            Action::Shell => self.shell(),
            Action::Logs => self.show_logs(),
            Action::Attach => self.attach(),
            Action::StartStop | Action::Restart | Action::Pause | Action::Kill | Action::Limits | Action::Rename => {
                self.act_on_containers(action);
            }
            Action::Remove => self.remove(),
            Action::New | Action::RunImage => self.run_form(),
            Action::Pull => self.overlays.push(Overlay::Pull(PullPrompt::default())),
            Action::Tag => {
                if let Some(name) = self.images.selected().map(|r| r.key.clone()) {
                    self.overlays.push(Overlay::Form(Form::tag(&name)));
                }
            }
            Action::Reclaim => self.reclaim(),
            Action::Help => self.overlays.push(Overlay::Picker(Picker::help(self, self.scopes()))),
            Action::Palette => self.overlays.push(Overlay::Picker(Picker::palette(self))),
            Action::Leader => self.overlays.push(Overlay::Picker(Picker::leaders(self))),
            Action::Theme => self.overlays.push(Overlay::Picker(Picker::themes(self))),
            Action::Copy => self.copy_menu(),
            Action::ActionLog => self.open_page(PageKind::ActionLog),
            Action::Jobs => self.open_page(PageKind::Jobs),
            Action::Doctor => self.open_page(PageKind::Doctor),
            Action::Events => self.open_page(PageKind::Events),
            Action::Networks => self.open_networks(),
            Action::NetworkNew
            | Action::NetworkConnect
            | Action::NetworkDisconnect
            | Action::NetworkRemove
            | Action::NetworkPrune
            | Action::NetworkReload
            | Action::NetworkPort => self.act_on_networks(action),
            Action::OpenPort => self.open_port(),
            other => self.act_on_detail(other),
        }
    }

    /// Logs, stats and the tree keep their own state.
    fn act_on_detail(&mut self, action: Action) {
        let (logs, tree, stats) = (&mut self.detail.logs, &mut self.detail.tree, &mut self.detail.stats);
        match action {
            Action::LogNext if !logs.next_hit(true) => self.say("the log has no match"),
            Action::LogNext => {}
            Action::LogPrevious if !logs.next_hit(false) => self.say("the log has no match"),
            Action::LogPrevious => {}
            Action::LogFollow => logs.toggle_follow(),
            Action::LogWrap => logs.toggle_wrap(),
            Action::LogTimes => logs.cycle_time(),
            Action::LogMark => logs.mark(self.now),
            Action::LogKeep => logs.filter(true),
            Action::LogDrop => logs.filter(false),
            Action::LogErrorNext if !logs.next_error(true) => self.say("the log has no error or warning there"),
            Action::LogErrorNext => {}
            Action::LogErrorPrevious if !logs.next_error(false) => self.say("the log has no error or warning there"),
            Action::LogErrorPrevious => {}
            Action::LogUnfold => {
                logs.unfold();
            }
            Action::LogSelect => logs.toggle_select(),
            Action::LogRegex => logs.toggle_regex(),
            Action::LogSave => self.save_log(),
            Action::LogWindow => logs.choose_window(),
            Action::LogPipe => logs.pipe(),
            Action::LogLeft => logs.pan(-8),
            Action::LogRight => logs.pan(8),
            Action::Fold => tree.toggle(),
            Action::FoldAll => tree.toggle_all(),
            Action::SearchNext => {
                tree.find(true);
            }
            Action::SearchPrevious => {
                tree.find(false);
            }
            Action::ZoomTimeIn => stats.zoom(false),
            Action::ZoomTimeOut => stats.zoom(true),
            Action::Hold => stats.toggle_hold(),
            Action::CursorLeft => stats.move_cursor(-1),
            Action::CursorRight => stats.move_cursor(1),
            Action::GlyphSet => stats.cycle_glyphs(),
            other => self.act_on_lists(other),
        }
    }

    fn act_on_lists(&mut self, action: Action) {
        let images = self.panes.last_list == Pane::Images;
        match action {
            Action::Mark if images => self.images.list.toggle_mark(),
            Action::Mark => self.containers.list.toggle_mark(),
            Action::MarkRange if images => self.images.list.mark_range(),
            Action::MarkRange => self.containers.list.mark_range(),
            Action::MarkAll if images => self.images.list.mark_all(),
            Action::MarkAll => self.containers.list.mark_all(),
            Action::Sort => self.sort_by(self.panes.last_list, None),
            Action::SortReverse if images => self.images.list.reverse ^= true,
            Action::SortReverse => self.containers.list.reverse ^= true,
            Action::ProcessSort => return self.sort_by(Pane::Detail, None),
            Action::ProcessSortReverse => self.detail.processes.list.reverse ^= true,
            Action::FilesRefresh => return self.refresh_changes(),
            Action::ShowAll => self.containers.show_all ^= true,
            _ => return,
        }
        self.refilter();
    }

    /// Nothing ends by quitting, but a person in a shell may not have meant to. On a terminal too small for the question
    /// none is asked.
    fn ask_quit(&mut self) {
        let live = self.terms.view.live();
        let unseen = self.panes.layout(self.size.0, self.size.1).panes.is_empty();
        if live == 0 || unseen {
            self.quit = true;
            return;
        }
        let count = if live == 1 { String::from("One shell goes on") } else { format!("{live} shells go on") };
        let lines = vec![format!("{count} in the background; teu finds them again when it is opened.")];
        let confirm = Confirm::new("Quit teu?", lines, String::new(), "Quit", Intent::Quit);
        self.overlays.push(Overlay::Confirm(confirm));
    }

    fn start_filter(&mut self) {
        match self.panes.focus {
            Pane::Images => self.images.list.filtering = true,
            Pane::Detail if self.tabs().1 == Tab::Logs => self.detail.logs.search(),
            Pane::Detail if self.tabs().1 == Tab::Inspect => {
                self.detail.tree.search.set("");
                self.detail.tree.searching = true;
            }
            Pane::Detail if self.tabs().1 == Tab::Top => self.detail.processes.list.filtering = true,
            Pane::Detail if self.tabs().1 == Tab::Files => self.detail.changes.list.filtering = true,
            _ => {
                self.focus(Pane::Containers);
                self.containers.list.filtering = true;
            }
        }
    }

    fn toggle_mouse(&mut self) {
        self.mouse = !self.mouse;
        self.push(Cmd::Mouse(self.mouse));
        if self.mouse {
            self.say("the mouse works in teu");
        } else {
            self.say("the mouse belongs to the terminal: select and copy there; M takes it back");
        }
    }

    /// `column` of the pane's sorts; `None`: the next one. The same column again turns the order round.
    pub(super) fn sort_by(&mut self, pane: Pane, column: Option<usize>) {
        let (sort, reverse, count) = match pane {
            Pane::Images => (&mut self.images.list.sort, &mut self.images.list.reverse, super::images::SORTS.len()),
            Pane::Detail => {
                let list = &mut self.detail.processes.list;
                (&mut list.sort, &mut list.reverse, super::processes::SORTS.len())
            }
            _ => (&mut self.containers.list.sort, &mut self.containers.list.reverse, super::containers::SORTS.len()),
        };
        match column {
            Some(c) if c == *sort => *reverse = !*reverse,
            Some(c) => (*sort, *reverse) = (c.min(count - 1), false),
            None => (*sort, *reverse) = ((*sort + 1) % count, false),
        }
        self.refilter();
        self.save();
    }

    fn resize(&mut self, up: bool) {
        self.panes.resize(up);
        self.save();
    }

    pub(super) fn save(&mut self) {
        let state = self.remember();
        self.push(Cmd::Save(state));
    }
}
