//! Records of a finished study: what is read can be laid out in tables and drawn, and written again it is the same.

#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use sparsewidth::data::Normalisation;
use sparsewidth::files::OutputFolder;
use sparsewidth::report::{
    Chart, Picture, Statistic, accuracy_chart, curves_chart, diagonal_table, distance_chart, distance_table,
    parts_chart, parts_table, summary, training_table, widen_chart, widen_distance_chart, widen_summary, write_records,
};
use sparsewidth::study::{RECORDS, read_records};
use sparsewidth_fuzz::{assert_refusal, folder, write};

fuzz_target!(|bytes: &[u8]| {
    let path = write(RECORDS, bytes);
    let records = match read_records(folder()) {
        Ok(records) => records,
        Err(error) => return assert_refusal(&error, &path),
    };
    let written = folder().join("written");
    if written.exists() {
        std::fs::remove_dir_all(&written).expect("an old folder to remove");
    }
    let output = OutputFolder::new(&written, "fuzz", &[]).expect("no names");
    write_records(&output, &records).expect("records that were read can be written");
    assert_eq!(read_records(&written).expect("what was written can be read"), records);

    let mut text = summary(&records, "", 0) + &widen_summary(&records, 0) + &training_table(&records).to_string();
    draw(accuracy_chart(&records));
    draw(curves_chart(&records));
    draw(widen_chart(&records));
    draw(widen_distance_chart(&records));
    for normalisation in [Normalisation::Pixel, Normalisation::Global, Normalisation::None] {
        for statistic in [Statistic::Mean, Statistic::Median] {
            text += &distance_table(&records, normalisation, statistic).to_string();
            draw(distance_chart(&records, normalisation, statistic));
        }
        text += &parts_table(&records, normalisation).to_string();
        text += &diagonal_table(&records, normalisation).to_string();
        draw(parts_chart(&records, normalisation));
    }
    black_box(text);
});

fn draw(chart: Option<Chart>) {
    if let Some(chart) = chart {
        let picture = chart.svg().expect("a chart of records can be drawn");
        assert!(picture.contains("</svg>"));
    }
}
