//! `sparsewidth kernel --matrix`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ndarray::Ix2;
use serde::Serialize;
use sparsewidth::data::{Dataset, Normalisation, PreparedInputs, read_npy};
use sparsewidth::files::{FloatType, NpyFile};
use sparsewidth::kernel::given::{GivenMask, MaskScale};
use sparsewidth::kernel::masked::{Auto, Method, Quadrature, Row, RowMoments, Sampling};
use sparsewidth::kernel::matrix::KernelMatrix;
use sparsewidth::kernel::ntk::Kernel;
use sparsewidth::network::{Connectivity, read_masks};
use sparsewidth::{Error, Result};

use super::Common;
use super::interrupt::remove_when_interrupted;
use super::kernel::{KernelArgs, KernelChoice, MethodOption};
use super::log::in_words;
use super::output::{json_lines, print};
use super::values::{path, source};

/// Where the help has the options of matrices.
const HEADING: &str = "Matrices";

/// What only matrices take.
#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub struct MatrixOptions {
    /// Write the kernel of every input with every other, or with every row of --y, to this .npy file, tile by tile
    #[arg(long, value_name = "OUT.npy", value_parser = path())]
    pub matrix: Option<PathBuf>,
    /// Data set whose inputs are taken, instead of --x: as in other commands
    #[arg(long, value_name = "SOURCE", value_parser = source(), requires = "matrix", conflicts_with = "x")]
    data: Option<Dataset>,
    /// Normalisation of the inputs of --data, by their own statistics [default: pixel for images and data with labels,
    /// none for other data]
    #[arg(long, value_enum, value_name = "NAME", requires = "matrix")]
    normalisation: Option<Normalisation>,
    /// File of masks, NPZ or safetensors: the kernel is that of their first layer, averaged over its weights
    #[arg(long, value_name = "FILE", value_parser = path(), requires = "matrix", conflicts_with = "connectivity")]
    mask_file: Option<PathBuf>,
    /// Take the mask file as pruned weights: the mask keeps every weight that is not 0
    #[arg(long, requires = "mask_file")]
    zeros_are_masked: bool,
    /// Variance of the weights that a mask keeps
    #[arg(long, value_enum, default_value_t = MaskScale::Density, value_name = "SCALE", requires = "mask_file")]
    scale: MaskScale,
    /// Type of the numbers in the matrix, which are computed in double precision
    #[arg(long, value_enum, default_value_t = FloatType::Float64, value_name = "TYPE", requires = "matrix")]
    dtype: FloatType,
}

impl MatrixOptions {
    /// Whether the inputs are drawn with a seed.
    pub fn draws_inputs(&self) -> bool {
        self.data.as_ref().is_some_and(|data| data.source().is_drawn())
    }
}

