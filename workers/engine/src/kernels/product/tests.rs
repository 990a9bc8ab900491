//! Products of both kinds of words. Their operands are exact in bfloat16.

use half::bf16;
use proptest::prelude::*;

use super::super::both_paths::random_values;
use super::super::gemm::Mat;
use super::*;

fn exact(seed: u32, count: usize) -> Vec<f32> {
    let values = random_values(seed, count);
    values
        .into_iter()
        .map(|value| bf16::from_f32(value).to_f32())
        .collect()
}

/// `left (m, inner) · right (inner, n)` into a matrix of ones whose rows lie `n + gap` apart; in f64, to be compared.
fn check<W: Hold<f32>>((m, n, inner): (usize, usize, usize), gap: usize) -> Result<(), TestCaseError> {
    let (left, right) = (exact(1, m * inner), exact(2, inner * n));
    let sum = |row: usize, column: usize| -> f64 {
        let of = |k: usize| f64::from(left[row * inner + k]) * f64::from(right[k * n + column]);
        (0..inner).map(of).sum()
    };
    let stride = n + gap;
    let packed = (
        Panels::<W>::left(Mat::packed(&left, m, inner)),
        Panels::<W>::right(Mat::packed(&right, inner, n)),
    );
    for (write, before) in [(Write::Add, 1.0), (Write::Over, 0.0)] {
        let mut out = vec![1.0; m * stride];
        product(
            &packed.0,
            &packed.1,
            MatMut::strided(&mut out, m, n, stride),
            write,
        );
        for (at, found) in out.iter().enumerate() {
            let (row, column) = (at / stride, at % stride);
            let wanted = if column < n {
                before + sum(row, column)
            } else {
                1.0
            };
            prop_assert!((f64::from(*found) - wanted).abs() < 1e-3, "{row} {column}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_element_is_a_sum_of_products(m in 1usize..70, n in 1usize..130, inner in 1usize..50, gap in 0usize..9) {
        check::<f32>((m, n, inner), gap)?;
        check::<Pair>((m, n, inner), gap)?;
    }
}

/// More than one part of the summed index: only the first overwrites.
#[test]
fn long_sums_are_whole() {
    for (inner, n) in [(2 * DEPTH + 1, 16), (4 * DEPTH + 1, 32), (4 * DEPTH + 77, 100)] {
        check::<f32>((11, n, inner), 0).expect("f32");
        check::<Pair>((11, n, inner), 0).expect("pairs");
    }
}

/// Every element belongs to one task.
#[test]
fn tasks_cover_the_output() {
    for (rows, cols) in [(1, 1), (1, 10_000), (33, 49), (320, 4096), (4096, 320)] {
        let mut out = vec![0.0; rows * cols];
        for task in tasks(out.chunks_mut(cols).collect()) {
            task.rows
                .into_iter()
                .flatten()
                .for_each(|element| *element += 1.0);
        }
        assert_eq!(out, vec![1.0; rows * cols], "{rows} {cols}");
    }
}

/// More than one part of the summed index, and neighbours of any number on both sides.
fn check_neighbours<W: Hold<f32>>() {
    let inner = 2 * DEPTH + 77;
    let (left, right) = (exact(3, 40 * inner), random_values(4, 100 * inner));
    let of = |rows: usize, columns: usize| {
        let left = Panels::<W>::left(Mat::packed(&left[..rows * inner], rows, inner));
        let right = Panels::<W>::right(Mat::packed(&right[..columns * inner], columns, inner).t());
        let mut out = vec![0.0; rows * columns];
        product(&left, &right, MatMut::packed(&mut out, rows, columns), Write::Add);
        out
    };
    let all = of(40, 100);
    for (rows, columns) in [(1, 1), (7, 17), (9, 33), (39, 49), (40, 99)] {
        for (row, all) in of(rows, columns).chunks(columns).zip(all.chunks(100)) {
            assert_eq!(row, &all[..columns], "{rows} {columns}");
        }
    }
}

#[test]
fn an_element_does_not_see_its_neighbours() {
    check_neighbours::<f32>();
    check_neighbours::<Pair>();
}
