//! What a screen over idle containers writes to its terminal.

use super::fixture::{self, NOW};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use teu::config::Colours;
use teu::engine::StatsBoard;
use teu::model::time::Timestamp;
use teu::tui::app::{App, Msg};
use teu::tui::terminal::Quiet;
use teu::tui::views::{self, Scratch};

/// A terminal that keeps what is written to it.
#[derive(Clone, Default)]
struct Tape(Rc<RefCell<Vec<u8>>>);

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Recorded {
    app: App,
    scratch: Scratch,
    terminal: Terminal<Quiet<Tape>>,
    tape: Tape,
}

impl Recorded {
    fn new(width: u16, height: u16) -> Recorded {
        let tape = Tape::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
        let terminal =
            Terminal::with_options(Quiet::on(tape.clone(), Colours::Full), TerminalOptions { viewport }).unwrap();
        Recorded { app: fixture::app(width, height), scratch: Scratch::default(), terminal, tape }
    }

    /// The bytes one frame costs.
    fn draw(&mut self) -> String {
        let (app, scratch) = (&mut self.app, &mut self.scratch);
        self.terminal.draw(|frame| views::draw(app, scratch, frame)).unwrap();
        String::from_utf8(std::mem::take(&mut *self.tape.0.borrow_mut())).unwrap()
    }

    /// A second passes: every container idles, what the kernel counts trembles.
    fn second(&mut self, tick: u64) -> String {
        let now = Timestamp(NOW.0 + tick as i64 * 1_000_000_000);
        let mut board: StatsBoard = fixture::board(tick);
        for stats in board.latest.values_mut() {
            let mut figures = (**stats).clone();
            figures.rates.cpu_percent = if tick.is_multiple_of(3) { 0.06 } else { 0.04 };
            let sample = figures.sample.as_mut().expect("it runs");
            // Around where `9.9M` becomes `10M`.
            sample.memory = 10_427_000 + tick % 4 * 4096;
            sample.cpu_usec = tick * 400 + tick % 3 * 200;
            *stats = Arc::new(figures);
        }
        self.app.update(Msg::Stats(Arc::new(board)), now);
        self.draw()
    }
}

#[test]
fn a_frame_that_shows_the_same_writes_nothing() {
    for (width, height) in [(120, 36), (80, 24), (60, 15), (20, 5)] {
        let mut screen = Recorded::new(width, height);
        assert!(screen.draw().contains("\x1b["));
        for _ in 0..3 {
            assert_eq!(screen.draw(), "", "at {width}x{height}");
        }
    }
}

#[test]
fn idle_containers_write_nothing_though_their_counters_tremble() {
    let mut screen = Recorded::new(120, 36);
    // A minute fills the plot; the youngest container is minutes old, so ages change once a minute.
    let until = |screen: &mut Recorded, from: u64, to: u64| (from..to).map(|s| screen.second(s)).collect::<String>();
    assert!(until(&mut screen, 5, 70).contains("\x1b["));
    let minute = until(&mut screen, 70, 115);
    assert_eq!(minute, "");
}

#[test]
fn a_figure_that_moves_is_written() {
    let mut screen = Recorded::new(120, 36);
    screen.draw();
    assert!(screen.second(5).contains("9.9M"));
}