impl MatrixOptions {
    /// The normalisation of the inputs of a data set.
    fn normalisation_of(&self, data: &Dataset) -> Result<Normalisation> {
        self.normalisation.map_or_else(|| data.usual_normalisation(), Ok)
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// What was written.
#[derive(Serialize)]
struct MatrixRecord {
    file: String,
    rows: usize,
    columns: usize,
    dtype: FloatType,
    /// `kernel` and, for the tangent kernel, `tangent`.
    #[serde(flatten)]
    kernel: Kernel,
    /// 1 for the network of infinite width; none for given masks.
    connectivity: Option<f64>,
    mask_file: Option<String>,
    /// The variance of the weights that a given mask keeps.
    scale: Option<MaskScale>,
    /// The inputs: a data set and its normalisation, or files of rows.
    data: Option<String>,
    normalisation: Option<Normalisation>,
    x: Option<String>,
    y: Option<String>,
    /// `infinite_width`, `given`, `expansion`, or how masked moments were found pair by pair.
    method: &'static str,
    /// The largest error of an entry, where the method says it.
    largest_error: Option<f64>,
}

/// Beyond this, a faster method is named.
const LONG: Duration = Duration::from_secs(600);

pub fn run(args: &KernelArgs, common: &Common) -> Result<()> {
    let options = &args.of_matrix;
    let kernel = args.kernel(common)?;
    let asked = args.connectivity.map(Connectivity::new).transpose()?;
    match args.kernel {
        KernelChoice::Masked if asked.is_none() => {
            let problem = "averages over masks of a connectivity, and there is none";
            return Err(Error::value("--kernel", "masked", problem, "add --connectivity P"));
        }
        KernelChoice::Given if options.mask_file.is_none() => {
            let problem = "averages over the weights of given masks, and there are none";
            return Err(Error::value("--kernel", "given", problem, "add --mask-file FILE"));
        }
        KernelChoice::Masked if options.mask_file.is_some() => {
            let problem = "averages over random masks, and these are given";
            return Err(Error::value("--kernel", "masked", problem, "use given, or leave --mask-file out"));
        }
        _ => {}
    }
    let connectivity = asked.unwrap_or(Connectivity::DENSE);
    if options.mask_file.is_some() || connectivity.is_dense() {
        let why = "it applies to kernels averaged over random masks (--connectivity)";
        ["method", "tolerance", "masks"].iter().try_for_each(|option| common.refuse(option, why))?;
    }
    if args.method == MethodOption::Paper {
        let problem = "Eq. (4) gives a distance, not a kernel";
        return Err(Error::value("--method", "paper", problem, "use another method"));
    }
    args.refuse_idle(common)?;
    let out = options.matrix.as_deref().expect("run with --matrix only");
    let x = inputs(args, common)?;
    let y = args.y.as_ref().map(|y| PreparedInputs::new(read_npy(y)?)).transpose()?;
    let mask = options.mask_file.as_ref().map(|_| given(options)).transpose()?;
    let (matrix, method) = match &mask {
        Some(mask) => (KernelMatrix::given(&x, y.as_ref(), kernel, mask)?, "given"),
        None if connectivity.is_dense() => (KernelMatrix::infinite_width(&x, y.as_ref(), kernel)?, "infinite_width"),
        None if args.method == MethodOption::Of(Method::Expansion) => {
            (KernelMatrix::expansion(&x, y.as_ref(), kernel, connectivity)?, Method::Expansion.name())
        }
        None => {
            let (quadrature, sampling) = (Quadrature::new(args.tolerance)?, Sampling::new(args.masks, common.seed)?);
            let (method, name): (Box<dyn RowMoments>, _) = match args.method {
                MethodOption::Of(method) => {
                    let found = method.for_any_pair(quadrature, sampling);
                    (found.expect("the parser lists methods for any pair"), method.name())
                }
                _ => (Box::new(Auto { quadrature, sampling }), "auto"),
            };
            (KernelMatrix::pairs(&x, y.as_ref(), method, Row::new(connectivity).kernel(kernel))?, name)
        }
    };
    let (rows, columns) = matrix.dim();
    let mut file = NpyFile::create(out, (rows, columns), options.dtype)?;
    remove_when_interrupted(file.unfinished());
    let time = matrix.expected_time()?;
    let megabytes = |bytes: usize| {
        let whole = (bytes as f64 / 1e6).round();
        if whole < 1.0 { "less than 1".to_string() } else { whole.to_string() }
    };
    common.note(&format!(
        "{rows} x {columns} entries, {} MB on disk: about {}, and {} MB of memory.",
        megabytes(rows.saturating_mul(columns).saturating_mul(options.dtype.size())),
        in_words(time),
        megabytes(matrix.expected_memory())
    ));
    if time > LONG && method == "auto" {
        common.note("With --method expansion it takes seconds to minutes; the error is then unknown.");
    }
    if method == Method::Expansion.name() {
        common.note(
            "The expansion has no error estimate. It is good where each unit keeps many weights and no few entries hold \
             most of an input's norm: on globally normalised MNIST its distance is right to 0.2 % at 188 weights a unit \
             and to 2 % at 9; with pixel normalisation it is right at 188 and far off at 40.",
        );
    }
    let bar = common.bar(1_000);
    let mut largest_error = Some(0.0f64);
    let write = |tile: sparsewidth::kernel::matrix::MatrixTile| {
        largest_error = largest_error.zip(tile.error).map(|(largest, error)| largest.max(error));
        file.write(tile.row, tile.column, tile.values)
    };
    matrix.tiles(write, &|share| bar.set_position((1_000.0 * share) as u64))?;
    bar.finish_and_clear();
    file.finish()?;
    print(&json_lines(&[MatrixRecord {
        file: out.display().to_string(),
        rows,
        columns,
        dtype: options.dtype,
        kernel,
        connectivity: mask.is_none().then_some(connectivity.get()),
        mask_file: options.mask_file.as_deref().map(shown),
        scale: mask.is_some().then_some(options.scale),
        data: options.data.as_ref().map(Dataset::to_string),
        normalisation: options.data.as_ref().map(|data| options.normalisation_of(data)).transpose()?,
        x: args.x.as_deref().map(shown),
        y: args.y.as_deref().map(shown),
        method,
        largest_error,
    }])?)
}

/// The first set of inputs.
fn inputs(args: &KernelArgs, common: &Common) -> Result<PreparedInputs> {
    let options = &args.of_matrix;
    let values = match (&args.x, &options.data) {
        (Some(x), _) => {
            common.refuse("normalisation", "rows of --x are taken as they are; --data can be normalised")?;
            read_npy(x)?
        }
        (None, Some(data)) => data.inputs(common.seed)?.normalised(options.normalisation_of(data)?)?,
        (None, None) => {
            let out = shown(options.matrix.as_deref().expect("run with --matrix only"));
            let problem = "there are no inputs to take the kernels of";
            return Err(Error::value("--matrix", out, problem, "give them with --x FILE or --data SOURCE"));
        }
    };
    PreparedInputs::new(values)
}

/// The mask of the first layer of a file.
fn given(options: &MatrixOptions) -> Result<GivenMask> {
    let path = options.mask_file.as_deref().expect("asked for a mask file only");
    let first = read_masks(path, options.zeros_are_masked)?.swap_remove(0);
    let Ok(mask) = first.mask.into_dimensionality::<Ix2>() else {
        let problem = format!("its first layer, {}, is a convolution, whose kernels are not known here", first.layer);
        return Err(Error::file(path, problem, "give the masks of a perceptron"));
    };
    GivenMask::new(mask.view(), options.scale)
}
