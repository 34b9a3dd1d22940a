//! The messages between a criterion executable and its runner: frames of CBOR behind two greetings.
//!
//! One version of it serves criterion 0.3.6 to 0.8; unknown messages are passed over, so that an
//! addition does not end a run.

use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::Throughput;
use crate::model::samples::Sampling;
use ciborium::Value;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What the runner says first: a fixed text and three bytes of version, which criterion only logs.
pub const RUNNER_HELLO: &[u8] = b"cargo-criterion\x01\x01\x00";
/// Bytes of the answer: a fixed text, three bytes of version, protocol and format as big-endian u16.
pub const BENCH_HELLO_SIZE: usize = BENCH_MAGIC.len() + 7;
const BENCH_MAGIC: &[u8] = b"Criterion";
const PROTOCOL: (u16, u16) = (1, 1);
/// No honest message is larger; a length beyond it means that the other side is something else.
const LARGEST_FRAME: usize = 1 << 28;

/// The executable's answer to the greeting: the version of its criterion.
pub fn read_hello(bytes: &[u8]) -> Result<String, Failure> {
    let Some([major, minor, patch, rest @ ..]) = bytes.strip_prefix(BENCH_MAGIC) else {
        return Err(Failure::benchmark("what connected is not a criterion benchmark"));
    };
    let number = |at: usize| rest.get(at..at + 2).map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]));
    let spoken = (number(0), number(2));
    if spoken != PROTOCOL {
        return Err(Failure::environment(format!(
            "criterion {major}.{minor}.{patch} speaks protocol {spoken:?}; this version understands {PROTOCOL:?}"
        ))
        .hint("a newer cargo-perf-lab may understand it"));
    }
    Ok(format!("{major}.{minor}.{patch}"))
}

/// A message of the executable.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A benchmark is about to run.
    Beginning(Id),
    /// A benchmark was left out by the filter.
    Skipping(Id),
    /// Its warm-up starts.
    WarmUp,
    /// Its samples start.
    MeasurementStart {
        /// Expected time of all samples, in nanoseconds.
        estimate_ns: f64,
        /// Iterations over all samples.
        iterations: u64,
    },
    /// Its samples are done; the executable waits for an answer.
    MeasurementComplete(Box<Complete>),
    /// A group is done; the executable waits for an answer.
    GroupFinished,
    /// The answer to [`Outgoing::ScaleForMachines`].
    Scaled {
        /// The values in the machine-readable unit.
        values: Vec<f64>,
        /// That unit.
        unit: String,
    },
    /// Anything else.
    Other,
}

/// A benchmark's id in its parts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the fields' names on the wire")]
pub struct Id {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    #[serde(default)]
    throughput: Vec<Value>,
}

/// All samples of a benchmark.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Complete {
    /// The benchmark.
    pub id: Id,
    /// Iterations of each sample.
    pub iters: Vec<f64>,
    /// Total of each sample.
    pub times: Vec<f64>,
    /// `Linear` or `Flat`.
    pub sampling_method: Method,
    /// Settings in force.
    pub benchmark_config: Config,
}

/// How iterations are spread over samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Method {
    /// Growing.
    Linear,
    /// Equal.
    Flat,
}

impl From<Method> for Sampling {
    fn from(method: Method) -> Self {
        match method {
            Method::Linear => Self::Linear,
            Method::Flat => Self::Flat,
        }
    }
}

/// The settings a benchmark ran with.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Config {
    measurement_time: Span,
    warm_up_time: Span,
    /// Samples.
    pub sample_size: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Span {
    secs: u64,
    nanos: u32,
}

impl Config {
    /// Time to measure.
    pub fn measurement_time(&self) -> Duration {
        Duration::new(self.measurement_time.secs, self.measurement_time.nanos)
    }

    /// Time to warm up.
    pub fn warm_up_time(&self) -> Duration {
        Duration::new(self.warm_up_time.secs, self.warm_up_time.nanos)
    }
}

impl Id {
    /// The full id, as criterion compares it with a filter.
    pub fn full(&self) -> String {
        let parts = [Some(&self.group_id), self.function_id.as_ref(), self.value_str.as_ref()];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("/")
    }

    /// What one iteration processes.
    pub fn throughput(&self) -> Vec<Throughput> {
        self.throughput.iter().flat_map(throughput_of).collect()
    }
}

/// A throughput is a map with one key; kinds with fields give one entry per field.
fn throughput_of(value: &Value) -> Vec<Throughput> {
    let entry = |kind: &str, amount: &Value| {
        let amount = amount.as_integer().and_then(|amount| u64::try_from(amount).ok())?;
        Some(Throughput { kind: snake_case(kind), amount })
    };
    let pairs = value.as_map().into_iter().flatten();
    pairs
        .filter_map(|(key, inner)| Some((key.as_text()?, inner)))
        .flat_map(|(kind, inner)| match inner.as_map() {
            Some(fields) => fields
                .iter()
                .filter_map(|(field, amount)| entry(field.as_text()?, amount))
                .collect::<Vec<_>>(),
            None => entry(kind, inner).into_iter().collect(),
        })
        .collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// A message to the executable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Outgoing {
    /// Asks for values in the measurement's machine-readable unit.
    ScaleForMachines {
        /// Values in the measurement's own unit.
        values: Vec<f64>,
    },
    /// Go on.
    Continue,
}

impl Outgoing {
    /// The frame to send.
    pub fn frame(&self) -> Result<Vec<u8>, Failure> {
        let mut frame = vec![0; 4];
        ciborium::into_writer(self, &mut frame)
            .context(FailureKind::Bug, || "a message to criterion cannot be coded".to_owned())?;
        let size =
            u32::try_from(frame.len() - 4).context(FailureKind::Bug, || "a frame is too long".to_owned())?;
        frame[..4].copy_from_slice(&size.to_be_bytes());
        Ok(frame)
    }
}

