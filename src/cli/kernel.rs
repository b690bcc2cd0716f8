//! `sparsewidth kernel`.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;
use sparsewidth::data::read_npy;
use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{
    Auto, Enumerate, MaskedMoments, Method, Quadrature, Row, RowMoments, Sampling, TangentMoments,
};
use sparsewidth::kernel::nngp::{Dimension, Distance, Width, infinite_width_kernel, theorem_1};
use sparsewidth::kernel::ntk::{InfiniteWidth, Kernel, Tangent};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::estimate::ErrorType;
use sparsewidth::numeric::parallel::try_map;
use sparsewidth::numeric::parse::{count, share};
use sparsewidth::{Error, Result, kernel::eq_4};

use super::Common;
use super::matrix::{self, MatrixOptions};
use super::output::{json_lines, print};
use super::values::path;

/// Prints one JSON object per pair, each on its own line; with --matrix one object, and writes the matrix.
#[derive(Args)]
pub struct KernelArgs {
    /// .npy file with a vector (d,), or a matrix (N, d) whose rows are the first inputs of the pairs; with --matrix,
    /// the inputs of the rows of the kernel matrix
    #[arg(long, value_name = "FILE", value_parser = path(), required_unless_present = "matrix")]
    pub x: Option<PathBuf>,
    /// .npy file of the same shape with the second inputs of the pairs; with --matrix, the inputs of the columns, of
    /// any number [default for a matrix: those of --x]
    #[arg(long, value_name = "FILE", value_parser = path(), required_unless_present = "matrix", requires = "x")]
    pub y: Option<PathBuf>,
    /// Connectivity (density) p in (0, 1]: the share of weights that exist [default for a matrix: 1, the dense network
    /// of infinite width]
    #[arg(long, value_name = "P", value_parser = share, required_unless_present = "matrix")]
    pub connectivity: Option<f64>,
    /// Hidden width n: adds bias_squared, variance (of one unit) and distance = bias_squared + variance / n
    #[arg(long, value_name = "N", value_parser = count, conflicts_with = "matrix")]
    width: Option<usize>,
    /// Kernel
    #[arg(long, value_enum, default_value_t = KernelChoice::Nngp, value_name = "KERNEL")]
    pub kernel: KernelChoice,
    /// Which weights gradient descent moves in the tangent kernel: standardised ones (tau = 1), or those of the paper's
    /// Eq. (1) (tau = p)
    #[arg(long, value_enum, default_value_t = Tangent::Standardised, value_name = "CONVENTION")]
    pub tangent: Tangent,
    /// Method for the masked moments
    #[arg(long, value_name = "METHOD", default_value = "auto", value_parser = MethodOption::parser())]
    pub method: MethodOption,
    /// Relative error that the quadrature should reach; its error estimate says whether it did
    #[arg(long, default_value_t = 1e-6, value_name = "ERROR", value_parser = share)]
    pub tolerance: f64,
    /// Number of masks per pair, where masks are sampled
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = count)]
    pub masks: usize,
    #[command(flatten)]
    pub of_matrix: MatrixOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KernelChoice {
    /// That of the last layer, as in the paper
    Nngp,
    /// The tangent kernel, which gradient descent sees
    Ntk,
    /// For a matrix: nngp, averaged over masks of --connectivity
    Masked,
    /// For a matrix: nngp, averaged over the weights that the masks of --mask-file keep
    Given,
}

impl KernelArgs {
    /// The kernel; a convention without the tangent kernel is refused.
    pub fn kernel(&self, common: &Common) -> Result<Kernel> {
        if self.kernel != KernelChoice::Ntk {
            common.refuse("tangent", "the NNGP kernel has no such convention, only --kernel ntk has")?;
            return Ok(Kernel::Nngp);
        }
        Ok(Kernel::Ntk(self.tangent))
    }

