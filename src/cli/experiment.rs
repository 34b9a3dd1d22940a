//! `cargo perf experiment`.

use super::arguments::Global;
use super::asked::BenchArgs;
use super::contesting::{ContestArgs, Contesting, Place};
use super::detach;
use super::emit::Printer;
use super::investigating::{self, InvestigationArgs};
use super::measuring::approval;
use super::proposal::{Proposal, ProposalArgs};
use super::session::Session;
use super::sides::Named;
use super::terms::TermsArgs;
use super::within::Within;
use crate::bench::contract::EXPERIMENT;
use crate::failure::{Failure, FailureKind};
use crate::git::revision::Source;
use crate::investigation::advance::{Applied, Standing, advance};
use crate::investigation::control::{control, expect_controlled, expect_same_build};
use crate::investigation::experiment::{self as phase, Concluded};
use crate::investigation::proposal::{Begun, expect_hypothesis};
use crate::investigation::{dossier, experiments};
use crate::lab::Lab;
use crate::lab::matching::Matched;
use crate::model::comparison::{Comparison, Sides};
use crate::model::experiment::{Experiment, TreeProof, going_on};
use crate::model::investigation::Effect;
use crate::model::outcome::Phase;
use crate::model::rules::Rule;
use crate::model::secrets;
use crate::report::comparison as rendered;
use crate::report::reply::Reply;
use crate::store::comparisons;
use crate::sys::interrupt::Interrupt;
use crate::sys::{clock, host};
use serde_json::json;
use std::fmt::Write;
use std::path::{Component, Path};

/// Folders that each machine has.
const EVERYWHERE: [&str; 6] = ["/dev/", "/usr/", "/bin/", "/etc/", "/proc/", "/sys/"];

/// Try one change against the baseline: measured beside it, judged, and not left behind
#[derive(Debug, clap::Args)]
#[command(mut_arg("max_time", |arg| arg.help("Go on with inconclusive results while all of it takes no longer than this (default: 600)")))]
pub struct Args {
    #[command(flatten)]
    proposal: ProposalArgs,
    /// A command for sh that the change has to pass before it is measured, in a checkout of it, as in 'cargo test'
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,
    /// Go on with the experiment that was interrupted
    #[arg(long = "continue", conflicts_with_all = ["revision", "patch", "change", "hypothesis", "allow_deletions", "allow_secret", "check", "abandon"])]
    go_on: bool,
    /// Give up the experiment that was interrupted; the reason is stored, and its change stays saved
    #[arg(long, value_name = "WHY", conflicts_with_all = ["revision", "patch", "change", "hypothesis", "allow_deletions", "allow_secret", "check"])]
    abandon: Option<String>,
    #[command(flatten)]
    terms: TermsArgs,
    #[command(flatten)]
    contest: ContestArgs,
    #[command(flatten)]
    bench: BenchArgs,
    #[command(flatten)]
    investigation: InvestigationArgs,
}

impl Args {
    /// Refuses texts that look like secrets: the command is logged.
    fn expect_no_secret(&self) -> Result<(), Failure> {
        let texts = [
            ("--change", &self.proposal.change),
            ("--allow-deletions", &self.proposal.allow_deletions),
            ("--allow-secret", &self.proposal.allow_secret),
            ("--check", &self.check),
            ("--abandon", &self.abandon),
        ];
        for (flag, text) in texts {
            text.as_deref().map_or(Ok(()), |text| secrets::expect_none(flag, text))?;
        }
        self.contest.expect_no_secret()
    }

    /// The flags with which `--continue` means the same.
    fn flags(&self, global: &Global) -> Vec<String> {
        let building = self.bench.cargo.flags(global).building();
        let expanded =
            self.bench.measuring.expand.iter().flat_map(|why| ["--expand".to_owned(), why.clone()]);
        let own =
            self.bench.choice_words().into_iter().chain(self.bench.measuring.repeated()).chain(expanded);
        own.chain(self.terms.repeated()).chain(self.contest.repeated()).chain(building).collect()
    }

    /// Refuses commands and flags that name places on this machine: they are stored, and commands run in a checkout.
    fn expect_portable(&self, global: &Global) -> Result<(), Failure> {
        let flags = self.flags(global);
        let check = self.check.iter().map(|check| ("--check", check));
        match check
            .chain(flags.iter().map(|word| ("a flag", word)))
            .find_map(|(flag, text)| Some((flag, place_in(text)?)))
        {
            Some((flag, place)) => Err(Failure::usage(format!(
                "{flag} names a place on this machine, and would be stored: {place}"
            ))
            .hint("commands run in a checkout: name files relative to the folder you are in")),
            None => Ok(()),
        }
    }
}

