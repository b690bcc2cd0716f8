//! Data as it is found: names of files, folders, archives and types of numbers, through the library and the program.

mod program;

use std::io::{Cursor, Write};
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use ndarray::{Array2, array};
use program::{done, little_mnist, read, refused, sparsewidth};
use sparsewidth::data::{DataSource, Images, LabelledSets, read_npy};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A `.npy` array of version 1.
fn npy(descriptor: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descriptor}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), data].concat()
}

fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().into()
}

/// `count` labels of `classes` classes, from `first` on.
fn labels(count: usize, classes: usize, first: usize) -> Vec<u8> {
    (0..count).map(|sample| (first + sample * 7 % classes) as u8).collect()
}

/// Images of 8 x 8 pixels, of which one that goes by the label is bright.
fn pixels(labels: &[u8]) -> Vec<u8> {
    let pixel = |sample: usize, label: u8, place: usize| {
        let noise = (sample * 37 + place * 101) % 60;
        noise as u8 + if place == usize::from(label) * 2 { 180 } else { 0 }
    };
    let of =
        |(sample, label): (usize, &u8)| (0..64).map(move |place| pixel(sample, *label, place)).collect::<Vec<u8>>();
    labels.iter().enumerate().flat_map(of).collect()
}

fn idx_images(labels: &[u8]) -> Vec<u8> {
    [&[0, 0, 8, 3, 0, 0, 0, labels.len() as u8, 0, 0, 0, 8, 0, 0, 0, 8], &pixels(labels)[..]].concat()
}

fn idx_labels(labels: &[u8]) -> Vec<u8> {
    [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels].concat()
}

/// The four arrays of a labelled NPZ, of images of 8 x 8 bytes and labels of 64 bits.
fn arrays(classes: usize, first: usize) -> Vec<(&'static str, Vec<u8>)> {
    let of = |x: &'static str, y: &'static str, count: usize| {
        let labels = labels(count, classes, first);
        let wide: Vec<u8> = labels.iter().flat_map(|label| i64::from(*label).to_le_bytes()).collect();
        [
            (x, npy("|u1", false, &format!("({count}, 8, 8)"), &pixels(&labels))),
            (y, npy("<i8", false, &format!("({count},)"), &wide)),
        ]
    };
    [of("x_train", "y_train", 120), of("x_test", "y_test", 60)].concat()
}

fn sets(path: &str) -> LabelledSets {
    path.parse::<DataSource>().unwrap().labelled().unwrap()
}

/// The commands that data of some classes must go through, quickly.
fn goes_through_all(data: &str, classes: usize, folder: &Path) {
    let out = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let quick = ["--epochs", "9", "--runs", "1"];
    let tune = ["tune", "--data", data, "--widths", "8", "--lowest", "1", "--highest", "4"];
    done(&[&tune[..], &quick, &["--out", &out("tune")]].concat());
    let rates = format!("{}/rates.toml", out("tune"));
    let train = ["train", "--data", data, "--widths", "8", "--rates", &rates, "--json", "--keep-weights"];
    let trained = out("trained");
    let text = done(&[&train[..], &quick, &["--out", &trained]].concat());
    assert!(text.contains(&format!("linear:{classes}/exact_count\"")), "{text}");
    let weights = std::fs::read_dir(folder.join("trained/weights")).unwrap().next().unwrap().unwrap().path();
    assert!(done(&["evaluate", weights.to_str().unwrap(), "--data", data]).contains("60 test samples"));
    let distance = ["distance", "--data", data, "--pairs", "20", "--initialisations", "2"];
    assert!(done(&[&distance[..], &["--widths", "8", "--json"]].concat()).contains("\"width\":8"));
}