    /// Refuses options that the method does not heed.
    pub fn refuse_idle(&self, common: &Common) -> Result<()> {
        if !matches!(self.method, MethodOption::Auto | MethodOption::Of(Method::Sampling)) {
            let why = "this method samples no masks";
            common.refuse("masks", why)?;
            if !self.of_matrix.draws_inputs() {
                common.refuse("seed", why)?;
            }
        }
        if !matches!(self.method, MethodOption::Auto | MethodOption::Of(Method::Quadrature)) {
            common.refuse("tolerance", "this method has no tolerance to reach")?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MethodOption {
    Auto,
    Of(Method),
    Paper,
}

impl MethodOption {
    /// Reads `auto`, `paper`, or the name of a method that takes any pair.
    fn parser() -> impl TypedValueParser<Value = Self> {
        let auto = "Closed form, else the sum over masks (up to 2^20 terms), else the quadrature, or sampled masks where they are \
                    better";
        let paper = "Eq. (4) of the paper, or its diagonal form where x = y: a distance only, so it needs --width";
        let methods = Method::ALL.iter().filter(|method| **method != Method::ClosedForm).map(|method| {
            let value = PossibleValue::new(method.name()).help(method.summary());
            if *method == Method::Expansion { value.alias("moments") } else { value }
        });
        let values = [PossibleValue::new("auto").help(auto)].into_iter().chain(methods);
        PossibleValuesParser::new(values.chain([PossibleValue::new("paper").help(paper)])).map(|name| {
            let named = |method: &&Method| method.name() == name;
            match name.as_str() {
                "auto" => Self::Auto,
                "paper" => Self::Paper,
                "moments" => Self::Of(Method::Expansion),
                _ => Self::Of(*Method::ALL.iter().find(named).expect("the parser lists these names")),
            }
        })
    }
}

#[derive(Serialize)]
struct KernelRecord {
    pair: usize,
    dimension: usize,
    connectivity: f64,
    /// `kernel` and, for the tangent kernel, `tangent`.
    #[serde(flatten)]
    kernel: Kernel,
    /// The infinite-width kernel.
    limit: f64,
    /// The mean of the kernel over networks.
    mean: Option<f64>,
    k1: f64,
    k2: f64,
    masked_k1: Option<f64>,
    masked_k2: Option<f64>,
    masked_k1_error: Option<f64>,
    masked_k2_error: Option<f64>,
    /// What the tangent kernel needs besides, with `tau` in it.
    #[serde(flatten)]
    tangent: Option<TangentFields>,
    /// `bound`, `error_estimate`, `standard_error`, or nothing where the error is not known.
    error_kind: Option<&'static str>,
    method: String,
    /// Masks summed or drawn, or nodes of the quadrature.
    terms: u64,
    #[serde(flatten)]
    distance: Option<DistanceFields>,
}

#[derive(Serialize)]
struct TangentFields {
    masked_j1: f64,
    masked_j11: f64,
    masked_j2: f64,
    masked_j1_error: Option<f64>,
    masked_j11_error: Option<f64>,
    masked_j2_error: Option<f64>,
}

impl TangentFields {
    fn new(moments: &TangentMoments) -> Self {
        let TangentMoments { j1, j11, j2, .. } = *moments;
        Self {
            masked_j1: j1.value,
            masked_j11: j11.value,
            masked_j2: j2.value,
            masked_j1_error: j1.error.magnitude(),
            masked_j11_error: j11.error.magnitude(),
            masked_j2_error: j2.error.magnitude(),
        }
    }
}

#[derive(Serialize)]
struct DistanceFields {
    width: usize,
    bias_squared: f64,
    variance: f64,
    distance: f64,
    distance_error: Option<f64>,
}

impl DistanceFields {
    fn new(distance: &Distance) -> Self {
        let Distance { bias_squared, variance, width, error, .. } = *distance;
        let (width, distance_error) = (width.get(), error.magnitude());
        Self { width, bias_squared, variance, distance: distance.total(), distance_error }
    }
}

pub fn run(args: KernelArgs, common: &Common) -> Result<()> {
    if args.of_matrix.matrix.is_some() {
        return matrix::run(&args, common);
    }
    let (Some(x_file), Some(y_file), Some(connectivity)) = (&args.x, &args.y, args.connectivity) else {
        unreachable!("without --matrix, the parser asks for all three")
    };
    if matches!(args.kernel, KernelChoice::Masked | KernelChoice::Given) {
        let problem = "names the kernel of a matrix";
        return Err(Error::value("--kernel", "masked, given", problem, "add --matrix OUT.npy, or use nngp"));
    }
    let connectivity = Connectivity::new(connectivity)?;
    if args.width == Some(0) {
        return Err(Error::value("--width", 0, "a network needs at least one hidden unit", "give a positive width"));
    }
    let row = Row::new(connectivity).kernel(args.kernel(common)?);
    if args.method == MethodOption::Paper && row.get_kernel() != Kernel::Nngp {
        let problem = "Eq. (4) is for the NNGP kernel";
        return Err(Error::value("--method", "paper", problem, "use another method, or --kernel nngp"));
    }
    if args.method == MethodOption::Paper && args.width.is_none() {
        let problem = "Eq. (4) gives a distance only, which depends on the width";
        return Err(Error::value("--method", "paper", problem, "add --width"));
    }
    args.refuse_idle(common)?;
    let sampling = Sampling::new(args.masks, common.seed)?;
    let quadrature = Quadrature::new(args.tolerance)?;
    let (x, y) = (read_npy(x_file)?, read_npy(y_file)?);
    if x.dim() != y.dim() {
        let problem = format!("has shape {:?}, but {} has {:?}", y.dim(), x_file.display(), x.dim());
        return Err(Error::file(y_file, problem, "give the same number of rows, of the same length, in both"));
    }
    let bar = common.bar(0);
    if args.method == MethodOption::Of(Method::Enumerate) && !connectivity.is_dense() {
        let terms = |index: usize| Pair::new(x.row(index), y.row(index)).map_or(0.0, |pair| Enumerate::terms(&pair));
        bar.set_length((0..x.nrows()).map(terms).sum::<f64>() as u64);
    }
    let enumerate = |pair: &Pair| Enumerate::default().with_progress(pair, &row, &|terms| bar.inc(terms));
    let width = args.width.map(Width::new).transpose()?;
    let method: Way = match args.method {
        MethodOption::Auto => Way::Rows(Box::new(Auto { quadrature, sampling })),
        MethodOption::Of(Method::Enumerate) => Way::Enumerate(&enumerate),
        MethodOption::Of(method) => {
            Way::Rows(method.for_any_pair(quadrature, sampling).expect("the parser lists methods for any pair"))
        }
        MethodOption::Paper => Way::Paper,
    };
    let record = |index: usize| kernel_record(x_file, (&x, &y), index, (connectivity, &row), (&method, width));
    let records = try_map((0..x.nrows()).into_par_iter(), record)?;
    bar.finish_and_clear();
    if args.method == MethodOption::Paper {
        let squares = x.iter().chain(&y).map(|value| value * value).sum::<f64>() / (x.len() + y.len()) as f64;
        let d = x.ncols();
        common.note(&format!("Eq. (4) assumes |x|^2 = d = {d}; for these rows |x|^2 / d is {squares:.3e} on average."));
    }
    print(&json_lines(&records)?)
}

/// How the moments or the distance of a pair are found.
enum Way<'a> {
    /// The sum over masks, with its progress shown.
    Enumerate(&'a (dyn Fn(&Pair) -> Result<MaskedMoments> + Sync)),
    Rows(Box<dyn RowMoments>),
    Paper,
}

fn kernel_record(
    file: &Path,
    (x, y): (&Array2<f64>, &Array2<f64>),
    index: usize,
    (connectivity, row): (Connectivity, &Row),
    (method, width): (&Way, Option<Width>),
) -> Result<KernelRecord> {
    let pair = Pair::new(x.row(index), y.row(index))?;
    let kernel = arc_cosine(pair.gram());
    let mut record = KernelRecord {
        pair: index,
        dimension: pair.dimension(),
        connectivity: connectivity.get(),
        kernel: row.get_kernel(),
        limit: infinite_width_kernel(InfiniteWidth::of(&pair).get(row.get_kernel()), Dimension::of(&pair)),
        mean: None,
        k1: kernel.k1,
        k2: kernel.k2,
        masked_k1: None,
        masked_k2: None,
        masked_k1_error: None,
        masked_k2_error: None,
        tangent: None,
        error_kind: None,
        method: "paper".into(),
        terms: 0,
        distance: None,
    };
    let moments = match method {
        Way::Enumerate(enumerate) => enumerate(&pair)?,
        Way::Rows(method) => method.of_pair(&pair, row, index as u32)?,
        Way::Paper => {
            let form = if pair.x() == pair.y() { eq_4::diagonal } else { eq_4::off_diagonal };
            let distance = width.map(|width| form(Dimension::of(&pair), width, connectivity));
            record.distance = distance.as_ref().map(DistanceFields::new);
            return Ok(record);
        }
    };
    record.masked_k1 = Some(moments.k1.value);
    record.masked_k2 = Some(moments.k2.value);
    record.masked_k1_error = moments.k1.error.magnitude();
    record.masked_k2_error = moments.k2.error.magnitude();
    record.mean = Some(infinite_width_kernel(moments.first.value, Dimension::of(&pair)));
    record.tangent = moments.tangent.as_ref().map(TangentFields::new);
    record.error_kind = match moments.first.error.kind() {
        ErrorType::Bound => Some("bound"),
        ErrorType::Estimate => Some("error_estimate"),
        ErrorType::StandardError => Some("standard_error"),
        _ => None,
    };
    record.method = moments.method.to_string();
    record.terms = moments.terms;
    record.distance = width.map(|width| DistanceFields::new(&theorem_1(&moments, Dimension::of(&pair), width)));
    let of_distance = record.distance.iter().flat_map(|fields| [Some(fields.distance), fields.distance_error]);
    let of_moments = [record.mean, record.masked_k1, record.masked_k2, record.masked_k1_error, record.masked_k2_error];
    if of_moments.into_iter().chain(of_distance).flatten().any(|value| !value.is_finite()) {
        let problem = "its masked moments are beyond double precision";
        return Err(Error::file(file, format!("pair {index}: {problem}"), "rescale the inputs"));
    }
    Ok(record)
}
