//! Against the full MNIST files, where they are: in the folder that SPARSEWIDTH_MNIST names, or `../shared/data/mnist`.

mod program;

use std::path::PathBuf;

use sparsewidth::data::{DataSource, LabelledSets, SUBSET_SEED, SUBSET_SIZE};

#[test]
fn the_embedded_images_are_a_subset_of_the_files() {
    let folder = std::env::var_os("SPARSEWIDTH_MNIST")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mnist"), PathBuf::from);
    if !folder.is_dir() {
        program::skipped(&format!("no full MNIST in {}; name its folder in SPARSEWIDTH_MNIST", folder.display()));
        return;
    }
    let (full, embedded) = (DataSource::of_path(&folder).labelled().unwrap(), LabelledSets::embedded().unwrap());
    assert_eq!((full.train.len(), full.test.len()), (60_000, 10_000));
    assert_eq!(embedded.test.checksum, full.test.checksum);
    let subset = full.train.subset(SUBSET_SIZE, SUBSET_SEED);
    assert!(subset.images == embedded.train.images && subset.labels == embedded.train.labels);
}
