//! Rules for weight budgets against the formulas of the programs that made them known, and counts as properties.
//!
//! Densities of the Erdos-Renyi rules come from a few lines of Python by the published formula, apart from this code:
//! raw = ((sum of sizes) / (product of sizes))^power; eps is such that the layers that are not dense keep what these
//! leave; while any eps raw is above 1, the layers with the largest raw are dense.

mod program;

use program::{done, sparsewidth};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sparsewidth::network::budget::{Budget, FanIn, LayerShape, LayerShapes, Pattern, Rule, masks_npz};
use sparsewidth::network::{NamedMask, read_masks};

fn layer(name: &str, shape: &[usize]) -> LayerShape {
    LayerShape { name: name.into(), shape: shape.into() }
}

/// ResNet-50 as in torchvision, 25,502,912 weights without biases and batch normalisation.
fn resnet50() -> Vec<LayerShape> {
    let mut layers = vec![layer("conv1.weight", &[64, 3, 7, 7])];
    let mut inputs = 64;
    for (stage, blocks) in [3, 4, 6, 3].into_iter().enumerate() {
        let width = 64 << stage;
        for block in 0..blocks {
            let mut add = |part: &str, shape: &[usize]| {
                layers.push(layer(&format!("layer{}.{block}.{part}.weight", stage + 1), shape));
            };
            add("conv1", &[width, inputs, 1, 1]);
            add("conv2", &[width, width, 3, 3]);
            add("conv3", &[4 * width, width, 1, 1]);
            if block == 0 {
                add("downsample.0", &[4 * width, inputs, 1, 1]);
            }
            inputs = 4 * width;
        }
    }
    layers.push(layer("fc.weight", &[1000, 2048]));
    layers
}

fn all(layers: &[LayerShape]) -> u64 {
    layers.iter().map(LayerShape::weights).sum()
}

#[test]
fn densities_of_resnet50_are_those_of_the_formula() {
    let layers = resnet50();
    assert_eq!(all(&layers), 25_502_912);
    let names = [
        "conv1.weight",
        "layer1.0.conv1.weight",
        "layer1.0.conv2.weight",
        "layer2.0.downsample.0.weight",
        "layer3.5.conv2.weight",
        "layer4.2.conv2.weight",
        "layer4.2.conv3.weight",
        "fc.weight",
    ];
    let expected = [
        ("erk", 0.1, [0.420033, 1.0, 0.177337, 0.2866, 0.042845, 0.021299, 0.1192, 0.072607]),
        ("erk:1", 0.2, [0.857191, 1.0, 0.361903, 0.584885, 0.087437, 0.043466, 0.243259, 0.148175]),
        ("erk:0.5", 0.1, [0.22631, 0.434513, 0.147049, 0.18694, 0.072279, 0.050961, 0.120559, 0.094092]),
        ("er", 0.1, [1.0, 0.705876, 0.705876, 0.132352, 0.176469, 0.088235, 0.055147, 0.033617]),
        ("er:0.5", 0.05, [0.466707, 0.139663, 0.139663, 0.060476, 0.069832, 0.049378, 0.039037, 0.030479]),
    ];
    for (rule, density, densities) in expected {
        let budget = Budget::Density(density).weights(all(&layers)).unwrap();
        let counts = rule.parse::<Rule>().unwrap().divide(&layers, budget).unwrap();
        assert_eq!(counts.iter().sum::<u64>(), budget);
        for (name, density) in names.iter().zip(densities) {
            let place = layers.iter().position(|layer| layer.name == *name).unwrap();
            let weights = layers[place].weights() as f64;
            // A weight by rounding to a whole number, and the digits of the constants.
            let tolerance = 1.0 + 6e-7 * weights;
            assert!((counts[place] as f64 - density * weights).abs() <= tolerance, "{rule} {density} {name}");
        }
        if rule == "erk:1" {
            let dense = layers.iter().zip(&counts).filter(|(layer, count)| layer.weights() == **count).count();
            assert_eq!(dense, 8);
        }
    }
}

