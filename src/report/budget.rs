//! A budget over layers, as a table and a picture.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::picture::{Picture, Spot, fitting_size, text_width};
use super::table::Table;
use crate::network::budget::LayerShapes;

/// A row per layer: its shape, its weights, how many it keeps, its density, its sparsity and the mean number of weights
/// per output; and their sums.
pub fn budget_table(network: &LayerShapes, kept: &[u64]) -> Table {
    let mut table = Table::new(&["layer", "shape", "weights", "kept", "density", "sparsity", "weights per output"]);
    let share = |part: u64, all: u64| format!("{:.4}", part as f64 / all as f64);
    for (layer, kept) in network.layers.iter().zip(kept) {
        let sizes: Vec<String> = layer.shape.iter().map(usize::to_string).collect();
        table.row(vec![
            layer.name.clone(),
            sizes.join(" x "),
            layer.weights().to_string(),
            kept.to_string(),
            share(*kept, layer.weights()),
            share(layer.weights() - kept, layer.weights()),
            format!("{:.2}", *kept as f64 / layer.outputs() as f64),
        ]);
    }
    let all: u64 = kept.iter().sum();
    let weights = network.weights();
    table.row(vec![
        "all".into(),
        String::new(),
        weights.to_string(),
        all.to_string(),
        share(all, weights),
        share(weights - all, weights),
        String::new(),
    ]);
    table
}

/// What all layers together keep, in the three ways to say it: weights, density and sparsity.
///
/// ```
/// use sparsewidth::network::budget::LayerShapes;
/// let network: LayerShapes = "mlp:784-216-10".parse()?;
/// let text = sparsewidth::report::budget_total(&network, &[4192, 2160]);
/// assert_eq!(text, "Kept: 6352 of 171504 weights, density 0.037037, sparsity 0.962963.");
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[must_use]
pub fn budget_total(network: &LayerShapes, kept: &[u64]) -> String {
    let (kept, all) = (kept.iter().sum::<u64>(), network.weights());
    let (density, sparsity) = (kept as f64 / all as f64, (all - kept) as f64 / all as f64);
    format!("Kept: {kept} of {all} weights, density {}, sparsity {}.", six_digits(density), six_digits(sparsity))
}

/// A share to six digits after the point, or as many as it takes to tell a small one from 0.
fn six_digits(share: f64) -> String {
    if share == 0.0 || share >= 1e-4 { format!("{share:.6}") } else { format!("{share:.3e}") }
}

/// The layers that keep no weight, in words, and that no input reaches an output where that follows: in a perceptron,
/// whose layers come one after the other. None where every layer keeps some.
#[must_use]
pub fn empty_layers(network: &LayerShapes, kept: &[u64]) -> Option<String> {
    let empty = network.layers.iter().zip(kept).filter(|(_, kept)| **kept == 0);
    let names: Vec<&str> = empty.map(|(layer, _)| layer.name.as_str()).collect();
    let dead = if network.name.starts_with("mlp:") { " No input reaches an output." } else { "" };
    (!names.is_empty()).then(|| format!("Layers without a weight: {}.{dead}", names.join(", ")))
}

/// The weights of each layer as bars, on a logarithmic axis, with the part that is kept: the paper's layer-wise
/// picture.
#[derive(Clone, Debug)]
pub struct BudgetChart {
    /// Above the picture.
    pub title: String,
    /// Name, weights and kept weights of each layer.
    pub layers: Vec<(String, u64, u64)>,
}

/// The picture of a divided budget.
#[must_use]
pub fn budget_chart(network: &LayerShapes, rule: &str, kept: &[u64]) -> BudgetChart {
    let layers = network.layers.iter().zip(kept).map(|(layer, kept)| (layer.name.clone(), layer.weights(), *kept));
    let title = format!("{network}: {} of {} weights, {rule}", kept.iter().sum::<u64>(), network.weights());
    BudgetChart { title, layers: layers.collect() }
}

const PLOT_HEIGHT: u32 = 360;
const BAR: u32 = 34;
const LEFT: u32 = 80;
const TOP: u32 = 46;
/// The least room for the names, which stand upright, and their size.
const NAMES: u32 = 210;
const NAME_SIZE: u32 = 12;
const ALL: RGBColor = RGBColor(200, 200, 200);
const KEPT: RGBColor = RGBColor(0, 114, 178);