/// Answers the command.
pub fn run(
    args: &Args,
    global: &Global,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<Reply, Failure> {
    args.expect_no_secret()?;
    args.bench.measuring.expect_no_aggregate()?;
    let session = Session::open(global)?;
    args.expect_portable(global)?;
    if let Some(why) = &args.abandon {
        return abandon(why, &session, args, global);
    }
    let within = Within::find(&session, &args.investigation, Phase::Optimization)?;
    let within = within.ok_or_else(dossier::nothing_open)?;
    let open = within.investigation();
    match (open.open_experiment(), args.go_on) {
        (Some(open), false) => return Err(experiments::still_open(open)),
        (None, true) => return Err(experiments::none_open()),
        _ => {}
    }
    if args.go_on {
        experiments::repair(&session.layout)?;
    }
    let source = Source::open(&session.layout.root)?;
    let before = source.proof(&session.layout.folder, interrupt)?;
    let proposal = match open.open_experiment() {
        Some(experiment) => Proposal::again(experiment, &source, &session, open)?,
        None => args.proposal.proposal(&source, &session, open, interrupt)?,
    };
    expect_hypothesis(open, args.proposal.hypothesis.as_deref())?;
    let (bench, directory) = args.bench.meant(Some(&within.benchmark), &session)?;
    let measuring = bench.measuring.checked(&session.config)?;
    let chosen = bench.chosen(global, &session, &directory)?;
    let mut lab = chosen.lab(&session, bench.measuring.timeout, interrupt, printer)?;
    proposal.expect(&source, &session, &within, &mut lab, &chosen)?;
    let mut judging = args.terms.judging(&session.config);
    judging.terms.twice = true;
    let named = Named { source, revisions: proposal.revisions.clone(), notes: Vec::new() };
    let asked = ("experiment", &session, global);
    let contesting = Contesting::new(asked, &bench, (measuring, chosen), named, &args.contest, judging);
    if args.bench.measuring.detach {
        let planned = contesting.planned();
        let command = ("experiment", Some(Phase::Optimization));
        let label = Some(within.benchmark.version.clone());
        return detach::start(&detach::Order { command, label, planned, session: &session }, interrupt);
    }
    let job = Job { args, global, session: &session, within: &within, proposal: &proposal, before };
    job.carry_out(&mut lab, contesting)
}

/// Gives up the experiment that is open, whatever else stands in the way of the phase.
fn abandon(why: &str, session: &Session, args: &Args, global: &Global) -> Result<Reply, Failure> {
    let waiver = approval(Some(why), "--abandon")?;
    let waiver = waiver.ok_or_else(|| Failure::usage("--abandon needs a reason"))?;
    let asked = args.investigation.asked(Phase::Optimization)?;
    let found = dossier::live(&session.layout, &asked)?.ok_or_else(dossier::nothing_open)?;
    found.investigation.open_experiment().ok_or_else(experiments::none_open)?;
    found.make_current(&session.layout)?;
    let given_up = experiments::abandon(&session.layout, &found.investigation.id, waiver)?;
    let patch = &given_up.change.patch.path;
    let text = format!("{} is given up; its change stays saved in {patch}\n", given_up.id);
    let mut reply = Reply::plain("experiment", text, json!({"experiment": given_up}));
    reply.phase = Some(Phase::Optimization);
    Ok(investigating::with_standing(reply, &dossier::any(&session.layout, None)?, global))
}

/// Everything that is settled before anything is built.
struct Job<'a> {
    args: &'a Args,
    global: &'a Global,
    session: &'a Session,
    within: &'a Within,
    proposal: &'a Proposal,
    before: TreeProof,
}

