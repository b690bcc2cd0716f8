//! What can be drawn, as SVG and PNG.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::error::{Error, Result};

/// PNGs are drawn at this many times the size, for sharp text.
const PNG_FACTOR: u32 = 2;

/// A picture of fixed size that can be drawn at multiples of it.
pub trait Picture {
    /// Its width and height.
    fn size(&self) -> (u32, u32);

    /// Draws it at `factor` times its size.
    ///
    /// # Errors
    /// Where the backend fails.
    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        factor: u32,
    ) -> std::result::Result<(), DrawingAreaErrorKind<DB::ErrorType>>;

    /// The picture as an SVG document.
    ///
    /// # Errors
    /// Where it cannot be drawn.
    fn svg(&self) -> Result<String> {
        embed_font();
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, self.size()).into_drawing_area();
            self.draw(&area, 1).map_err(|error| Error::failure("drawing an SVG", error))?;
        }
        Ok(text)
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// Where it cannot be drawn.
    fn png(&self) -> Result<Vec<u8>> {
        embed_font();
        let failure = |error: &dyn std::fmt::Display| Error::failure("drawing a PNG", error);
        // plotters encodes bitmaps to named files only.
        let file = tempfile::Builder::new().suffix(".png").tempfile().map_err(|error| failure(&error))?;
        let size = (self.size().0 * PNG_FACTOR, self.size().1 * PNG_FACTOR);
        {
            let area = BitMapBackend::new(file.path(), size).into_drawing_area();
            self.draw(&area, PNG_FACTOR).map_err(|error| failure(&error))?;
        }
        std::fs::read(file.path()).map_err(|error| failure(&error))
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
