//! Fidelity against prompt following: DINO-I × CLIP-T of every row, drawn as SVG.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::labels::{self, Label};
use crate::report::{Cell, Leaderboard};
use crate::statistics::Interval;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
/// Room for the numbers of both axes, and for the names of points at the right edge.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 150.0;
const BOTTOM: f64 = 48.0;
const TOP: f64 = 16.0;
const TICKS: u32 = 5;
const COLOURS: [&str; 6] = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"];

pub(super) fn section(board: &Leaderboard) -> Markup {
    let plots: Vec<Markup> = protocols(board)
        .into_iter()
        .filter_map(|name| plot(board, name))
        .collect();
    html! {
        section #trade-off {
            h2 { "Trade-off" }
            @if plots.is_empty() { p { "No protocol of this sweep has both DINO-I and CLIP-T." } }
            @for (at, plot) in plots.iter().enumerate() {
                details open[at == 0] { (plot) }
            }
        }
    }
}

fn protocols(board: &Leaderboard) -> Vec<&str> {
    let named = |name: &'_ str| name.ends_with("/dino_i");
    let columns = board.columns.iter().filter(|column| named(&column.name));
    columns
        .filter_map(|column| Some(column.name.split_once('/')?.0))
        .collect()
}

struct Point<'a> {
    name: &'a str,
    dino: &'a Cell,
    clip: &'a Cell,
    at: (f64, f64),
}

fn plot(board: &Leaderboard, protocol: &str) -> Option<Markup> {
    let column = |metric: &str| {
        let name = format!("{protocol}/{metric}");
        board.columns.iter().position(|column| column.name == name)
    };
    let (dino, clip) = (column("dino_i")?, column("clip_t")?);
    let points: Vec<Point<'_>> = board
        .rows
        .iter()
        .filter_map(|row| {
            let (dino, clip) = (&row.cells[dino], &row.cells[clip]);
            let at = (dino.mean?, clip.mean?);
            Some(Point {
                name: &row.method,
                dino,
                clip,
                at,
            })
        })
        .collect();
    let oracle = column("oracle_dino_i").and_then(|at| board.rows.iter().find_map(|row| row.cells[at].mean));
    let across = Axis::over(
        points.iter().flat_map(|point| extent(point.dino)).chain(oracle),
        LEFT,
        WIDTH - RIGHT,
    )?;
    let up = Axis::over(
        points.iter().flat_map(|point| extent(point.clip)),
        HEIGHT - BOTTOM,
        TOP,
    )?;
    let pixels = |point: &Point<'_>| (across.at(point.at.0), up.at(point.at.1));
    let labels: Vec<Label<'_>> = points
        .iter()
        .map(|point| Label {
            name: point.name,
            point: pixels(point),
        })
        .collect();
    Some(html! {
        summary { (protocol) }
        svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label={ "DINO-I and CLIP-T under " (protocol) } {
            (frame(&across, &up))
            @if let Some(oracle) = oracle {
                line.oracle x1=(px(across.at(oracle))) x2=(px(across.at(oracle))) y1=(px(TOP)) y2=(px(HEIGHT - BOTTOM)) {}
                text.small x=(px(across.at(oracle) + 4.0)) y=(px(TOP + 12.0)) { "real photos" }
            }
            (curves(&points, &across, &up))
            @for point in &points { (dot(point, colour(&points, point.name), (&across, &up))) }
            @for (label, (x, y)) in labels.iter().zip(labels::places(&labels)) {
                text x=(px(x)) y=(px(y)) fill=(colour(&points, label.name)) { (label.name) }
            }
        }
    })
}

/// Mean and interval.
fn extent(cell: &Cell) -> impl Iterator<Item = f64> + use<> {
    let interval = cell.interval.map(|found| [found.low, found.high]);
    cell.mean.into_iter().chain(interval.into_iter().flatten())
}

/// From values to pixels.
struct Axis {
    values: (f64, f64),
    pixels: (f64, f64),
}

impl Axis {
    /// Absent where there is no value.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let (low, high) = values.fold(None, |range: Option<(f64, f64)>, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })?;
        // A single value gets an axis, too.
        let margin = ((high - low) * 0.08).max(0.005);
        Some(Self {
            values: (low - margin, high + margin),
            pixels: (from, to),
        })
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value - self.values.0) / (self.values.1 - self.values.0);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (low, high) = self.values;
        (0..=TICKS).map(move |tick| low + (high - low) * f64::from(tick) / f64::from(TICKS))
    }
}

fn frame(across: &Axis, up: &Axis) -> Markup {
    let floor = HEIGHT - BOTTOM;
    html! {
        rect.frame x=(px(LEFT)) y=(px(TOP)) width=(px(WIDTH - RIGHT - LEFT)) height=(px(floor - TOP)) {}
        @for tick in across.ticks() {
            text.small x=(px(across.at(tick))) y=(px(floor + 16.0)) text-anchor="middle" { (format!("{tick:.3}")) }
        }
        @for tick in up.ticks() {
            text.small x=(px(LEFT - 6.0)) y=(px(up.at(tick) + 4.0)) text-anchor="end" { (format!("{tick:.3}")) }
        }
        text x=(px(f64::midpoint(LEFT, WIDTH - RIGHT))) y=(px(HEIGHT - 8.0)) text-anchor="middle" { "DINO-I (the subject is kept)" }
        text transform=(format!("translate(14 {}) rotate(-90)", px(f64::midpoint(TOP, floor)))) text-anchor="middle" {
            "CLIP-T (the prompt is followed)"
        }
    }
}

/// Points of one method are one curve over its matrix.
fn curves(points: &[Point<'_>], across: &Axis, up: &Axis) -> Markup {
    let mut methods: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for point in points {
        let place = format!("{},{}", px(across.at(point.at.0)), px(up.at(point.at.1)));
        methods.entry(method(point.name)).or_default().push(place);
    }
    html! {
        @for (name, places) in methods.iter().filter(|(_, places)| places.len() > 1) {
            polyline points=(places.join(" ")) fill="none" stroke=(colour(points, name)) stroke-opacity="0.4" {}
        }
    }
}

fn dot(point: &Point<'_>, colour: &str, (across, up): (&Axis, &Axis)) -> Markup {
    let (x, y) = (across.at(point.at.0), up.at(point.at.1));
    html! {
        @if let Some(Interval { low, high }) = point.dino.interval {
            line x1=(px(across.at(low))) x2=(px(across.at(high))) y1=(px(y)) y2=(px(y)) stroke=(colour) {}
        }
        @if let Some(Interval { low, high }) = point.clip.interval {
            line x1=(px(x)) x2=(px(x)) y1=(px(up.at(low))) y2=(px(up.at(high))) stroke=(colour) {}
        }
        circle cx=(px(x)) cy=(px(y)) r="4.5" fill=(colour) {
            title { (point.name) ": DINO-I " (point.dino) ", CLIP-T " (point.clip) }
        }
    }
}

/// `vico` of `vico@guidance=5`.
fn method(row: &str) -> &str {
    row.split('@').next().unwrap_or(row)
}

fn colour(points: &[Point<'_>], row: &str) -> &'static str {
    let mut methods: Vec<&str> = points.iter().map(|point| method(point.name)).collect();
    methods.dedup();
    let at = methods.iter().position(|name| *name == method(row));
    COLOURS[at.unwrap_or_default() % COLOURS.len()]
}

/// A tenth of a pixel is enough, and always written alike.
fn px(value: f64) -> String {
    format!("{value:.1}")
}
