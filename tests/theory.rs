//! Theorem 1 against sampled networks on MNIST, at every width of the paper's experiment and in both normalisations.

use std::f64::consts::PI;

use ndarray::ArrayView1;
use rayon::prelude::*;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{Auto, Quadrature, RowMoments, Sampling};
use sparsewidth::numeric::statistics::{mean, standard_error};
use sparsewidth::sampled::Device;
use sparsewidth::study::paper::PAPER_WIDTHS;
use sparsewidth::study::{DistanceMethod, DistanceRecord, DistanceSpec, NetworkSpec, Record, StudySpec};

fn distances(change: impl Fn(&mut DistanceSpec)) -> Vec<DistanceRecord> {
    let networks = NetworkSpec::at_budget(6352, 784, 10, &PAPER_WIDTHS).unwrap();
    let mut spec = DistanceSpec::paper(networks);
    spec.normalisations = vec![Normalisation::Pixel, Normalisation::Global];
    change(&mut spec);
    let study = StudySpec {
        data: DataSource::Embedded.into(),
        seed: 1,
        distance: Some(spec),
        training: None,
        prediction: None,
    };
    study.run(None, &Device::CPU, &|_| {}).unwrap().iter().filter_map(Record::distance).cloned().collect()
}

fn find(
    records: &[DistanceRecord],
    normalisation: Normalisation,
    width: usize,
    method: DistanceMethod,
) -> &DistanceRecord {
    let is = |record: &&DistanceRecord| {
        record.normalisation == normalisation && record.width == width && record.method == method
    };
    records.iter().find(is).unwrap()
}

#[test]
#[ignore = "slow: MNIST at every width of the paper"]
fn sampled_networks_agree_with_theorem_1() {
    // Fourteen differences of means, each within three standard errors: with 300 initialisations nearly normal, so one
    // seed in 26 would fail by chance; this one is fixed. At width 635 a network has two weights in all, and the law of
    // its distance a long tail: it is drawn 10,000 times (DistanceSpec::LEAST_WEIGHTS).
    let records = distances(|spec| {
        spec.pairs = 1000;
        spec.initialisations = 300;
        spec.tolerance = 1e-3;
        spec.methods = vec![DistanceMethod::Sampled, DistanceMethod::Theorem1];
    });
    for normalisation in [Normalisation::Pixel, Normalisation::Global] {
        for width in PAPER_WIDTHS {
            let sampled = find(&records, normalisation, width, DistanceMethod::Sampled);
            let theory = find(&records, normalisation, width, DistanceMethod::Theorem1);
            let error = sampled.mean_error_samples.unwrap().hypot(theory.mean_error_samples.unwrap());
            let z = (sampled.mean - theory.mean) / error;
            println!("{normalisation:?} {width}: {:.3e} {:.3e} z = {z:.2}", sampled.mean, theory.mean);
            assert!(z.abs() < 3.0, "{normalisation:?}, width {width}: {z} standard errors");
            // A test with no power would pass too: the error must be small beside the distance.
            let power = if width == 635 { 0.2 } else { 0.1 };
            assert!(error < power * theory.mean, "{normalisation:?}, width {width}: {error:e}");
        }
    }
}

/// Numbers from (0, 1) by the generator splitmix64, which is not the library's.
struct SplitMix(u64);

impl SplitMix {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / 2f64.powi(53) + 2f64.powi(-54)
    }
}

/// `K_1 / p` and `K_2 / p^2` of inputs under one random mask, with the angle by its cosine.
fn kernels_under_a_mask(x: ArrayView1<f64>, y: ArrayView1<f64>, p: f64, random: &mut SplitMix) -> [f64; 2] {
    let (mut a, mut b, mut c) = (0.0, 0.0, 0.0);
    // The distance from one weight to the next is geometric.
    let mut gap = || ((random.uniform().ln() / (-p).ln_1p()).floor() as usize).min(x.len());
    let mut place = gap();
    while place < x.len() {
        a += x[place] * x[place];
        b += y[place] * y[place];
        c += x[place] * y[place];
        place += 1 + gap();
    }
    let norms = (a * b).sqrt();
    if norms == 0.0 {
        return [0.0; 2];
    }
    let cosine: f64 = (c / norms).clamp(-1.0, 1.0);
    let (sine, phi) = ((1.0 - cosine * cosine).sqrt(), PI - cosine.acos());
    let first = norms * (sine + phi * cosine) / (2.0 * PI);
    let second = norms * norms * (3.0 * sine * cosine + phi * (1.0 + 2.0 * cosine * cosine)) / (2.0 * PI);
    [first / p, second / (p * p)]
}

