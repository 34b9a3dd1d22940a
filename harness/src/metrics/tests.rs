//! The cases that decide the grammar, by the numbers they are known under, and its properties.

use super::MetricsErrorKind as Kind;
use super::*;
use proptest::prelude::*;

/// What a case gives: its metrics as lines, or its error and the line of it.
type Expected = Result<&'static str, (Kind, Option<u64>)>;

const A5: Expected = Ok("PERF_METRICS a=5\n");

const fn wrong(kind: Kind, line: u64) -> Expected {
    Err((kind, Some(line)))
}

/// Ids, outputs, and what is read from them.
const CASES: &[(&str, &str, Expected)] = &[
    ("M1", "noise\nPERF_METRICS_START\n{\"a\": 5}\nPERF_METRICS_END\ntail", A5),
    (
        "M2",
        "PERF_METRICS_START\n{\"scenarios\":{\"low\":{\"a\":1},\"high\":{\"a\":2}}}\nPERF_METRICS_END",
        Ok("PERF_METRICS scenario=high a=2\nPERF_METRICS scenario=low a=1\n"),
    ),
    ("M3", "x\nPERF_METRICS a=1 b=2\ny\n", Ok("PERF_METRICS a=1 b=2\n")),
    (
        "M4",
        "PERF_METRICS scenario=low a=1\nPERF_METRICS scenario=high a=2\n",
        Ok("PERF_METRICS scenario=high a=2\nPERF_METRICS scenario=low a=1\n"),
    ),
    (
        "M5",
        "PERF_METRICS scenario=low a=1\nPERF_METRICS b=2 scenario=low\n",
        Ok("PERF_METRICS scenario=low a=1 b=2\n"),
    ),
    ("M5", "PERF_METRICS scenario=low a=1\nPERF_METRICS scenario=low a=1\n", wrong(Kind::Duplicate, 2)),
    ("M6", "x\r\nPERF_METRICS a=5\r\ny\r\n", A5),
    ("M6", "PERF_METRICS_START\r\n{\"a\":\r\n5}\r\nPERF_METRICS_END\r\n", A5),
    ("M6", "10 %\r20 %\rPERF_METRICS a=5\rdone", A5),
    ("M7", "PERF_METRICS\nPERF_METRICS a=5\n", A5),
    ("M8", "PERF_METRICS a=5 latency_ms 5\n", wrong(Kind::Word, 1)),
    ("M8", "\nPERF_METRICS =100\n", wrong(Kind::Name, 2)),
    ("M9", "[info] PERF_METRICS a=5\n", A5),
    ("M9", "[info] PERF_METRICS_START\n{\"a\":5}\nPERF_METRICS_END\n", A5),
    ("M9", "[info]PERF_METRICS a=5\n", wrong(Kind::Missing, 1)),
    ("M9", "[info] PERF_METRICS a 5\n", wrong(Kind::Missing, 1)),
    ("M9", "  \tPERF_METRICS\ta=5\t\n", A5),
    ("M10", "PERF_METRICS b=1\nPERF_METRICS_START{\"a\":5}PERF_METRICS_END\n", Ok("PERF_METRICS a=5 b=1\n")),
    ("M10", "PERF_METRICS a=1\nPERF_METRICS_START\n{\n\"a\":5}\nPERF_METRICS_END", wrong(Kind::Duplicate, 4)),
    ("M11", "", Err((Kind::Missing, None))),
    ("M11", "all is well\n", Err((Kind::Missing, None))),
    ("M12", "\u{0}\u{1}", Err((Kind::Missing, None))),
    ("M13", "PERF_METRICS_START\n{\"a\": 5,\n}\nPERF_METRICS_END", wrong(Kind::Json, 3)),
    ("M13", "PERF_METRICS_START\n{\"a\": 5} {\nPERF_METRICS_END", wrong(Kind::Json, 2)),
    ("M13", "PERF_METRICS_START\nPERF_METRICS_END", wrong(Kind::Json, 2)),
    ("M14", "PERF_METRICS_START {\"a\":\"5\"} PERF_METRICS_END", wrong(Kind::Number, 1)),
    ("M14", "PERF_METRICS_START\n{\"b\":1,\n\"a\":null}\nPERF_METRICS_END", wrong(Kind::Number, 3)),
    ("M14", "PERF_METRICS_START {\"a\":true} PERF_METRICS_END", wrong(Kind::Number, 1)),
    ("M14", "PERF_METRICS_START {\"a\":{\"b\":1}} PERF_METRICS_END", wrong(Kind::Number, 1)),
    ("M14", "PERF_METRICS_START {\"a\":[1]} PERF_METRICS_END", wrong(Kind::Number, 1)),
    ("M14", "PERF_METRICS_START\n[{\"a\":1}]\nPERF_METRICS_END", wrong(Kind::Json, 2)),
    ("M14", "PERF_METRICS_START\n5\nPERF_METRICS_END", wrong(Kind::Json, 2)),
    ("M14", "PERF_METRICS_START {\"scenarios\":{\"low\":5}} PERF_METRICS_END", wrong(Kind::Json, 1)),
    ("M14", "PERF_METRICS_START {\"scenarios\":[]} PERF_METRICS_END", wrong(Kind::Json, 1)),
    ("M15", "PERF_METRICS a=notanumber", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=12ms", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=1,200", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=1_000", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=1=2", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=\u{ff11}", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=.5", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=5.", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=1e", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=--5", wrong(Kind::Number, 1)),
    ("M15", "PERF_METRICS a=+5 b=-1.5e3 c=1E-2", Ok("PERF_METRICS a=5 b=-1500 c=0.01\n")),
    ("M16", "x\nPERF_METRICS_START\n{\"a\":5}\n", wrong(Kind::Unterminated, 2)),
    (
        "M16",
        "PERF_METRICS_START\n{\nPERF_METRICS_START\n{\"a\":5}\nPERF_METRICS_END",
        wrong(Kind::Unterminated, 1),
    ),
    ("M17", "PERF_METRICS_END\nPERF_METRICS_START\n", wrong(Kind::EndWithoutStart, 1)),
    (
        "M17",
        "PERF_METRICS a=5\nPERF_METRICS_END\nPERF_METRICS_START\n{\"a\":5}\nPERF_METRICS_END",
        wrong(Kind::EndWithoutStart, 2),
    ),
    ("M18", "PERF_METRICS_START {} PERF_METRICS_END\nPERF_METRICS a=5\n", wrong(Kind::Empty, 1)),
    ("M18", "x\nPERF_METRICS\n", wrong(Kind::Empty, 2)),
    ("M18", "PERF_METRICS scenario=low\n", wrong(Kind::Empty, 1)),
    ("M18", "PERF_METRICS_START {\"scenarios\":{}} PERF_METRICS_END", wrong(Kind::Empty, 1)),
    ("M18", "PERF_METRICS_START {\"scenarios\":{\"low\":{}}} PERF_METRICS_END", wrong(Kind::Empty, 1)),
    ("M19", "PERF_METRICS a=", wrong(Kind::Number, 1)),
    ("M20", "PERF_METRICS a=0x10", wrong(Kind::Number, 1)),
    ("M20", "PERF_METRICS_START {\"a\":0x10} PERF_METRICS_END", wrong(Kind::Json, 1)),
    ("M21", "PERF_METRICS a=1e999", wrong(Kind::NotFinite, 1)),
    ("M21", "PERF_METRICS a=Infinity", wrong(Kind::Number, 1)),
    ("M21", "PERF_METRICS a=-inf", wrong(Kind::Number, 1)),
    ("M21", "PERF_METRICS a=NaN", wrong(Kind::Number, 1)),
    ("M22", "PERF_METRICS_START {\"a\":-1e999} PERF_METRICS_END", wrong(Kind::NotFinite, 1)),
    ("M23", "PERF_METRICS_START {\"a\":NaN} PERF_METRICS_END", wrong(Kind::Json, 1)),
    ("M24", "PERF_METRICS_START {\"a\":5,\"a\":5} PERF_METRICS_END", wrong(Kind::Duplicate, 1)),
    ("M24", "PERF_METRICS_START {\"a\":5,\"\\u0061\":6} PERF_METRICS_END", wrong(Kind::Duplicate, 1)),
    ("M24", "PERF_METRICS a=5 a=5", wrong(Kind::Duplicate, 1)),
    ("M24", "PERF_METRICS a=5\nPERF_METRICS a=6", wrong(Kind::Duplicate, 2)),
    (
        "M24",
        "PERF_METRICS_START {\"scenarios\":{\"l\":{\"a\":5},\"l\":{\"a\":6}}} PERF_METRICS_END",
        wrong(Kind::Duplicate, 1),
    ),
    (
        "M25",
        "PERF_METRICS_START {\"a\":5} PERF_METRICS_END\nPERF_METRICS_START {\"b\":5} PERF_METRICS_END",
        wrong(Kind::SecondBlock, 2),
    ),
    ("M26", "PERF_METRICS_START {\"a\":5} PERF_METRICS_END", A5),
    ("M26", "PERF_METRICS_START{\"a\":5}PERF_METRICS_END", A5),
    (
        "M27",
        "PERF_METRICS_START {\"scenarios\":{\"l\":{\"a\":1}},\"flat\":\"oops\"} PERF_METRICS_END",
        wrong(Kind::Number, 1),
    ),
    (
        "M27",
        "PERF_METRICS_START {\"scenarios\":{\"l\":{\"a\":1}},\"b\":2} PERF_METRICS_END",
        Ok("PERF_METRICS b=2\nPERF_METRICS scenario=l a=1\n"),
    ),
    ("M28", "PERF_METRICS_START {\"scenarios\":null,\"a\":5} PERF_METRICS_END", A5),
    ("M29", "PERF_METRICS scenarios=5", wrong(Kind::Reserved, 1)),
    ("M29", "PERF_METRICS_START {\"scenario\":5} PERF_METRICS_END", wrong(Kind::Reserved, 1)),
    (
        "M30",
        "PERF_METRICS_START {\"scenarios\":{\"__proto__\":{\"a\":1}}} PERF_METRICS_END",
        Ok("PERF_METRICS scenario=__proto__ a=1\n"),
    ),
    ("M30", "PERF_METRICS __proto__=1 constructor=2", Ok("PERF_METRICS __proto__=1 constructor=2\n")),
    ("M31", "PERF_METRICS scenario= x=5", wrong(Kind::Scenario, 1)),
    ("M32", "PERF_METRICS scenario=a b x=5", wrong(Kind::Word, 1)),
    (
        "M32",
        "PERF_METRICS_START {\"scenarios\":{\"a b\":{\"x\":5}}} PERF_METRICS_END",
        wrong(Kind::Scenario, 1),
    ),
    ("M33", "PERF_METRICS scenario=a x=5 scenario=b", wrong(Kind::Scenario, 1)),
    ("M34", "PERF_METRICS a = 5", wrong(Kind::Word, 1)),
    ("M35", "NOT_PERF_METRICS a=1", wrong(Kind::Missing, 1)),
    ("M35", "PERF_METRICS_V2 a=1", wrong(Kind::Missing, 1)),
    ("M35", "PERF_METRICSfoo=1", wrong(Kind::Missing, 1)),
    ("M35", "PERF_METRICS_STARTED\nx PERF_METRICS_ENDED\nPERF_METRICS a=5", A5),
    ("M36", "expected PERF_METRICS but a=b\nPERF_METRICS a=5\n", A5),
    ("M36", "between PERF_METRICS_START and PERF_METRICS_END goes JSON\nPERF_METRICS a=5\n", A5),
    ("M37", "\u{1b}[1;32mPERF_METRICS\u{1b}[0m a=\u{1b}[33m5\u{1b}[0m\n", A5),
    ("M37", "\u{1b}[2m[info]\u{1b}[0m \u{1b}[32mPERF_METRICS a=5\u{1b}[0m\n", A5),
    ("M37", "\u{1b}[32mPERF_METRICS_START\n{\"a\":\u{1b}[1m5}\u{1b}[0m\nPERF_METRICS_END\u{1b}[0m\n", A5),
    ("M38", "\u{feff}PERF_METRICS a=5", A5),
    ("M38", "x\n\u{feff} PERF_METRICS_START\n{\"a\":5}\nPERF_METRICS_END", A5),
    ("M39", "PERF_METRICS a=9007199254740993", Ok("PERF_METRICS a=9007199254740992\n")),
    ("M40", "PERF_METRICS_START {\"\":1} PERF_METRICS_END", wrong(Kind::Name, 1)),
    ("M40", "PERF_METRICS 1a=1", wrong(Kind::Name, 1)),
    ("M40", "PERF_METRICS p99,ms=1", wrong(Kind::Name, 1)),
    ("M40", "PERF_METRICS parse/a-b.c:d%_1=1", Ok("PERF_METRICS parse/a-b.c:d%_1=1\n")),
    ("M41", "PERF_METRICS a=-0 b=-0.0", Ok("PERF_METRICS a=0 b=0\n")),
];

#[test]
fn every_known_case_is_decided() {
    for (id, output, expected) in CASES {
        let read = Metrics::read(output.as_bytes());
        let found = read.as_ref().map(ToString::to_string).map_err(|error| (error.kind, error.line));
        assert_eq!(found, expected.map(str::to_owned), "{id}: {output:?} gave {read:?}");
    }
    for number in 1..=41 {
        let id = format!("M{number}");
        assert!(CASES.iter().any(|(known, ..)| *known == id), "no case {id}");
    }
}

#[test]
fn an_error_is_one_line() {
    for (id, output, _) in CASES {
        if let Err(error) = Metrics::read(output.as_bytes()) {
            let text = error.to_string();
            assert!(!text.contains(['\n', '\r', '\u{1b}']), "{id}: {text:?}");
            assert!(text.contains("; expected "), "{id}: {text}");
        }
    }
}

#[test]
fn a_rounded_integer_is_named_with_its_scenario() {
    let output = b"PERF_METRICS a=9007199254740993 b=3\nPERF_METRICS scenario=low c=18446744073709551615\n";
    assert_eq!(Metrics::read(output).unwrap().rounded, ["a", "low: c"]);
}

#[test]
fn bytes_that_are_no_text_matter_in_metrics_only() {
    assert!(Metrics::read(b"\xff\xfe\nPERF_METRICS a=5\n\xff").is_ok());
    assert!(Metrics::read(b"\xff PERF_METRICS a=5\n").is_ok());
    for output in [&b"PERF_METRICS a=5 \xff=1\n"[..], b"PERF_METRICS_START {\"\xff\":1} PERF_METRICS_END"] {
        assert_eq!(Metrics::read(output).unwrap_err().kind, Kind::Encoding);
    }
}

#[test]
fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
    for (length, fits) in [(LONGEST_LINE, true), (LONGEST_LINE + 1, false)] {
        let line = format!("PERF_METRICS a=5{}", " ".repeat(length - "PERF_METRICS a=5".len()));
        let output = format!("{}\n{line}\n{}", "x".repeat(200_000), "y\n".repeat(100_000));
        let found = Metrics::read(output.as_bytes()).map(|_| ()).map_err(|error| error.kind);
        assert_eq!(found, if fits { Ok(()) } else { Err(Kind::TooLong) }, "{length}");
    }
}

