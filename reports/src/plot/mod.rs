//! The timeline as a picture: faults, health of nodes, replicas of workloads and failing requests over one axis.
//!
//! One drawing for both formats, so SVG and PNG never disagree. Start at [`timeline_svg`].

mod draw;
mod timeline;

use plotters::prelude::{BitMapBackend, IntoDrawingArea, SVGBackend};

use crate::run::Run;
use draw::Scale;
use timeline::Timeline;

/// SVG letters come out smaller than asked for: the backend divides font sizes by 1.24.
/// Source: plotters-rs/plotters:plotters-svg/src/svg.rs, `draw_text`.
const SVG: Scale = Scale { pixels: 1, letters: 124 };
/// Two pixels per unit: sharp on screens of twice the density.
const PNG: Scale = Scale { pixels: 2, letters: 100 };

/// A picture that could not be made.
#[derive(Debug)]
pub struct PlotError(String);

impl std::fmt::Display for PlotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the timeline cannot be drawn: {}", self.0)
    }
}

impl std::error::Error for PlotError {}

/// The timeline as an SVG document.
///
/// # Errors
/// When the drawing library gives up.
pub fn timeline_svg(run: &Run) -> Result<String, PlotError> {
    let timeline = Timeline::new(run);
    let size = draw::size(&timeline, SVG.pixels);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw::draw(&area, &timeline, SVG).map_err(|e| PlotError(e.to_string()))?;
        area.present().map_err(|e| PlotError(e.to_string()))?;
    }
    Ok(svg)
}

/// The timeline as a PNG image.
///
/// # Errors
/// When the drawing or encoding library gives up.
pub fn timeline_png(run: &Run) -> Result<Vec<u8>, PlotError> {
    let timeline = Timeline::new(run);
    let (width, height) = draw::size(&timeline, PNG.pixels);
    let mut pixels = vec![0; width as usize * height as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        draw::draw(&area, &timeline, PNG).map_err(|e| PlotError(e.to_string()))?;
        area.present().map_err(|e| PlotError(e.to_string()))?;
    }
    encode(&pixels, width, height).map_err(|e| PlotError(e.to_string()))
}

fn encode(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut image = Vec::new();
    let mut encoder = png::Encoder::new(&mut image, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(image)
}
