//! What becomes of a change, wherever it comes from.

use super::{Bench, SKIPPED, untouched};
use crate::investigation::{NOISY, STATE, Study, recorded};
use crate::support::cases::command;
use crate::support::{machine, trials};
use git2::Repository;
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    trials![
        t03_a_change_that_helps_is_accepted_and_not_left_behind,
        t03_a_change_that_hurts_is_rejected,
        t03_a_change_that_does_nothing_is_rejected_after_two_series,
        t03_what_the_first_pairs_do_not_say_more_of_them_do,
        s44_a_patch_is_tried_without_touching_the_tree,
        s44_a_branch_is_tried_for_what_it_changed,
        s07_each_side_knows_which_it_is,
        t03_a_change_passes_its_check_first,
        t03_a_metric_of_nothing_is_compared_too,
        t03_a_metric_that_the_change_keeps_quiet_about_is_missed,
        s44_a_change_is_applied_to_what_it_was_made_of,
        s57_phases_are_left_out_on_the_way,
        s02_runs_that_take_less_than_a_minute_are_an_approval,
        t03_a_change_of_the_bench_itself_proves_nothing,
    ]
}

/// T-03, S-07, S-23, S-44.
fn t03_a_change_that_helps_is_accepted_and_not_left_behind() {
    let _machine = machine();
    let bench = Bench::new();
    bench.write("untracked", "mine\n");
    bench.change("a=9");
    let before = untouched(&bench);
    let answer = bench.experiment(&["--change", "print less"]).succeeds().json();
    let experiment = &answer["result"]["experiment"];
    assert_eq!((&experiment["id"], &experiment["status"]), (&json!("E1"), &json!("complete")));
    let finding = &experiment["finding"];
    assert_eq!((&finding["verdict"], &finding["hypothesis"]), (&json!("accept"), &Value::Null));
    let number = &finding["numbers"][0];
    assert_eq!(
        (&number["verdict"], &number["base"], &number["candidate"]),
        (&json!("improved"), &json!(10.0), &json!(9.0))
    );
    assert!(
        number["effect"]["percent"].as_f64().is_some_and(|percent| (percent + 10.0).abs() < 0.01),
        "{number}"
    );
    assert_eq!(answer["phase"], "optimization");
    // Nothing of the user's has changed, and the change is saved.
    assert_eq!(untouched(&bench), before);
    assert_eq!(
        (bench.read("says"), bench.read("untracked")),
        ("PERF_METRICS a=9\n".to_owned(), "mine\n".to_owned())
    );
    let patch = experiment["change"]["patch"]["path"].as_str().expect("a path");
    let patch = bench.read(patch);
    assert!(
        patch.contains("-PERF_METRICS a=10\n+PERF_METRICS a=9\n") && patch.contains("untracked"),
        "{patch}"
    );
    assert_eq!(bench.experiments().len(), 1);
    assert!(bench.log().contains("Verdict: accept"), "{}", bench.log());
    bench.perf(["log", "--check"]).succeeds();
    // Two series of at least ten pairs.
    let file = finding["comparison"]["path"].as_str().expect("a path");
    let stored: Value = serde_json::from_str(&bench.read(file)).expect("a comparison");
    for series in ["series", "confirmation"] {
        assert!(stored["benches"][0][series]["pairs"].as_array().is_some_and(|pairs| pairs.len() >= 10));
    }
    bench.perf(["verify", file]).succeeds();
}

fn t03_a_change_that_hurts_is_rejected() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=11");
    let answer = bench.experiment(&[]).succeeds().json();
    let finding = &answer["result"]["experiment"]["finding"];
    assert_eq!(finding["verdict"], "reject");
    assert!(finding["why"].as_str().is_some_and(|why| why.starts_with("worse: a +10.0 %")), "{finding}");
}

fn t03_a_change_that_does_nothing_is_rejected_after_two_series() {
    let _machine = machine();
    let bench = Bench::new();
    bench.write("unrelated", "of no effect\n");
    let answer = bench.experiment(&[]).succeeds().json();
    let finding = &answer["result"]["experiment"]["finding"];
    assert_eq!(finding["verdict"], "reject");
    assert!(
        finding["why"].as_str().is_some_and(|why| why.contains("no difference that matters")),
        "{finding}"
    );
    let file = finding["comparison"]["path"].as_str().expect("a path");
    let stored: Value = serde_json::from_str(&bench.read(file)).expect("a comparison");
    assert!(stored["benches"][0]["confirmation"]["pairs"].is_array(), "a second series");
}