/// LeNet-300-100, and the case of three layers that the tests of google-research/jaxpruner have (`a`, `b`, `c` at
/// sparsity 0.5, sparsity_distributions_test.py; kernels are first there and last here).
#[test]
fn densities_of_small_networks_are_published_ones() {
    let lenet = LayerShapes::mlp(&[784, 300, 100, 10]).unwrap().layers;
    let tests = [layer("a", &[2, 4]), layer("b", &[3, 6]), layer("c", &[4, 6, 2])];
    let cases: [(&[LayerShape], &str, f64, [f64; 3]); 7] = [
        (&lenet, "erk", 0.05, [9051.468, 3340.025, 918.507]),
        (&lenet, "erk", 0.2, [38159.137, 14080.863, 1000.0]),
        (&lenet, "erk:0.5", 0.05, [10753.643, 2332.990, 223.367]),
        (&lenet, "er:2", 0.05, [5953.983, 6356.017, 1000.0]),
        (&tests, "erk", 0.5, [8.0 * (1.0 - 0.0), 18.0 * (1.0 - 0.31), 48.0 * (1.0 - 0.655)]),
        (&tests, "er", 0.5, [8.0 * (1.0 - 0.21), 18.0 * (1.0 - 0.47), 48.0 * (1.0 - 0.56)]),
        (&tests, "erk:2", 0.5, [8.0 * (1.0 - 0.0), 18.0 * (1.0 - 0.033), 48.0 * (1.0 - 0.758)]),
    ];
    for (layers, rule, density, expected) in cases {
        let budget = Budget::Density(density).weights(all(layers)).unwrap();
        let counts = rule.parse::<Rule>().unwrap().divide(layers, budget).unwrap();
        for (count, expected) in counts.iter().zip(expected) {
            // By rounding, and by the two digits that those tests compare.
            assert!((*count as f64 - expected).abs() <= 1.25, "{rule} {density}: {counts:?}, {expected}");
        }
    }
}

#[test]
fn uniform_plus_keeps_the_first_layer_and_a_fifth_of_the_last() {
    let layers = resnet50();
    let (first, last) = (layers[0].weights(), layers.last().unwrap().weights());
    for (density, of_last) in [(0.05, 0.2), (0.1, 0.2), (0.19, 0.2), (0.5, 0.4998)] {
        let budget = Budget::Density(density).weights(all(&layers)).unwrap();
        let counts = Rule::UniformPlus.divide(&layers, budget).unwrap();
        assert_eq!(counts[0], first);
        assert!((*counts.last().unwrap() as f64 / last as f64 - of_last).abs() < 1e-4, "{density}");
        let others = &counts[1..counts.len() - 1];
        let expected = (budget - first - counts.last().unwrap()) as f64 / (all(&layers) - first - last) as f64;
        for (count, layer) in others.iter().zip(&layers[1..]) {
            assert!((*count as f64 - expected * layer.weights() as f64).abs() <= 1.0, "{density} {}", layer.name);
        }
    }
    // Where the others keep a fifth or more, the last has their density.
    let two = [layer("a", &[10, 10]), layer("b", &[10, 10])];
    assert_eq!(Rule::UniformPlus.divide(&two, 160).unwrap(), [100, 60]);
    let message = Rule::UniformPlus.divide(&two, 119).unwrap_err().to_string();
    assert!(message.contains("from 120 to 200"), "{message}");
    assert_eq!("uniform".parse::<Rule>().unwrap(), Rule::Proportional);
}

