//! Objects are read as the API server's types and written again: what is lost on the way is misspelt or misplaced.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::rendered::overlays;

/// Kinds whose types live in other projects; nothing here checks their fields.
const FOREIGN: [&str; 4] = ["ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"];

#[test]
#[ignore = "needs rendered overlays: run .ci/kubernetes"]
fn the_types_lose_nothing() {
    for overlay in overlays() {
        for object in &overlay.objects {
            let kind = object["kind"].as_str().unwrap();
            let read = match kind {
                "Namespace" => again::<Namespace>(object),
                "ConfigMap" => again::<ConfigMap>(object),
                "Service" => again::<Service>(object),
                "ServiceAccount" => again::<ServiceAccount>(object),
                "Deployment" => again::<Deployment>(object),
                "NetworkPolicy" => again::<NetworkPolicy>(object),
                "PodDisruptionBudget" => again::<PodDisruptionBudget>(object),
                foreign => {
                    assert!(FOREIGN.contains(&foreign), "nobody checks a {foreign}");
                    continue;
                }
            };
            if let Some(lost) = lost(object, &read, kind) {
                panic!("{}: {lost} means nothing to Kubernetes", overlay.name);
            }
        }
    }
}

fn again<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
    let typed: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}"));
    serde_json::to_value(typed).unwrap()
}

/// Where something of `given` is not in `read`.
fn lost(given: &Value, read: &Value, at: &str) -> Option<String> {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => given.iter().find_map(|(key, value)| {
            let at = format!("{at}.{key}");
            match read.get(key) {
                Some(read) => lost(value, read, &at),
                None => Some(at),
            }
        }),
        (Value::Array(given), Value::Array(read)) if given.len() == read.len() => {
            let pairs = given.iter().zip(read).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (given, read))| lost(given, read, &format!("{at}[{index}]")))
        }
        // Quantities may be written as numbers.
        (given, read) => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (text(given) != text(read)).then(|| at.to_owned())
        }
    }
}
