//! Accuracy over overall connectivity and connectivity of the last layer, as a picture.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Range;
use super::figure::evaluated;
use super::picture::{Picture, Spot, fitting_size, text_width};
use super::summary::four_digits;
use super::table::counted;
use crate::network::Activation;
use crate::numeric::statistics::mean;
use crate::study::{Record, TrainingRecord};

/// A table of numbers as colours, each with its number; cells without one are left white, and the largest is starred,
/// with all that equal it.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Above the picture.
    pub title: String,
    /// Below it.
    pub x_label: String,
    /// Beside it.
    pub y_label: String,
    /// The name of each column, in one line or two.
    pub columns: Vec<String>,
    /// The name of each row, from the top.
    pub rows: Vec<String>,
    /// The number of each cell, row by row; not finite where every run diverged.
    pub cells: Vec<Vec<Option<f64>>>,
}

/// The mean best accuracy, in percent, of the networks of one activation at a budget, over some widths (and so overall
/// connectivities) and connectivities of the last layer; NaN where every run diverged before its first epoch ended;
/// cells without a run are empty. None without any record.
pub fn heat_map(records: &[Record], activation: Activation) -> Option<HeatMap> {
    let runs: Vec<&TrainingRecord> =
        records.iter().filter_map(Record::training).filter(|run| run.activation == activation).collect();
    let first = runs.first()?;
    let weights = budget(first);
    // Of all activations, so that their maps have the same cells.
    let all = || records.iter().filter_map(Record::training);
    let mut widths: Vec<usize> = all().map(|run| run.width).collect();
    widths.sort_unstable();
    widths.dedup();
    let mut last: Vec<f64> = all().map(|run| run.last_connectivity.get()).collect();
    last.sort_by(|a, b| b.total_cmp(a));
    last.dedup();
    let column = |width: &usize| {
        let connectivity =
            weights as f64 / ((first.dimension as f64 + first.architecture.last().width() as f64) * *width as f64);
        // Two digits that are not zeros, of however small a number.
        let digits = (2..6).find(|digits| connectivity * 10f64.powi(*digits) >= 5.0);
        let connectivity = match digits {
            Some(digits) => format!("{connectivity:.*}", digits as usize),
            None => format!("{connectivity:.1e}"),
        };
        format!("{connectivity}\n{width}")
    };
    let cell = |last: f64, width: usize| {
        let of = || runs.iter().filter(|run| run.width == width && run.last_connectivity.get() == last);
        let accuracies: Vec<f64> =
            of().filter_map(|run| run.finite_accuracy()).map(|accuracy| 100.0 * accuracy).collect();
        let value = if accuracies.is_empty() { f64::NAN } else { mean(&accuracies) };
        of().next().map(|_| value)
    };
    let name = match activation {
        Activation::Relu => "ReLU",
        Activation::Linear => "linear",
    };
    Some(HeatMap {
        title: format!(
            "Best {} accuracy in %, {name}, {weights} weights, {} training samples, {}",
            evaluated(first),
            first.samples,
            counted(first.epochs, "epoch")
        ),
        x_label: "overall connectivity, and width".into(),
        y_label: "connectivity of the last layer".into(),
        columns: widths.iter().map(column).collect(),
        rows: last.iter().map(|last| four_digits(*last)).collect(),
        cells: last.iter().map(|last| widths.iter().map(|width| cell(*last, *width)).collect()).collect(),
    })
}

/// The weight budget of a network: the weights that are expected in all layers but the last, and those that its last
/// one keeps.
fn budget(run: &TrainingRecord) -> usize {
    let network = run.network().kernel_network().architecture;
    let last = run.last_connectivity.get() * (run.architecture.last().width() as f64 * run.width as f64);
    (network.weights(run.dimension) + last.round()).round() as usize
}

impl HeatMap {
    /// The largest number, with its row and column, the first of equal ones.
    #[must_use]
    pub fn best(&self) -> Option<(usize, usize, f64)> {
        let mut best: Option<(usize, usize, f64)> = None;
        for (i, row) in self.cells.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                if let Some(value) = value.as_ref().filter(|value| value.is_finite())
                    && best.is_none_or(|(.., other)| *value > other)
                {
                    best = Some((i, j, *value));
                }
            }
        }
        best
    }

    /// The range of colours, wide enough for its two labels to differ: of all numbers but for those so far below that
    /// most others would look alike, which take the lowest colour; and whether there are any. None without a number.
    fn range(&self) -> Option<(f64, f64, bool)> {
        let cells = self.cells.iter().flatten().flatten();
        let mut values: Vec<f64> = cells.copied().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (first, last) = (values.first()?, values.last()?);
        let low = Range::of_most(&values, 0.1).low;
        let room = (0.1 - (last - low) / 2.0).max(0.0);
        Some((low - room, last + room, low > *first))
    }
}

