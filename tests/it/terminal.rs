//! What a person sees who has a terminal, and what others see who have none.

use crate::support::sandbox::{NOISY, Sandbox};
use crate::support::{machine, trials};
use libtest_mimic::Trial;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::thread::JoinHandle;

pub fn trials() -> Vec<Trial> {
    trials![
        a_failure_is_coloured_on_a_terminal,
        no_color_is_honoured_on_a_terminal,
        without_a_terminal_nothing_is_coloured,
        progress_is_drawn_on_a_terminal_and_cleared_at_the_end,
        s16_setup_asks_at_a_terminal_for_exactly_what_is_missing,
        s54_nobody_is_asked_without_a_terminal,
    ]
}

/// A terminal, and what is written to it once nobody holds it any more.
struct Terminal {
    user: File,
    keys: File,
    reader: JoinHandle<String>,
}

impl Terminal {
    fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let control = openpt(flags).expect("a terminal");
        grantpt(&control).expect("the terminal can be given away");
        unlockpt(&control).expect("the terminal can be used");
        let name = ptsname(&control, Vec::new()).expect("the terminal has a name");
        // Opened like any file it would become the terminal of these tests when they lead a session, and end them
        // when it closes.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let user =
            File::from(rustix::fs::open(&*name, flags, Mode::empty()).expect("the terminal can be opened"));
        let keys = File::from(control.try_clone().expect("another handle"));
        let reader = std::thread::spawn(move || read_all(File::from(control)));
        Self { user, keys, reader }
    }

    /// Types lines; whoever reads them later finds them.
    fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).expect("the terminal takes keys");
    }

    fn stdin(&self) -> Stdio {
        self.stderr()
    }

    fn stderr(&self) -> Stdio {
        Stdio::from(OwnedFd::from(self.user.try_clone().expect("another handle")))
    }

    fn written(self) -> String {
        drop(self.user);
        self.reader.join().expect("the reader ends")
    }
}

/// The kernel ends a terminal that nobody holds with an error instead of an end.
fn read_all(mut control: File) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = control.read(&mut buffer) {
        text.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn refused_on_terminal(no_color: Option<&str>) -> String {
    let sandbox = Sandbox::of("misbehaving");
    let terminal = Terminal::open();
    let perf = sandbox.perf(["baseline", "a/b"]).stderr(terminal.stderr()).env("TERM", "xterm-256color");
    let perf = match no_color {
        Some(value) => perf.env("NO_COLOR", value),
        None => perf.env_remove("NO_COLOR"),
    };
    assert_eq!(perf.run().status.code(), Some(2));
    terminal.written()
}

fn a_failure_is_coloured_on_a_terminal() {
    let written = refused_on_terminal(None);
    assert!(written.contains("\x1b[1;31merror\x1b[0m: the version label"), "{written:?}");
}

fn no_color_is_honoured_on_a_terminal() {
    let written = refused_on_terminal(Some("1"));
    assert!(written.starts_with("error: the version label"), "{written:?}");
    assert!(!written.contains('\x1b'), "{written:?}");
}

fn without_a_terminal_nothing_is_coloured() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let perf = sandbox.baseline("v1", "well_behaved").env_remove("NO_COLOR").env("TERM", "xterm-256color");
    let ended = perf.succeeds();
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains('\x1b') && !text.contains('\r'), "{ended:#?}");
    }
    let refused = sandbox.perf(["baseline", "a/b"]).env_remove("NO_COLOR").run();
    assert!(!refused.stderr.contains('\x1b'), "{refused:#?}");
}

fn progress_is_drawn_on_a_terminal_and_cleared_at_the_end() {
    let _machine = machine();
    let sandbox = Sandbox::of("misbehaving");
    let terminal = Terminal::open();
    let filter = "--filter=well_behaved";
    let perf = sandbox.perf(["baseline", "v1", filter, "--approve-short=a test", "--duration=2", NOISY]);
    let ended = perf.stderr(terminal.stderr()).env("TERM", "xterm-256color").run();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    let written = terminal.written();
    assert!(written.contains("of 2 s") && written.contains('█'), "no progress was drawn: {written:?}");
    // The last thing is a cleared line; the answer is on standard output alone.
    let last = written.rsplit("\x1b[2K").next().expect("a part");
    assert!(!last.contains("of 2 s"), "progress was left standing: {last:?}");
    assert!(ended.stdout.starts_with("well_behaved (misbehaving of misbehaving)\n"), "{}", ended.stdout);
    assert!(!ended.stdout.contains('\x1b'), "{}", ended.stdout);
}

fn s16_setup_asks_at_a_terminal_for_exactly_what_is_missing() {
    let _machine = machine();
    let sandbox = Sandbox::of("external-cases");
    let mut terminal = Terminal::open();
    // An empty line is no answer, and is asked again.
    terminal.types("make it fast\n\nv1\n");
    let words = ["setup", "--scenario=reading zones", "--success=mean_ms < 20", "--filter=line"];
    let perf = sandbox.perf(words).stdin(terminal.stdin()).stderr(terminal.stderr());
    assert_eq!(perf.run().status.code(), Some(0));
    let written = terminal.written();
    let asked = |flag: &str| written.matches(&format!("({flag}): ")).count();
    assert_eq!(["--scenario", "--quote", "--success", "--version"].map(asked), [0, 1, 0, 2], "{written:?}");
    let state = sandbox.read(".claude/perf/investigation.json");
    assert!(state.contains("make it fast"), "{state}");
}

fn s54_nobody_is_asked_without_a_terminal() {
    let sandbox = Sandbox::of("external-cases");
    let terminal = Terminal::open();
    // Somebody may look without being able to answer, or have asked for answers that programs read.
    let looking = sandbox.perf(["setup", "--filter=line"]).stderr(terminal.stderr()).run();
    assert_eq!(looking.status.code(), Some(6));
    let program = sandbox.perf(["setup", "--filter=line", "--json"]).stdin(terminal.stdin());
    assert_eq!(program.stderr(terminal.stderr()).run().status.code(), Some(6));
    drop(terminal.written());
}