#[test]
fn layers_that_are_given_keep_what_they_were_given() {
    let network: LayerShapes = "resnet18:8,100".parse().unwrap();
    let given = network.given(&[("conv1".into(), 1.0), ("fc.weight".into(), 0.5), ("layer1.0.conv1".into(), 0.0)]);
    let given = given.unwrap();
    let place = |name: &str| network.layers.iter().position(|layer| layer.name == name).unwrap();
    for rule in ["largest-first", "uniform", "uniform-plus", "last-dense", "er", "erk", "erk:0.5"] {
        let counts = rule.parse::<Rule>().unwrap().divide_beside(&network.layers, 50_000, &given).unwrap();
        assert_eq!(counts.iter().sum::<u64>(), 50_000, "{rule}");
        for (name, count) in [("conv1.weight", 216), ("fc.weight", 3_200), ("layer1.0.conv1.weight", 0)] {
            assert_eq!(counts[place(name)], count, "{rule} {name}");
        }
    }
    // What is left is divided as if the given layers were not there.
    let others: Vec<LayerShape> = network
        .layers
        .iter()
        .zip(&given)
        .filter(|(_, given)| given.is_none())
        .map(|(layer, _)| layer.clone())
        .collect();
    let erk: Rule = "erk".parse().unwrap();
    let counts = erk.divide_beside(&network.layers, 50_000, &given).unwrap();
    let alone = erk.divide(&others, 50_000 - 216 - 3_200).unwrap();
    let beside: Vec<u64> =
        counts.iter().zip(&given).filter(|(_, given)| given.is_none()).map(|(count, _)| *count).collect();
    assert_eq!(beside, alone);

    let refusal = |densities: &[(&str, f64)]| {
        let densities: Vec<(String, f64)> =
            densities.iter().map(|(name, density)| (name.to_string(), *density)).collect();
        network.given(&densities).unwrap_err().to_string()
    };
    let unknown = refusal(&[("conv2", 0.5)]);
    assert!(unknown.contains("is not a layer") && unknown.contains("layer4.1.conv2.weight, fc.weight"), "{unknown}");
    assert!(refusal(&[("fc", 0.5), ("fc.weight", 1.0)]).contains("given twice"));
    assert!(refusal(&[("fc", 1.5)]).contains("density = 1.5"));
    let message = Rule::Proportional.divide_beside(&network.layers, 3_000, &given).unwrap_err().to_string();
    assert!(message.contains("from 3416 to") && message.contains("beside the layers that are given"), "{message}");
    assert!(Rule::Proportional.divide_beside(&network.layers, 3_000, &[None]).is_err());
}

#[test]
fn fan_ins_are_constant_and_sums_are_as_near_as_they_can_be() {
    let layers = resnet50();
    let budget = Budget::Density(0.1).weights(all(&layers)).unwrap();
    let counts = "erk".parse::<Rule>().unwrap().divide(&layers, budget).unwrap();
    let constant = FanIn::Constant.counts(&layers, &counts).unwrap();
    let even = FanIn::Even.counts(&layers, &counts).unwrap();
    // 2,550,291 is 19 modulo 64. All layers but the last have a multiple of 64 outputs; 148 or 149 weights at each of
    // its 1,000 outputs leave 32 or 8 modulo 64, so 11 fewer is the nearest.
    assert_eq!(constant.iter().sum::<u64>(), budget - 11);
    assert_eq!(even.iter().sum::<u64>(), budget);
    let outputs = |layer: &LayerShape| layer.outputs() as u64;
    for ((layer, count), near) in layers.iter().zip(&constant).zip(&counts) {
        assert!(count % outputs(layer) == 0 && count.abs_diff(*near) < outputs(layer), "{}", layer.name);
    }
    assert_eq!(layers.iter().zip(&even).filter(|(layer, count)| *count % outputs(layer) > 0).count(), 1);
    // Fewer weights than outputs: one each, at the cost of the largest; or some outputs without any.
    let pair = [layer("wide", &[30, 20]), layer("thin", &[40, 5])];
    assert_eq!(FanIn::Constant.counts(&pair, &[120, 10]).unwrap(), [90, 40]);
    assert_eq!(FanIn::Even.counts(&pair, &[120, 10]).unwrap(), [120, 10]);
    let message = FanIn::Constant.counts(&pair, &[50, 10]).unwrap_err().to_string();
    assert!(message.contains("weights = 60: is fewer than the 70 outputs"), "{message}");
    assert!(FanIn::Even.counts(&pair, &[1]).is_err() && FanIn::Even.counts(&pair, &[601, 0]).is_err());
}

