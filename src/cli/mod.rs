//! The command line: what each command takes, and where its output goes.

mod budget;
mod data;
mod distance;
mod error;
mod evaluate;
mod figure;
mod heatmap;
mod interrupt;
mod kernel;
mod log;
mod masks;
mod matrix;
mod merge;
mod optimum;
mod options;
mod output;
mod predict;
mod redraw;
mod shell;
mod spelling;
mod train;
mod tune;
mod values;
mod verify;
mod widen;

use std::collections::HashMap;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use sparsewidth::data::{DataSource, Dataset};
use sparsewidth::files::in_shell;
use sparsewidth::numeric::parse::{count, megabytes, whole};
use sparsewidth::sampled::Device;
use sparsewidth::study::Shard;
use sparsewidth::study::request::Caller;
use sparsewidth::{Error, Result};

pub use error::{exit_code, message};

/// Kernels of sparse, finite-width ReLU networks, and the test errors of trained ones.
///
/// Given the same number of weights, is a wider, sparser network better? `sparsewidth figure` draws the answer on
/// MNIST.
#[derive(Parser)]
#[command(version, max_term_width = 100, help_expected = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
    /// The name of the command.
    #[arg(skip)]
    name: String,
}

#[derive(Subcommand)]
enum Command {
    /// Reproduce the main figure: kernel distance and test error against width.
    Figure(figure::FigureArgs),
    /// Compute arc-cosine moments K_l, masked moments K~_l and the kernel distance for given pairs of vectors.
    Kernel(kernel::KernelArgs),
    /// Compute the kernel distance against width by several methods, side by side.
    Distance(distance::DistanceArgs),
    /// Predict test errors by kernel regression, without training.
    Predict(predict::PredictArgs),
    /// Find the width that minimises the kernel distance, or the predicted error, at a weight budget.
    Optimum(optimum::OptimumArgs),
    /// Train sparse or dense perceptrons and report their test accuracy.
    Train(train::TrainArgs),
    /// Search for the best learning rate of each network, on validation samples.
    Tune(tune::TuneArgs),
    /// Draw the paper's heat map: test accuracy over the connectivities of the network and of its last layer.
    Heatmap(heatmap::HeatmapArgs),
    /// Compare ways to widen at a fixed weight budget: sparsity, linear and non-linear bottlenecks.
    Widen(widen::WidenArgs),
    /// Join the results of the shards of a study.
    Merge(merge::MergeArgs),
    /// Evaluate a network that `train --keep-weights` saved, or PyTorch.
    Evaluate(evaluate::EvaluateArgs),
    /// Verify Theorem 1 against sampled networks; exits with 1 if they reject it.
    Verify(verify::VerifyArgs),
    /// Divide a weight budget over the layers of a network, and draw masks.
    Budget(budget::BudgetArgs),
    /// Report what given masks keep, and how far the kernels of their first layer are from infinite width.
    Masks(masks::MasksArgs),
    /// Describe a data set: counts, ranges, checksums.
    Data(data::DataArgs),
    /// Print completions for a shell.
    Completions(shell::CompletionsArgs),
    /// Print the manual page, or write those of all commands.
    Man(shell::ManArgs),
}

/// The options of every command that some commands have no use for, and why these refuse them.
const UNUSED: [(&str, &str, &[&str]); 7] = [
    ("seed", "nothing that this command does is random", &["merge", "evaluate", "completions", "man"]),
    ("threads", "this command has no use for more than one", &["merge", "evaluate", "data", "completions", "man"]),
    ("device", NO_PAIRS, &WITHOUT_PAIRS),
    ("memory", NO_PAIRS, &WITHOUT_PAIRS),
    ("shard", "this command has no tasks to divide", &WITHOUT_TASKS),
    ("json", "this command prints no records", &["completions", "man"]),
    ("no_page", "this command writes no page", &["kernel", "merge", "evaluate", "data", "completions", "man"]),
];
const NO_PAIRS: &str = "this command computes no kernels over all pairs";
const WITHOUT_TASKS: [&str; 10] =
    ["kernel", "optimum", "merge", "evaluate", "verify", "budget", "masks", "data", "completions", "man"];
const WITHOUT_PAIRS: [&str; 15] = [
    "predict",
    "kernel",
    "optimum",
    "merge",
    "evaluate",
    "verify",
    "budget",
    "masks",
    "data",
    "completions",
    "man",
    "train",
    "tune",
    "heatmap",
    "widen",
];

