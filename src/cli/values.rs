//! What the shell does not make of paths and data, made here.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};
use sparsewidth::data::{DataSource, Dataset};
use sparsewidth::network::budget::LayerShapes;
use sparsewidth::{Error, Result};

/// A file or folder. A leading `~`, which shells leave alone after `=`, is the home folder.
pub fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text: OsString| expanded(&text))
}

/// A data set.
pub fn source() -> impl TypedValueParser<Value = Dataset> {
    OsStringValueParser::new().try_map(|text: OsString| source_of(&text).map(Dataset::from))
}

/// The layers of a network.
pub fn architecture() -> impl TypedValueParser<Value = LayerShapes> {
    OsStringValueParser::new().try_map(|text: OsString| match text.to_str() {
        Some(text) if !text.starts_with('~') => text.parse(),
        _ => LayerShapes::from_file(&expanded(&text)?),
    })
}

fn expanded(text: &OsStr) -> Result<PathBuf> {
    if text.is_empty() {
        return Err(Error::value("path", "(nothing)", "names no file or folder", "write a path"));
    }
    let path = Path::new(text);
    let Some(first) = path.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned()) else {
        return Ok(path.into());
    };
    if !first.starts_with('~') || path.exists() {
        return Ok(path.into());
    }
    let home = std::env::home_dir().filter(|home| first == "~" && !home.as_os_str().is_empty());
    let rest = path.strip_prefix("~").unwrap_or(path);
    home.map(|home| home.join(rest)).ok_or_else(|| {
        let problem = "begins with ~, which the shell has left as it is";
        let remedy = format!("write the whole path, or ./{} if that is its name", path.display());
        Error::value("path", path.display(), problem, remedy)
    })
}

fn source_of(text: &OsStr) -> Result<DataSource> {
    let Some(name) = text.to_str() else {
        // No name of ours: a path that is no UTF-8.
        return Ok(DataSource::of_path(&expanded(text)?));
    };
    let trimmed = name.trim();
    if let Some((protocol, _)) = trimmed.split_once("://") {
        let problem = format!("is an address ({protocol}), and nothing is downloaded here");
        return Err(Error::value("data", name, problem, "download the files, and give their folder"));
    }
    // A folder of that name is what was meant where there is one.
    if trimmed.eq_ignore_ascii_case("mnist") && (trimmed == "mnist" || !Path::new(name).exists()) {
        return Ok(DataSource::Embedded);
    }
    if name.starts_with('~') {
        return Ok(DataSource::of_path(&expanded(text)?));
    }
    name.parse()
}