/// Sizes of a cell, and of what is beside the cells.
const CELL: (u32, u32) = (84, 40);
const LEFT: u32 = 90;
const TOP: u32 = 50;
const RIGHT: u32 = 110;
const BOTTOM: u32 = 78;
/// Steps of the colour scale.
const STEPS: u32 = 64;

impl Picture for HeatMap {
    fn size(&self) -> (u32, u32) {
        let (columns, rows) = (self.columns.len() as u32, self.rows.len() as u32);
        // Wide enough for the title.
        ((LEFT + CELL.0 * columns + RIGHT).max(760), (TOP + CELL.1 * rows + BOTTOM).max(240))
    }

    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        factor: u32,
    ) -> std::result::Result<Vec<Spot>, DrawingAreaErrorKind<DB::ErrorType>> {
        let px = |size: u32| (size * factor) as i32;
        area.fill(&WHITE)?;
        let at =
            |size: u32| TextStyle::from(("sans-serif", px(size)).into_font()).pos(Pos::new(HPos::Center, VPos::Center));
        let text =
            |words: &str, place: (i32, i32), style: TextStyle| area.draw(&Text::new(words.to_string(), place, style));
        let range = self.range();
        let colour =
            |value: f64| range.map_or(WHITE, |(low, high, _)| ViridisRGB::get_color_normalized(value, low, high));
        let (middle_x, middle_y) =
            (LEFT + CELL.0 * self.columns.len() as u32 / 2, TOP + CELL.1 * self.rows.len() as u32 / 2);
        let title = fitting_size(&self.title, 16, self.size().0 - 20);
        // Beside the cells, but no higher than the picture.
        let y_label = middle_y.max(text_width(&self.y_label, 14) as u32 / 2 + 8);
        text(&self.title, (px(self.size().0 / 2), px(TOP / 2)), at(title))?;
        let best = self.best();
        let mut spots = Vec::new();
        for (i, row) in self.cells.iter().enumerate() {
            let y = TOP + CELL.1 * i as u32;
            text(self.rows.get(i).map_or("", String::as_str), (px(LEFT - 24), px(y + CELL.1 / 2)), at(13))?;
            for (j, value) in row.iter().enumerate() {
                let x = LEFT + CELL.0 * j as u32;
                let Some(value) = value else { continue };
                let corners = [(px(x), px(y)), (px(x + CELL.0), px(y + CELL.1))];
                spots.push(Spot { corners, words: self.words((i, j), *value) });
                if !value.is_finite() {
                    text("diverged", (px(x + CELL.0 / 2), px(y + CELL.1 / 2)), at(13))?;
                    continue;
                }
                let background = colour(*value);
                area.draw(&Rectangle::new(corners, background.filled()))?;
                let RGBColor(red, green, blue) = background;
                let bright = 0.3 * f64::from(red) + 0.6 * f64::from(green) + 0.1 * f64::from(blue) > 140.0;
                let ink = if bright { BLACK } else { WHITE };
                let star = if best.is_some_and(|(.., best)| best == *value) { " ★" } else { "" };
                text(&format!("{value:.1}{star}"), (px(x + CELL.0 / 2), px(y + CELL.1 / 2)), at(13).color(&ink))?;
            }
        }
        let below = TOP + CELL.1 * self.rows.len() as u32;
        for (j, name) in self.columns.iter().enumerate() {
            for (line, words) in name.lines().enumerate() {
                text(words, (px(LEFT + CELL.0 * j as u32 + CELL.0 / 2), px(below + 12 + 16 * line as u32)), at(13))?;
            }
        }
        text(&self.x_label, (px(middle_x), px(below + 56)), at(14))?;
        text(&self.y_label, (px(18), px(y_label)), at(14).transform(FontTransform::Rotate270))?;

        let Some((low, high, outliers)) = range else {
            if self.cells.iter().flatten().flatten().next().is_some() {
                text("Every run diverged.", (px(self.size().0 / 2), px(TOP - 9)), at(13))?;
            }
            area.present()?;
            return Ok(spots);
        };
        // The scale.
        let (x, height) = (LEFT + CELL.0 * self.columns.len() as u32 + 20, CELL.1 * self.rows.len() as u32);
        for step in 0..STEPS {
            let value = high - (high - low) * (f64::from(step) + 0.5) / f64::from(STEPS);
            let (start, end) =
                (TOP * factor + height * factor * step / STEPS, TOP * factor + height * factor * (step + 1) / STEPS);
            area.draw(&Rectangle::new([(px(x), start as i32), (px(x + 16), end as i32)], colour(value).filled()))?;
        }
        text(&format!("{high:.1}"), (px(x + 42), px(TOP + 6)), at(13))?;
        let least = if outliers { "≤ " } else { "" };
        text(&format!("{least}{low:.1}"), (px(x + 42), px(TOP + height - 6)), at(13))?;
        area.present()?;
        Ok(spots)
    }
}

