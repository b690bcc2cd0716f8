//! Weights that other programs trained: a network that is read evaluates an image of its size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray::Array2;
use sparsewidth::data::{GlobalScale, Labelled, Normaliser};
use sparsewidth::train::{Checkpoint, TrainedWeights};
use sparsewidth_fuzz::{assert_refusal, write};

fuzz_target!(|bytes: &[u8]| {
    let path = write("weights.safetensors", bytes);
    let network = match TrainedWeights::read(&path) {
        Ok(TrainedWeights::StateDict(network)) => network,
        Ok(_) => return,
        Err(error) => return assert_refusal(&error, &path),
    };
    let (pixels, outputs) = (network.layers()[0].inputs(), network.layers().last().expect("a layer").outputs());
    assert!(outputs > 0 && network.between().len() + 1 == network.layers().len());
    let images = Array2::from_shape_fn((2, pixels), |(sample, pixel)| (sample * 100 + pixel) as u8);
    let images = Labelled { images: images.into(), shape: (1, pixels), labels: vec![0, 0], checksum: String::new() };
    let normaliser = Normaliser::of_scale(GlobalScale { mean: 0.5, deviation: 0.25 }, pixels, images.kind());
    Checkpoint { network, normaliser }.evaluate(&images).expect("images of the size that it takes");
});
