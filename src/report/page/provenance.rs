//! Where the numbers come from: manifest, models, photos, versions, devices, hours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use maud::{Markup, html};

use crate::job::{Receipt, Stage};
use crate::report::leaderboard::by_row;
use crate::report::{Record, RunOutcome};

pub(super) fn section(runs: &[RunOutcome], record: &Record) -> Markup {
    html! {
        section #provenance {
            h2 { "Provenance" }
            p { "Written by vico " (env!("CARGO_PKG_VERSION")) "." }
            (hours(runs))
            (devices(runs))
            (contents(runs))
            details { summary { "The manifest as submitted" } pre { (record.manifest) } }
            details { summary { "The manifest with every default" } pre { (record.lock) } }
        }
    }
}

/// A job that several runs share counts once in each row.
fn hours(runs: &[RunOutcome]) -> Markup {
    html! {
        h3 { "Hours of device time" }
        table {
            thead { tr {
                th { "method" }
                @for stage in Stage::ALL { th { (stage) } }
                th { "all" }
            } }
            tbody {
                @for (row, runs) in by_row(runs) {
                    @let receipts = distinct(runs.into_iter());
                    tr {
                        th { (row) }
                        @for stage in Stage::ALL {
                            td { (sum(receipts.iter().copied().filter(|receipt| receipt.stage == stage))) }
                        }
                        td { (sum(receipts.iter().copied())) }
                    }
                }
            }
        }
        p.small { "From the grant of the lease that made it to the commit of the receipt. Shared jobs count in every row that reads them." }
    }
}

fn distinct<'a>(runs: impl Iterator<Item = &'a RunOutcome>) -> Vec<&'a Receipt> {
    let by_job: BTreeMap<_, _> = runs
        .flat_map(RunOutcome::receipts)
        .map(|receipt| (receipt.job, receipt))
        .collect();
    by_job.into_values().collect()
}

fn sum<'a>(receipts: impl Iterator<Item = &'a Receipt>) -> String {
    let spent: Duration = receipts
        .map(|receipt| receipt.finished.since(receipt.started))
        .sum();
    format!("{:.3}", spent.as_secs_f64() / 3600.0)
}

fn devices(runs: &[RunOutcome]) -> Markup {
    let mut jobs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for receipt in distinct(runs.iter()) {
        *jobs
            .entry((&receipt.device.name, &receipt.device.driver))
            .or_default() += 1;
    }
    html! {
        h3 { "Devices" }
        ul {
            @for ((name, driver), count) in jobs {
                li { (name) @if !driver.is_empty() { ", driver " (driver) } ": " (count) " jobs" }
            }
        }
    }
}

fn contents(runs: &[RunOutcome]) -> Markup {
    let bases: BTreeSet<String> = runs
        .iter()
        .filter_map(|run| run.base)
        .map(|base| base.to_string())
        .collect();
    let photos: BTreeMap<String, BTreeSet<String>> = runs.iter().fold(BTreeMap::new(), |mut all, run| {
        let named = run
            .references
            .iter()
            .map(|photo| format!("{} {}", photo.name, photo.blob.digest));
        let of_concept: &mut BTreeSet<String> = all.entry(run.concept.to_string()).or_default();
        of_concept.extend(named);
        all
    });
    html! {
        details {
            summary { "BLAKE3 of base models and photos" }
            dl {
                dt { "base model" }
                @for base in &bases { dd { code { (base) } } }
                @for (concept, photos) in &photos {
                    dt { (concept) }
                    @for photo in photos { dd { code { (photo) } } }
                }
            }
        }
    }
}
