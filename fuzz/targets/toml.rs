//! TOML files of learning rates and of layer shapes: what is read, written and read again is the same; every network in
//! a file of rates finds its own, and every budget that a list of shapes can keep is divided whole.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use sparsewidth::network::budget::{LayerShape, LayerShapes, Rule};
use sparsewidth::study::{LearningRate, LearningRates, TrainedNetwork};
use sparsewidth_fuzz::{assert_refusal, write};

fuzz_target!(|bytes: &[u8]| {
    let path = write("file.toml", bytes);
    match LearningRates::read(&path) {
        Ok(rates) => learning_rates(&rates),
        Err(error) => assert_refusal(&error, &path),
    }
    match LayerShapes::from_toml(&path) {
        Ok(network) => architecture(&network, &path),
        Err(error) => assert_refusal(&error, &path),
    }
});

fn learning_rates(rates: &LearningRates) {
    let path =
        write("rates.toml", rates.to_toml("of a\nfuzz target").expect("what was read can be written").as_bytes());
    let again = LearningRates::read(&path).expect("what was written can be read");
    // As text: a validation error may be NaN.
    assert_eq!(format!("{:?}", again.rate), format!("{:?}", rates.rate));
    for rate in &rates.rate {
        let LearningRate { family, ref architecture, learning_rate, .. } = *rate;
        let network = TrainedNetwork { family, architecture: architecture.clone(), learning_rate: 1.0 };
        let found = rates.of(&network, rate.parametrisation, rate.biases).expect("its network has a rate");
        assert_eq!(found, learning_rate);
    }
}

fn architecture(network: &LayerShapes, path: &Path) {
    #[derive(Serialize)]
    struct Shapes<'a> {
        layer: &'a [LayerShape],
    }
    let text = toml::to_string(&Shapes { layer: &network.layers }).expect("what was read can be written");
    write("file.toml", text.as_bytes());
    assert_eq!(LayerShapes::from_toml(path).expect("what was written can be read"), *network);

    let all = network.weights();
    for rule in [Rule::LargestFirst, Rule::Proportional, Rule::LastLayer(1.0), Rule::ErdosRenyiKernel(1.0)] {
        for budget in [1, all / 2, all] {
            if let Ok(kept) = rule.divide(&network.layers, budget) {
                assert_eq!(kept.iter().sum::<u64>(), budget, "{rule}");
                assert!(kept.iter().zip(&network.layers).all(|(kept, layer)| *kept <= layer.weights()), "{rule}");
            } else {
                // The last layer alone may be more than the budget, all of it and no more never is.
                assert!(budget == 0 || matches!(rule, Rule::LastLayer(_)) && budget < all, "{rule} {budget}");
            }
        }
    }
}