impl Job<'_> {
    fn carry_out(&self, lab: &mut Lab<'_>, mut contesting: Contesting<'_>) -> Result<Reply, Failure> {
        let flags = self.args.flags(self.global);
        contesting.going_on = Some(self.going_on(&flags));
        contesting.check = self.asked_check().map(str::to_owned);
        let mut built = contesting.build(lab, None).map_err(|failure| self.with_way_out(failure))?;
        expect_same_build(&self.proposal.baseline, built.base_environment())?;
        built.set_variable(EXPERIMENT, &Sides { base: "0", candidate: "1" });
        let found = contesting.matched(&built)?;
        self.expect_meant(&contesting, &found)?;
        if let Some(run) = self.own_run() {
            contesting.take_up(&built, run);
        }
        let mut place = contesting.place(lab, &built, &found)?;
        contesting.forget_another(lab, &built, &found, &mut place)?;
        // What does not build or fails its check has not begun; from here on there is something to go on with.
        let experiment = self.open(&contesting.named.source, &place, flags, lab.interrupt)?;
        let measured = contesting.measure(lab, &built, found, &place);
        let comparison = measured.map_err(|failure| or_give_up(failure, &experiment.id))?;
        self.expect_unchanged(&contesting.named.source, &experiment, lab.interrupt)?;
        let runs = contesting.measuring.demand.runs.map(|(runs, _)| runs);
        let applied = self.conclude(lab, experiment, &comparison, &place, runs)?;
        Ok(self.reply(&applied, &comparison))
    }

    /// The command that goes on with an experiment of these flags, from here.
    fn going_on(&self, flags: &[String]) -> String {
        let words: Vec<String> = flags.iter().cloned().chain(self.global.repeated()).collect();
        going_on(&words)
    }

    /// A failure with the way out of the experiment that goes on, where one does.
    fn with_way_out(&self, failure: Failure) -> Failure {
        match self.within.investigation().open_experiment() {
            Some(open) => or_give_up(failure, &open.id),
            None => failure,
        }
    }

    /// The run of the experiment that goes on; its pairs say nothing beside another baseline.
    fn own_run(&self) -> Option<&str> {
        let open = self.within.investigation().open_experiment()?;
        open.run.as_deref().filter(|_| open.baseline_recorded_at == self.proposal.baseline.recorded_at)
    }

    /// What the change has to pass: what was asked for, or else when it was begun.
    fn asked_check(&self) -> Option<&str> {
        let begun = self.within.investigation().open_experiment();
        self.args.check.as_deref().or_else(|| begun?.check.as_deref())
    }

    /// Rule 4, and that the baseline can be reproduced with what is measured.
    fn expect_meant(&self, contesting: &Contesting<'_>, found: &Matched<'_>) -> Result<(), Failure> {
        let candidates: Vec<_> = found.pairs.iter().map(|pair| pair.candidate).collect();
        self.within.expect_same(&candidates, contesting.measuring.expanded.is_some())?;
        let names: Vec<_> = candidates.iter().map(|entry| &entry.benchmark.name).collect();
        expect_controlled(&self.proposal.baseline, self.within.benchmark.bench.as_ref(), &names)
    }

    /// The experiment, which is open from now on, with its change saved.
    fn open(
        &self,
        source: &Source,
        place: &Place,
        flags: Vec<String>,
        interrupt: &Interrupt,
    ) -> Result<Experiment, Failure> {
        let open = self.within.investigation();
        let layout = &self.session.layout;
        self.within.found.make_current(layout)?;
        let run = place.work.run();
        let patch = self.proposal.difference.patch.as_slice();
        if let Some(experiment) = open.open_experiment() {
            let change = self.proposal.proposed();
            return experiments::edit(layout, &open.id, (experiment.id.as_str(), patch), |experiment| {
                experiment.run = Some(run);
                experiment.flags = flags;
                change.onto(experiment, &self.proposal.baseline);
            });
        }
        let standing = Standing::Within(open.id.clone());
        let args = &self.args.investigation;
        let desk = investigating::desk(self.session, standing, args, Vec::new(), &place.work.slot, interrupt);
        investigating::leave_out(&desk, &args.asked(Phase::Optimization)?.skips)?;
        let begun = Begun {
            state_folder: layout.shown(),
            run,
            check: self.args.check.clone(),
            flags,
            now: clock::now_rfc3339(),
        };
        let kept = source.kept(&open.id)?;
        experiments::open(layout, &open.id, (kept.as_slice(), patch), |id, open| {
            source.keep(&open.id, &id, &self.proposal.revisions.candidate)?;
            Ok(self.proposal.proposed().opened(id, open, &self.proposal.baseline, begun))
        })
    }

    /// Rule 3: nothing of the user's has changed while it was measured.
    fn expect_unchanged(
        &self,
        source: &Source,
        experiment: &Experiment,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let after = source.proof(&self.session.layout.folder, interrupt)?;
        let before = &self.before;
        let same = [
            (before.head == after.head, "the branch"),
            (before.stashes_sha256 == after.stashes_sha256, "the stash"),
            (before.index_sha256 == after.index_sha256, "the index"),
            (before.files_sha256 == after.files_sha256, "the work tree"),
        ];
        match same.into_iter().find(|(same, _)| !same) {
            None => Ok(()),
            Some((_, what)) => Err(Rule::OneChange
                .refuses(format!("the result, because {what} changed while it was measured"))
                .hint(format!("leave it alone for the time it takes: {}", self.going_on(&experiment.flags)))),
        }
    }

    /// Judges what was measured and stores it.
    fn conclude(
        &self,
        lab: &Lab<'_>,
        experiment: Experiment,
        comparison: &Comparison,
        place: &Place,
        runs: Option<u32>,
    ) -> Result<Applied, Failure> {
        let open = self.within.investigation();
        let layout = &self.session.layout;
        let chosen = self.within.benchmark.bench.as_ref();
        let own = comparison.benches.iter().find(|bench| chosen.is_none_or(|chosen| *chosen == bench.bench));
        let controlled = own.unwrap_or(&comparison.benches[0]);
        let state_folder = layout.shown();
        let put_back = format!("git stash push --include-untracked -- :/ ':(exclude,top){state_folder}'");
        let accepted = comparison.noise_accepted.is_some();
        let way_out = format!(
            "the change is saved: put the work tree back with `{put_back}`, measure the baseline again, then `{}`; or \
             --accept-noise \"why\"",
            self.going_on(&experiment.flags)
        );
        let control = control(&self.proposal.baseline, controlled, accepted)
            .map_err(|failure| if failure.hint.is_some() { failure } else { failure.hint(way_out) })?;
        let (_, bytes) = comparisons::save(&place.work.folder, comparison)?;
        let short = phase::approved_short(comparison, runs, &host::user());
        let approvals = phase::approvals(comparison, &experiment, short.as_ref());
        let history = open.hypotheses.is_empty().then(|| "no hypotheses were written down".to_owned());
        let outcome = phase::outcome(Concluded {
            experiment,
            comparison,
            bytes,
            control,
            unchanged: self.before.clone(),
            short,
            investigation: &open.id,
            state_folder,
            command: super::stored_command(&layout.root),
            history,
            now: clock::now_rfc3339(),
        })?;
        let standing = Standing::Within(open.id.clone());
        let (args, slot) = (&self.args.investigation, &place.work.slot);
        let desk = investigating::desk(self.session, standing, args, approvals, slot, lab.interrupt);
        advance(&desk, outcome)
    }

    fn reply(&self, applied: &Applied, comparison: &Comparison) -> Reply {
        let mut text = rendered::text(comparison);
        let mut result = rendered::json(comparison);
        if let Effect::Experiment { experiment, .. } = &applied.outcome.effect {
            if let Some(finding) = &experiment.finding {
                let _ = writeln!(text, "{}: {}, {}", experiment.id, finding.verdict.name(), finding.why);
            }
            result["experiment"] = json!(experiment);
        }
        investigating::reply("experiment", text, result, applied, self.global)
    }
}

