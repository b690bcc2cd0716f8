//! Trained networks: one that is read, written and read again is written alike, and evaluates an image or refuses it.
//! The shapes in a header are those of a network that a budget can be divided over.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray::Array2;
use sparsewidth::data::Labelled;
use sparsewidth::network::budget::{LayerShapes, Rule};
use sparsewidth::train::Checkpoint;
use sparsewidth_fuzz::{assert_refusal, write};

fuzz_target!(|bytes: &[u8]| {
    let path = write("weights.safetensors", bytes);
    match LayerShapes::from_safetensors(&path) {
        Ok(network) => {
            let kept = Rule::ErdosRenyiKernel(0.5).divide(&network.layers, 1).expect("there is a weight in each layer");
            assert_eq!(kept.iter().sum::<u64>(), 1);
        }
        Err(error) => assert_refusal(&error, &path),
    }
    let mut checkpoint = match Checkpoint::read(&path) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return assert_refusal(&error, &path),
    };
    // Values of weights that do not exist are lost, once.
    let written = checkpoint.to_bytes().expect("what was read can be written");
    let again = Checkpoint::read(&write("again.safetensors", &written)).expect("what was written can be read");
    assert_eq!(again.to_bytes().expect("what was read can be written"), written);
    assert_eq!(again.network.weights(), checkpoint.network.weights());

    let pixels = checkpoint.network.layers()[0].inputs();
    for pixels in [pixels, pixels + 1] {
        let images = Array2::from_shape_fn((2, pixels), |(sample, pixel)| (sample * 100 + pixel) as u8);
        let images =
            Labelled { images: images.into(), shape: (1, pixels), labels: vec![0, 0], checksum: String::new() };
        let evaluation = checkpoint.evaluate(&images);
        assert_eq!(evaluation.is_ok(), pixels == checkpoint.network.layers()[0].inputs());
    }
});
