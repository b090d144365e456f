//! Drawing a timeline with rectangles, lines and letters. It knows colours and pixels and nothing of clusters.
//!
//! Colours are few and exact, because the HTML report replaces them by its own for dark screens. Start at [`draw`].

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::{
    Color, DrawingArea, DrawingAreaErrorKind, DrawingBackend, PathElement, Polygon, RGBColor, Rectangle, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, IntoTextStyle, TextStyle};
use shakedown_engine::time::{Span, Time};

use super::timeline::{Band, Errors, Health, Lane, Strip, Timeline};

const WIDTH: i32 = 1200;
/// Where names end and time begins.
const LEFT: i32 = 180;
const RIGHT: i32 = WIDTH - 34;
const TOP: i32 = 14;
const BAND: i32 = 26;
const STRIP: i32 = 16;
const LANE: i32 = 52;
const GAP: i32 = 18;
const FOOT: i32 = 34;

const PAPER: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(31, 41, 51);
const FAINT: RGBColor = RGBColor(123, 135, 148);
const GRID: RGBColor = RGBColor(228, 231, 235);
const FAULT: RGBColor = RGBColor(229, 83, 75);
const FAULT_GROUND: RGBColor = RGBColor(253, 236, 234);
const OPERATION: RGBColor = RGBColor(64, 132, 214);
const HEALTHY: RGBColor = RGBColor(190, 227, 200);
const CORDONED: RGBColor = RGBColor(178, 190, 205);
const REMOVED: RGBColor = RGBColor(120, 130, 142);
const UNHEALTHY: RGBColor = RGBColor(240, 160, 75);
const EVICTING: RGBColor = RGBColor(155, 89, 182);
const DOWN: RGBColor = RGBColor(200, 40, 50);
const READY: RGBColor = RGBColor(120, 185, 145);
const MISSING: RGBColor = RGBColor(246, 178, 172);
const WANTED: RGBColor = RGBColor(84, 96, 110);

type Area<B> = DrawingArea<B, Shift>;
type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// How large things are drawn.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    /// Pixels per unit.
    pub pixels: i32,
    /// Size of letters in percent: backends do not agree on what a font size is.
    pub letters: i32,
}

/// Size of the picture.
pub(super) fn size(timeline: &Timeline, pixels: i32) -> (u32, u32) {
    let section = |rows: usize, height: i32| if rows == 0 { 0 } else { rows as i32 * height + GAP + 20 };
    let height = TOP
        + section(timeline.band_rows, BAND)
        + section(timeline.strips.len(), STRIP + 3)
        + section(timeline.lanes.len(), LANE)
        + section(timeline.errors.len(), LANE)
        + FOOT;
    ((WIDTH * pixels) as u32, (height * pixels) as u32)
}

/// Draws everything.
pub(super) fn draw<B: DrawingBackend>(area: &Area<B>, timeline: &Timeline, scale: Scale) -> Drawn<B> {
    register_font();
    area.fill(&PAPER)?;
    let (_, height) = size(timeline, 1);
    let canvas = Canvas { area, end: timeline.end, scale, bottom: height as i32 - FOOT };
    canvas.ground(&timeline.bands)?;
    canvas.axis()?;
    let mut y = TOP;
    if timeline.band_rows > 0 {
        let top = y + 20;
        for band in &timeline.bands {
            canvas.band(top + band.row as i32 * BAND, band)?;
        }
        // Labels come after all lines, so that no line crosses one out.
        for band in &timeline.bands {
            canvas.label(top + band.row as i32 * BAND, band, &timeline.bands)?;
        }
        y = canvas.heading(y, "faults and operations")?;
        y += timeline.band_rows as i32 * BAND + GAP;
    }
    if !timeline.strips.is_empty() {
        let top = y;
        y = canvas.heading(y, "nodes")?;
        canvas.legend(top)?;
        for strip in &timeline.strips {
            canvas.strip(y, strip)?;
            y += STRIP + 3;
        }
        y += GAP;
    }
    if !timeline.lanes.is_empty() {
        y = canvas.heading(y, "replicas: available, and wanted as a line")?;
        for lane in &timeline.lanes {
            canvas.lane(y, lane)?;
            y += LANE;
        }
        y += GAP;
    }
    if !timeline.errors.is_empty() {
        y = canvas.heading(y, "requests not answered well, share of each 10 s")?;
        for errors in &timeline.errors {
            canvas.errors(y, errors)?;
            y += LANE;
        }
    }
    match &timeline.left_out {
        Some(note) => canvas.text((LEFT, canvas.bottom + 26), note, (HPos::Left, FAINT), 13),
        None => Ok(()),
    }
}

/// The letters of a PNG come from a font that is compiled in; an SVG is set by whoever shows it.
fn register_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let bytes = include_bytes!("../../assets/DejaVuSans-subset.ttf");
        let registered = plotters::style::register_font("sans-serif", FontStyle::Normal, bytes);
        assert!(registered.is_ok(), "the font that ships with this crate is a valid one");
    });
}

struct Canvas<'a, B: DrawingBackend> {
    area: &'a Area<B>,
    end: Time,
    scale: Scale,
    bottom: i32,
}

