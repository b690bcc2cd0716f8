//! Studies: what the program's commands of the same names do, without a shell.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use numpy::PyReadonlyArrayDyn;
use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sparsewidth::data;
use sparsewidth::files::OutputFolder;
use sparsewidth::network::NamedMask;
use sparsewidth::report::{
    MASKS_FILES, PREDICTION_PICTURES, Page, SUMMARY, TRAINING_PICTURES, TUNE_FILES, VERIFY_PICTURES, distance_page,
    distance_pictures, masks_page, masks_pictures, optimum_page, predicted_optimum_page, prediction_page,
    report_folder, study_folder, training_page, tune_page, verification_page, write_masks, write_records, write_tune,
};
use sparsewidth::sampled::Device;
use sparsewidth::study::request::{
    Caller, DistanceRequest, MasksRequest, Minimised, OptimumRequest, PredictRequest, TrainRequest, TuneRequest,
    VerifyRequest,
};
use sparsewidth::study::{LearningRates, MaskSet, Record, StudySpec, VerifyReport, to_lines};
use sparsewidth::{Error, Result};

use crate::data::Dataset;
use crate::errors::wrong_value;
use crate::options::{Options, argument};
use crate::run::{Monitor, Runner};

/// What a study found, as JSON, and remarks.
type Found = (String, Vec<String>);

/// Who asks from Python: which arguments were given, and what is to be said.
#[derive(Default)]
struct Asking {
    given: HashSet<String>,
    remarks: Mutex<Vec<String>>,
}

