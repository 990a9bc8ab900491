//! A set of named tensors with a prefix, that remembers which were asked for.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{Device, Shape, Tensor};

use super::layout::Layout;
use super::source::Source;
use super::{Error, LowRank, Precision};

/// An opened set of named tensors, seen through a prefix; cheap to clone.
#[derive(Clone)]
pub struct Weights {
    set: Arc<Set>,
    prefix: String,
}

struct Set {
    /// File or directory, for error messages.
    origin: String,
    device: Device,
    tensors: BTreeMap<String, Source>,
    low_rank: BTreeMap<String, LowRank>,
    /// What matrices are turned into; as the files have them, without.
    precision: Option<Precision>,
    used: Mutex<BTreeMap<String, Option<Tensor>>>,
}

impl Weights {
    /// Opens the weights of a diffusers or transformers model directory.
    ///
    /// Tries `diffusion_pytorch_model` and `model`, each as one `.safetensors` file and as
    /// `.safetensors.index.json` with shards; where there is none of them, `diffusion_pytorch_model.bin` and
    /// `pytorch_model.bin`, which stay in memory as a whole until these weights are dropped. With a variant such as `fp16`, only
    /// files of that variant.
    pub fn open(dir: &Path, variant: Option<&str>, device: &Device) -> Result<Self, Error> {
        let layout = Layout::find(dir, variant)?;
        let mut tensors = BTreeMap::new();
        for path in &layout.files {
            tensors.extend(Source::open(path, layout.container)?);
        }
        if let Some(index) = &layout.index {
            index.check(
                tensors
                    .iter()
                    .filter_map(|(name, source)| Some((name.as_str(), source.path()?))),
            )?;
        }
        let origin = match layout.files.as_slice() {
            [single] => single.display().to_string(),
            _ => dir.display().to_string(),
        };
        Ok(Self::new(origin, device.clone(), tensors))
    }

    /// A set made of tensors in memory, for tests and for weights that were computed.
    ///
    /// A tensor that belongs to a candle `Var` is handed out as it is, hence stays trainable.
    pub fn from_tensors(origin: &str, tensors: HashMap<String, Tensor>) -> Self {
        let device = tensors
            .values()
            .next()
            .map_or(Device::Cpu, |tensor| tensor.device().clone());
        let sources = tensors
            .into_iter()
            .map(|(name, tensor)| (name, Source::Memory(tensor)));
        Self::new(origin.to_owned(), device, sources.collect())
    }

    fn new(origin: String, device: Device, tensors: BTreeMap<String, Source>) -> Self {
        let set = Set {
            origin,
            device,
            tensors,
            low_rank: BTreeMap::new(),
            precision: None,
            used: Mutex::default(),
        };
        Self {
            set: Arc::new(set),
            prefix: String::new(),
        }
    }

    /// The same set, with low-rank additions to the weights of some linear layers, by the layer's full name.
    ///
    /// # Panics
    /// The set has been shared already.
    #[must_use]
    pub fn with_low_rank(mut self, additions: BTreeMap<String, LowRank>) -> Self {
        let set = Arc::get_mut(&mut self.set).expect("additions are made before the set is handed on");
        set.low_rank = additions;
        self
    }

    /// The same set, with its matrices in `precision`.
    ///
    /// # Panics
    /// The set has been shared already.
    #[must_use]
    pub fn in_precision(mut self, precision: Option<Precision>) -> Self {
        let set = Arc::get_mut(&mut self.set).expect("the precision is set before the set is handed on");
        set.precision = precision;
        self
    }

    /// What is added to the weight of the linear layer at this prefix.
    pub fn low_rank(&self) -> Option<LowRank> {
        self.set.low_rank.get(self.prefix.trim_end_matches('.')).cloned()
    }

    /// The same set, one level further in: `pp("a").pp("b")` sees the tensors under `a.b.`.
    #[must_use]
    pub fn pp(&self, prefix: impl std::fmt::Display) -> Self {
        Self {
            set: self.set.clone(),
            prefix: format!("{}{prefix}.", self.prefix),
        }
    }

    /// The device that tensors are put on.
    pub fn device(&self) -> &Device {
        &self.set.device
    }

    /// File or directory, as it appears in errors.
    pub fn origin(&self) -> &str {
        &self.set.origin
    }

    /// Whether the set has this tensor.
    pub fn contains(&self, name: &str) -> bool {
        self.set.tensors.contains_key(&self.full(name))
    }

    /// The tensor of this name, checked for shape, element type and finite values.
    ///
    /// On a CPU it is f32, but for matrices that [`Self::in_precision`] or whoever made them in memory wants in bf16.
    pub fn get<S: Into<Shape>>(&self, shape: S, name: &str) -> Result<Tensor, Error> {
        self.get_any(shape, &[name])
    }

    /// The first of `names` that exists (checkpoints of different ages name some tensors differently).
    pub fn get_any<S: Into<Shape>>(&self, shape: S, names: &[&str]) -> Result<Tensor, Error> {
        let full: Vec<String> = names.iter().map(|name| self.full(name)).collect();
        let found = full
            .iter()
            .find_map(|name| Some((name, self.set.tensors.get(name)?)));
        let Some((name, source)) = found else {
            return Err(Error::Missing {
                origin: self.set.origin.clone(),
                tensor: full.join("` or `"),
            });
        };
        source.check_shape(shape.into().dims(), name, &self.set.origin)?;
        let mut tensor = source.read(name, &self.set.origin, &self.set.device)?;
        if let Some(precision) = self.set.precision {
            tensor = precision.of_matrix(tensor)?;
        }
        self.used().insert(name.clone(), Some(tensor.clone()));
        Ok(tensor)
    }

    /// Marks tensors that carry no weights (index buffers, unused heads) as known, whether present or not.
    pub fn ignore(&self, names: &[&str]) {
        let mut used = self.used();
        used.extend(names.iter().map(|name| (self.full(name), None)));
    }

    /// The tensors that were asked for so far, by name, as they were given.
    pub fn given(&self) -> BTreeMap<String, Tensor> {
        let used = self.used();
        let given = used
            .iter()
            .filter_map(|(name, tensor)| Some((name.clone(), tensor.clone()?)));
        given.collect()
    }

    /// Checks that every tensor under this prefix was asked for or ignored.
    pub fn finish(&self) -> Result<(), Error> {
        let used = self.used();
        let under_prefix = self
            .set
            .tensors
            .keys()
            .filter(|name| name.starts_with(&self.prefix));
        let tensors: Vec<String> = under_prefix
            .filter(|name| !used.contains_key(*name))
            .cloned()
            .collect();
        if tensors.is_empty() {
            return Ok(());
        }
        Err(Error::Unexpected {
            origin: self.set.origin.clone(),
            tensors,
        })
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<String, Option<Tensor>>> {
        self.set.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