/// Where the help has the options of kernels over all pairs.
const ALL_PAIRS: &str = "Kernels over all pairs";

/// What every command takes.
#[derive(Args)]
struct Common {
    /// Seed for everything random; the same seed gives the same records, bit for bit on one kind of processor
    #[arg(long, global = true, display_order = 1000, default_value_t = 0, value_name = "N", value_parser = whole)]
    seed: u64,
    /// Number of threads, at most four per core; results do not depend on it [default: RAYON_NUM_THREADS if set,
    /// otherwise one per core that CPU affinity and the control group's quota leave to the program]
    #[arg(long, global = true, display_order = 1000, value_name = "N", value_parser = count)]
    threads: Option<usize>,
    /// Device for sampled kernels over all pairs: auto (a GPU if there is one), cpu or cuda; everything else runs on
    /// the CPU
    #[arg(long, global = true, help_heading = ALL_PAIRS, value_enum, default_value_t = DeviceOption::Auto)]
    device: DeviceOption,
    /// Memory in megabytes for sampled kernels over all pairs on the CPU, not counting the inputs; results do not
    /// depend on it
    #[arg(long, global = true, help_heading = ALL_PAIRS, default_value_t = 1024, value_name = "MB", value_parser = megabytes)]
    memory: u32,
    /// Run part I of N of a study (figure, distance, predict, train, tune, heatmap, widen) and keep its journal for
    /// `sparsewidth merge`
    #[arg(long, global = true, help_heading = "Many machines", value_name = "I/N")]
    shard: Option<Shard>,
    /// Print records as JSON lines on standard output, everything else on standard error
    #[arg(long, global = true, display_order = 1000)]
    json: bool,
    /// Print only results and errors
    #[arg(long, global = true, display_order = 1000)]
    quiet: bool,
    /// Leave out index.html, the page of all pictures, tables and settings for a browser
    #[arg(long, global = true, display_order = 1000)]
    no_page: bool,
    /// The options that were given, by their ids, as they were written.
    #[arg(skip)]
    given: HashMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DeviceOption {
    Auto,
    Cpu,
    Cuda,
}

impl Common {
    /// Refuses an option that was given and would do nothing; one thread is what every command has.
    fn refuse(&self, option: &str, why: &str) -> Result<()> {
        let name = self.name(option);
        match self.given.get(option) {
            None => Ok(()),
            Some(_) if option == "threads" && self.threads == Some(1) => Ok(()),
            Some(value) if value == "true" => Err(Error::value(&name, "(given)", why, "leave it out")),
            Some(value) => Err(Error::value(&name, value, why, "leave it out")),
        }
    }
}

impl Caller for Common {
    fn name(&self, setting: &str) -> String {
        format!("--{}", setting.replace('_', "-"))
    }

    fn refuse(&self, option: &str, why: &str) -> Result<()> {
        Self::refuse(self, option, why)
    }

    fn note(&self, text: &str) {
        Self::note(self, text);
    }

