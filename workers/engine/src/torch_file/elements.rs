//! A tensor's elements, taken out of the storage that it is a view of.

use std::ops::Range;

use half::{bf16, f16};

use super::node::{Dtype, View};

/// Elements in row-major order, as the file has them.
pub(crate) enum Elements {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    I64(Vec<i64>),
    I32(Vec<i32>),
}

impl Elements {
    /// What `view` shows of its storage, whose bytes are `bytes`.
    ///
    /// # Errors
    /// It reaches beyond them.
    pub(super) fn of(view: &View, bytes: &[u8]) -> Result<Self, &'static str> {
        let places = places(view, bytes.len() / view.storage.dtype.size())?;
        Ok(match view.storage.dtype {
            Dtype::F32 => Self::F32(gather(bytes, &places, f32::from_le_bytes)),
            Dtype::F16 => Self::F16(gather(bytes, &places, f16::from_le_bytes)),
            Dtype::Bf16 => Self::Bf16(gather(bytes, &places, bf16::from_le_bytes)),
            Dtype::I64 => Self::I64(gather(bytes, &places, i64::from_le_bytes)),
            Dtype::I32 => Self::I32(gather(bytes, &places, i32::from_le_bytes)),
        })
    }
}

/// How many elements `view` shows of a storage of `length`.
///
/// # Errors
/// It reaches beyond it.
pub(super) fn shown(view: &View, length: usize) -> Result<usize, &'static str> {
    let View {
        offset,
        shape,
        strides,
        ..
    } = view;
    let count = shape
        .iter()
        .try_fold(1usize, |count, size| count.checked_mul(*size));
    let count = count
        .filter(|count| *count <= length)
        .ok_or("is larger than its storage")?;
    if count == 0 {
        return Ok(0);
    }
    let far = shape
        .iter()
        .zip(strides)
        .try_fold(*offset, |far, (size, stride)| {
            far.checked_add((size - 1).checked_mul(*stride)?)
        });
    if far.is_none_or(|far| far >= length) {
        return Err("reaches beyond its storage");
    }
    Ok(count)
}

/// Where a tensor's elements lie in its storage: one run, or each for itself.
enum Places {
    Run(Range<usize>),
    Each(Vec<usize>),
}

fn places(view: &View, length: usize) -> Result<Places, &'static str> {
    let View {
        offset,
        shape,
        strides,
        ..
    } = view;
    let count = shown(view, length)?;
    if count == 0 {
        return Ok(Places::Run(0..0));
    }
    let mut run = 1;
    let is_run = shape.iter().zip(strides).rev().all(|(size, stride)| {
        let next = *size == 1 || *stride == run;
        run *= size;
        next
    });
    if is_run {
        return Ok(Places::Run(*offset..offset + count));
    }
    let mut places = vec![*offset];
    for (size, stride) in shape.iter().zip(strides) {
        places = places
            .iter()
            .flat_map(|place| (0..*size).map(move |step| place + step * stride))
            .collect();
    }
    Ok(Places::Each(places))
}

fn gather<const N: usize, T>(bytes: &[u8], places: &Places, decode: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<N>();
    match places {
        Places::Run(run) => elements[run.clone()]
            .iter()
            .map(|element| decode(*element))
            .collect(),
        Places::Each(places) => places.iter().map(|place| decode(elements[*place])).collect(),
    }
}