#[test]
fn masked_moments_are_those_of_an_independent_computation() {
    // 96 means over 40,000 masks, each within 4.5 standard errors: were they normal, beyond in 1 of 1,500 seeds; this
    // one is fixed.
    let images = DataSource::Embedded.inputs(0).unwrap();
    let method = Auto { quadrature: Quadrature::new(1e-5).unwrap(), sampling: Sampling::new(100_000, 1).unwrap() };
    for normalisation in [Normalisation::Pixel, Normalisation::Global] {
        let values = images.normalised(normalisation).unwrap();
        for width in [32, 216, 512] {
            let network = NetworkSpec::at_budget(6352, 784, 10, &[width]).unwrap().remove(0);
            let p = network.connectivity();
            let compare = |index: usize| {
                let (x, y) = (values.row(31 * index), values.row(31 * index + 17));
                let found = method.moments(&Pair::new(x, y).unwrap(), p).unwrap();
                let mut random = SplitMix((1000 * width + index) as u64);
                let draws: Vec<[f64; 2]> =
                    (0..40_000).map(|_| kernels_under_a_mask(x, y, p.get(), &mut random)).collect();
                for (name, place, found) in [("K~_1", 0, found.k1), ("K~_2", 1, found.k2)] {
                    let draws: Vec<f64> = draws.iter().map(|draw| draw[place]).collect();
                    let (drawn, error) = (mean(&draws), standard_error(&draws).unwrap());
                    let z = (found.value - drawn) / error.hypot(found.error.magnitude().unwrap());
                    println!(
                        "{normalisation:?}, width {width}, pair {index}, {name}: {drawn:.3e}, error {:.1e}, z {z:.2}",
                        error / drawn
                    );
                    assert!(z.abs() < 4.5, "{normalisation:?}, width {width}, pair {index}, {name}: z {z}");
                    // Errors of a few percent, where a few huge entries make a long tail of up to a fifth.
                    let most = if normalisation == Normalisation::Global { 0.05 } else { 0.2 };
                    assert!(
                        error < most * drawn,
                        "{normalisation:?}, width {width}, pair {index}, {name}: {error:e} of {drawn:e}"
                    );
                }
            };
            (0..8usize).into_par_iter().for_each(compare);
        }
    }
}

#[test]
fn the_moment_expansion_holds_where_many_entries_share_the_norm() {
    // Against Theorem 1, exact to a tenth of a percent. Under the global normalisation the expansion is close down to
    // nine weights per row; under pixel normalisation a few huge entries break it, which its documentation says.
    let records = distances(|spec| {
        spec.pairs = 2000;
        spec.tolerance = 1e-3;
        spec.networks.retain(|network| [32, 128, 216, 328].contains(&network.width()));
        spec.methods = vec![DistanceMethod::Theorem1, DistanceMethod::Expansion];
    });
    for (width, tolerance) in [(32, 0.005), (128, 0.01), (216, 0.02), (328, 0.04)] {
        let mean = |normalisation, method| find(&records, normalisation, width, method).mean;
        let global = mean(Normalisation::Global, DistanceMethod::Expansion)
            / mean(Normalisation::Global, DistanceMethod::Theorem1);
        let pixel = mean(Normalisation::Pixel, DistanceMethod::Expansion)
            / mean(Normalisation::Pixel, DistanceMethod::Theorem1);
        println!("width {width}: global {global:.4}, pixel {pixel:.2}");
        assert!((global - 1.0).abs() < tolerance, "width {width}: {global}");
        assert!(if width == 32 { (pixel - 1.0).abs() < 0.05 } else { pixel > 2.0 }, "width {width}: {pixel}");
    }
}

