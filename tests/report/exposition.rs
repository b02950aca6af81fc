//! A strict reader of Prometheus' text exposition format, version 0.0.4, and of its conventions for names.

use std::collections::BTreeSet;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    pub(crate) samples: Vec<Sample>,
}

/// A sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) metric: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, text)| text.as_str())
    }
}

impl Exposition {
    /// Reads it; stops at whatever Prometheus, or node_exporter, would refuse.
    pub(crate) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n') && !text.contains('\r'), "lines end with a line feed");
        let (mut read, mut known, mut series) = (Self::default(), BTreeSet::new(), BTreeSet::new());
        let (mut name, mut kind) = (String::new(), String::new());
        let mut helped = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (of, help) = rest.split_once(' ').expect("a help");
                assert!(!help.is_empty() && !help.contains('\\'), "{line}");
                of.clone_into(&mut helped);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (of, what) = rest.split_once(' ').expect("a type");
                assert!(known.insert(of.to_owned()), "{of} is in two places");
                assert_eq!(of, helped, "a help before the type");
                name_is_fit(of, what);
                of.clone_into(&mut name);
                what.clone_into(&mut kind);
            } else {
                let sample = sample(line);
                assert_eq!(sample.metric, name, "{line} is of no type");
                assert!(kind != "counter" || sample.value >= 0.0, "{line}");
                assert!(series.insert(format!("{} {:?}", sample.metric, sample.labels)), "twice: {line}");
                read.samples.push(sample);
            }
        }
        read
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.samples.iter().map(|sample| sample.metric.clone()).collect()
    }

    /// Samples of one metric.
    pub(crate) fn of<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.metric == metric)
    }
}

/// Words that `promtool check metrics` (2.42) complains of: abbreviated and other units, types, parts of histograms.
const UNFIT: &str = "s ms us ns sec b kb mb gb tb pb m h d milliseconds microseconds nanoseconds minutes hours days weeks \
    bits kilobytes megabytes gigabytes terabytes kilobits megabits gigabits millis percent pct percents \
    kibibytes mebibytes gibibytes gauge counter summary histogram untyped bucket count sum quantile";

/// As <https://prometheus.io/docs/practices/naming/> has it: our prefix, base units, counters and nothing else in total.
fn name_is_fit(name: &str, kind: &str) {
    assert!(name.starts_with("pgassay_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
    assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
    for word in name.split('_') {
        assert!(
            !UNFIT.split(' ').any(|unfit| unfit == word),
            "{name}: {word} is no base unit, or for histograms and types"
        );
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).expect("a value");
    let (metric, mut rest) = (line[..end].to_owned(), &line[end..]);
    let mut labels: Vec<(String, String)> = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").expect("a label");
            assert!(label.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !label.starts_with("__"), "{line}");
            assert!(!labels.iter().any(|(known, _)| known == label), "{line}: {label} twice");
            let (text, after) = quoted(after);
            labels.push((label.to_owned(), text));
            match after.strip_prefix(',') {
                Some(after) => rest = after,
                None => break rest = after.strip_prefix('}').expect("the end of the labels"),
            }
        }
    }
    let value = rest.strip_prefix(' ').expect("a space").parse().expect("a number");
    Sample { metric, labels, value }
}

/// A label's text, and what comes behind its quote.
fn quoted(text: &str) -> (String, &str) {
    let mut read = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (read, &text[at + 1..]),
            '\\' => read.push(match chars.next().expect("an escape").1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                c => panic!("\\{c} is no escape"),
            }),
            c => {
                assert!(!c.is_control(), "{text:?}");
                read.push(c);
            }
        }
    }
    panic!("no end: {text}")
}
