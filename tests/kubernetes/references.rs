//! Whatever names something else names something that is there.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use crate::rendered::{Labels, Overlay, container, name, overlays, pod, pod_labels, port, selects};

/// Made by the user, as the component `tls` and the docs say.
const SECRETS: [&str; 3] = ["vico-tls", "vico-tokens", "vico-worker-token"];

fn for_each(check: impl Fn(&Overlay)) {
    overlays().iter().for_each(check);
}

#[test]
#[ignore = "needs rendered overlays: run .ci/kubernetes"]
fn pods_find_their_accounts_settings_and_secrets() {
    for_each(|overlay| {
        for deployment in overlay.deployments() {
            let what = format!("{} of {}", name(&deployment), overlay.name);
            let (pod, container) = (pod(&deployment), container(&deployment));
            let account = pod.service_account_name.as_deref();
            assert!(
                account.is_none_or(|name| overlay.names("ServiceAccount").contains(&name)),
                "{what}"
            );
            for source in container.env_from.iter().flatten() {
                let map = &source.config_map_ref.as_ref().unwrap().name;
                assert!(
                    overlay.names("ConfigMap").contains(&map.as_str()),
                    "{what}: {map}"
                );
            }
            for volume in pod.volumes.iter().flatten() {
                let secret = volume
                    .secret
                    .as_ref()
                    .and_then(|secret| secret.secret_name.as_deref());
                assert!(
                    secret.is_none_or(|name| SECRETS.contains(&name)),
                    "{what}: {secret:?}"
                );
            }
            for mount in container.volume_mounts.iter().flatten() {
                let mut volumes = pod.volumes.iter().flatten();
                assert!(
                    volumes.any(|volume| volume.name == mount.name),
                    "{what}: {}",
                    mount.name
                );
            }
            let own = deployment
                .spec
                .as_ref()
                .unwrap()
                .selector
                .match_labels
                .clone()
                .unwrap();
            assert!(
                selects(&own, &pod_labels(&deployment)),
                "{what} does not select its pods"
            );
        }
    });
}

#[test]
#[ignore = "needs rendered overlays: run .ci/kubernetes"]
fn services_and_budgets_find_pods() {
    for_each(|overlay| {
        for service in overlay.all::<Service>("Service") {
            let spec = service.spec.unwrap();
            let selector = spec.selector.unwrap();
            let deployments = overlay.deployments();
            let behind: Vec<_> = deployments
                .iter()
                .filter(|pod| selects(&selector, &pod_labels(pod)))
                .collect();
            assert_eq!(behind.len(), 1, "{}: {selector:?}", overlay.name);
            for service_port in spec.ports.unwrap() {
                let Some(IntOrString::String(target)) = service_port.target_port else {
                    panic!("a port of a service has no name");
                };
                let number = port(container(behind[0]), &target);
                assert_eq!(
                    number.map(i32::from),
                    Some(service_port.port),
                    "{}: {target}",
                    overlay.name
                );
            }
        }
        let budgets = overlay.all::<PodDisruptionBudget>("PodDisruptionBudget");
        for deployment in overlay
            .component("worker")
            .iter()
            .chain(&overlay.component("coordinator"))
        {
            let of_it = budgets.iter().filter(|budget| {
                let selector = budget.spec.as_ref().unwrap().selector.clone();
                selects(&labels_of(selector), &pod_labels(deployment))
            });
            assert_eq!(of_it.count(), 1, "{} of {}", name(deployment), overlay.name);
        }
    });
}

fn labels_of(selector: Option<LabelSelector>) -> Labels {
    selector.unwrap().match_labels.unwrap_or_default()
}

