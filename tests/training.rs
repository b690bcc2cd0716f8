//! The paper's experiment with perceptrons on the embedded MNIST images, with fixed seeds.

use sparsewidth::data::{DataSource, Labelled, Normalisation, Normaliser};
use sparsewidth::files::OutputFolder;
use sparsewidth::network::WeightDistribution;
use sparsewidth::numeric::statistics::mean;
use sparsewidth::report::{accuracy_chart, training_table, write_records};
use sparsewidth::sampled::Device;
use sparsewidth::study::paper::paper_networks;
use sparsewidth::study::{Record, StudySpec, TrainingStudySpec, read_records};
use sparsewidth::train::{MlpSpec, Parametrisation, Samples, TrainingData, TrainingSpec, train};

#[test]
#[ignore = "slow: 300 epochs"]
fn trained_accuracies_are_those_of_the_paper() {
    // Three runs per width. Over ten runs the standard deviation between runs is 0.2 to 0.4 points, so a mean of three
    // is within half a point of the truth; the bands below are wider by that.
    let widths = [8, 128, 216, 512, 635];
    let mut networks = paper_networks(6352, 784, false).unwrap();
    networks.retain(|network| widths.contains(&network.hidden().width()));
    let training = TrainingStudySpec::paper(networks, 3);
    let study = StudySpec {
        data: DataSource::Embedded.into(),
        seed: 0,
        distance: None,
        training: Some(training),
        prediction: None,
    };
    let records = study.run(None, &Device::CPU, &|_| {}).unwrap();
    let accuracies = widths.map(|width| {
        let of_width = records.iter().filter_map(Record::training).filter(|run| run.width == width);
        for run in of_width.clone() {
            assert_eq!(run.weights, 6352, "an exact count keeps the budget");
            assert!(!run.diverged && run.training_loss.is_some());
            assert!(run.best_accuracy >= run.final_accuracy);
        }
        mean(&of_width.map(|run| run.best_accuracy.unwrap()).collect::<Vec<_>>())
    });
    println!("{widths:?} {accuracies:?}");
    let [dense, at_128, at_216, at_512, at_635] = accuracies;
    assert!((0.85..0.885).contains(&dense), "dense width 8: {dense}");
    assert!((0.88..0.905).contains(&at_128), "width 128: {at_128}");
    assert!((0.88..0.905).contains(&at_216), "width 216: {at_216}");
    assert!(at_128 > dense + 0.02 && at_216 > dense + 0.02, "two points above dense: {accuracies:?}");
    assert!(at_512 < at_216 - 0.005, "{accuracies:?}");
    // Two weights are left: chance, or what one or two pixels tell.
    assert!(at_635 < 0.3, "width 635: {at_635}");
}

