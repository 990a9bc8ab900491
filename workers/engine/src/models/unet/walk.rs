//! The state of one pass through the U-Net.

use candle_core::{Result, Tensor, bail};

use super::{Checkpointing, SiteHook};

/// How the walk is made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WalkSettings {
    /// What is computed a second time in the backward pass.
    pub(super) checkpointing: Checkpointing,
    /// Whether keys and values of the first text token give no gradient to their weights.
    pub(super) detach_first_token: bool,
}

/// What flows through the blocks.
pub(super) struct Walk<'a> {
    /// The current map (b, c, h, w).
    pub(super) x: Tensor,
    /// Activated timestep embedding (b, width).
    pub(super) emb: Tensor,
    /// Text context (b, tokens, width).
    pub(super) context: Tensor,
    pub(super) hook: &'a mut dyn SiteHook,
    pub(super) settings: WalkSettings,
    /// Maps of the way down that wait for the way up.
    skips: Vec<Tensor>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        x: Tensor,
        emb: Tensor,
        context: Tensor,
        hook: &'a mut dyn SiteHook,
        settings: WalkSettings,
    ) -> Self {
        Self {
            x,
            emb,
            context,
            hook,
            settings,
            skips: Vec::new(),
        }
    }

    /// Keeps the current map for the way up.
    pub(super) fn push_skip(&mut self) {
        self.skips.push(self.x.clone());
    }

    /// Appends the latest kept map to the channels of the current one.
    pub(super) fn join_skip(&mut self) -> Result<()> {
        let Some(skip) = self.skips.pop() else {
            bail!("unet: more blocks on the way up than on the way down");
        };
        self.x = Tensor::cat(&[&self.x, &skip], 1)?;
        Ok(())
    }

    /// Goes on with the first `rows` samples only.
    pub(super) fn keep_rows(&mut self, rows: usize) -> Result<()> {
        let have = self.x.dim(0)?;
        if rows == have {
            return Ok(());
        }
        if rows == 0 || rows > have {
            bail!("unet: the hook returned {rows} rows of {have}");
        }
        for tensor in [&mut self.x, &mut self.emb, &mut self.context]
            .into_iter()
            .chain(&mut self.skips)
        {
            *tensor = tensor.narrow(0, 0, rows)?;
        }
        Ok(())
    }
}