/// The best sum over all ways to round counts up or down, one after another.
fn best_sum(layers: &[LayerShape], counts: &[u64]) -> u64 {
    let budget: u64 = counts.iter().sum();
    let choices: Vec<(u64, u64)> = (layers.iter().zip(counts))
        .map(|(layer, count)| (layer.outputs() as u64, *count))
        .map(|(outputs, count)| (count / outputs * outputs, count.div_ceil(outputs) * outputs))
        .collect();
    let sums = (0..1u32 << layers.len()).map(|ways| {
        let pick = |(place, (down, up)): (usize, &(u64, u64))| if ways >> place & 1 == 1 { *up } else { *down };
        choices.iter().enumerate().map(pick).sum::<u64>()
    });
    sums.map(|sum| sum.abs_diff(budget)).min().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_by_fan_in(shapes in prop::collection::vec((1usize..60, 1usize..60, 0.0..=1.0f64), 1..8)) {
        let layers: Vec<LayerShape> = shapes.iter().enumerate().map(|(place, (outputs, inputs, _))| layer(&place.to_string(), &[*outputs, *inputs])).collect();
        let counts: Vec<u64> = layers.iter().zip(&shapes).map(|(layer, (.., share))| (share * layer.weights() as f64).round() as u64).collect();
        let budget: u64 = counts.iter().sum();
        let even = FanIn::Even.counts(&layers, &counts).unwrap();
        prop_assert_eq!(even.iter().sum::<u64>(), budget);
        let is_thin = |(layer, count): (&LayerShape, &u64)| *count < layer.outputs() as u64;
        let thin = layers.iter().zip(&counts).filter(|pair| is_thin(*pair) && *pair.1 > 0).count();
        let mixed = layers.iter().zip(&even).filter(|(layer, count)| *count % layer.outputs() as u64 > 0).count();
        prop_assert!(mixed <= thin + 1, "{} of {:?}", mixed, even);
        for ((layer, even), count) in layers.iter().zip(&even).zip(&counts) {
            prop_assert!(*even <= layer.weights() && even.abs_diff(*count) < layer.outputs() as u64);
        }
        if let Ok(constant) = FanIn::Constant.counts(&layers, &counts) {
            prop_assert!(layers.iter().zip(&constant).all(|(layer, count)| count % layer.outputs() as u64 == 0));
            prop_assert!(constant.iter().zip(&counts).all(|(constant, count)| (*constant == 0) == (*count == 0)));
            if thin == 0 {
                prop_assert_eq!(constant.iter().sum::<u64>().abs_diff(budget), best_sum(&layers, &counts));
            }
        } else {
            prop_assert!(thin > 0);
        }
    }
}

#[test]
fn masks_have_even_fan_ins() {
    let layers = [layer("conv.weight", &[6, 4, 3, 3]), layer("fc.weight", &[7, 5])];
    for counts in [[216, 35], [6 * 13, 7 * 2], [6 * 13 + 4, 7 * 2 + 1], [3, 2], [0, 7]] {
        let bytes = masks_npz(&layers, &counts, Pattern::EvenFanIn, 9).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masks.npz");
        std::fs::write(&path, bytes).unwrap();
        let masks = read_masks(&path, false).unwrap();
        for ((layer, count), mask) in layers.iter().zip(counts).zip(masks) {
            let fan_ins: Vec<u64> =
                (mask.mask.outer_iter()).map(|output| output.iter().filter(|kept| **kept).count() as u64).collect();
            assert_eq!(fan_ins.iter().sum::<u64>(), count);
            let (least, most) = (fan_ins.iter().min().unwrap(), fan_ins.iter().max().unwrap());
            assert_eq!(most - least, u64::from(count % layer.outputs() as u64 > 0), "{fan_ins:?}");
        }
    }
    // Other outputs with another seed, and the same with the same.
    let mask = |seed: u64| Pattern::EvenFanIn.draw(&layers[0], 80, seed, 0).unwrap();
    assert_eq!(mask(3), mask(3));
    assert_ne!(mask(3), mask(4));
    assert!(Pattern::EvenFanIn.draw(&layers[1], 36, 0, 0).is_err());
}

