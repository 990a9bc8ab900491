//! Texts that are written as they come, beside texts that are written from a tree.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;

fn written<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = Vec::new();
    write(value, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// The same by way of a tree.
fn by_tree(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            let entry = |(key, value): (&&String, &&Value)| format!("{}:{}", json!(key), by_tree(value));
            format!("{{{}}}", sorted.iter().map(entry).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(by_tree).collect::<Vec<_>>().join(","))
        }
        leaf => leaf.to_string(),
    }
}

#[derive(Debug, Clone, Serialize)]
enum Shape {
    Unit,
    New(f32),
    Tuple(i8, char),
    Struct { y: Option<u64>, x: f64 },
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "tag")]
enum Tagged {
    Inner(Inner),
}

#[derive(Debug, Clone, Serialize)]
struct Inner {
    zeta: Vec<Shape>,
    alpha: BTreeMap<i16, String>,
    #[serde(flatten)]
    rest: BTreeMap<String, bool>,
    unit: (),
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Unit),
        any::<f32>().prop_map(Shape::New),
        any::<(i8, char)>().prop_map(|(a, b)| Shape::Tuple(a, b)),
        any::<(Option<u64>, f64)>().prop_map(|(y, x)| Shape::Struct { y, x }),
    ]
}

fn tagged() -> impl Strategy<Value = Tagged> {
    let zeta = proptest::collection::vec(shape(), 0..4);
    let alpha = proptest::collection::btree_map(any::<i16>(), any::<String>(), 0..4);
    let rest = proptest::collection::btree_map("[a-z\"é]{0,5}", any::<bool>(), 0..4);
    (zeta, alpha, rest).prop_map(|(zeta, alpha, rest)| {
        let unit = ();
        Tagged::Inner(Inner {
            zeta,
            alpha,
            rest,
            unit,
        })
    })
}

proptest! {
    #[test]
    fn it_is_the_sorted_tree(value in tagged()) {
        prop_assert_eq!(written(&value), by_tree(&serde_json::to_value(&value).unwrap()));
    }
}

#[test]
fn keys_that_are_no_texts_are_refused() {
    let mut out = Vec::new();
    assert!(write(&BTreeMap::from([((1, 2), 3)]), &mut out).is_err());
}

#[test]
fn what_is_no_number_is_null() {
    assert_eq!(written(&[f64::NAN, f64::INFINITY]), "[null,null]");
}