#[test]
fn names_of_files_as_they_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let plain = little_mnist(folder.path());
    let expected = sets(&plain);
    let file = |part: &str| std::fs::read(format!("{plain}/{part}")).unwrap();
    let all =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
    for (name, spell) in [
        ("dots", (|name| name.replace("-idx", ".idx")) as fn(&str) -> String),
        ("capitals", |name| name.to_uppercase()),
        ("MNIST/raw", |name| format!("{name}.gz")),
        ("root/FashionMNIST/raw", |name| name.into()),
        ("k/KMNIST/raw", |name| name.into()),
        ("emnist", |name| format!("emnist-mnist-{}", name.replace("t10k", "test"))),
    ] {
        for part in all {
            let bytes =
                if spell(part).ends_with(".gz") { [gzip(&file(part)), vec![0; 512]].concat() } else { file(part) };
            write(folder.path(), &format!("found/{name}/{}", spell(part)), &bytes);
        }
        let given = folder.path().join("found").join(name.split('/').next().unwrap());
        let read = sets(given.to_str().unwrap());
        assert_eq!((&read.train.checksum, &read.test.checksum), (&expected.train.checksum, &expected.test.checksum));
        assert_eq!((read.classes(), read.train.images), (10, expected.train.images.clone()), "{name}");
    }
    // Two of torchvision's in one folder.
    let both = folder.path().join("both");
    for name in ["MNIST/raw", "FashionMNIST/raw"] {
        all.iter().for_each(|part| drop(write(&both, &format!("{name}/{part}"), &file(part))));
    }
    refused(&["data", "--data", both.to_str().unwrap()], &["several data sets", "MNIST/raw", "FashionMNIST/raw"]);
}

#[test]
fn several_splits_of_emnist_and_their_classes() {
    let folder = tempfile::tempdir().unwrap();
    for (split, classes, first) in [("letters", 26, 1), ("digits", 10, 0)] {
        for (set, count) in [("train", 120), ("test", 60)] {
            let labels = labels(count, classes, first);
            let name = |what: &str| format!("EMNIST/raw/emnist-{split}-{set}-{what}-ubyte");
            write(folder.path(), &name("images-idx3"), &idx_images(&labels));
            write(folder.path(), &name("labels-idx1"), &idx_labels(&labels));
        }
    }
    let root = folder.path().to_str().unwrap();
    refused(&["data", "--data", root], &["2 data sets: emnist-digits, emnist-letters", "raw/emnist-digits"]);
    refused(&["data", "--data", &format!("{root}/emnist-bymerge")], &["there are emnist-digits, emnist-letters"]);
    let letters = format!("{root}/emnist-letters");
    let read = sets(&letters);
    assert_eq!((read.classes(), read.labels[0], read.labels[25]), (26, 1, 26));
    assert!(read.train.labels.iter().all(|class| *class < 26));
    assert!(done(&["data", "--data", &letters]).contains("samples of labels 1 to 26"));
    goes_through_all(&letters, 26, folder.path());
}

#[test]
fn qmnist_and_kmnist() {
    let folder = tempfile::tempdir().unwrap();
    for (set, count) in [("train", 30), ("test", 20)] {
        let labels = labels(count, 10, 0);
        let columns = labels.iter().flat_map(|label| [u32::from(*label), 1, 2, 3, 4, 5, 6, 7]);
        let wide: Vec<u8> = [count as u32, 8].into_iter().chain(columns).flat_map(u32::to_be_bytes).collect();
        let name = |what: &str| format!("QMNIST/raw/qmnist-{set}-{what}");
        write(folder.path(), &name("images-idx3-ubyte"), &idx_images(&labels));
        write(folder.path(), &name("labels-idx2-int.gz"), &gzip(&[&[0, 0, 12, 2], &wide[..]].concat()));
        let archive = |array: Vec<u8>| npz(&[("arr_0", array)]);
        let images = npy("|u1", false, &format!("({count}, 8, 8)"), &pixels(&labels));
        write(folder.path(), &format!("k/kmnist-{set}-imgs.npz"), &archive(images));
        let classes = npy("|u1", false, &format!("({count},)"), &labels);
        write(folder.path(), &format!("k/kmnist-{set}-labels.npz"), &archive(classes));
    }
    let [qmnist, kmnist] = ["QMNIST", "k"].map(|name| sets(folder.path().join(name).to_str().unwrap()));
    assert_eq!((qmnist.train.images, qmnist.test.labels), (kmnist.train.images, kmnist.test.labels.clone()));
    assert_eq!((qmnist.train.shape, kmnist.test.labels), ((8, 8), labels(20, 10, 0)));
}

