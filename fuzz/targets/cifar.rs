//! CIFAR's binary files: whole records of known labels make both sets, and anything else is refused by the file's name.
//! The input stands for the first bytes of each record, which is padded to its length.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sparsewidth::data::DataSource;
use sparsewidth_fuzz::{assert_refusal, assert_sets, folder, write};

fuzz_target!(|bytes: &[u8]| {
    // The first byte chooses the data set and whether records are padded.
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let labels = 1 + usize::from(choice & 1);
    let file = if choice & 2 == 0 { padded(bytes, labels + 3072) } else { bytes.to_vec() };
    let names: &[&str] = match labels {
        1 => &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"],
        _ => &["train", "test"],
    };
    for name in
        ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch", "train", "test"]
    {
        let _ = std::fs::remove_file(folder().join(name).with_extension("bin"));
    }
    let paths: Vec<_> = names.iter().map(|name| write(&format!("{name}.bin"), &file)).collect();
    match DataSource::of_path(folder()).labelled() {
        Ok(sets) => {
            assert_sets(&sets);
            assert_eq!((sets.train.images.ncols(), file.len() % (labels + 3072)), (3072, 0));
        }
        Err(error) => assert_refusal(&error, &paths[0]),
    }
});

/// Records of a length, each begun by some of the bytes.
fn padded(bytes: &[u8], record: usize) -> Vec<u8> {
    let begun = |part: &[u8]| part.iter().copied().chain(std::iter::repeat(7)).take(record).collect::<Vec<u8>>();
    bytes.chunks(16).flat_map(begun).collect()
}