#[test]
fn equation_4_overstates_the_bias_for_gaussian_inputs() {
    // Exact to second order, the mean over pairs of bias^2 for x, y ~ N(0, I_d) is (q/2)^2 12 / (4 pi^2 d^3): the
    // fluctuation of sum 3/2 x^2 y^2 - (x^4 + y^4)/4, whose mean vanishes and whose variance is 12 d. 200 pairs leave a
    // relative standard error of sqrt(2/200) = 10 %, and higher orders a few percent at d p = 78.
    let networks = vec!["80:0.1".parse().unwrap()];
    let mut spec = DistanceSpec::paper(networks);
    spec.normalisations = vec![Normalisation::None];
    spec.pairs = 200;
    spec.methods = vec![DistanceMethod::Expansion, DistanceMethod::Paper];
    let data = "gaussian:784,400".parse().unwrap();
    let study = StudySpec { data, seed: 0, distance: Some(spec), training: None, prediction: None };
    let records = study.run(None, &Device::CPU, &|_| {}).unwrap();
    let bias: Vec<f64> = records.iter().filter_map(|record| record.distance()?.bias_squared).collect();
    let expected = 4.5f64.powi(2) * 12.0 / (4.0 * std::f64::consts::PI.powi(2) * 784f64.powi(3));
    assert!((bias[0] / expected - 1.0).abs() < 0.4, "{} {expected}", bias[0]);
    assert!(bias[1] > 1e4 * bias[0], "{bias:?}");
}

#[test]
fn a_dense_reference_network_adds_its_own_variance() {
    // The paper's way: the reference kernel is that of one dense network of width N. Over its draws it adds the
    // variance of a unit over N, so that of width 8 doubles the distance of dense networks of width 8.
    let at = |seed: u64, reference: &str| {
        let spec = DistanceSpec {
            normalisations: vec![Normalisation::None],
            pairs: 50,
            initialisations: 50,
            methods: vec![DistanceMethod::Sampled],
            reference: reference.parse().unwrap(),
            ..DistanceSpec::paper(vec!["8:1".parse().unwrap()])
        };
        let data = "gaussian:50,100".parse().unwrap();
        let study = StudySpec { data, seed, distance: Some(spec), training: None, prediction: None };
        study.run(None, &Device::CPU, &|_| {}).unwrap()[0].distance().unwrap().mean
    };
    let narrow: Vec<f64> = (0..60).map(|seed| at(seed, "dense:8") / at(seed, "analytic")).collect();
    let error = standard_error(&narrow).unwrap();
    println!("{} +- {error}", mean(&narrow));
    // Sixty seeds, whose ratios have a tail to the right: beyond four standard errors in fewer than 1 of 1,000 runs.
    assert!((mean(&narrow) - 2.0).abs() < 4.0 * error && error < 0.2, "{} +- {error}", mean(&narrow));
    let wide = at(1, "dense:2000") / at(1, "analytic");
    // The 250th part, and the product of both errors, twice the root of that over 50 draws: at most a few percent.
    assert!((wide - 1.0).abs() < 0.1, "{wide}");
}

#[test]
fn each_law_is_compared_with_its_own_limit() {
    // Uniform weights have a third of the variance, so kernels a third and distances about a ninth; their smaller
    // fourth moment makes the distance of a sparse network smaller still.
    let records = distances(|spec| {
        spec.normalisations = vec![Normalisation::Global];
        spec.networks = vec!["32:0.24".parse().unwrap()];
        spec.pairs = 300;
        spec.initialisations = 200;
        spec.methods = vec![DistanceMethod::Sampled, DistanceMethod::Theorem1];
        spec.law = sparsewidth::network::WeightDistribution::Uniform;
    });
    let ratio = records[0].mean / records[1].mean;
    assert!((records[1].weight_variance - 1.0 / 3.0).abs() < 1e-15);
    assert!(ratio > 0.8 && ratio < 1.15, "{ratio}");
}
