//! Makes the files that the program embeds, under `data/mnist/`, from a folder with the four MNIST files:
//!
//! `cargo run --release --example embed_mnist -- FOLDER`
//!
//! The 2,048 training images are `Labelled::subset(SUBSET_SIZE, SUBSET_SEED)` of the 60,000; the test images are whole.

use std::path::Path;

use sparsewidth::data::{DataSource, Images, Labelled, SUBSET_SEED, SUBSET_SIZE, idx};

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("give the folder with the four MNIST files"))?;
    let mnist = DataSource::of_path(Path::new(&folder)).labelled()?;
    write("train2048", &mnist.train.subset(SUBSET_SIZE, SUBSET_SEED))?;
    write("t10k", &mnist.test)
}

fn write(name: &str, set: &Labelled) -> anyhow::Result<()> {
    let (rows, columns) = set.shape;
    let Images::Bytes(bytes) = &set.images else { anyhow::bail!("{name} is not of bytes") };
    let images = bytes.view().into_shape_with_order((set.len(), rows, columns))?.into_dyn();
    let labels = ndarray::aview1(&set.labels).into_dyn();
    for (kind, array) in [("images-idx3", images), ("labels-idx1", labels)] {
        let packed = idx::encode_gzip(array)?;
        let path = Path::new("data/mnist").join(format!("{name}-{kind}-ubyte.gz"));
        println!("{}: {} bytes", path.display(), packed.len());
        std::fs::write(path, packed)?;
    }
    Ok(())
}