#[test]
fn a_rate_100_times_too_large_is_recorded_as_diverged() {
    let mut networks = paper_networks(6352, 784, false).unwrap();
    networks.truncate(1);
    networks[0].learning_rate *= 100.0;
    let mut training = TrainingStudySpec::paper(networks, 1);
    training.epochs = 30;
    let study = StudySpec {
        data: DataSource::Embedded.into(),
        seed: 0,
        distance: None,
        training: Some(training.clone()),
        prediction: None,
    };
    let records = study.run(None, &Device::CPU, &|_| {}).unwrap();
    let run = records[0].training().unwrap();
    assert!(run.diverged && run.training_loss.is_none());
    assert!(run.curve.test_loss.len() < 30, "a run ends where it diverges");
    // Outputs that are not numbers score nothing: the epochs before them do.
    let best = run.curve.test_accuracy.iter().copied().reduce(f32::max);
    assert_eq!(run.best_accuracy.map(|accuracy| accuracy as f32), best);
    assert!(run.final_accuracy.is_none() && run.best_epoch.is_none_or(|epoch| epoch <= run.curve.test_loss.len()));
    // At once, there is nothing to score; it neither enters a mean nor gets a point.
    training.networks[0].learning_rate *= 1e30;
    let study = StudySpec {
        data: DataSource::Embedded.into(),
        seed: 0,
        distance: None,
        training: Some(training),
        prediction: None,
    };
    let at_once = study.run(None, &Device::CPU, &|_| {}).unwrap();
    let run = at_once[0].training().unwrap();
    assert!(run.diverged && run.curve.is_empty());
    assert_eq!((run.best_accuracy, run.best_epoch, run.final_accuracy), (None, None, None));
    let folder = tempfile::tempdir().unwrap();
    write_records(&OutputFolder::new(folder.path(), "test", &[]).unwrap(), &at_once).unwrap();
    assert_eq!(read_records(folder.path()).unwrap(), at_once);
    let table = std::fs::read_to_string(folder.path().join("training.csv")).unwrap();
    assert!(table.contains(",cpu,f32,,,,,true"), "{table}");
    assert!(training_table(&at_once).to_string().contains("|             - |"), "{}", training_table(&at_once));
    assert!(accuracy_chart(&at_once).is_none());
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    // Sparse and dense, which skips blanks; more runs than threads.
    let mut networks = paper_networks(6352, 784, true).unwrap();
    networks.retain(|network| network.hidden().width() == 128);
    assert_eq!(networks.len(), 2, "a sparse and a dense one");
    let mut training = TrainingStudySpec::paper(networks, 2);
    training.epochs = 2;
    let study = StudySpec {
        data: DataSource::Embedded.into(),
        seed: 0,
        distance: None,
        training: Some(training),
        prediction: None,
    };
    let curves = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let records = pool.install(|| study.run(None, &Device::CPU, &|_| {})).unwrap();
        let runs = records.iter().filter_map(Record::training);
        let mut curves: Vec<_> = runs.map(|run| (run.weights, run.run, run.curve.clone())).collect();
        curves.sort_by_key(|(weights, run, _)| (*weights, *run));
        curves
    };
    let alone = curves(1);
    assert_eq!(alone.len(), 4);
    assert_eq!(curves(3), alone);
}

#[test]
fn skipping_blanks_changes_the_rounding_of_dense_networks_only() {
    let mnist = DataSource::Embedded.labelled().unwrap();
    let normaliser = Normaliser::fit(Normalisation::Pixel, &mnist.train.images.to_real(), mnist.train.kind()).unwrap();
    // Bytes, whose blanks are skipped, and their values, which have none.
    let bytes = |set: &Labelled| Samples::of_images(set.images.clone(), &normaliser).unwrap();
    let values =
        |set: &Labelled| Samples::new(normaliser.apply(set.images.to_real()).unwrap().mapv(|value| value as f32));
    let run = |of: &dyn Fn(&Labelled) -> Samples| {
        let (train_set, test_set) = (&mnist.train, &mnist.test);
        let test = (&of(test_set), test_set.labels.clone());
        let data = TrainingData::new((of(train_set), train_set.labels.clone()), test).unwrap();
        let network = MlpSpec {
            inputs: 784,
            network: "relu:128 linear:10".parse().unwrap(),
            law: WeightDistribution::Uniform,
            parametrisation: Parametrisation::NeuralTangent,
            biases: false,
        };
        train(&data, &TrainingSpec { network, learning_rate: 173.0, epochs: 5, batch: 256, seed: 0, run: 0 }).unwrap()
    };
    let (skipped, plain) = (run(&bytes), run(&values));
    for (skipped, plain) in skipped.curve.test_loss.iter().zip(&plain.curve.test_loss) {
        println!("{skipped} {plain}");
        // Forty steps, which enlarge errors of order 1e-7: the losses agree to 1e-6 where this is written.
        assert!((skipped - plain).abs() < 1e-4 * plain, "{skipped} {plain}");
    }
    let differ = skipped.final_accuracy.unwrap() - plain.final_accuracy.unwrap();
    println!("{differ}");
    assert!(differ.abs() < 1e-3, "at most ten of 10,000 images: {differ}");
}
