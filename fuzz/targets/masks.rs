//! Masks from NPZ and safetensors files: those that are read have names and shapes, keep at most their entries, and
//! where they are a layer's, a kernel.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use ndarray::Ix2;
use sparsewidth::kernel::given::{GivenMask, MaskScale};
use sparsewidth::network::read_masks;
use sparsewidth_fuzz::{assert_refusal, write};

fuzz_target!(|bytes: &[u8]| {
    let path = write("masks.npz", bytes);
    let read = [false, true].map(|zeros_are_masked| read_masks(&path, zeros_are_masked));
    for found in &read {
        let masks = match found {
            Ok(masks) => masks,
            Err(error) => {
                assert_refusal(error, &path);
                continue;
            }
        };
        assert!(!masks.is_empty() && masks.iter().all(|named| named.mask.ndim() >= 2));
        let names: HashSet<&str> = masks.iter().map(|named| &*named.layer).collect();
        assert_eq!(names.len(), masks.len());
        if let Ok(first) = masks[0].mask.clone().into_dimensionality::<Ix2>() {
            let kept = first.iter().filter(|kept| **kept).count();
            match GivenMask::new(first.view(), MaskScale::FanIn) {
                Ok(given) => assert_eq!((given.kept(), given.fan_in().sum::<usize>()), (kept, kept)),
                Err(_) => assert_eq!(kept, 0),
            }
        }
    }
    // Of masks, the entries that are not 0 are those that are 1.
    if let [Ok(masks), Ok(weights)] = &read {
        assert_eq!(masks, weights);
    }
});