/// Whether any of these rules speaks of a port for peers with those labels.
fn allows(
    peers: Option<&Vec<NetworkPolicyPeer>>,
    ports: &[NetworkPolicyPort],
    wanted: (&str, &Labels),
) -> bool {
    let of_peer = |peer: &NetworkPolicyPeer| {
        peer.namespace_selector.is_none() && selects(&labels_of(peer.pod_selector.clone()), wanted.1)
    };
    let of_port = |port: &NetworkPolicyPort| port.port == Some(IntOrString::String(wanted.0.to_owned()));
    peers.is_some_and(|peers| peers.iter().any(of_peer)) && ports.iter().any(of_port)
}

#[test]
#[ignore = "needs rendered overlays: run .ci/kubernetes"]
fn the_network_lets_workers_reach_the_coordinator_and_nobody_a_worker() {
    for_each(|overlay| {
        let policies = overlay.all::<NetworkPolicy>("NetworkPolicy");
        let of = |labels: &Labels| -> Vec<_> {
            let specs = policies.iter().map(|policy| policy.spec.clone().unwrap());
            specs
                .filter(|spec| selects(&labels_of(spec.pod_selector.clone()), labels))
                .collect()
        };
        let coordinator = pod_labels(&overlay.component("coordinator")[0]);
        for worker in overlay.component("worker") {
            let worker = pod_labels(&worker);
            let mut leaves = of(&worker)
                .into_iter()
                .flat_map(|spec| spec.egress.unwrap_or_default());
            assert!(leaves.any(|rule| allows(
                rule.to.as_ref(),
                &rule.ports.unwrap_or_default(),
                ("grpc", &coordinator)
            )));
            let mut enters = of(&coordinator)
                .into_iter()
                .flat_map(|spec| spec.ingress.unwrap_or_default());
            assert!(enters.any(|rule| allows(
                rule.from.as_ref(),
                &rule.ports.unwrap_or_default(),
                ("grpc", &worker)
            )));
            let closed = of(&worker).iter().any(|spec| {
                let types = spec.policy_types.clone().unwrap_or_default();
                types.contains(&"Ingress".to_owned()) && types.contains(&"Egress".to_owned())
            });
            assert!(closed, "a worker of {} is open", overlay.name);
        }
    });
}

#[test]
#[ignore = "needs rendered overlays: run .ci/kubernetes"]
fn monitors_and_scalers_find_what_they_watch() {
    let labels =
        |selector: &Value| -> Labels { serde_json::from_value(selector["matchLabels"].clone()).unwrap() };
    for_each(|overlay| {
        for monitor in overlay.raw("ServiceMonitor") {
            let wanted = labels(&monitor["spec"]["selector"]);
            let port = monitor["spec"]["endpoints"][0]["port"].as_str().unwrap();
            let found = overlay.all::<Service>("Service").into_iter().any(|service| {
                let has = selects(&wanted, &service.metadata.labels.unwrap_or_default());
                has && service
                    .spec
                    .unwrap()
                    .ports
                    .unwrap()
                    .iter()
                    .any(|it| it.name.as_deref() == Some(port))
            });
            assert!(found, "{}", overlay.name);
        }
        for monitor in overlay.raw("PodMonitor") {
            let wanted = labels(&monitor["spec"]["selector"]);
            let name = monitor["spec"]["podMetricsEndpoints"][0]["port"]
                .as_str()
                .unwrap();
            let pods = overlay.deployments();
            let found: Vec<_> = pods
                .iter()
                .filter(|pod| selects(&wanted, &pod_labels(pod)))
                .collect();
            assert!(!found.is_empty() && found.iter().all(|pod| port(container(pod), name).is_some()));
        }
        for scaled in overlay.raw("ScaledObject") {
            let target = scaled["spec"]["scaleTargetRef"]["name"].as_str().unwrap();
            let deployments = overlay.deployments();
            let scaled = deployments
                .iter()
                .find(|deployment| name(deployment) == target)
                .unwrap();
            assert_eq!(
                scaled.spec.as_ref().unwrap().replicas,
                None,
                "two would set the number of {target}"
            );
        }
    });
}