    fn search(&self, data: &Dataset, widths: &[usize]) -> String {
        let widths = widths.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let data = in_shell(&data.to_string());
        format!(
            "search for them with the same options: sparsewidth tune --data {data} --widths {widths} ..., then --rates tune/rates.toml"
        )
    }
}

impl Common {
    /// The device for a command that takes all pairs or not, of networks that a device of choice can draw or not.
    fn open_device(&self, takes_all_pairs: bool, used: bool) -> Result<Device> {
        let cpu = Device::Cpu { memory: (self.memory as usize) << 20 };
        if !takes_all_pairs {
            let why = "no method here takes all pairs (--methods sampled_all does)";
            ["device", "memory"].iter().try_for_each(|option| self.refuse(option, why))?;
        } else if !used {
            self.refuse("device", "the masks of these networks are drawn on the CPU only")?;
        }
        match self.device {
            DeviceOption::Cuda => {
                self.refuse("memory", "applies to the CPU, and --device cuda computes on a GPU")?;
                Device::cuda()
            }
            DeviceOption::Auto if used => Ok(Device::cuda().unwrap_or_else(|error| {
                self.note(&format!("Computing on the CPU: {}.", error.problem()));
                cpu
            })),
            _ => Ok(cpu),
        }
    }
}

/// The most threads per core: more only wait for each other, thousands for most of a minute.
const THREADS_PER_CORE: usize = 4;

impl Common {
    /// Starts the threads that are asked for, by the option or by the environment, but not more than are of use.
    fn start_threads(&self) -> Result<()> {
        let by_environment = || {
            let text = std::env::var("RAYON_NUM_THREADS").ok().filter(|text| !text.is_empty() && text != "0")?;
            let threads = text.parse().ok();
            if threads.is_none() {
                self.note(&format!("RAYON_NUM_THREADS is \"{text}\", not a number of threads, and is ignored."));
            }
            threads
        };
        let Some(asked) = self.threads.or_else(by_environment) else { return Ok(()) };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = asked.min(THREADS_PER_CORE * cores);
        if threads < asked {
            self.note(&format!("{threads} threads instead of {asked}: the program may use {cores} cores here."));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global().map_err(|error| Error::failure("starting threads", error))
    }
}

/// The program as clap knows it: in the help of a command, only what it has use for.
fn program() -> clap::Command {
    let program = Cli::command();
    let hidden: Vec<_> = (UNUSED.iter())
        .filter_map(|(id, _, commands)| {
            let option = program.get_arguments().find(|option| option.get_id() == id)?;
            Some((option.clone().hide(true), *commands))
        })
        .collect();
    // With ten thousand pairs, what the spread over pairs leaves unknown is a hundred times larger.
    let program = program.mut_subcommand("figure", |figure| {
        figure.mut_arg("tolerance", |tolerance| tolerance.default_value(figure::TOLERANCE))
    });
    program.mut_subcommands(|command| {
        let name = command.get_name().to_string();
        let unused = hidden.iter().filter(|(_, commands)| commands.contains(&name.as_str()));
        unused.fold(command, |command, (option, _)| command.arg(option))
    })
}

/// Reads the arguments of the program; what they ask for of clap itself, such as help, is done, and what it finds wrong
/// is printed.
///
/// # Errors
/// Where an option could be one or another.
pub fn parse() -> Result<Cli> {
    let program = program();
    let mut built = program.clone();
    built.build();
    let matches = program.get_matches_from(spelling::spelled(&built, std::env::args_os())?);
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Some((name, matches)) = matches.subcommand() {
        // Groups of options, which have the names of their types, are not options.
        let options = matches.ids().filter(|id| id.as_str().starts_with(char::is_lowercase));
        let given = options.filter(|id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine));
        let written = |id: &str| {
            let values = matches.try_get_raw(id).ok().flatten().into_iter().flatten();
            values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(",")
        };
        cli.common.given = given.map(|id| (id.to_string(), written(id.as_str()))).collect();
        cli.name = name.into();
        let data = matches.try_get_one::<Dataset>("data").ok().flatten();
        if cli.common.given.contains_key("data")
            && data.is_some_and(|data| *data.source() == DataSource::Embedded)
            && std::path::Path::new("mnist").is_dir()
        {
            cli.common.note("mnist is the built-in data; the folder of that name is ./mnist.");
        }
    }
    Ok(cli)
}

/// Runs the command that was given.
pub fn run(cli: Cli) -> Result<()> {
    let common = cli.common;
    for (option, why, commands) in UNUSED {
        if commands.contains(&cli.name.as_str()) {
            common.refuse(option, why)?;
        }
    }
    if let Some(threads) = common.threads
        && !(1..=4096).contains(&threads)
    {
        let remedy = "give a number in that range, or leave it out";
        return Err(Error::value("--threads", threads, "must be from 1 to 4096", remedy));
    }
    common.start_threads()?;
    match cli.command {
        Command::Figure(args) => figure::run(args, &common),
        Command::Kernel(args) => kernel::run(args, &common),
        Command::Distance(args) => distance::run(args, &common),
        Command::Predict(args) => predict::run(args, &common),
        Command::Optimum(args) => optimum::run(args, &common),
        Command::Train(args) => train::run(args, &common),
        Command::Tune(args) => tune::run(args, &common),
        Command::Heatmap(args) => heatmap::run(args, &common),
        Command::Merge(args) => merge::run(args, &common),
        Command::Widen(args) => widen::run(args, &common),
        Command::Evaluate(args) => evaluate::run(args, &common),
        Command::Verify(args) => verify::run(args, &common),
        Command::Budget(args) => budget::run(args, &common),
        Command::Masks(args) => masks::run(args, &common),
        Command::Data(args) => data::run(args, &common),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args, &common),
    }
}