#[test]
fn a_block_may_be_as_long_as_the_limit_and_no_longer() {
    for (length, expected) in [(LONGEST_BLOCK, None), (LONGEST_BLOCK + 1, Some(Kind::TooLong))] {
        let block = format!("{{\"a\":5}}{}", "\n".repeat(length - 7));
        let output = format!("PERF_METRICS_START{block}PERF_METRICS_END\n");
        assert_eq!(Metrics::read(output.as_bytes()).err().map(|error| error.kind), expected, "{length}");
    }
    let endless = format!("PERF_METRICS_START\n{}", "1,".repeat(LONGEST_BLOCK));
    assert_eq!(Metrics::read(endless.as_bytes()).unwrap_err().kind, Kind::TooLong);
}

#[test]
fn names_and_their_number_are_limited() {
    let line = |length: usize| format!("PERF_METRICS {}=1 scenario={0}\n", "a".repeat(length));
    assert!(Metrics::read(line(LONGEST_NAME).as_bytes()).is_ok());
    assert!(Metrics::read(line(LONGEST_NAME + 1).as_bytes()).is_err());
    let many = |count: usize| {
        let lines: Vec<String> = (0..count).map(|index| format!("PERF_METRICS a{index}=1\n")).collect();
        lines.concat()
    };
    assert_eq!(Metrics::read(many(MOST_METRICS).as_bytes()).unwrap().len(), MOST_METRICS);
    let error = Metrics::read(many(MOST_METRICS + 1).as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.line), (Kind::TooMany, Some(MOST_METRICS as u64 + 1)));
}