fn t03_what_the_first_pairs_do_not_say_more_of_them_do() {
    let _machine = machine();
    let bench = Bench::taking_turns(&[1000, 1010, 990, 1005, 995, 1008, 992]);
    bench.write("unrelated", "of no effect\n");
    let answer = bench.experiment(&["--seed=1"]).succeeds().json();
    let finding = &answer["result"]["experiment"]["finding"];
    assert_eq!(finding["verdict"], "reject", "{finding}");
    let file = finding["comparison"]["path"].as_str().expect("a path");
    let stored: Value = serde_json::from_str(&bench.read(file)).expect("a comparison");
    let looks = &stored["benches"][0]["series"]["looks"];
    assert!(looks[0] == 10 && looks.as_array().is_some_and(|looks| looks.len() > 1), "{looks}");
    bench.perf(["verify", file]).succeeds();
}

fn s44_a_patch_is_tried_without_touching_the_tree() {
    let _machine = machine();
    let bench = Bench::new();
    let patch = bench.patch("a=9");
    let before = untouched(&bench);
    let answer = bench.experiment(&["--patch", &patch]).succeeds().json();
    let experiment = &answer["result"]["experiment"];
    assert_eq!(
        (&experiment["change"]["source"], &experiment["finding"]["verdict"]),
        (&json!("patch"), &json!("accept"))
    );
    assert_eq!((untouched(&bench), bench.read("says")), (before, "PERF_METRICS a=10\n".to_owned()));
    // S-44: what is saved applies to the commit of the baseline.
    bench.perf(["apply", "E1"]).succeeds();
    assert_eq!(bench.read("says"), "PERF_METRICS a=9\n");
    let again = bench.perf(["apply", "E1"]).succeeds();
    assert!(again.stdout.contains("in the work tree already"), "{again:#?}");
}

fn s44_a_branch_is_tried_for_what_it_changed() {
    let _machine = machine();
    let bench = Bench::new();
    let repository = Repository::open(&bench.project).expect("a repository");
    let head = repository.head().and_then(|head| head.peel_to_commit()).expect("a commit");
    // The branch parted before the checkpoints.
    let root =
        repository.revparse_single("HEAD~7").and_then(|found| found.peel_to_commit()).expect("an old commit");
    let mut index = git2::Index::new().expect("an index");
    index.read_tree(&root.tree().expect("a tree")).expect("read");
    let blob = repository.blob(b"PERF_METRICS a=9\n").expect("a blob");
    let mut entry = index.get_path(std::path::Path::new("says"), 0).expect("the file");
    entry.id = blob;
    index.add(&entry).expect("added");
    let tree = repository.find_tree(index.write_tree_to(&repository).expect("a tree")).expect("the tree");
    let author = git2::Signature::now("A Test", "test@example.org").expect("a signature");
    repository
        .commit(Some("refs/heads/faster"), &author, &author, "faster", &tree, &[&root])
        .expect("a commit");
    let answer = bench.experiment(&["faster"]).succeeds().json();
    let change = &answer["result"]["experiment"]["change"];
    assert_eq!((&change["source"], &change["files"]), (&json!("revision"), &json!(1)));
    assert_eq!(change["base"], head.id().to_string());
    assert_eq!(answer["result"]["experiment"]["finding"]["verdict"], "accept");
}

/// `PERF_EXPERIMENT` is 0 without the change and 1 with it.
fn s07_each_side_knows_which_it_is() {
    let _machine = machine();
    let bench = Bench::new();
    bench.write("says", "PERF_METRICS a=10\n");
    bench.write(
        "case.sh",
        &bench.read("case.sh").replace(
            "case $kind in",
            "if [ \"${PERF_EXPERIMENT:-}\" = 1 ]; then work; echo PERF_METRICS a=9; exit; fi\ncase $kind in",
        ),
    );
    let answer = bench.experiment(&[]).succeeds().json();
    let number = &answer["result"]["experiment"]["finding"]["numbers"][0];
    assert_eq!((&number["base"], &number["candidate"]), (&json!(10.0), &json!(9.0)));
}