#[test]
fn arrays_with_labels() {
    let folder = tempfile::tempdir().unwrap();
    let digits = arrays(10, 0);
    let archive = write(folder.path(), "digits.npz", &npz(&digits));
    let found = sets(&archive);
    assert_eq!((found.train.len(), found.test.len(), found.classes(), found.train.shape), (120, 60, 10, (8, 8)));
    assert!(matches!(found.train.images, Images::Bytes(_)));
    goes_through_all(&archive, 10, folder.path());

    // Other names, and more arrays than these.
    let mut shouted: Vec<(&str, Vec<u8>)> = digits
        .iter()
        .zip(["X_train", "Y_TRAIN", "X_test", "y_Test"])
        .map(|((_, bytes), name)| (name, bytes.clone()))
        .collect();
    shouted.push(("x_val", npy("|O", false, "(1,)", &[0])));
    let shouted = sets(&write(folder.path(), "shouted.NPZ", &npz(&shouted)));
    assert_eq!(shouted.train.checksum, found.train.checksum);
    // A folder of `.npy` files.
    for (name, bytes) in &digits {
        write(folder.path(), &format!("npy/{name}.npy"), bytes);
    }
    let apart = sets(folder.path().join("npy").to_str().unwrap());
    assert_eq!((apart.train.checksum, apart.test.images), (found.train.checksum.clone(), found.test.images.clone()));

    // Floats, with a colour channel, big-endian, and labels in a column of another type.
    let floats =
        |bytes: &[u8]| bytes.iter().flat_map(|byte| (f32::from(*byte) / 255.0).to_be_bytes()).collect::<Vec<u8>>();
    let of = |x, y, count: usize| {
        let labels = labels(count, 10, 0);
        let columns: Vec<u8> = labels.iter().flat_map(|label| [0, *label]).collect();
        [
            (x, npy(">f4", false, &format!("({count}, 8, 8, 1)"), &floats(&pixels(&labels)))),
            (y, npy(">u2", false, &format!("({count}, 1)"), &columns)),
        ]
    };
    let real = [of("x_train", "y_train", 120), of("x_test", "y_test", 60)].concat();
    let real = write(folder.path(), "real.npz", &npz(&real));
    let read = sets(&real);
    assert_eq!(read.train.labels, found.train.labels);
    let Images::Real(values) = &read.train.images else { panic!("not floats") };
    assert_eq!(values[[1, 3]], f64::from(found.train.images.to_real()[[1, 3]] as f32 / 255.0));
    let second = tempfile::tempdir().unwrap();
    goes_through_all(&real, 10, second.path());
}

#[test]
fn cifar_in_binary() {
    let folder = tempfile::tempdir().unwrap();
    let record = |labels: &[u8], seed: usize| -> Vec<u8> {
        let pixel = |place: usize| ((place * 7 + seed * 131) % 256) as u8;
        labels.iter().copied().chain((0..3072).map(pixel)).collect()
    };
    let ten = |name: &str, first: usize| {
        let bytes: Vec<u8> = (0..4).flat_map(|at| record(&[((first + at) % 10) as u8], first + at)).collect();
        write(folder.path(), &format!("ten/cifar-10-batches-bin/{name}.bin"), &bytes);
    };
    (1..=5).for_each(|batch| ten(&format!("data_batch_{batch}"), batch * 4));
    ten("test_batch", 1);
    let root = folder.path().join("ten").to_str().unwrap().to_string();
    let found = sets(&root);
    assert_eq!((found.train.len(), found.test.len(), found.classes()), (20, 4, 10));
    assert_eq!((found.train.images.ncols(), &found.train.labels[..4]), (3072, &[4, 5, 6, 7][..]));
    assert!(
        done(&["distance", "--data", &root, "--widths", "8", "--pairs", "5", "--methods", "theorem1", "--json"])
            .contains("\"dimension\":3072")
    );
    // The fine label is the second one.
    for (name, label) in [("train", 7), ("test", 99)] {
        let bytes = [record(&[1, label], 3), record(&[2, 5], 4)].concat();
        write(folder.path(), &format!("hundred/{name}.bin"), &bytes);
    }
    let hundred = sets(folder.path().join("hundred").to_str().unwrap());
    assert_eq!((hundred.labels, hundred.test.labels), (vec![5, 7, 99], vec![2, 0]));
}

