//! Holm's step-down correction (1979): keeps the chance of any false finding in a family of tests at its level.

/// The corrected p values, in the order of `p`: the k-th smallest (from 0) of m times m − k, at most 1 and never below one that was
/// smaller.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![0.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        least = least.max((p[index] * (p.len() - rank) as f64).min(1.0));
        corrected[index] = least;
    }
    corrected
}