fn t03_a_change_passes_its_check_first() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    let before = bench.read(STATE);
    let ended = bench.experiment(&["--check", "grep -q a=10 says"]).run();
    ended.assert_refused(101, "--check", "");
    assert_eq!((bench.read(STATE), bench.read("says")), (before, "PERF_METRICS a=9\n".to_owned()));
    // What a check leaves is not measured.
    let check = "grep -q a=9 says && echo PERF_METRICS a=1 > says";
    let answer = bench.experiment(&["--check", check]).succeeds().json();
    let experiment = &answer["result"]["experiment"];
    let found = (&experiment["finding"]["verdict"], &experiment["check"]);
    assert_eq!(found, (&json!("accept"), &json!(check)));
    assert_eq!(experiment["finding"]["numbers"][0]["candidate"], 9.0);
}

/// Zero has no logarithm, and twice nothing is nothing.
fn t03_a_metric_of_nothing_is_compared_too() {
    let _machine = machine();
    let declared = ["--metric=a:ms:lower", "--metric=errors:count:lower"];
    let bench = Bench::saying("a=10 errors=0", "a < 9.5", &declared);
    bench.change("a=9 errors=0");
    bench.experiment(&[]).succeeds();
    let finding = bench.experiments()[0]["finding"].clone();
    assert_eq!(finding["control"]["deviation"], 0.0, "{finding}");
    bench.perf(["decide"]).run().assert_refused(6, "nothing was decided", "cargo perf decide");
}

/// What is declared for all benchmarks need not be printed by each; but what the base prints counts.
fn t03_a_metric_that_the_change_keeps_quiet_about_is_missed() {
    let _machine = machine();
    let study = Study::new();
    let declared = "[metrics]\nerrors = { better = \"lower\" }\n\n";
    study.write("perf.toml", &format!("{declared}{}", study.read("perf.toml")));
    study.write("says", "PERF_METRICS a=10 errors=5\n");
    study.commit_all();
    let bench = Bench::measured(study, "a < 9.5", &["--metric=a:ms:lower"], &command(&["reads", "says"]));
    bench.change("a=9");
    let answer = bench.experiment(&[]).succeeds().json();
    let finding = &answer["result"]["experiment"]["finding"];
    assert_eq!((&finding["verdict"], &finding["doubt"]), (&"inconclusive".into(), &"one-sided".into()));
    assert!(
        finding["why"].as_str().is_some_and(|why| why.contains("only the base prints errors")),
        "{finding}"
    );
    let decided = bench.perf(["decide", "--json"]).run().json();
    assert!(decided.to_string().contains("let both sides print the same metrics"), "{decided}");
}

fn s44_a_change_is_applied_to_what_it_was_made_of() {
    let _machine = machine();
    let bench = Bench::new();
    let before = bench.read("case.sh");
    bench.write("case.sh", &format!("{before}\n# appended\n"));
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    // What lies elsewhere does not matter, and applied twice is applied once.
    bench.write("case.sh", &before);
    bench.change("a=10");
    // Of what is staged, nothing is staged otherwise afterwards.
    bench.write("README.md", "staged\n");
    let repository = Repository::open(&bench.project).expect("a repository");
    let mut index = repository.index().expect("an index");
    index.add_path(std::path::Path::new("README.md")).and_then(|()| index.write()).expect("staged");
    bench.write("README.md", "rewritten\n");
    bench.write("notes", "mine\n");
    let staged = untouched(&bench);
    bench.perf(["apply", "E1", "--id", &bench.id()]).succeeds();
    assert_eq!(untouched(&bench), staged);
    assert_eq!(
        (bench.read("README.md"), bench.read("notes")),
        ("rewritten\n".to_owned(), "mine\n".to_owned())
    );
    // Who was killed half way goes on.
    bench.change("a=10");
    bench.perf(["apply", "E1"]).succeeds();
    assert_eq!(bench.read("says"), "PERF_METRICS a=9\n");
    bench.write("README.md", "rewritten again\n");
    let again = bench.perf(["apply", "E1"]).succeeds();
    assert!(again.stdout.contains("in the work tree already"), "{again:#?}");
    assert_eq!(bench.read("case.sh"), format!("{before}\n# appended\n"));
    bench.write("case.sh", &format!("{before}\n# something else\n"));
    bench.perf(["apply", "E1"]).run().assert_refused(
        6,
        "case.sh is not what the change of E1 was made of",
        "git apply --3way",
    );
    bench.perf(["apply", "E2"]).run().assert_refused(2, "there is no experiment E2", "there are: E1");
    // What git ignores is the user's as well.
    bench.write("case.sh", &before);
    bench.change("a=10");
    bench.write("extra", "of the change\n");
    bench.change("a=8");
    bench.experiment(&[]).succeeds();
    bench.change("a=10");
    bench.write(".git/info/exclude", "extra\n");
    bench.write("extra", "mine\n");
    bench.perf(["apply", "E2"]).run().assert_refused(
        6,
        "extra is not what the change of E2 was made of",
        "3way",
    );
    assert_eq!(bench.read("extra"), "mine\n");
}