#[test]
fn npy_of_any_type_and_layout() {
    let folder = tempfile::tempdir().unwrap();
    let expected = array![[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]];
    let values = [1.0, 0.0, 1.0, 0.0, 1.0, 1.0];
    let columns = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    let bytes = |values: [f64; 6], of: &dyn Fn(f64) -> Vec<u8>| values.iter().flat_map(|v| of(*v)).collect::<Vec<u8>>();
    let half = |value: f64| if value == 1.0 { 0x3c00u16 } else { 0 };
    let cases: [(&str, bool, &str, Vec<u8>); 11] = [
        ("|b1", false, "(2, 3)", bytes(values, &|v| vec![v as u8])),
        ("|u1", true, "(2, 3)", bytes(columns, &|v| vec![v as u8])),
        ("|i1", false, "(2, 3)", bytes(values, &|v| vec![v as u8])),
        (">i2", false, "(2, 3)", bytes(values, &|v| (v as i16).to_be_bytes().into())),
        ("<i8", true, "(2L, 3L)", bytes(columns, &|v| (v as i64).to_le_bytes().into())),
        ("<u4", false, "(2, 3)", bytes(values, &|v| (v as u32).to_le_bytes().into())),
        ("<f2", false, "(2, 3)", bytes(values, &|v| half(v).to_le_bytes().into())),
        (">f2", false, "(2, 1, 3)", bytes(values, &|v| half(v).to_be_bytes().into())),
        ("<f4", true, "(2, 3, 1)", bytes(columns, &|v| (v as f32).to_le_bytes().into())),
        (">f8", false, "(2, 3)", bytes(values, &|v| v.to_be_bytes().into())),
        ("<f8", false, "(2, 1, 1, 3)", bytes(values, &|v| v.to_le_bytes().into())),
    ];
    for (place, (descriptor, fortran, shape, data)) in cases.iter().enumerate() {
        let path = write(folder.path(), &format!("{place}.NPY"), &npy(descriptor, *fortran, shape, data));
        assert_eq!(read_npy(Path::new(&path)).unwrap(), expected, "{descriptor} {shape}");
        done(&["data", "--data", &path]);
    }
}

/// Distances need no labels, and training says which ones it misses.
#[test]
fn images_without_labels() {
    let folder = tempfile::tempdir().unwrap();
    let full = little_mnist(folder.path());
    let images = write(
        folder.path(),
        "bare/t10k-images-idx3-ubyte",
        &std::fs::read(format!("{full}/t10k-images-idx3-ubyte")).unwrap(),
    );
    let bare = Path::new(&images).parent().unwrap().to_str().unwrap();
    let digits = arrays(10, 0);
    let only = |places: &[usize]| npz(&places.iter().map(|place| digits[*place].clone()).collect::<Vec<_>>());
    let x = write(folder.path(), "x.npz", &only(&[0, 2]));
    let one = write(folder.path(), "one.npz", &npz(&[("arr_0", digits[2].1.clone())]));
    for (data, missing) in [
        (bare, "train-labels-idx1-ubyte and t10k-labels-idx1-ubyte"),
        (&x, "y_train and y_test"),
        (&one, "x_train, y_train, x_test, y_test"),
    ] {
        let quick = ["--data", data, "--pairs", "10"];
        let networks = ["--networks", "8:0.5", "--initialisations", "2"];
        done(&[&["distance"][..], &quick, &networks].concat());
        done(&[&["optimum", "--weights", "200"][..], &quick].concat());
        done(&["data", "--data", data]);
        for command in ["train", "tune"] {
            let out = folder.path().join("never");
            let more = ["--widths", "8", "--out", out.to_str().unwrap()];
            refused(&[&[command, "--data", data][..], &more].concat(), &["no labels", missing, "distances need none"]);
            assert!(!out.exists());
        }
    }
    // On the same images, with or without labels, the same distances.
    let of = |data: &str| {
        let common = ["distance", "--pairs", "10", "--networks", "8:0.5", "--methods", "theorem1", "--json"];
        let text = done(&[&common[..], &["--data", data]].concat());
        text.split("\"mean\":").nth(1).unwrap().split(',').next().unwrap().to_string()
    };
    assert_eq!(of(bare), of(&full));
    let masks = npz(&[("0.weight", npy("|u1", false, "(2, 16)", &[1; 32]))]);
    let masks = write(folder.path(), "masks.npz", &masks);
    done(&["masks", &masks, "--data", bare, "--pairs", "5"]);
}

