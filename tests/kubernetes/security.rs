//! Every pod passes the Pod Security Standard `restricted`, and some more.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use crate::rendered::{container, name, overlays, pod};

#[test]
#[ignore = "needs rendered overlays: run .ci/kubernetes"]
fn every_pod_is_restricted() {
    for overlay in overlays() {
        for deployment in overlay.deployments() {
            let what = format!("{} of {}", name(&deployment), overlay.name);
            check_pod(pod(&deployment), &what);
            check_container(container(&deployment), &what);
        }
    }
}

fn check_pod(pod: &PodSpec, what: &str) {
    let security = pod.security_context.as_ref().expect(what);
    assert_eq!(security.run_as_non_root, Some(true), "{what}");
    assert!(security.run_as_user.is_some_and(|user| user > 0), "{what}");
    assert_eq!(
        security.seccomp_profile.as_ref().expect(what).type_,
        "RuntimeDefault",
        "{what}"
    );
    assert_eq!(pod.automount_service_account_token, Some(false), "{what}");
    let host = [pod.host_network, pod.host_pid, pod.host_ipc];
    assert_eq!(host, [None; 3], "{what}");
    let volumes = pod.volumes.iter().flatten();
    let known =
        |volume: &k8s_openapi::api::core::v1::Volume| volume.empty_dir.is_some() || volume.secret.is_some();
    assert!(
        volumes.into_iter().all(known),
        "{what} mounts something of its node"
    );
}

fn check_container(container: &Container, what: &str) {
    let security = container.security_context.as_ref().expect(what);
    assert_eq!(security.allow_privilege_escalation, Some(false), "{what}");
    assert_eq!(security.read_only_root_filesystem, Some(true), "{what}");
    let capabilities = security.capabilities.as_ref().expect(what);
    assert_eq!(
        capabilities.drop.as_deref(),
        Some(&["ALL".to_owned()][..]),
        "{what}"
    );
    assert_eq!(capabilities.add, None, "{what}");
    let limits = container
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.as_ref());
    assert!(
        limits.expect(what).contains_key("memory"),
        "{what} may take all memory"
    );
}

#[test]
#[ignore = "needs rendered overlays: run .ci/kubernetes"]
fn a_worker_has_time_for_its_checkpoints() {
    for overlay in overlays() {
        for deployment in overlay.component("worker") {
            let args = container(&deployment).args.clone().unwrap();
            let grace = args.iter().find_map(|arg| arg.strip_prefix("--grace=")).unwrap();
            let grace = humantime::parse_duration(grace).unwrap();
            let until_killed = pod(&deployment).termination_grace_period_seconds.unwrap();
            let until_killed = Duration::from_secs(until_killed.try_into().unwrap());
            // Leases are given back, and the process ends, after the checkpoints.
            assert!(
                grace + Duration::from_secs(5) <= until_killed,
                "{} of {} is killed while it saves",
                name(&deployment),
                overlay.name
            );
        }
    }
}
