//! What a method may see and change inside the U-Net.

use std::ops::Range;

use candle_core::{Result, Tensor};

use super::Site;

/// A method's place in the U-Net: at each site after the frozen transformer block and before its output projection.
pub trait SiteHook {
    /// Text columns whose head-mean cross-attention probabilities the hook wants at this site, for some batch rows.
    ///
    /// The attention of a site with a request is not checkpointed, since the map would leave the block.
    fn columns(&self, site: &Site) -> Option<ColumnRequest>;

    /// Takes the tokens (b, n, width) and, if asked for, the columns (rows, n, columns); returns what goes on.
    ///
    /// Tokens may come back with fewer rows: the walk then goes on with the first rows of everything else.
    fn after_block(&mut self, site: &Site, tokens: Tensor, maps: Option<Tensor>) -> Result<Flow>;
}

/// Which columns of a site's text attention a hook wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnRequest {
    /// Batch rows.
    pub rows: Range<usize>,
    /// Token positions, for each of these rows the same number.
    pub columns: Vec<Vec<usize>>,
}

/// How the walk through the U-Net goes on after a site.
#[derive(Debug)]
pub enum Flow {
    /// With these tokens.
    Continue(Tensor),
    /// Not at all: the method has what it wanted.
    Stop,
}

/// Stable Diffusion as it is: changes nothing, asks for nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainSd;

impl SiteHook for PlainSd {
    fn columns(&self, _site: &Site) -> Option<ColumnRequest> {
        None
    }

    fn after_block(&mut self, _site: &Site, tokens: Tensor, _maps: Option<Tensor>) -> Result<Flow> {
        Ok(Flow::Continue(tokens))
    }
}
