//! What the pages say of a made-up state.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

use super::Meters;
use super::census::Census;
use super::pages::{Sight, text_of, text_of_a_standby};

#[test]
fn an_empty_census_shows_every_series_there_can_be() {
    let text = text_of(Sight::Counted(&Census::default()), &Meters::default()).unwrap();
    for line in [
        "vico_jobs{stage=\"train\",state=\"ready\"} 0",
        "vico_sweeps{state=\"running\"} 0",
        "vico_attempts_failed_total{class=\"out_of_memory\"} 0",
        "vico_workers{condition=\"quarantined\"} 0",
        "vico_queue_age_seconds{stage=\"score\"} 0.0",
        "vico_leases_granted_total 0",
        "vico_state_observed 1",
        "vico_serving 1",
        "vico_build_info{version=\"0.1.0\"} 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "no `{line}` in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn without_a_census_the_process_still_tells_of_itself() {
    let meters = Meters::default();
    meters.committed(std::time::Duration::from_millis(30));
    meters.not_committed();
    meters.refused("token");
    let text = text_of(Sight::Hidden, &meters).unwrap();
    for line in [
        "vico_serving 1",
        "vico_state_observed 0",
        "vico_journal_commit_seconds_bucket{le=\"0.05\"} 1",
        "vico_journal_commit_failures_total 1",
        "vico_requests_refused_total{reason=\"token\"} 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "no `{line}` in\n{text}");
    }
    assert!(!text.contains("vico_jobs"), "{text}");
}

#[test]
fn a_standby_says_that_it_does_not_serve() {
    let text = text_of_a_standby(&Meters::default()).unwrap();
    assert!(text.lines().any(|line| line == "vico_serving 0"), "{text}");
    assert!(!text.contains("vico_jobs"), "{text}");
}
