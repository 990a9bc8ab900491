//! Reading a set, and keeping account of which golden tensors have been compared.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use serde_json::Value;

use super::Ledger;

/// A safetensors file of golden values.
pub(crate) struct Golden {
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
    used: RefCell<BTreeSet<String>>,
}

impl Golden {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let named = || path.display().to_string();
        let bytes = std::fs::read(path).with_context(named)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).with_context(named)?;
        let metadata = header
            .metadata()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect();
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).with_context(named)?;
        Ok(Self {
            tensors: tensors.into_iter().collect(),
            metadata,
            used: RefCell::default(),
        })
    }

    /// The tensor called `name`, which then counts as compared.
    pub(crate) fn get(&self, name: &str) -> Result<&Tensor> {
        self.used.borrow_mut().insert(name.to_owned());
        self.tensors
            .get(name)
            .ok_or_else(|| anyhow!("the set has no tensor `{name}`"))
    }

    /// The f32 values of a tensor.
    pub(crate) fn floats(&self, name: &str) -> Result<Vec<f64>> {
        Ok(self.get(name)?.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?)
    }

    /// A tensor of indices.
    pub(crate) fn indices(&self, name: &str) -> Result<Vec<usize>> {
        let values = self
            .get(name)?
            .flatten_all()?
            .to_dtype(DType::I64)?
            .to_vec1::<i64>()?;
        Ok(values
            .into_iter()
            .map(usize::try_from)
            .collect::<Result<_, _>>()?)
    }

    /// Rows of token ids.
    pub(crate) fn ids(&self, name: &str) -> Result<Vec<Vec<u32>>> {
        let rows = self.get(name)?.to_dtype(DType::I64)?.to_vec2::<i64>()?;
        let row = |row: Vec<i64>| row.into_iter().map(u32::try_from).collect::<Result<_, _>>();
        Ok(rows.into_iter().map(row).collect::<Result<_, _>>()?)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A text of the header.
    pub(crate) fn text(&self, key: &str) -> Result<&str> {
        self.metadata
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| anyhow!("the header has no `{key}`"))
    }

    /// A number of the header.
    pub(crate) fn number(&self, key: &str) -> Result<f64> {
        self.text(key)?
            .parse()
            .with_context(|| format!("header key `{key}`"))
    }

    /// A JSON text of the header.
    pub(crate) fn list(&self, key: &str) -> Result<Vec<String>> {
        serde_json::from_str(self.text(key)?).with_context(|| format!("header key `{key}`"))
    }

    /// A miss for every tensor that nothing asked for.
    pub(crate) fn finish(&self, part: &str, ledger: &mut Ledger) {
        for name in self
            .tensors
            .keys()
            .filter(|name| !self.used.borrow().contains(*name))
        {
            ledger.miss(&format!("{part}.{name}"), "not compared");
        }
    }
}

/// A JSON file.
pub(crate) fn json(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// The numbers of a JSON array.
pub(crate) fn numbers(value: &Value) -> Result<Vec<f64>> {
    let list = value
        .as_array()
        .ok_or_else(|| anyhow!("expected a list, found {value}"))?;
    list.iter()
        .map(|entry| {
            entry
                .as_f64()
                .ok_or_else(|| anyhow!("expected a number, found {entry}"))
        })
        .collect()
}

/// The text under `key`.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key]
        .as_str()
        .ok_or_else(|| anyhow!("expected a text under `{key}`"))
}

/// Names in a directory, sorted.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