/// Takes the first whole message off `buffer`, if one has arrived.
pub fn take_message(buffer: &mut Vec<u8>) -> Result<Option<Incoming>, Failure> {
    let Some(header) = buffer.first_chunk::<4>() else { return Ok(None) };
    let size = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
    if size > LARGEST_FRAME {
        return Err(garbled(format!("a message of {size} bytes")));
    }
    if buffer.len() < 4 + size {
        return Ok(None);
    }
    let message = decode(&buffer[4..4 + size])?;
    buffer.drain(..4 + size);
    Ok(Some(message))
}

fn decode(bytes: &[u8]) -> Result<Incoming, Failure> {
    let value: Value = ciborium::from_reader(bytes).map_err(garbled)?;
    // A variant with fields is a map with one key, its name.
    let Value::Map(entries) = value else { return Ok(Incoming::Other) };
    let Some((Value::Text(name), fields)) = entries.into_iter().next() else { return Ok(Incoming::Other) };
    Ok(match name.as_str() {
        "BeginningBenchmark" => Incoming::Beginning(read::<OfBench>(&name, &fields)?.id),
        "SkippingBenchmark" => Incoming::Skipping(read::<OfBench>(&name, &fields)?.id),
        "Warmup" => Incoming::WarmUp,
        "MeasurementStart" => {
            let start: Start = read(&name, &fields)?;
            Incoming::MeasurementStart { estimate_ns: start.estimate_ns, iterations: start.iter_count }
        }
        "MeasurementComplete" => Incoming::MeasurementComplete(Box::new(read(&name, &fields)?)),
        "FinishedBenchmarkGroup" => Incoming::GroupFinished,
        "ScaledValues" => {
            let scaled: ScaledValues = read(&name, &fields)?;
            Incoming::Scaled { values: scaled.scaled_values, unit: scaled.unit }
        }
        _ => Incoming::Other,
    })
}

#[derive(Deserialize)]
struct OfBench {
    id: Id,
}

#[derive(Deserialize)]
struct Start {
    estimate_ns: f64,
    iter_count: u64,
}

#[derive(Deserialize)]
struct ScaledValues {
    scaled_values: Vec<f64>,
    unit: String,
}

fn read<T: serde::de::DeserializeOwned>(name: &str, fields: &Value) -> Result<T, Failure> {
    fields.deserialized().map_err(|error| garbled(format!("{name}: {error}")))
}

fn garbled(what: impl std::fmt::Display) -> Failure {
    Failure::benchmark(format!("the benchmark sent a message that cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(value: &Value) -> Vec<u8> {
        let mut body = Vec::new();
        ciborium::into_writer(value, &mut body).expect("coded");
        let mut frame = u32::try_from(body.len()).expect("short").to_be_bytes().to_vec();
        frame.extend(body);
        frame
    }

    fn map(entries: Vec<(&str, Value)>) -> Value {
        Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
    }

    fn skipping(throughput: Vec<Value>) -> Value {
        let id = map(vec![
            ("group_id", "group".into()),
            ("function_id", Value::Null),
            ("value_str", "7".into()),
            ("throughput", Value::Array(throughput)),
        ]);
        map(vec![("SkippingBenchmark", map(vec![("id", id)]))])
    }

    #[test]
    fn the_greeting_names_the_version_and_refuses_another_protocol() {
        assert_eq!(read_hello(b"Criterion\x00\x08\x02\x00\x01\x00\x01").expect("read"), "0.8.2");
        assert_eq!(
            read_hello(b"Criterion\x00\x09\x00\x00\x02\x00\x01").expect_err("refused").kind,
            FailureKind::Environment
        );
        assert_eq!(read_hello(b"SomethingElse!!!").expect_err("refused").kind, FailureKind::Benchmark);
    }

    #[test]
    fn every_kind_of_throughput_is_understood() {
        let kinds = vec![
            map(vec![("Bytes", 5.into())]),
            map(vec![("BytesDecimal", 6.into())]),
            map(vec![("ElementsAndBytes", map(vec![("elements", 7.into()), ("bytes", 8.into())]))]),
        ];
        let mut buffer = framed(&skipping(kinds));
        let Some(Incoming::Skipping(id)) = take_message(&mut buffer).expect("read") else {
            panic!("another message")
        };
        assert_eq!(id.full(), "group/7");
        let seen: Vec<(String, u64)> = id.throughput().into_iter().map(|t| (t.kind, t.amount)).collect();
        let expected = [("bytes", 5), ("bytes_decimal", 6), ("elements", 7), ("bytes", 8)];
        assert_eq!(seen, expected.map(|(kind, amount)| (kind.to_owned(), amount)));
    }

    #[test]
    fn a_message_is_taken_only_when_it_is_whole() {
        let whole = framed(&skipping(Vec::new()));
        for cut in 0..whole.len() {
            let mut part = whole[..cut].to_vec();
            assert_eq!(take_message(&mut part).expect("not yet"), None);
            assert_eq!(part.len(), cut);
        }
    }

    #[test]
    fn an_unknown_message_is_passed_over_and_a_huge_one_refused() {
        let mut buffer = framed(&map(vec![("SomethingNew", Value::Null)]));
        assert_eq!(take_message(&mut buffer).expect("read"), Some(Incoming::Other));
        assert!(take_message(&mut vec![0xff; 8]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_hello(&bytes);
            let mut frame = u32::try_from(bytes.len()).expect("short").to_be_bytes().to_vec();
            frame.extend(&bytes);
            let _ = take_message(&mut frame);
        }
    }
}
