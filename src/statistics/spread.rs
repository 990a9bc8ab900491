//! Means and standard deviations.

/// The mean; absent of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation with n − 1; absent below two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    Some((squares_around_mean(values) / (values.len() - 1) as f64).sqrt())
}

/// The pooled standard deviation within groups, such as train seeds within each concept: the root of all squares around the
/// groups' own means over Σ(n − 1). Absent where no group has two values.
pub fn within_groups(groups: &[Vec<f64>]) -> Option<f64> {
    let degrees: usize = groups.iter().map(|group| group.len().saturating_sub(1)).sum();
    if degrees == 0 {
        return None;
    }
    let squares: f64 = groups.iter().map(|group| squares_around_mean(group)).sum();
    Some((squares / degrees as f64).sqrt())
}

fn squares_around_mean(values: &[f64]) -> f64 {
    let centre = mean(values).unwrap_or_default();
    values.iter().map(|value| (value - centre).powi(2)).sum()
}
