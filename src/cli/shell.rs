//! `sparsewidth completions` and `sparsewidth man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;
use sparsewidth::files::{make_folder, write_atomically};
use sparsewidth::{Error, Result};

use super::output::print;
use super::values::path;
use super::{Common, program};

const NAME: &str = "sparsewidth";
/// What a manual page is of.
const SOURCE: &str = concat!("sparsewidth ", env!("CARGO_PKG_VERSION"));

#[derive(Args)]
pub struct CompletionsArgs {
    /// Shell to write completions for
    shell: Shell,
}

pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program(), NAME, &mut script);
    print(&String::from_utf8_lossy(&script))
}

#[derive(Args)]
pub struct ManArgs {
    /// Write a page per command to this folder: sparsewidth.1, sparsewidth-figure.1, ... [default: print the first
    /// page]
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

pub fn man(args: &ManArgs, common: &Common) -> Result<()> {
    let page = |command: clap::Command| -> Result<Vec<u8>> {
        let mut page = Vec::new();
        let written = clap_mangen::Man::new(command).source(SOURCE).render(&mut page);
        written.map_err(|error| Error::failure("writing a manual page", error))?;
        Ok(page)
    };
    let mut program = program();
    program.build();
    let Some(folder) = &args.out else {
        return print(&String::from_utf8_lossy(&page(program)?));
    };
    make_folder(folder)?;
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{NAME}-{}", command.get_name());
        write_atomically(&folder.join(format!("{name}.1")), &page(command.clone())?)?;
    }
    write_atomically(&folder.join(format!("{NAME}.1")), &page(program)?)?;
    common.note(&format!("{}: {NAME}.1 and a page per command", folder.display()));
    Ok(())
}
