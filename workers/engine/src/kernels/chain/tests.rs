//! A chain is the same function as its operators one by one.
#![expect(clippy::unwrap_used, reason = "tests")]

use candle_core::{Result, Tensor, Var};

use super::super::both_paths::{bits, random};
use super::super::{Chain, Conv2dGeometry, GroupNormSpec};

const CHANNELS: usize = 6;
const SPEC: GroupNormSpec = GroupNormSpec {
    groups: 3,
    eps: 1e-5,
    silu: true,
};
const SAME: Conv2dGeometry = Conv2dGeometry {
    stride: 1,
    padding: 1,
};

fn input() -> Var {
    Var::from_tensor(&random(1, &[2, CHANNELS, 5, 4])).unwrap()
}

fn normal(x: Chain) -> Result<Chain> {
    x.group_norm(&random(2, &[CHANNELS]), &random(3, &[CHANNELS]), SPEC)
}

fn convolved(x: Chain) -> Result<Chain> {
    x.conv2d(&random(4, &[CHANNELS, CHANNELS, 3, 3]), None, SAME)
}

/// The links between nodes.
fn split(x: Chain) -> Result<Chain> {
    Chain::on(&x.end()?)
}

fn through(x: Chain) -> Result<Chain> {
    normal(convolved(normal(x)?)?)
}

/// Value and gradient of `f`.
fn run(f: impl Fn(&Tensor) -> Result<Tensor>) -> (Vec<u32>, Vec<u32>) {
    let x = input();
    let y = f(&x).unwrap();
    let loss = (&y * random(5, y.dims())).unwrap().sum_all().unwrap();
    let gradients = loss.backward().unwrap();
    (bits(&y), bits(gradients.get(&x).unwrap()))
}

#[test]
fn it_has_the_bits_of_its_operators() {
    let apart = run(|x| {
        split(convolved(split(normal(Chain::on(x)?)?)?)?)
            .and_then(normal)?
            .end()
    });
    assert_eq!(run(|x| through(Chain::on(x)?)?.end()), apart);
    assert_eq!(run(|x| Chain::on(x)?.again(through)?.end()), apart);
    let some = |x: &Tensor| convolved(normal(Chain::on(x)?)?)?.again(normal)?.end();
    assert_eq!(run(some), apart);
}

#[test]
fn sums_have_the_bits_of_sums() {
    let apart = run(|x| x + through(Chain::on(x)?)?.end()?);
    assert_eq!(run(|x| Chain::on(x)?.plus(through(Chain::on(x)?)?)), apart);
    let apart = run(|x| convolved(Chain::on(x)?)?.end()? + normal(Chain::on(x)?)?.end()?);
    let joined = |x: &Tensor| convolved(Chain::on(x)?)?.plus(normal(Chain::on(x)?)?);
    assert_eq!(run(joined), apart);
    let constant = random(6, &[2, CHANNELS, 5, 4]);
    let apart = run(|x| &constant + normal(Chain::on(x)?)?.end()?);
    let joined = |x: &Tensor| Chain::on(&constant)?.plus(normal(Chain::on(x)?)?);
    assert_eq!(run(joined), apart);
}

#[test]
fn a_fork_goes_on_in_several_ways() {
    let apart = run(|x| {
        let normal = normal(Chain::on(x)?)?.end()?;
        convolved(Chain::on(&normal)?)?.end()? * normal
    });
    let forked = run(|x| {
        let [a, b] = normal(Chain::on(x)?)?.fork()?;
        convolved(a)?.end()? * b.end()?
    });
    assert_eq!(forked.0, apart.0);
    // There the two gradients meet before the normalisation, here behind it.
    for (a, b) in forked.1.iter().zip(&apart.1) {
        let (a, b) = (f32::from_bits(*a), f32::from_bits(*b));
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

#[test]
fn what_learns_ends_one_chain_and_begins_another() {
    let weight = Var::from_tensor(&random(7, &[CHANNELS, CHANNELS, 3, 3])).unwrap();
    let x = input();
    let learned = |x: Chain| normal(normal(x)?.conv2d(&weight, None, SAME)?);
    let gradients = |chain: Result<Chain>| {
        let y = chain.unwrap().end().unwrap();
        let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        [&x, &weight].map(|var| bits(gradients.get(var).unwrap()))
    };
    let plain = gradients(learned(Chain::on(&x).unwrap()));
    assert_eq!(gradients(Chain::on(&x).unwrap().again(learned)), plain);
    let is_number = |bits: &u32| f32::from_bits(*bits).is_finite();
    assert!(plain.iter().flatten().all(is_number));
    assert!(
        plain
            .iter()
            .all(|gradient| gradient.iter().any(|bits| *bits << 1 != 0))
    );
}

#[test]
fn what_is_computed_again_is_not_kept() {
    let x = input();
    let kept = |chain: Result<Chain>| {
        let links = chain.unwrap().links;
        links.iter().map(|link| link.ops.len()).collect::<Vec<_>>()
    };
    assert_eq!(kept(through(Chain::on(&x).unwrap())), [1, 1, 1]);
    assert_eq!(kept(Chain::on(&x).unwrap().again(through)), [3]);
}

#[test]
fn without_a_variable_nothing_is_recorded() {
    let x = random(1, &[2, CHANNELS, 5, 4]);
    let y = through(Chain::on(&x).unwrap()).unwrap().end().unwrap();
    assert!(!y.track_op());
    assert_eq!(bits(&y), run(|x| through(Chain::on(x)?)?.end()).0);
}

#[test]
fn a_second_way_back_is_an_error_and_no_wrong_gradient() {
    let y = through(Chain::on(&input()).unwrap()).unwrap().end().unwrap();
    let loss = y.sum_all().unwrap();
    loss.backward().unwrap();
    let error = loss.backward().unwrap_err().to_string();
    assert!(error.contains("goes back once"), "{error}");
}
