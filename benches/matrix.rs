//! Matrices of expected kernels, 2,048 x 2,048 pairs of dimension 784: milliseconds of each of some calls. `cargo bench
//! --bench matrix`; with `-- N`, of N calls. `benches/python_overhead.py` compares the Python package with it.

use std::time::Instant;

use ndarray::s;
use sparsewidth::data::{DataSource, PreparedInputs};
use sparsewidth::kernel::matrix::KernelMatrix;
use sparsewidth::{Connectivity, Kernel, Result, Tangent};

fn main() -> Result<()> {
    let calls = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(5);
    let inputs = DataSource::Gaussian { dimension: 784, samples: 4_096 }.inputs(0)?;
    let rows = inputs.values.view();
    for (name, kernel, connectivity) in [
        ("nngp", Kernel::Nngp, None),
        ("ntk", Kernel::Ntk(Tangent::Standardised), None),
        ("nngp by expansion", Kernel::Nngp, Some(Connectivity::new(0.05)?)),
    ] {
        for _ in 0..calls {
            let start = Instant::now();
            // As from Python: rows in, a matrix out.
            let x = PreparedInputs::from_rows(rows.slice(s![..2_048, ..]))?;
            let y = PreparedInputs::from_rows(rows.slice(s![2_048.., ..]))?;
            let matrix = match connectivity {
                None => KernelMatrix::infinite_width(&x, Some(&y), kernel)?,
                Some(connectivity) => KernelMatrix::expansion(&x, Some(&y), kernel, connectivity)?,
            };
            let matrix = matrix.to_array()?;
            println!("{name}: {:.2}", 1e3 * start.elapsed().as_secs_f64());
            assert!(matrix[[2_047, 2_047]].is_finite());
        }
    }
    Ok(())
}
