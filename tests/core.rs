//! The core alone, which is what `default-features = false` builds: distances of many pairs, kernels of two sets, a
//! budget and training. Needs no feature.

use ndarray::Array2;
use sparsewidth::kernel::masked::{Enumerate, RowMoments};
use sparsewidth::kernel::nngp::theorem_1;
use sparsewidth::network::budget::first_layer_connectivity;
use sparsewidth::study::{DistanceMethod, DistanceSpec, NetworkSpec, Record, StudySpec};
use sparsewidth::{Connectivity, DataSource, Dataset, PreparedInputs, Theorem1, Width};

#[test]
fn distances_and_kernels_of_many_inputs() {
    let x = Array2::from_shape_fn((8, 12), |(i, j)| ((5 * i + 3 * j * j) as f64).sin());
    let inputs = PreparedInputs::from_rows(x.view()).unwrap();
    let (p, width) = (Connectivity::new(0.5).unwrap(), Width::new(100).unwrap());
    let pairs = inputs.random_pairs(100, 0).unwrap();
    let found = Theorem1::new(p).distances(&inputs, &pairs, width).unwrap();
    assert_eq!(found.len(), 28);
    let expected = inputs.pairs(&pairs[..1]).unwrap();
    let moments = Enumerate::default().moments(&expected[0], p).unwrap();
    let exact = theorem_1(&moments, inputs.dimension(), width);
    assert_eq!(found[0].total(), exact.total());
    let (kernel, error) = Theorem1::new(p).kernel_matrix(&inputs, None).unwrap();
    assert!(kernel.dim() == (8, 8) && error.unwrap() < 1e-12);
}

#[test]
fn a_study_without_a_folder() {
    let connectivity = first_layer_connectivity(400, 20, 2, 50).unwrap();
    let spec = DistanceSpec {
        methods: vec![DistanceMethod::Theorem1, DistanceMethod::Sampled],
        normalisations: vec![sparsewidth::Normalisation::None],
        pairs: 20,
        ..DistanceSpec::paper(vec![NetworkSpec::new(50, connectivity).unwrap()])
    };
    let data = Dataset::from(DataSource::Gaussian { dimension: 20, samples: 30 });
    let study = StudySpec { data, seed: 0, distance: Some(spec), training: None, prediction: None };
    let records = study.run(None, &sparsewidth::sampled::Device::CPU, &|_| {}).unwrap();
    let means: Vec<f64> = records.iter().filter_map(Record::distance).map(|record| record.mean).collect();
    // A squared distance varies by about its own size between networks, by a third over ten of them; the seed is fixed.
    assert!(means.len() == 2 && (means[0] / means[1] - 1.0).abs() < 0.5, "{means:?}");
}

#[cfg(not(feature = "embedded"))]
#[test]
fn images_that_are_not_embedded_are_said_to_be_missing() {
    let error = DataSource::Embedded.labelled().unwrap_err();
    assert!(error.to_string().contains("embedded"), "{error}");
}