#[test]
fn the_reader_holds_little_of_a_long_output() {
    let mut reader = Reader::default();
    let piece = "a line of noise, or of PERF_METRIC and nothing\n".repeat(10_000);
    for _ in 0..20 {
        reader.push(piece.as_bytes());
        reader.push(".".repeat(1_000_000).as_bytes());
    }
    assert!(reader.held.capacity() < 512 * 1024, "{}", reader.held.capacity());
    reader.push(b"\nPERF_METRICS a=5\n");
    assert_eq!(reader.finish().unwrap().to_string(), "PERF_METRICS a=5\n");
}

/// Pieces of which outputs near the format are made.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "PERF_METRICS",
        "_START",
        "_END",
        "PERF_METRICS_START",
        "PERF_METRICS_END",
        " ",
        "\n",
        "\r\n",
        "\t",
        "a=5",
        "scenario=low",
        "{\"a\":5}",
        "{\"scenarios\":{\"l\":{\"b\":1}}}",
        "{",
        "}",
        "\"",
        "\u{1b}[32m",
        "\u{feff}",
        "b=1e999",
        "c=9007199254740993",
        "=",
        "x",
        "\u{1b}[",
    ];
    let word = prop_oneof![
        6 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
        1 => (0..70_000_usize).prop_map(|length| vec![b' '; length]),
    ];
    prop::collection::vec(word, 0..30).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(output in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = Metrics::read(&output);
    }

    #[test]
    fn how_output_is_cut_never_changes_the_result(output in pieces(), sizes in prop::collection::vec(1..5000_usize, 1..8)) {
        let whole = Metrics::read(&output);
        let mut reader = Reader::default();
        let mut rest = output.as_slice();
        for size in sizes.iter().cycle() {
            let (piece, behind) = rest.split_at(rest.len().min(*size));
            reader.push(piece);
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(reader.finish(), whole);
    }

    #[test]
    fn where_a_marker_stands_in_the_output_never_changes_the_metrics(before in 0..140_000_usize, prefix in "[ \t]{0,4}") {
        let output = format!("{}\n{prefix}PERF_METRICS a=5 b=2\n", ".".repeat(before));
        let metrics = Metrics::read(output.as_bytes()).unwrap();
        prop_assert_eq!(metrics.to_string(), "PERF_METRICS a=5 b=2\n");
    }

    #[test]
    fn what_is_written_is_read_back(
        flat in prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_.:/%-]{0,20}", finite(), 1..150),
        scenarios in prop::collection::btree_map("[^\\s\\pC]{1,10}", prop::collection::btree_map("[a-z]{1,6}", finite(), 1..5), 0..5),
    ) {
        let reserved = |name: &str| name == "scenario" || name == "scenarios";
        prop_assume!(!flat.keys().any(|name| reserved(name)));
        let written = Metrics { flat, scenarios, rounded: Vec::new() };
        prop_assert_eq!(Metrics::read(written.to_string().as_bytes()), Ok(written));
    }
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("finite", |number| number.is_finite())
}