#[test]
fn the_scale_of_global_normalisation_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = little_mnist(folder.path());
    let of = |normalisation: &str| {
        let common = ["distance", "--data", &data, "--pairs", "5", "--networks", "8:0.5", "--methods", "theorem1"];
        done(&[&common[..], &["--normalisation", normalisation]].concat())
    };
    assert!(of("global").contains("of the set's own entries"), "{}", of("global"));
    assert!(of("global-mnist").contains("(x/255 - 0.1307) / 0.3081"), "{}", of("global-mnist"));
    assert_ne!(of("rescale"), of("none"));
    let train = ["train", "--data", &data, "--widths", "8", "--learning-rate", "1", "--epochs", "1", "--runs", "1"];
    let output = sparsewidth(&[&train[..], &["--normalisation", "global"]].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("not MNIST's images"), "{output:?}");
}

/// A study goes on wherever the data lies, but not with other data.
#[test]
fn journals_know_data_by_its_contents() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |last: f64| {
        let values: Vec<u8> =
            [1.0, 2.0, 3.0, 4.0, 5.0, last].iter().flat_map(|value: &f64| value.to_le_bytes()).collect();
        npy("<f8", false, "(3, 2)", &values)
    };
    let absolute = write(folder.path(), "x.npy", &rows(6.0));
    let study = ["distance", "--networks", "8:0.5", "--methods", "theorem1", "--out", "study", "--data"];
    let run =
        |data: &str| program::command(&[&study[..], &[data]].concat()).current_dir(folder.path()).output().unwrap();
    assert!(run("./x.npy").status.success());
    let records = read(folder.path(), "study/journal.jsonl");
    let again = run(&absolute);
    assert!(again.status.success(), "{again:?}");
    let tasks = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("\"task\"").count();
    assert_eq!(tasks(&records), tasks(&read(folder.path(), "study/journal.jsonl")), "nothing is done twice");
    write(folder.path(), "x.npy", &rows(7.0));
    let refused = run(&absolute);
    let message = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{message}");
    assert!(message.contains("checksum") && message.contains("--out"), "{message}");
}

#[test]
fn arrays_of_another_layout_are_other_data() {
    let folder = tempfile::tempdir().unwrap();
    let set = |fortran: bool| {
        let of = |x, y| {
            let x = (x, npy("|u1", fortran, "(2, 2)", &[1, 2, 3, 4]));
            [x, (y, npy("|u1", false, "(2,)", &[0, 1]))]
        };
        let arrays = [of("x_train", "y_train"), of("x_test", "y_test")].concat();
        sets(&write(folder.path(), &format!("{fortran}.npz"), &npz(&arrays)))
    };
    let (rows, columns) = (set(false), set(true));
    assert_eq!(rows.train.images, Images::from(array![[1u8, 2], [3, 4]]));
    assert_eq!(columns.train.images, Images::from(array![[1u8, 3], [2, 4]]));
    assert_ne!(rows.train.checksum, columns.train.checksum);
    assert_eq!(rows.train.images.to_real(), Array2::from_shape_vec((2, 2), vec![1.0, 2.0, 3.0, 4.0]).unwrap());
}
