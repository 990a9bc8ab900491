//! Operators one behind the other as one node of candle's graph.
//!
//! Candle keeps the input of every node until the graph is gone. The backward pass of a frozen convolution or linear map looks
//! at the shape of its input alone, so most of what it keeps of a frozen network is never read. Besides its source, a chain
//! keeps what is read, and lets go of it on the way back.

mod link;
mod node;
#[cfg(test)]
mod tests;

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::activation::CHUNK;
use super::op::{self, FrozenOp, Value};
use link::Link;
#[cfg(test)]
pub(super) use link::kept;
use node::Node;

/// A value on its way through operators. Frozen ones follow each other without a node between them; one that learns ends
/// the chain and begins another, so callers need not know which is which.
pub struct Chain {
    /// The node that it leads back to, contiguous.
    source: Tensor,
    /// How a gradient comes back from the value to the source; empty where none is wanted.
    links: Vec<Link>,
    value: Value,
}

impl Chain {
    /// A chain of no operators yet.
    ///
    /// # Errors
    /// The device refuses a contiguous copy.
    pub fn on(x: &Tensor) -> Result<Self> {
        let source = x.contiguous()?;
        Ok(Self {
            value: Value::Tensor(source.detach()),
            source,
            links: Vec::new(),
        })
    }

    /// Through a frozen operator.
    pub(super) fn then(mut self, op: impl FrozenOp) -> Result<Self> {
        let x = self.value.into_tensor(self.source.device())?;
        self.value = op::value(&op, &x)?;
        if self.source.track_op() {
            self.links.push(Link::new(op, x)?);
        }
        Ok(self)
    }

    /// Through what has no way back.
    pub(super) fn forward_only(
        self,
        name: &str,
        value: impl FnOnce(&Tensor) -> Result<Value>,
    ) -> Result<Self> {
        if self.source.track_op() {
            bail!("{name}: a gradient is wanted, and there is no way back");
        }
        let x = self.value.into_tensor(self.source.device())?;
        Ok(Self {
            value: value(&x)?,
            ..self
        })
    }

    /// The same chain several times, to go on in different ways. What the operators so far read is kept once; on the way back
    /// they are passed by each.
    ///
    /// # Errors
    /// Candle refuses the value.
    pub fn fork<const N: usize>(self) -> Result<[Self; N]> {
        let value = self.value.into_tensor(self.source.device())?;
        Ok(std::array::from_fn(|_| Self {
            source: self.source.clone(),
            links: self.links.clone(),
            value: Value::Tensor(value.clone()),
        }))
    }

    /// Through several operators, of which the first input is kept and nothing else: the backward pass computes again what
    /// lies between them. Where one of them learns, all is kept that is read. `through` must go on from what it is given.
    ///
    /// # Errors
    /// An operator fails.
    pub fn again(mut self, through: impl FnOnce(Self) -> Result<Self>) -> Result<Self> {
        let (source, before) = (self.source.id(), self.links.len());
        let input = self.value.into_tensor(self.source.device())?;
        self.value = Value::Tensor(input.clone());
        let mut chain = through(self)?;
        if chain.source.id() == source && chain.links.len() > before + 1 {
            let ops = chain.links.drain(before..).flat_map(|link| link.ops).collect();
            chain.links.push(Link { ops, input });
        }
        Ok(chain)
    }

    pub(super) fn shape(&self) -> &Shape {
        self.value.shape()
    }

    /// Its value, as a node that leads back to where it began.
    ///
    /// # Errors
    /// Candle refuses the value.
    pub fn end(self) -> Result<Tensor> {
        if !self.source.track_op() {
            return self.value.into_tensor(self.source.device());
        }
        if self.links.is_empty() {
            return Ok(self.source);
        }
        self.source
            .apply_op1(Node::new(self.value, [self.links, Vec::new()]))
    }

    /// The sum of two values of one shape.
    ///
    /// # Errors
    /// The shapes differ.
    pub fn plus(self, other: Self) -> Result<Tensor> {
        if self.shape() != other.shape() {
            bail!("plus: shapes {:?} and {:?} differ", self.shape(), other.shape());
        }
        let (a, b) = (self.source, other.source);
        let sum = sum(self.value, other.value, &a)?;
        match (a.track_op(), b.track_op()) {
            (true, true) => a.apply_op2(&b, Node::new(sum, [self.links, other.links])),
            (true, false) => a.apply_op1(Node::new(sum, [self.links, Vec::new()])),
            (false, true) => b.apply_op1(Node::new(sum, [other.links, Vec::new()])),
            (false, false) => sum.into_tensor(a.device()),
        }
    }
}

/// `like` is on the device that both are on.
fn sum(a: Value, b: Value, like: &Tensor) -> Result<Value> {
    if !like.device().is_cpu() {
        let [a, b] = [a.into_tensor(like.device())?, b.into_tensor(like.device())?];
        return Ok(Value::Tensor((a + b)?));
    }
    let (mut y, shape, x) = match (a, b) {
        (Value::Elements(y, shape), x) | (x, Value::Elements(y, shape)) => (y, shape, x),
        (Value::Tensor(y), x) => {
            let elements = op::with_elements(&y, |y| Ok(y.to_vec()))?;
            (elements, y.shape().clone(), x)
        }
    };
    op::with_elements(&x.into_tensor(like.device())?, |x| {
        let parts = y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
        parts.for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y += x));
        Ok(())
    })?;
    Ok(Value::Elements(y, shape))
}