fn s57_phases_are_left_out_on_the_way() {
    let _machine = machine();
    let study = Study::measured();
    study.write("README.md", "another\n");
    let skips = SKIPPED.map(|phase| format!("--skip-phase={phase}=not asked for"));
    let short = ["--approve-short=a test", "--duration=2", NOISY];
    study.perf(["experiment"]).args(skips).args(short).succeeds();
    assert_eq!(recorded(&study.state()).len(), 8, "{:?}", recorded(&study.state()));
    study.perf(["log", "--check"]).succeeds();
}

fn s02_runs_that_take_less_than_a_minute_are_an_approval() {
    let _machine = machine();
    let bench = Bench::new();
    bench.change("a=9");
    bench.experiment(&[]).succeeds();
    let rules =
        bench.state()["phases"].as_array().and_then(|phases| phases.last().cloned()).expect("a phase");
    let second = rules["rules"].as_array().expect("rules")[1].clone();
    assert_eq!(second["kept"], "waived", "{second}");
    let recommended = bench.perf(["decide"]).run();
    assert!(recommended.stdout.contains("rests on less than sixty seconds: E1"), "{recommended:#?}");
    bench.perf(["decide", "stop", "--rationale=fast enough"]).succeeds();
    bench.perf(["consolidate"]).succeeds();
    assert!(
        bench.stored("v1")["duration"]["waiver"]["text"]
            .as_str()
            .is_some_and(|text| text.contains("--runs 10"))
    );
}

/// A bench that does half of the work looks twice as fast.
fn t03_a_change_of_the_bench_itself_proves_nothing() {
    let _machine = machine();
    let study = Study::of("two-sides");
    let chosen =
        ["--bench=digest", "--metric=digest_ns:ns:lower", "--approve-short=a test", "--duration=0.3"];
    // It says what it does at a time and not how long that took, so that no pause changes it.
    let (file, mut source) = ("benches/digest.rs", study.read("benches/digest.rs"));
    let took = "started.elapsed().as_secs_f64() * 1e9 / digests as f64";
    for (before, after) in [("0..100", "0..ROUND"), ("+= 100", "+= ROUND"), (took, "ROUND as f64")] {
        assert!(source.contains(before), "{before} is not in {source}");
        source = source.replace(before, after);
    }
    let with = |round: u64| format!("{source}\nconst ROUND: u64 = {round};\n");
    study.write(file, &with(100));
    study.commit_all();
    study.terms("digest_ns > 0").args(chosen).succeeds();
    study.perf(["baseline", NOISY]).succeeds();
    let skips = SKIPPED.map(|phase| format!("--skip-phase={phase}=not asked for"));
    study.perf(["next"]).args(skips).succeeds();
    study.write(file, "fn main() {");
    study.perf(["experiment", NOISY]).run().assert_refused(101, "candidate", "");
    assert_eq!(study.state()["experiments"], json!([]), "what does not build has not begun");
    study.write(file, &with(50));
    let answer = study.perf(["experiment", NOISY, "--json"]).succeeds().json();
    let finding = &answer["result"]["experiment"]["finding"];
    assert_eq!(
        (&finding["verdict"], &finding["numbers"][0]["verdict"]),
        (&json!("inconclusive"), &json!("improved"))
    );
    assert!(finding["why"].as_str().is_some_and(|why| why.contains("itself is changed")), "{finding}");
}
