//! What the engine says to forms: a form whose request is refused stays, with its text, and says why.

use super::App;
use super::update::describe;
use super::work::{Ticket, error_text};
use crate::engine::{Error, ErrorKind, Output};
use crate::tui::overlay::Overlay;
use crate::tui::panes::Pane;

impl App {
    /// Closes the form that waits for this answer, unless it is a refusal.
    pub(super) fn answer_form(&mut self, ticket: Ticket, result: &Result<Output, Error>) {
        let waits = |overlay: &Overlay| matches!(overlay, Overlay::Form(form) if form.waits_for(ticket));
        let Some(at) = self.overlays.iter().position(waits) else { return };
        match (refusal(result), &mut self.overlays[at]) {
            (Some(why), Overlay::Form(form)) => form.refuse(why),
            _ => drop(self.overlays.remove(at)),
        }
    }

    /// The form comes back in place of a terminal that could not be opened, if the user still looks there.
    pub(super) fn reopen_form(&mut self, ticket: Ticket, result: &Result<Output, Error>) -> bool {
        let Some((_, mut form)) = self.sent_form.take_if(|(sent, _)| *sent == ticket) else { return false };
        let term = self.terms.by_ticket(ticket);
        let unopened = term.and_then(|id| self.terms.terms.get(&id)).is_some_and(|term| !term.opened);
        let looks = self.panes.focus == Pane::Shells && self.terms.view.current() == term && self.overlays.is_empty();
        let cancelled = matches!(result, Err(e) if e.kind() == ErrorKind::Cancelled);
        match (refusal(result), term) {
            (Some(why), Some(id)) if unopened && looks && !cancelled => {
                if let Some(term) = self.terms.terms.get_mut(&id) {
                    // Nobody is left to be told that it closes.
                    term.ticket = None;
                }
                self.close_term(id);
                form.refuse(why);
                self.overlays.push(Overlay::Form(form));
                true
            }
            _ => false,
        }
    }
}

fn refusal(result: &Result<Output, Error>) -> Option<String> {
    match result.as_ref().map(describe) {
        Ok((true, _)) => None,
        Ok((false, why)) => Some(why),
        Err(error) => Some(error_text(error)),
    }
}