/// A failure of the build or of the benchmark, with the way out of an experiment that cannot be measured.
fn or_give_up(failure: Failure, id: &str) -> Failure {
    if !matches!(failure.kind, FailureKind::Benchmark | FailureKind::Build) {
        return failure;
    }
    let hint = failure.hint.as_deref().map(|hint| format!("{hint}; ")).unwrap_or_default();
    failure.hint(format!(
        "{hint}if {id} cannot be measured, give it up: cargo perf experiment --abandon \"why\""
    ))
}

/// The first place on this machine, and only there, that a command or a flag names.
fn place_in(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| c.is_whitespace() || "\"'`=:;|&()<>,".contains(c));
    words.find(|word| {
        let is_foreign = word.starts_with('/') && !EVERYWHERE.iter().any(|place| word.starts_with(place));
        word.starts_with("~/") || (is_foreign && begins_somewhere(word))
    })
}

/// Whether the first folder of a path is there: not everything that begins with a slash is a path.
fn begins_somewhere(path: &str) -> bool {
    let first = Path::new(path).components().find(|component| matches!(component, Component::Normal(_)));
    first.is_some_and(|first| Path::new("/").join(first).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x10_places_on_this_machine_are_found_in_commands() {
        for text in
            ["cat /tmp/x", "cp '/home/ann/data.bin' .", "X=/root/y make", "ls ~/data", "--target=/tmp/t.json"]
        {
            let is_there = text.contains("~/")
                || begins_somewhere(
                    text.split(['\'', '=', ' ']).find(|word| word.starts_with('/')).unwrap_or(""),
                );
            assert_eq!(place_in(text).is_some(), is_there, "{text}");
        }
        assert!(place_in("cat /tmp/x").is_some());
        for text in [
            "cargo test -p x",
            "cat fixtures/root/x >/dev/null",
            "awk '/pattern/' f",
            "sed s/a/b/ f",
            "curl https://example.org/tmp",
        ] {
            assert_eq!(place_in(text), None, "{text}");
        }
    }
}
