//! Which tiles are computed side by side.

use super::super::product::{WIDTH, width};

/// Edge of the square of outputs one tile makes.
pub(super) const EDGE: usize = 4;
/// Edge of the square of inputs one tile reads, and of its transform.
pub(super) const REACH: usize = EDGE + 2;
/// Products per tile and pair of channels.
pub(super) const POINTS: usize = REACH * REACH;

/// The maps a convolution reads or writes: any number of images of one size.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernels) struct Maps {
    pub(in crate::kernels) images: usize,
    pub(in crate::kernels) height: usize,
    pub(in crate::kernels) width: usize,
}

/// Up to 48 tiles that follow one another, over rows and images.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    first: usize,
    pub(super) tiles: usize,
}

/// Tiles of a panel that lie in one row of tiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) image: usize,
    /// The row of tiles, and the first tile in it.
    pub(super) row: usize,
    pub(super) column: usize,
    /// Where in the panel the run begins, and how long it is.
    pub(super) lane: usize,
    pub(super) count: usize,
}

impl Maps {
    pub(super) fn plane(&self) -> usize {
        self.height * self.width
    }

    fn columns(&self) -> usize {
        self.width.div_ceil(EDGE)
    }

    pub(super) fn tiles(&self) -> usize {
        self.images * self.height.div_ceil(EDGE) * self.columns()
    }

    /// All tiles in panels, of which only the last may be narrow.
    pub(super) fn panels(&self) -> Vec<Panel> {
        let tiles = self.tiles();
        let panel = |first| Panel {
            first,
            tiles: WIDTH.min(tiles - first),
        };
        (0..tiles).step_by(WIDTH).map(panel).collect()
    }

    /// The runs of a panel, in order.
    pub(super) fn runs(&self, panel: Panel) -> Vec<Run> {
        let (rows, columns) = (self.height.div_ceil(EDGE), self.columns());
        let mut runs = Vec::new();
        let mut lane = 0;
        while lane < panel.tiles {
            let (line, column) = ((panel.first + lane) / columns, (panel.first + lane) % columns);
            let count = (columns - column).min(panel.tiles - lane);
            runs.push(Run {
                image: line / rows,
                row: line % rows,
                column,
                lane,
                count,
            });
            lane += count;
        }
        runs
    }
}

impl Panel {
    /// Columns of the products over this panel.
    pub(super) fn width(self) -> usize {
        width(self.tiles)
    }
}