impl Picture for BudgetChart {
    fn size(&self) -> (u32, u32) {
        let longest = self.layers.iter().map(|(name, ..)| text_width(name, NAME_SIZE)).fold(0.0, f64::max);
        let names = NAMES.max(longest as u32 + 20);
        ((LEFT + BAR * self.layers.len() as u32 + 30).max(620), TOP + PLOT_HEIGHT + names)
    }

    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        factor: u32,
    ) -> std::result::Result<Vec<Spot>, DrawingAreaErrorKind<DB::ErrorType>> {
        let px = |size: u32| (size * factor) as i32;
        area.fill(&WHITE)?;
        let style = |size: u32, horizontal: HPos, vertical: VPos| {
            TextStyle::from(("sans-serif", px(size)).into_font()).pos(Pos::new(horizontal, vertical))
        };
        let text =
            |words: &str, place: (i32, i32), style: TextStyle| area.draw(&Text::new(words.to_string(), place, style));
        let title = fitting_size(&self.title, 16, self.size().0 - 20);
        text(&self.title, (px(self.size().0 / 2), px(TOP / 2)), style(title, HPos::Center, VPos::Center))?;
        // Whole decades, from one weight on.
        let largest = self.layers.iter().map(|(_, weights, _)| *weights).max().unwrap_or(1);
        let decades = (largest as f64).log10().ceil().max(1.0);
        let bottom = TOP + PLOT_HEIGHT;
        let height = |count: u64| {
            let share = if count == 0 { 0.0 } else { (count as f64).log10() / decades };
            (share * f64::from(PLOT_HEIGHT * factor)).round() as i32
        };
        for decade in 0..=decades as u32 {
            let y = px(bottom) - (f64::from(decade) / decades * f64::from(PLOT_HEIGHT * factor)).round() as i32;
            let end = px(self.size().0 - 20);
            area.draw(&PathElement::new(vec![(px(LEFT), y), (end, y)], RGBColor(225, 225, 225).stroke_width(factor)))?;
            text(&format!("1e{decade}"), (px(LEFT - 8), y), style(13, HPos::Right, VPos::Center))?;
        }
        text(
            "weights: all (grey), kept (blue)",
            (px(16), px(TOP + PLOT_HEIGHT / 2)),
            style(14, HPos::Center, VPos::Center).transform(FontTransform::Rotate270),
        )?;
        let mut spots = Vec::new();
        for (index, (name, weights, kept)) in (0..).zip(&self.layers) {
            let x = LEFT + BAR * index + 6;
            spots.push(Spot {
                corners: [(px(x - 5), px(TOP)), (px(x + BAR - 5), px(bottom))],
                words: format!("{name}\n{kept} of {weights} weights kept"),
            });
            for (count, colour, inset) in [(*weights, ALL, 0), (*kept, KEPT, 4)] {
                if count > 0 {
                    // A single weight is at the bottom of the axis; it is drawn as a line.
                    let top = px(bottom) - height(count).max(px(1));
                    let corners = [(px(x + inset), top), (px(x + BAR - 10 - inset), px(bottom))];
                    area.draw(&Rectangle::new(corners, colour.filled()))?;
                }
            }
            let place = (px(x + (BAR - 10) / 2), px(bottom + 8));
            text(name, place, style(NAME_SIZE, HPos::Left, VPos::Center).transform(FontTransform::Rotate90))?;
        }
        area.present()?;
        Ok(spots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::budget::Rule;

    #[test]
    fn layers_without_a_weight_are_named() {
        let mlp: LayerShapes = "mlp:784-216-10".parse().unwrap();
        let kept = Rule::Proportional.divide(&mlp.layers, 20).unwrap();
        assert_eq!(kept, [20, 0]);
        let text = empty_layers(&mlp, &kept).unwrap();
        assert_eq!(text, "Layers without a weight: layer1.weight. No input reaches an output.");
        assert_eq!(empty_layers(&mlp, &[19, 1]), None);
        // A block's other branch can still join inputs and outputs.
        let resnet: LayerShapes = "resnet18:8,100".parse().unwrap();
        let kept = vec![0; resnet.layers.len()];
        assert!(empty_layers(&resnet, &kept).unwrap().ends_with("fc.weight."));
    }

    #[test]
    fn every_layer_is_in_table_and_picture() {
        let network: LayerShapes = "resnet18:8,100".parse().unwrap();
        let kept = Rule::LargestFirst.divide(&network.layers, 50_000).unwrap();
        let table = budget_table(&network, &kept).to_string();
        let picture = budget_chart(&network, "largest-first", &kept).svg().unwrap();
        for layer in &network.layers {
            assert!(table.contains(&layer.name) && picture.contains(&layer.name), "{}", layer.name);
        }
        assert!(table.contains("50000") && picture.contains("50000 of 180952"), "{table}");
        let single = BudgetChart { title: String::new(), layers: vec![("a".into(), 1, 0)] };
        assert!(single.png().unwrap().starts_with(b"\x89PNG"));
    }
}