impl Asking {
    /// JSON with what was said.
    fn found(&self, json: String) -> Found {
        (json, std::mem::take(&mut *self.remarks.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Caller for Asking {
    fn name(&self, setting: &str) -> String {
        argument(setting).into()
    }

    fn refuse(&self, setting: &str, why: &str) -> Result<()> {
        match self.given.contains(setting) {
            true => Err(Error::value(argument(setting), "(given)", why, "leave it out")),
            false => Ok(()),
        }
    }

    fn note(&self, text: &str) {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).push(text.trim_end().into());
    }

    fn search(&self, _: &data::Dataset, widths: &[usize]) -> String {
        format!(
            "search for them with the same options: sparsewidth.tune(data, widths={widths:?}, ..., out=\"tune\"), then \
             rates=\"tune/rates.toml\""
        )
    }
}

/// What all studies take.
struct Asked {
    runner: Runner,
    seed: u64,
    out: Option<PathBuf>,
    asking: Arc<Asking>,
}

impl Asked {
    /// Takes the common options, and reads the others as a request.
    fn new<T: DeserializeOwned>(
        options: &str,
        progress: Option<Py<PyAny>>,
        own: impl FnOnce(&mut Options) -> PyResult<()>,
    ) -> PyResult<(Self, T)> {
        let mut options = Options::new(options)?;
        let given = options.names();
        let runner = Runner::new(&mut options, progress)?;
        let (seed, out) = (options.or("seed", 0)?, options.maybe("out")?);
        own(&mut options)?;
        let asking = Arc::new(Asking { given, ..Asking::default() });
        Ok((Self { runner, seed, out, asking }, options.request()?))
    }

    /// Runs what makes a page of some results, which are written by `write` where there is a folder.
    fn report<R: Serialize>(
        py: Python<'_>,
        runner: &Runner,
        asking: Arc<Asking>,
        work: impl FnOnce(&Monitor, &Asking) -> Result<(R, Page, Option<OutputFolder>)> + Send + 'static,
        write: impl FnOnce(&OutputFolder, &R, &str) -> Result<()> + Send + 'static,
    ) -> PyResult<Found> {
        runner.run(py, move |monitor| {
            let (report, page, out) = work(monitor, &asking)?;
            let json = json(&report)?;
            if let Some(out) = &out {
                write(out, &report, &json)?;
            }
            finish(&page, out.as_ref(), &asking)?;
            Ok(asking.found(json))
        })
    }

    /// Runs a study of records.
    fn records(
        self,
        py: Python<'_>,
        device: Chosen,
        study: impl FnOnce(u64, &Asking) -> Result<StudySpec> + Send + 'static,
        folder: impl FnOnce(&StudySpec, &Path) -> Result<OutputFolder> + Send + 'static,
        page: impl FnOnce(&[Record]) -> Page + Send + 'static,
    ) -> PyResult<Found> {
        let Self { runner, seed, out, asking } = self;
        runner.run(py, move |monitor| {
            let study = study(seed, &asking)?;
            let device = device.open(&study, &asking)?;
            let out = out.map(|path| folder(&study, &path)).transpose()?;
            let path = out.as_ref().map(OutputFolder::path);
            let records = study.run(path, &device, &|progress| monitor.study(progress, &*asking))?;
            if let Some(out) = &out {
                write_records(out, &records)?;
            }
            finish(&page(&records), out.as_ref(), &asking)?;
            let lines = String::from_utf8(to_lines(&records)?).expect("JSON is UTF-8");
            Ok(asking.found(lines))
        })
    }
}

/// Writes a page to a folder, where there is one, and says its remarks.
fn finish(page: &Page, out: Option<&OutputFolder>, asking: &Asking) -> Result<()> {
    if let Some(out) = out {
        page.write(out, true)?;
    }
    page.remarks.iter().for_each(|remark| asking.note(remark));
    Ok(())
}

/// A report as the program prints it.
fn json<R: Serialize>(report: &R) -> Result<String> {
    serde_json::to_string(report).map(|text| text + "\n").map_err(|error| Error::failure("writing JSON", error))
}

/// Where kernels over all pairs are computed.
#[derive(Clone, Copy)]
enum Chosen {
    Auto,
    Cpu,
    Cuda,
}

impl Chosen {
    fn new(options: &mut Options) -> PyResult<Self> {
        match options.maybe::<String>("device")?.as_deref() {
            None | Some("auto") => Ok(Self::Auto),
            Some("cpu") => Ok(Self::Cpu),
            Some("cuda") => Ok(Self::Cuda),
            Some(other) => Err(wrong_value("device", other, "is no device", "use \"auto\", \"cpu\" or \"cuda\"")),
        }
    }

    fn open(self, study: &StudySpec, asking: &Asking) -> Result<Device> {
        if !study.takes_all_pairs() {
            asking.refuse("device", "no method here takes all pairs (\"sampled_all\" does)")?;
        } else if !study.uses_device() {
            asking.refuse("device", "the masks of these networks are drawn on the CPU only")?;
        }
        match self {
            Self::Cuda => Device::cuda(),
            Self::Auto if study.uses_device() => Ok(Device::cuda().unwrap_or(Device::CPU)),
            _ => Ok(Device::CPU),
        }
    }
}

/// Distances against width.
#[pyfunction]
pub fn distance(py: Python<'_>, data: &Dataset, options: &str, progress: Option<Py<PyAny>>) -> PyResult<Found> {
    let mut device = Chosen::Auto;
    let own = |options: &mut Options| Chosen::new(options).map(|chosen| device = chosen);
    let (asked, request) = Asked::new::<DistanceRequest>(options, progress, own)?;
    let data = data.0.clone();
    asked.records(
        py,
        device,
        move |seed, asking| request.study(data, seed, asking),
        |study, path| {
            let spec = study.distance.as_ref().expect("invariant: a study of distances takes distances");
            study_folder(path, "distance", &distance_pictures(&spec.normalisations, &spec.kernels), &[], true)
        },
        distance_page,
    )
}

/// How a request becomes a study, with learning rates.
type Learning<T> = fn(T, data::Dataset, u64, Option<&LearningRates>, &dyn Caller) -> Result<StudySpec>;

/// A study that may read learning rates from a file; `files` are those of its folder: the command, pictures, others.
fn with_rates<T: DeserializeOwned + Send + 'static>(
    py: Python<'_>,
    data: &Dataset,
    (options, progress): (&str, Option<Py<PyAny>>),
    study: Learning<T>,
    files: (&'static str, &'static [&'static str], &'static [&'static str]),
    page: fn(&[Record]) -> Page,
) -> PyResult<Found> {
    let mut rates: Option<PathBuf> = None;
    let own = |options: &mut Options| options.maybe("rates").map(|path| rates = path);
    let (asked, request) = Asked::new::<T>(options, progress, own)?;
    let data = data.0.clone();
    let study = move |seed, asking: &Asking| {
        let rates = rates.as_deref().map(LearningRates::read).transpose()?;
        study(request, data, seed, rates.as_ref(), asking)
    };
    let folder = move |_: &StudySpec, path: &Path| study_folder(path, files.0, files.1, files.2, true);
    asked.records(py, Chosen::Auto, study, folder, page)
}

/// Test errors by kernel regression.
#[pyfunction]
pub fn predict(py: Python<'_>, data: &Dataset, options: &str, progress: Option<Py<PyAny>>) -> PyResult<Found> {
    let files = ("predict", &PREDICTION_PICTURES[..], &[SUMMARY][..]);
    with_rates(py, data, (options, progress), PredictRequest::study, files, prediction_page)
}

/// Training runs.
#[pyfunction]
pub fn train(py: Python<'_>, data: &Dataset, options: &str, progress: Option<Py<PyAny>>) -> PyResult<Found> {
    let files = ("train", &TRAINING_PICTURES[..], &[][..]);
    with_rates(py, data, (options, progress), TrainRequest::study, files, training_page)
}

/// A search for learning rates.
#[pyfunction]
pub fn tune(py: Python<'_>, data: &Dataset, options: &str, progress: Option<Py<PyAny>>) -> PyResult<Found> {
    let (asked, request) = Asked::new::<TuneRequest>(options, progress, |_| Ok(()))?;
    let data = data.0.clone();
    let Asked { runner, seed, out, asking } = asked;
    runner.run(py, move |monitor| {
        let spec = request.spec(data, seed, &*asking)?;
        let folder = |path: &PathBuf| study_folder(path, "tune", &["tune"], &TUNE_FILES, true);
        let out = out.as_ref().map(folder).transpose()?;
        let (report, records) = spec.run(out.as_ref().map(OutputFolder::path), &|progress| {
            monitor.study(progress, &*asking);
        })?;
        if let Some(out) = &out {
            write_tune(out, &report, &records)?;
        }
        finish(&tune_page(&report), out.as_ref(), &asking)?;
        Ok(asking.found(json(&report)?))
    })
}

/// The width that minimises the distance, or the error that kernels predict.
#[pyfunction]
pub fn optimum(py: Python<'_>, data: &Dataset, options: &str, progress: Option<Py<PyAny>>) -> PyResult<Found> {
    let (asked, request) = Asked::new::<OptimumRequest>(options, progress, |_| Ok(()))?;
    let data = data.0.clone();
    let Asked { runner, seed, out, asking } = asked;
    let folder = move || {
        let folder = |path: &PathBuf| report_folder(path, "optimum", &["optimum"], &["optimum.json"], true);
        out.as_ref().map(folder).transpose()
    };
    if request.by == Minimised::Distance {
        let work = move |monitor: &Monitor, asking: &Asking| {
            let (spec, out) = (request.by_distance(data, seed, asking)?, folder()?);
            let report = spec.run(&|share| monitor.share(share))?;
            let page = optimum_page(&report);
            Ok((report, page, out))
        };
        return Asked::report(py, &runner, asking, work, |out, _, json| out.write("optimum.json", json.as_bytes()));
    }
    let work = move |monitor: &Monitor, asking: &Asking| {
        let (spec, out) = (request.by_regression(data, seed, asking)?, folder()?);
        let report = spec.run(&|share| monitor.share(share))?;
        let page = predicted_optimum_page(&report);
        Ok((report, page, out))
    };
    Asked::report(py, &runner, asking, work, |out, _, json| out.write("optimum.json", json.as_bytes()))
}

/// Theorem 1 against drawn networks.
#[pyfunction]
#[pyo3(signature = (data, options, progress))]
pub fn verify(py: Python<'_>, data: Option<&Dataset>, options: &str, progress: Option<Py<PyAny>>) -> PyResult<Found> {
    let (asked, request) = Asked::new::<VerifyRequest>(options, progress, |_| Ok(()))?;
    let data = data.map(|data| data.0.clone());
    let Asked { runner, seed, out, asking } = asked;
    let work = move |monitor: &Monitor, asking: &Asking| {
        let spec = request.spec(data, seed, asking)?;
        let folder = |path| report_folder(path, "verify", &VERIFY_PICTURES, &["verify.md", "verify.json"], true);
        let out = out.as_deref().map(folder).transpose()?;
        let report = spec.run(&|share| monitor.share(share))?;
        if !VerifyReport::rejected(&report.tests).is_empty() {
            asking.note("The drawn networks reject Theorem 1; see the tests of the report.");
        }
        let page = verification_page(&report);
        Ok((report, page, out))
    };
    Asked::report(py, &runner, asking, work, |out, _, json| out.write("verify.json", json.as_bytes()))
}

/// The masks of a network: its name, and its layers from the inputs on.
type Network<'py> = (String, Vec<(String, PyReadonlyArrayDyn<'py, bool>)>);

/// Given masks: their layers, distances, and random masks beside them.
#[pyfunction]
pub fn mask_report<'py>(
    py: Python<'py>,
    networks: Vec<Network<'py>>,
    data: &Dataset,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<Found> {
    let mut curves = false;
    let own = |options: &mut Options| options.or("curves", false).map(|wanted| curves = wanted);
    let (asked, request) = Asked::new::<MasksRequest>(options, progress, own)?;
    let named = |(layer, mask): &(String, PyReadonlyArrayDyn<bool>)| NamedMask {
        layer: layer.clone(),
        mask: mask.as_array().to_owned(),
    };
    let set = |(name, layers): &Network| MaskSet { name: name.clone(), masks: layers.iter().map(named).collect() };
    let sets: Vec<MaskSet> = networks.iter().map(set).collect();
    let data = data.0.clone();
    let Asked { runner, seed, out, asking } = asked;
    let work = move |monitor: &Monitor, asking: &Asking| {
        let spec = request.spec(out.is_some() || curves, seed, asking)?;
        let folder = |path| report_folder(path, "masks", &masks_pictures(), &MASKS_FILES, true);
        let out = out.as_deref().map(folder).transpose()?;
        let inputs = request.inputs(&data, seed)?;
        let all = spec.work(sets.len());
        let report = spec.run(&sets, &inputs, &|| monitor.step(all))?;
        let page = masks_page(&report);
        Ok((report, page, out))
    };
    Asked::report(py, &runner, asking, work, |out, report, _| write_masks(out, report))
}
