//! Progress on the terminal. One style for long builds and starts, silent when nobody looks: with
//! no terminal, each phase becomes one plain line instead of a moving bar.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// A group of phases that may run side by side.
#[derive(Clone, Debug)]
pub struct Progress {
    bars: MultiProgress,
    shown: Shown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Bars,
    Lines,
    Nothing,
}

/// One running phase; it is finished explicitly, and marked as left off when dropped before that.
#[derive(Debug)]
pub struct Phase {
    name: String,
    bar: ProgressBar,
    shown: Shown,
    started: Instant,
    finished: bool,
}

impl Progress {
    /// Bars on a terminal, else lines on standard error.
    #[must_use]
    pub fn new() -> Self {
        let shown = if std::io::stderr().is_terminal() {
            Shown::Bars
        } else {
            Shown::Lines
        };
        Self {
            bars: MultiProgress::new(),
            shown,
        }
    }

    /// Shows nothing at all, for waits inside tests.
    #[must_use]
    pub fn hidden() -> Self {
        Self {
            bars: MultiProgress::new(),
            shown: Shown::Nothing,
        }
    }

    /// Starts a phase with a spinner and its elapsed time.
    #[must_use]
    pub fn phase(&self, name: &str) -> Phase {
        let bar = match self.shown {
            Shown::Bars => self.bars.add(spinner(name)),
            Shown::Lines | Shown::Nothing => ProgressBar::hidden(),
        };
        if self.shown == Shown::Lines {
            eprintln!("  … {name}");
        }
        Phase {
            name: name.to_owned(),
            bar,
            shown: self.shown,
            started: Instant::now(),
            finished: false,
        }
    }

    /// Prints a line above the bars.
    pub fn line(&self, text: &str) {
        match self.shown {
            Shown::Bars => {
                let _ = self.bars.println(text);
            }
            Shown::Lines => eprintln!("{text}"),
            Shown::Nothing => {}
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Phase {
    /// Tells what the phase is doing now.
    pub fn detail(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// Ends the phase well.
    pub fn done(mut self, outcome: &str) {
        self.finished = true;
        let took = seconds(self.started.elapsed());
        match self.shown {
            Shown::Bars => {
                self.bar.set_style(plain("  ✔ {prefix:<26} {msg}"));
                self.bar.finish_with_message(format!("{outcome} ({took})"));
            }
            Shown::Lines => eprintln!("  ✔ {}: {outcome} ({took})", self.name),
            Shown::Nothing => {}
        }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        match self.shown {
            Shown::Bars => {
                self.bar.set_style(plain("  ✘ {prefix:<26} {msg}"));
                self.bar.abandon();
            }
            Shown::Lines => eprintln!("  ✘ {}", self.name),
            Shown::Nothing => {}
        }
    }
}

fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_style(plain("  {spinner} {prefix:<26} {elapsed:>4} {wide_msg}"));
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn plain(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
