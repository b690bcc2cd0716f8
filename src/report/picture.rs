//! What can be drawn, as SVG and PNG.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::error::{Error, Result};

/// The smallest text that is read with ease.
const LEAST_SIZE: u32 = 10;

/// PNGs are drawn at this many times the size, for sharp text.
const PNG_FACTOR: u32 = 2;

/// A place in a picture that stands for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Its upper left and lower right corner, in pixels.
    pub corners: [(i32, i32); 2],
    /// The values, a line each.
    pub words: String,
}

/// A picture of fixed size that can be drawn at multiples of it.
pub trait Picture {
    /// Its width and height.
    fn size(&self) -> (u32, u32);

    /// Draws it at `factor` times its size, and says where its values are.
    ///
    /// # Errors
    /// Where the backend fails.
    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        factor: u32,
    ) -> std::result::Result<Vec<Spot>, DrawingAreaErrorKind<DB::ErrorType>>;

    /// The picture as an SVG document.
    ///
    /// # Errors
    /// Where it cannot be drawn.
    fn svg(&self) -> Result<String> {
        Ok(self.svg_with_spots()?.0)
    }

    /// The picture as an SVG document, and where its values are.
    ///
    /// # Errors
    /// Where it cannot be drawn.
    fn svg_with_spots(&self) -> Result<(String, Vec<Spot>)> {
        embed_font();
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, self.size()).into_drawing_area();
        let spots = self.draw(&area, 1).map_err(|error| Error::failure("drawing an SVG", error))?;
        drop(area);
        Ok((text, spots))
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// Where it cannot be drawn.
    fn png(&self) -> Result<Vec<u8>> {
        embed_font();
        let failure = |error: &dyn std::fmt::Display| Error::failure("drawing a PNG", error);
        let (width, height) = (self.size().0 * PNG_FACTOR, self.size().1 * PNG_FACTOR);
        // In memory: another place to draw in may be missing, full or not writable when the work is done.
        let mut pixels = vec![0; 3 * width as usize * height as usize];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
            self.draw(&area, PNG_FACTOR).map_err(|error| failure(&error))?;
        }
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(|error| failure(&error))?;
        writer.write_image_data(&pixels).map_err(|error| failure(&error))?;
        writer.finish().map_err(|error| failure(&error))?;
        Ok(file)
    }
}

/// Registers the embedded font as the one that every picture uses, so that none is asked of the system.
fn embed_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails on a damaged font file only; then drawing the first text reports it.
        let _ = register_font("sans-serif", FontStyle::Normal, include_bytes!("../../assets/DejaVuSans.ttf"));
    });
}

/// The width of a line of text at a size, in pixels.
pub(super) fn text_width(text: &str, size: u32) -> f64 {
    embed_font();
    // Without the font nothing is drawn, and any width will do.
    ("sans-serif", size).into_font().box_size(text).map_or(0.0, |(width, _)| f64::from(width))
}

/// The largest size, up to a usual one, at which a line of text is no wider than some pixels; a least one where it is
/// longer still.
pub(super) fn fitting_size(text: &str, usual: u32, width: u32) -> u32 {
    (LEAST_SIZE..=usual).rev().find(|size| text_width(text, *size) <= f64::from(width)).unwrap_or(LEAST_SIZE)
}