impl<B: DrawingBackend> Canvas<'_, B> {
    fn x(&self, at: Time) -> i32 {
        let width = i128::from(RIGHT - LEFT);
        let x = i128::from(at.min(self.end).as_nanos()) * width / i128::from(self.end.as_nanos().max(1));
        LEFT + x as i32
    }

    fn at(&self, (x, y): (i32, i32)) -> (i32, i32) {
        (x * self.scale.pixels, y * self.scale.pixels)
    }

    fn fill(&self, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Drawn<B> {
        self.area.draw(&Rectangle::new([self.at(from), self.at(to)], colour.filled()))
    }

    fn line(&self, points: Vec<(i32, i32)>, colour: RGBColor) -> Drawn<B> {
        let points: Vec<_> = points.into_iter().map(|point| self.at(point)).collect();
        self.area.draw(&PathElement::new(points, colour.stroke_width(self.scale.pixels as u32)))
    }

    fn polygon(&self, points: Vec<(i32, i32)>, colour: RGBColor) -> Polygon<(i32, i32)> {
        Polygon::new(points.into_iter().map(|point| self.at(point)).collect::<Vec<_>>(), colour.filled())
    }

    fn text(&self, at: (i32, i32), text: &str, (side, colour): (HPos, RGBColor), size: i32) -> Drawn<B> {
        let font = ("sans-serif", size * self.scale.pixels * self.scale.letters / 100);
        let style: TextStyle<'_> = font.into_text_style(self.area).color(&colour).pos(Pos::new(side, VPos::Center));
        self.area.draw(&Text::new(text.to_owned(), self.at(at), style))
    }

    fn heading(&self, y: i32, text: &str) -> Result<i32, DrawingAreaErrorKind<B::ErrorType>> {
        // A white row between the parts, where neither lines nor shades cross words out.
        self.fill((LEFT, y - 6), (RIGHT + 1, y + 17), PAPER)?;
        self.text((LEFT, y + 5), text, (HPos::Left, FAINT), 13)?;
        Ok(y + 20)
    }

    fn name(&self, y: i32, name: &str) -> Drawn<B> {
        self.text((LEFT - 10, y), &crate::terminal::shortened(name, 22), (HPos::Right, INK), 14)
    }

    /// Shades the time of each fault through all lanes, so that effects can be read off below it.
    fn ground(&self, bands: &[Band]) -> Drawn<B> {
        for band in bands.iter().filter(|band| !band.is_operation) {
            if let Some(to) = band.to {
                self.fill((self.x(band.from), TOP), (self.x(to), self.bottom), FAULT_GROUND)?;
            }
        }
        Ok(())
    }

    fn axis(&self) -> Drawn<B> {
        let step = tick(self.end.since(Time::ZERO));
        let mut at = Time::ZERO;
        while at <= self.end {
            let x = self.x(at);
            self.line(vec![(x, TOP), (x, self.bottom)], GRID)?;
            self.text((x, self.bottom + 10), &crate::format::clock(at), (HPos::Center, FAINT), 13)?;
            at += step;
        }
        Ok(())
    }

    fn band(&self, y: i32, band: &Band) -> Drawn<B> {
        let colour = if band.is_operation { OPERATION } else { FAULT };
        let left = self.x(band.from);
        let right = band.to.map_or(left + 3, |to| self.x(to).max(left + 3));
        self.line(vec![(left, y), (left, self.bottom)], colour)?;
        self.fill((left, y + 16), (right, y + 21), colour)
    }

    fn label(&self, y: i32, band: &Band, all: &[Band]) -> Drawn<B> {
        let left = self.x(band.from);
        // Near the right edge a label is set to the left of its mark.
        let width = band.label.chars().count() as i32 * 8;
        let (x, side) = if left + width > RIGHT { (left - 4, HPos::Right) } else { (left + 5, HPos::Left) };
        let text = shortened(&band.label, 90);
        // Six units a letter, as both backends set them.
        let width = text.chars().count() as i32 * 61 / 10;
        let left = if matches!(side, HPos::Left) { x } else { x - width };
        let mut shades =
            all.iter().filter_map(|other| Some((other.is_operation, self.x(other.from), self.x(other.to?))));
        let is_shaded = shades.any(|(is_operation, from, to)| !is_operation && from <= left && left + width <= to);
        let ground = if is_shaded { FAULT_GROUND } else { PAPER };
        if width > 0 {
            self.fill((left - 2, y), (left + width, y + 14), ground)?;
        }
        self.text((x, y + 7), &text, (side, INK), 14)
    }

    fn strip(&self, y: i32, strip: &Strip) -> Drawn<B> {
        self.name(y + STRIP / 2, &strip.name)?;
        self.fill((LEFT, y), (RIGHT, y + STRIP), HEALTHY)?;
        let ends = strip.changes.iter().skip(1).map(|change| change.0).chain([self.end]);
        for (&(from, health, ill), to) in strip.changes.iter().zip(ends) {
            if ill > 0 {
                let filled = (STRIP * ill as i32 / 1000).max(2);
                let (left, right) = (self.x(from), self.x(to).max(self.x(from) + 1));
                self.fill((left, y + STRIP - filled), (right, y + STRIP), colour(health))?;
            }
        }
        Ok(())
    }

    fn legend(&self, y: i32) -> Drawn<B> {
        let entries = [
            (Health::Healthy, "healthy"),
            (Health::Down, "down, unnoticed"),
            (Health::Unhealthy, "declared unhealthy"),
            (Health::Evicting, "evicting"),
            (Health::Cordoned, "cordoned"),
            (Health::Removed, "removed"),
        ];
        let mut x = RIGHT - 658;
        for (health, name) in entries {
            self.fill((x, y), (x + 10, y + 10), colour(health))?;
            self.text((x + 15, y + 5), name, (HPos::Left, FAINT), 13)?;
            x += 34 + name.chars().count() as i32 * 7;
        }
        Ok(())
    }

    fn lane(&self, y: i32, lane: &Lane) -> Drawn<B> {
        self.name(y + LANE / 2 - 7, &lane.name)?;
        let peak = lane.steps.iter().map(|step| step.available.max(step.desired)).max().unwrap_or(0).max(1);
        let (base, room) = (y + LANE - 8, LANE - 10);
        let height = |n: u32| base - (i64::from(n) * i64::from(room) / i64::from(peak)) as i32;
        let columns = self.columns(lane);
        let mut edge = vec![(LEFT, base)];
        let mut wanted = Vec::new();
        let mut last = (base, base);
        for (x, low, now, desired) in columns {
            edge.extend([(x, last.0), (x, height(low)), (x, height(now))]);
            wanted.extend([(x, last.1), (x, height(desired))]);
            last = (height(now), height(desired));
        }
        edge.extend([(RIGHT, last.0), (RIGHT, base)]);
        wanted.push((RIGHT, last.1));
        // What is wanted and not available shows through above what is.
        let missing = wanted.iter().copied().chain([(RIGHT, base), (LEFT, base)]).collect();
        self.area.draw(&self.polygon(missing, MISSING))?;
        self.area.draw(&self.polygon(edge, READY))?;
        self.line(wanted, WANTED)?;
        let scale = format!("up to {}", crate::format::count(u64::from(peak)));
        self.text((LEFT - 10, y + LANE / 2 + 11), &scale, (HPos::Right, FAINT), 11)?;
        self.line(vec![(LEFT, base), (RIGHT, base)], GRID)
    }

    /// Steps cut down to one a pixel: position, fewest available in it, available and wanted after it.
    fn columns(&self, lane: &Lane) -> Vec<(i32, u32, u32, u32)> {
        let mut columns: Vec<(i32, u32, u32, u32)> = Vec::new();
        for step in &lane.steps {
            let x = self.x(step.at);
            match columns.last_mut() {
                Some(last) if last.0 == x => {
                    *last = (x, last.1.min(step.available), step.available, step.desired);
                }
                _ => {
                    let before = columns.last().map_or(step.available, |last| last.2);
                    columns.push((x, step.available.min(before), step.available, step.desired));
                }
            }
        }
        columns
    }

    fn errors(&self, y: i32, errors: &Errors) -> Drawn<B> {
        self.name(y + LANE / 2 - 4, &errors.name)?;
        let (base, room) = (y + LANE - 8, LANE - 12);
        let peak = errors.windows.iter().filter_map(|window| window.1).max().unwrap_or(0);
        let top = scale_for(peak);
        for &(from, share) in &errors.windows {
            let Some(share) = share.filter(|share| *share > 0) else { continue };
            let height = (i64::from(share) * i64::from(room) / i64::from(top)).max(1) as i32;
            let to = self.x(from + crate::measure::WINDOW);
            self.fill((self.x(from), base - height), (to.max(self.x(from) + 1), base), FAULT)?;
        }
        let label = if errors.windows.iter().all(|window| window.1.is_none()) {
            "no requests".to_owned()
        } else if peak == 0 {
            "none".to_owned()
        } else {
            format!("{}.{}%", top / 10, top % 10)
        };
        self.text((RIGHT - 4, y + 4), &label, (HPos::Right, FAINT), 12)?;
        self.line(vec![(LEFT, base), (RIGHT, base)], GRID)
    }
}

fn colour(health: Health) -> RGBColor {
    match health {
        Health::Healthy => HEALTHY,
        Health::Cordoned => CORDONED,
        Health::Removed => REMOVED,
        Health::Unhealthy => UNHEALTHY,
        Health::Evicting => EVICTING,
        Health::Down => DOWN,
    }
}

/// The upper end of a lane of shares: the next round number of thousandths.
fn scale_for(peak: u32) -> u32 {
    [1, 5, 10, 50, 100, 200, 500].into_iter().find(|top| *top >= peak).unwrap_or(1000)
}

/// Distance between marks of the axis: at most a dozen of them.
fn tick(length: Span) -> Span {
    const SECONDS: [u64; 16] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400];
    let found = SECONDS.into_iter().map(Span::from_secs).find(|step| step.times(12) >= length);
    found.unwrap_or_else(|| Span::from_nanos((length.as_nanos() / 10).max(1)))
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
