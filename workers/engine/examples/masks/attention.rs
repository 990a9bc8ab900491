//! Where a photo answers to a word: the word's text attention over the photo's patches.

use anyhow::Context;
use candle_core::{Result as TensorResult, Tensor};
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::Ddim;
use vico_engine::image::Rgb8;
use vico_engine::methods::vico::learned::Learned;
use vico_engine::methods::vico::sample::reference_latents;
use vico_engine::models::unet::{ColumnRequest, Flow, Site, SiteHook};

/// What one site of the U-Net showed.
pub(crate) struct SiteMaps {
    pub(crate) site: Site,
    /// Whether ViCo masks with these maps: whether an image cross-attention stands here.
    pub(crate) vico: bool,
    /// The word's probability in each patch, mean over the heads: one map (n) per time step.
    pub(crate) steps: Vec<Tensor>,
}

/// ViCo's reference branch, with the one prompt that all photos are shown under.
pub(crate) struct ReferenceBranch<'a> {
    base: &'a BaseModel,
    learned: Learned,
    context: Tensor,
    /// Where the word stands whose maps are taken.
    column: usize,
    steps: usize,
}

impl<'a> ReferenceBranch<'a> {
    /// Looks for the learned word, or for another `word` of the prompt.
    pub(crate) fn new(
        base: &'a BaseModel,
        adapter: &Adapter,
        word: Option<&str>,
        steps: usize,
    ) -> anyhow::Result<Self> {
        let learned = Learned::from_adapter(base, adapter)?;
        let word = word.unwrap_or(adapter.placeholder());
        let prompt = format!("a photo of {}", adapter.placeholder());
        let ids = base.tokenizer.encode(&prompt)?.ids;
        let token = base.tokenizer.single_token(word)?;
        let column = ids.iter().position(|id| Some(*id) == token);
        Ok(Self {
            base,
            column: column.with_context(|| format!("`{word}` is no word of `{prompt}`"))?,
            context: learned.context(base, &[ids])?,
            learned,
            steps,
        })
    }

    /// The maps of every site, in the order of the forward pass. The image cross-attention never changes this branch, so
    /// the U-Net runs as it is.
    pub(crate) fn maps(&self, photo: &Rgb8) -> anyhow::Result<Vec<SiteMaps>> {
        let latents = reference_latents(self.base, photo)?;
        let sites = self.base.unet.config().sites().into_iter();
        let mut maps: Vec<SiteMaps> = sites
            .map(|site| SiteMaps {
                vico: self.learned.image_attention.block(&site).is_some(),
                site,
                steps: Vec::new(),
            })
            .collect();
        for step in Ddim::new(&self.base.schedule, self.steps, 0.0)?.grid() {
            let mut watch = Watch {
                column: self.column,
                maps: &mut maps,
            };
            let times = [step.timestep as f64];
            let unet = &self.base.unet;
            unet.run(&latents, &times, &self.context, &mut watch)
                .with_context(|| format!("looking at time step {}", step.timestep))?;
        }
        Ok(maps)
    }
}

/// Keeps the word's map at every site.
struct Watch<'a> {
    column: usize,
    maps: &'a mut [SiteMaps],
}

impl SiteHook for Watch<'_> {
    fn columns(&self, _site: &Site) -> Option<ColumnRequest> {
        Some(ColumnRequest {
            rows: 0..1,
            columns: vec![vec![self.column]],
        })
    }

    fn after_block(&mut self, site: &Site, tokens: Tensor, maps: Option<Tensor>) -> TensorResult<Flow> {
        if let Some(map) = maps {
            self.maps[site.index].steps.push(map.flatten_all()?); // from (1, n, 1)
        }
        Ok(Flow::Continue(tokens))
    }
}
