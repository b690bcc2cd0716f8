//! What numbers assume of the data and of the networks, said beside them.

use std::fmt::Write;

use super::figure::distances;
use crate::data::{GlobalScale, Normalisation};
use crate::network::WeightDistribution;
use crate::study::density::named_layers;
use crate::study::{DistanceMethod, DistanceRecord, OptimumMethod, OptimumReport, Record};

/// The factor up to which `|x|^2 / d` is called near 1: distances go with its square.
const NEAR: f64 = 1.1;

/// What the distances under a normalisation assume, a paragraph each: the scale of a global normalisation, the `|x|^2`
/// of Eq. (4), and the law of the weights; and which networks have a layer without a weight. Empty where nothing is to
/// be said.
#[must_use]
pub fn assumptions(records: &[Record], normalisation: Normalisation) -> String {
    let mut text = String::new();
    let found = || records.iter().filter_map(Record::distance).filter(|record| record.normalisation == normalisation);
    if let Some(scale) = found().find_map(|record| Some((record.global_mean?, record.global_deviation?))) {
        let _ = writeln!(text, "{}\n", scale_sentence(scale));
    }
    let formula = found().find_map(|record| Some((record.mean_square?, record.dimension)));
    if let Some((mean_square, dimension)) = formula {
        let _ = writeln!(text, "{}\n", square_sentence(mean_square, dimension));
    }
    if let Some(reference) = found().map(|record| &record.reference).find(|reference| *reference != "analytic") {
        let _ = writeln!(
            text,
            "Distances of drawn networks are measured to one drawn dense network ({reference}), and so include that network's own distance \
             from the infinite-width kernel; distances by theory are to the infinite-width kernel itself.\n"
        );
    }
    let scaled = found().find(|record| !record.method.draws_networks() && record.weight_variance != 1.0);
    if let Some(record) = scaled.filter(|_| !found().any(|record| record.method.draws_networks())) {
        let _ = writeln!(
            text,
            "Distances are of weights of variance {:.4} sigma^2, and so {:.4} times those of Gaussian weights of variance sigma^2.\n",
            record.weight_variance,
            record.weight_variance.powi(2)
        );
    }
    let draws_uniform =
        |record: &&DistanceRecord| record.method.draws_networks() && record.law == WeightDistribution::Uniform;
    let has_theory = found().any(|record| !record.method.draws_networks());
    if let Some(record) = found().find(draws_uniform).filter(|_| has_theory) {
        let _ = writeln!(
            text,
            "The drawn networks have uniform weights, of variance {:.4} sigma^2. Theory is scaled to that variance, and still that of \
             Gaussian weights: where rows keep few weights, the variance of a network's kernel is smaller with uniform ones.\n",
            record.weight_variance
        );
    }
    let mut empty: Vec<String> = Vec::new();
    for &method in DistanceMethod::ALL {
        for record in distances(records, normalisation, method) {
            let Some(layers) = &record.empty_layers else { continue };
            let layers = named_layers(layers);
            let name = format!("{}:{} ({layers})", record.width, record.connectivity.get());
            if !empty.contains(&name) {
                empty.push(name);
            }
        }
    }
    if !empty.is_empty() {
        let _ = writeln!(
            text,
            "Networks with a layer that has no weight, whose kernel is 0: {}. Their distance is the mean square of the infinite-width \
             kernel.\n",
            empty.join(", ")
        );
    }
    text
}

/// What the trained networks' initial weights are, where their variance is not that of the distances beside them.
pub(super) fn law_of_training(records: &[Record]) -> Option<String> {
    let distance = records.iter().find_map(Record::distance)?;
    let run = records.iter().find_map(Record::training)?;
    let variance = run.law.variance();
    (variance != distance.weight_variance).then(|| {
        format!(
            "The trained networks begin with {} weights, of variance {variance:.4} sigma^2; the distances are of weights of variance {:.4} \
             sigma^2. At the trained networks' variance every distance by theory is {:.4} times as large.",
            run.law.title(),
            distance.weight_variance,
            (variance / distance.weight_variance).powi(2)
        )
    })
}

/// The scale of a global normalisation, mean and standard deviation.
pub(super) fn scale_sentence((mean, deviation): (f64, f64)) -> String {
    if (GlobalScale { mean, deviation }) == GlobalScale::MNIST {
        return "Global normalisation is (x/255 - 0.1307) / 0.3081, by MNIST's published mean and standard deviation."
            .into();
    }
    format!(
        "Global normalisation takes the mean {mean:.4} and standard deviation {deviation:.4} of the set's own entries (of images: of x/255), \
         as this is not MNIST."
    )
}

/// What Eq. (4) assumes of the inputs, and what is so.
fn square_sentence(mean_square: f64, dimension: usize) -> String {
    let mark = if is_of_another_scale(mean_square) { "† " } else { "" };
    let start = format!(
        "{mark}Eq. (4) takes no inputs but assumes |x|^2 = d = {dimension}. Here |x|^2 / d is {mean_square:.3e} on average"
    );
    if !is_of_another_scale(mean_square) {
        return format!("{start}.");
    }
    if mean_square == 0.0 {
        return format!("{start}: it does not apply.");
    }
    // Distances go with |x|^2 |y|^2.
    let factor = mean_square.powi(-2);
    let (size, factor) = if factor > 1.0 { ("large", factor) } else { ("small", 1.0 / factor) };
    format!("{start}: its distances are about {factor:.2e} times too {size} by that alone.")
}

/// Whether inputs of that mean of `|x|^2 / d` are not what Eq. (4) assumes; its rows are then marked.
pub(super) fn is_of_another_scale(mean_square: f64) -> bool {
    !(1.0 / NEAR..=NEAR).contains(&mean_square)
}

/// The same beside the minima at a budget; and how far Eq. (4) is from the exact distance where it has its minimum.
#[must_use]
pub fn optimum_assumptions(report: &OptimumReport) -> String {
    let mut text = String::new();
    if let Some(scale) = report.global_mean.zip(report.global_deviation) {
        let _ = writeln!(text, "{}\n", scale_sentence(scale));
    }
    if let Some(mean_square) = report.mean_square {
        let _ = writeln!(text, "{}\n", square_sentence(mean_square, report.dimension));
    }
    let paper = report.optima.iter().find(|optimum| optimum.method == OptimumMethod::Paper);
    if let Some(optimum) = paper
        && optimum.at.theorem1 > 0.0
    {
        let ratio = optimum.at.paper / optimum.at.theorem1;
        if !(0.5..=2.0).contains(&ratio) {
            let _ = writeln!(
                text,
                "At width {}, where Eq. (4) has its minimum, it is {ratio:.1e} times the exact distance: on these inputs its minimum says \
                 little.\n",
                optimum.at.width
            );
        }
    }
    text
}