#[test]
fn names_that_numpy_confuses_are_not_written() {
    for (names, words) in [
        (&["a", "a.npy"][..], "a.npy: stands beside a"),
        (&["/a"], "/a: begins with /"),
        (&["a/../b"], "a part .."),
        (&["..\\b"], "a part .."),
        (&["b", "file"], "file: is an argument of numpy.savez"),
    ] {
        let layers: Vec<LayerShape> = names.iter().map(|name| layer(name, &[2, 2])).collect();
        let counts = vec![2; layers.len()];
        let message = masks_npz(&layers, &counts, Pattern::Unstructured, 0).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    let fine = ["file.weight", "a.npy", "a..b", "a/b"].map(|name| layer(name, &[2, 2]));
    assert!(masks_npz(&fine, &[1, 1, 1, 1], Pattern::Unstructured, 0).is_ok());
}

#[test]
fn the_program_takes_a_state_dictionary_and_names_masks_as_torch_does() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let tensor =
        |name: &str, shape: &str| format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,0]}}");
    let tensors =
        [tensor("fc.weight", "[10,20]"), tensor("conv10.weight", "[20,8,3,3]"), tensor("conv2.weight", "[8,3,3,3]")];
    let header = format!("{{{},{}}}", tensors.join(","), tensor("fc.bias", "[10]"));
    std::fs::write(at("net.safetensors"), [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat())
        .unwrap();
    let (arch, out) = (at("net.safetensors"), at("out"));
    let budget =
        ["budget", "--arch", &arch, "--sparsity", "80%", "--rule", "erk", "--dense", "conv2", "--fan-in", "even"];
    let text = done(&[&budget[..], &["--masks", "--keys", "torch", "--out", &out]].concat());
    assert!(text.contains("Kept: 371 of 1856 weights, density 0.199892, sparsity 0.800108."), "{text}");
    let masks = read_masks(std::path::Path::new(&out).join("masks.npz").as_path(), false).unwrap();
    let kept = |mask: &NamedMask| mask.mask.iter().filter(|kept| **kept).count();
    let found: Vec<(&str, usize)> = masks.iter().map(|mask| (mask.layer.as_str(), kept(mask))).collect();
    // In natural order; and by hand: 155 weights in proportion to 30 and 34, of which fan-ins of 7 (of 10 outputs) and
    // 4 (of 20) make 70 + 80, and 5 are left.
    assert_eq!(found, [("conv2", 216), ("conv10", 85), ("fc", 70)]);
    let archive =
        zip::ZipArchive::new(std::fs::File::open(std::path::Path::new(&out).join("masks.npz")).unwrap()).unwrap();
    let names: Vec<&str> = archive.file_names().collect();
    assert_eq!(names, ["conv2.weight_mask.npy", "conv10.weight_mask.npy", "fc.weight_mask.npy"]);

    // A picture of another budget beside the masks of this one.
    let output = sparsewidth(&["budget", "--arch", &arch, "--density", "0.5", "--out", &out]);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && notes.contains("masks.npz there is of an earlier run"), "{notes}");

    // Nothing in a layer is a warning, beside a result.
    let output = sparsewidth(&["budget", "--arch", &arch, "--density", "0.1", "--keep", "fc=0"]);
    assert!(output.status.success());
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(warning.contains("Warning: Layers without a weight: fc.weight."), "{warning}");
}
