//! `sparsewidth data`.

use clap::Args;
use ndarray::{Array2, ArrayView2};
use serde::Serialize;
use sparsewidth::Result;
use sparsewidth::data::{Dataset, Labelled, LabelledSets};
use sparsewidth::report::Table;

use super::Common;
use super::options::DataOption;
use super::output::{json_lines, print};

#[derive(Args)]
pub struct DataArgs {
    #[command(flatten)]
    data: DataOption,
}

/// One set of a data source.
#[derive(Serialize)]
struct Listing {
    source: String,
    set: &'static str,
    samples: usize,
    dimension: usize,
    minimum: f64,
    maximum: f64,
    mean: f64,
    /// Samples of each label, where there are labels.
    labels: Option<Vec<usize>>,
    sha256: String,
}

impl Listing {
    fn new(source: &Dataset, set: &'static str, values: ArrayView2<f64>, sha256: &str) -> Self {
        let fold = |start: f64, choose: fn(f64, f64) -> f64| values.iter().copied().fold(start, choose);
        Self {
            source: source.to_string(),
            set,
            samples: values.nrows(),
            dimension: values.ncols(),
            minimum: fold(f64::INFINITY, f64::min),
            maximum: fold(f64::NEG_INFINITY, f64::max),
            mean: values.mean().unwrap_or(f64::NAN),
            labels: None,
            sha256: sha256.into(),
        }
    }

    fn labelled(source: &Dataset, set: &'static str, labelled: &Labelled, classes: usize) -> Self {
        let values: Array2<f64> = labelled.images.to_real();
        let mut counts = vec![0; classes];
        labelled.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
        Self { labels: Some(counts), ..Self::new(source, set, values.view(), &labelled.checksum) }
    }
}

/// The heading of the samples of each label.
fn counted_labels(sets: &LabelledSets) -> String {
    let labels = &sets.labels;
    match (labels.first(), labels.last()) {
        (Some(first), Some(last)) if last - first + 1 == labels.len() as i64 => {
            format!("samples of labels {first} to {last}")
        }
        _ => format!("samples of labels {}", labels.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

pub fn run(args: DataArgs, common: &Common) -> Result<()> {
    let source = args.data.data;
    if !source.source().is_drawn() {
        common.refuse("seed", "nothing in this data is random")?;
    }
    let labelled = if source.has_labels()? { Some(source.labelled()?) } else { None };
    let listings = match &labelled {
        Some(sets) => {
            let of = |name, set| Listing::labelled(&source, name, set, sets.classes());
            vec![of("training", &sets.train), of("test", &sets.test)]
        }
        None => {
            let inputs = source.inputs(common.seed)?;
            vec![Listing::new(&source, "inputs", inputs.values.view(), &inputs.checksum)]
        }
    };
    if common.json {
        return print(&json_lines(&listings)?);
    }
    let counts = labelled.as_deref().map_or("labels".into(), counted_labels);
    let mut table = Table::new(&["set", "samples", "dimension", "minimum", "maximum", "mean", &counts]);
    let mut checksums = String::new();
    for listing in &listings {
        let counts: Vec<String> = listing.labels.iter().flatten().map(usize::to_string).collect();
        table.row(vec![
            listing.set.into(),
            listing.samples.to_string(),
            listing.dimension.to_string(),
            format!("{:.4}", listing.minimum),
            format!("{:.4}", listing.maximum),
            format!("{:.4}", listing.mean),
            counts.join(" "),
        ]);
        checksums += &format!("SHA-256 {}  {}\n", listing.sha256, listing.set);
    }
    print(&format!("{source}\n\n{table}\n{checksums}"))
}
