//! What `kubectl kustomize` makes of the overlays.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Container, PodSpec};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One overlay's objects.
pub(crate) struct Overlay {
    pub(crate) name: String,
    pub(crate) objects: Vec<Value>,
}

/// Labels of a pod or of what selects pods.
pub(crate) type Labels = BTreeMap<String, String>;

/// All of them, from the folder that `.ci/kubernetes` names.
pub(crate) fn overlays() -> Vec<Overlay> {
    let folder = std::env::var("VICO_RENDERED").expect("run .ci/kubernetes, which renders the overlays");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let overlays: Vec<Overlay> = files
        .map(|file| Overlay {
            name: file.file_stem().unwrap().to_str().unwrap().to_owned(),
            objects: documents(&std::fs::read_to_string(&file).unwrap()),
        })
        .collect();
    assert!(overlays.len() >= 8, "not every overlay was rendered");
    overlays
}

fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

impl Overlay {
    /// The objects of a kind.
    pub(crate) fn all<T: DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        let of_kind = self.objects.iter().filter(|object| object["kind"] == kind);
        of_kind
            .map(|object| serde_json::from_value(object.clone()).unwrap())
            .collect()
    }

    /// The raw objects of a kind.
    pub(crate) fn raw(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// Names of the objects of a kind.
    pub(crate) fn names(&self, kind: &str) -> Vec<&str> {
        self.raw(kind)
            .map(|object| object["metadata"]["name"].as_str().unwrap())
            .collect()
    }

    pub(crate) fn deployments(&self) -> Vec<Deployment> {
        self.all("Deployment")
    }

    /// Deployments of one component, `coordinator` or `worker`.
    pub(crate) fn component(&self, component: &str) -> Vec<Deployment> {
        let mut deployments = self.deployments();
        deployments.retain(|deployment| {
            pod_labels(deployment)
                .get("app.kubernetes.io/component")
                .is_some_and(|label| label == component)
        });
        deployments
    }

    /// A container's environment: from config maps, then its own.
    pub(crate) fn environment(&self, container: &Container) -> BTreeMap<String, String> {
        let maps: Vec<ConfigMap> = self.all("ConfigMap");
        let mut environment = BTreeMap::new();
        for source in container.env_from.iter().flatten() {
            let wanted = source.config_map_ref.as_ref().unwrap().name.clone();
            let map = maps
                .iter()
                .find(|map| map.metadata.name.as_deref() == Some(&wanted))
                .unwrap();
            environment.extend(map.data.clone().unwrap());
        }
        for variable in container.env.iter().flatten() {
            environment.insert(
                variable.name.clone(),
                variable
                    .value
                    .clone()
                    .unwrap_or_else(|| "from-a-field".to_owned()),
            );
        }
        environment
    }
}

pub(crate) fn name(deployment: &Deployment) -> &str {
    deployment.metadata.name.as_deref().unwrap()
}

pub(crate) fn pod(deployment: &Deployment) -> &PodSpec {
    let spec = deployment.spec.as_ref().unwrap();
    spec.template.spec.as_ref().unwrap()
}

pub(crate) fn pod_labels(deployment: &Deployment) -> Labels {
    let template = &deployment.spec.as_ref().unwrap().template;
    template.metadata.clone().unwrap().labels.unwrap_or_default()
}

/// The one container of a pod.
pub(crate) fn container(deployment: &Deployment) -> &Container {
    let [container] = pod(deployment).containers.as_slice() else {
        panic!("{} has several containers", name(deployment));
    };
    container
}

/// The number of a container's port of that name.
pub(crate) fn port(container: &Container, name: &str) -> Option<u16> {
    let ports = container.ports.iter().flatten();
    let port = ports
        .into_iter()
        .find(|port| port.name.as_deref() == Some(name))?;
    Some(port.container_port.try_into().unwrap())
}

/// Whether a selector takes these labels.
pub(crate) fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