impl HeatMap {
    /// A cell in words.
    fn words(&self, (row, column): (usize, usize), value: f64) -> String {
        let value = if value.is_finite() { format!("{value:.2}") } else { "diverged".into() };
        let column = self.columns.get(column).map_or(String::new(), |name| name.replace('\n', ", "));
        let row = self.rows.get(row).map_or("", String::as_str);
        format!("{value}\n{}: {column}\n{}: {row}", self.x_label, self.y_label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_cell_is_starred_and_empty_ones_are_white() {
        let map = HeatMap {
            title: "t".into(),
            x_label: "x".into(),
            y_label: "y".into(),
            columns: vec!["0.5\n8".into(), "0.25\n16".into()],
            rows: vec!["1".into(), "0.5".into()],
            cells: vec![vec![Some(90.0), Some(96.25)], vec![None, Some(10.0)]],
        };
        assert_eq!(map.best(), Some((0, 1, 96.25)));
        let svg = map.svg().unwrap();
        let spots = map.svg_with_spots().unwrap().1;
        assert_eq!(spots.len(), 3);
        assert_eq!(spots[1].words, "96.25\nx: 0.25, 16\ny: 1");
        assert_eq!(svg.matches('★').count(), 1);
        assert!(svg.contains("96.2 ★") || svg.contains("96.3 ★"));
        assert!(svg.contains("90.0") && svg.contains("10.0"));
        // Accuracies that are all the same have a scale of two ends; outliers below are said to be there.
        let alike = HeatMap { cells: vec![vec![Some(90.0), Some(90.0)], vec![None, Some(90.0)]], ..map.clone() };
        let svg = alike.svg().unwrap();
        assert!(svg.contains("90.1") && svg.contains("89.9") && !svg.contains('≤'));
        let cells = vec![vec![Some(90.0), Some(91.0), Some(92.0), Some(93.0), Some(94.0), Some(10.0)]];
        assert!(HeatMap { cells, ..map.clone() }.svg().unwrap().contains("≤ 90.0"));
        // A few cells over all of their range; ties.
        let few = HeatMap { cells: vec![vec![Some(10.0), Some(10.0)], vec![Some(5.0), Some(0.0)]], ..map.clone() };
        let svg = few.svg().unwrap();
        assert!(!svg.contains('≤') && svg.matches('★').count() == 2);
        // A cell says so if all its runs diverged; if all cells do, there is no colour scale.
        let some = HeatMap { cells: vec![vec![Some(f64::NAN), Some(90.0)]], ..map.clone() };
        let svg = some.svg().unwrap();
        assert!(svg.contains("diverged") && svg.contains("90.1") && !svg.contains("Every run"));
        assert_eq!(some.best(), Some((0, 1, 90.0)));
        let all = HeatMap { cells: vec![vec![Some(f64::NAN)]; 3], ..map.clone() };
        let svg = all.svg().unwrap();
        assert!(svg.contains("Every run diverged.") && svg.matches("<rect").count() == 1 && all.best().is_none());
        let none = HeatMap { columns: vec![], rows: vec![], cells: vec![], ..map };
        assert!(none.best().is_none() && none.png().unwrap().starts_with(b"\x89PNG"));
    }
}
