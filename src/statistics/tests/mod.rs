//! Known answers of scipy and statsmodels, and properties.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Known {
    series: Vec<Series>,
    holm: Vec<Family>,
}

#[derive(Deserialize)]
struct Series {
    values: Vec<f64>,
    mean: f64,
    sd: f64,
    p: f64,
    interval: [f64; 2],
}

#[derive(Deserialize)]
struct Family {
    p: Vec<f64>,
    corrected: Vec<f64>,
}

fn known() -> Known {
    serde_json::from_str(include_str!("known_answers.json")).unwrap()
}

fn close(got: f64, want: f64, within: f64) {
    assert!((got - want).abs() <= within, "{got}, expected {want} ± {within}");
}

#[test]
fn means_spreads_and_exact_p_values_are_scipys() {
    for series in known().series {
        close(mean(&series.values).unwrap(), series.mean, 1e-15);
        close(standard_deviation(&series.values).unwrap(), series.sd, 1e-15);
        close(sign_flip(&series.values).unwrap(), series.p, 1e-12);
    }
}

/// Both are random, ours with 10,000 resamples: their ends agree to a few hundredths of the standard deviation.
#[test]
fn intervals_are_scipys_within_the_noise_of_resampling() {
    for series in known().series {
        let Interval { low, high } = interval(&series.values).unwrap();
        close(low, series.interval[0], 0.04 * series.sd);
        close(high, series.interval[1], 0.04 * series.sd);
    }
}

/// Of two values there are three means: the ends of the interval are the values themselves.
#[test]
fn the_interval_of_two_values_is_known() {
    let found = interval(&[0.25, 0.75]).unwrap();
    assert_eq!(
        found,
        Interval {
            low: 0.25,
            high: 0.75
        }
    );
}

#[test]
fn holm_is_statsmodels() {
    for family in known().holm {
        for (got, want) in holm(&family.p).into_iter().zip(family.corrected) {
            close(got, want, 1e-15);
        }
    }
}

#[test]
fn of_too_little_nothing_is_said() {
    assert_eq!(
        (mean(&[]), standard_deviation(&[1.0]), interval(&[1.0])),
        (None, None, None)
    );
    assert_eq!(sign_flip(&[]), None);
    assert_eq!(within_groups(&[vec![1.0], vec![2.0]]), None);
    let one = BTreeMap::from([("a".to_owned(), 1.0)]);
    let other = BTreeMap::from([("b".to_owned(), 1.0)]);
    assert_eq!(Paired::of(&one, &other), None);
    assert!(holm(&[]).is_empty());
}

#[test]
fn only_common_concepts_are_compared_and_counted() {
    let table = |rows: &[(&str, f64)]| -> BTreeMap<String, f64> {
        rows.iter()
            .map(|(concept, value)| ((*concept).to_owned(), *value))
            .collect()
    };
    let first = table(&[("a", 0.5), ("b", 0.5), ("c", 0.5), ("only here", 9.0)]);
    let second = table(&[("a", 0.25), ("b", 0.5), ("c", 0.75), ("only there", 9.0)]);
    let paired = Paired::of(&first, &second).unwrap();
    assert_eq!((paired.difference, paired.concepts, paired.p), (0.0, 3, 1.0));
    let tally = Tally {
        wins: 1,
        ties: 1,
        losses: 1,
    };
    assert_eq!(paired.tally, tally);
}

#[test]
fn seeds_spread_within_their_concepts_only() {
    let spread = within_groups(&[vec![1.0, 3.0], vec![10.0, 12.0], vec![50.0]]).unwrap();
    close(spread, 2.0_f64.sqrt(), 1e-15);
}

/// Above twenty pairs the test draws; where no sign can be flipped without shrinking the sum, hits are rare but never none.
#[test]
fn many_pairs_are_drawn_and_never_give_zero() {
    let p = sign_flip(&[0.1; 40]).unwrap();
    assert!(p > 0.0 && p < 1e-4, "{p}");
    let alternating: Vec<f64> = (0..30).map(|i| if i % 2 == 0 { 0.1 } else { -0.1 }).collect();
    assert!(sign_flip(&alternating).unwrap() > 0.99);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn p_is_a_probability_and_knows_no_order_sign_or_scale(mut values in prop::collection::vec(-1.0..1.0_f64, 1..11)) {
        let p = sign_flip(&values).unwrap();
        prop_assert!(p > 0.0 && p <= 1.0);
        let scaled: Vec<f64> = values.iter().map(|value| -4.0 * value).collect();
        prop_assert!((sign_flip(&scaled).unwrap() - p).abs() < 1e-12);
        values.reverse();
        prop_assert!((sign_flip(&values).unwrap() - p).abs() < 1e-12);
    }

    #[test]
    fn an_interval_lies_between_the_extremes_and_around_the_mean(values in prop::collection::vec(-1.0..1.0_f64, 2..20)) {
        let found = interval(&values).unwrap();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A mean of equal values may be off by a rounding.
        prop_assert!(least - 1e-12 <= found.low && found.high <= most + 1e-12);
        prop_assert!(found.low <= found.high);
        prop_assert!(found.contains(mean(&values).unwrap()));
        prop_assert_eq!(interval(&values), Some(found));
    }

    #[test]
    fn holm_never_helps_and_keeps_the_order(p in prop::collection::vec(0.0..1.0_f64, 1..12)) {
        let corrected = holm(&p);
        for (i, value) in corrected.iter().enumerate() {
            prop_assert!(*value >= p[i] && *value <= 1.0);
            for (j, other) in corrected.iter().enumerate() {
                prop_assert!(p[i] > p[j] || value <= other);
            }
        }
    }
}
