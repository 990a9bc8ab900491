//! From values to a file as `torch.save` lays it out: protocol 2, one member per tensor.

use candle_core::Tensor;

use super::WriteError;
use super::value::{Dict, Integers, Value};
use super::zip;

/// The folder in the archive, as PyTorch calls it where it does not know the file's name.
const FOLDER: &str = "archive";
/// The version of the container that PyTorch writes.
const VERSION: &[u8] = b"3\n";

/// The bytes of a file that holds `value`. `torch.load(weights_only=True)` takes all but a `ParameterDict`, for which it asks
/// to be told that it is safe.
///
/// # Errors
/// A tensor cannot be read from its device, or the file would be larger than 4 GiB.
pub(crate) fn write(value: &Value) -> Result<Vec<u8>, WriteError> {
    let mut program = Program::default();
    program.code.extend([0x80, 2]);
    program.value(value)?;
    program.code.push(b'.');
    let mut archive = zip::Writer::default();
    let add = |archive: &mut zip::Writer, name: &str, data: &[u8]| {
        archive
            .add(&format!("{FOLDER}/{name}"), data)
            .map_err(WriteError::TooLarge)
    };
    add(&mut archive, "data.pkl", &program.code)?;
    add(&mut archive, "byteorder", b"little")?;
    for (key, data) in program.storages.iter().enumerate() {
        add(&mut archive, &format!("data/{key}"), data)?;
    }
    add(&mut archive, "version", VERSION)?;
    Ok(archive.finish())
}

#[derive(Default)]
struct Program {
    code: Vec<u8>,
    storages: Vec<Vec<u8>>,
}

impl Program {
    fn value(&mut self, value: &Value) -> Result<(), WriteError> {
        match value {
            Value::Nothing => self.code.push(b'N'),
            Value::Bool(value) => self.code.push(if *value { 0x88 } else { 0x89 }),
            Value::Int(value) => self.int(*value),
            Value::Float(value) => {
                self.code.push(b'G');
                self.code.extend(value.to_be_bytes());
            }
            Value::Text(text) => self.text(text),
            Value::List(items) => {
                self.code.extend(b"](");
                for item in items {
                    self.value(item)?;
                }
                self.code.push(b'e');
            }
            Value::Dict(dict) => self.dict(dict)?,
            Value::Parameters(dict) => self.parameters(dict)?,
            Value::Tensor(tensor) => self.floats(tensor)?,
            Value::Integers(integers) => self.integers(integers),
        }
        Ok(())
    }

    fn dict(&mut self, dict: &Dict) -> Result<(), WriteError> {
        self.code.extend(b"}(");
        for (key, value) in &dict.0 {
            self.text(key);
            self.value(value)?;
        }
        self.code.push(b'u');
        Ok(())
    }

    /// A module with the attributes that PyTorch 1.10 gives one (the official code runs on that) and the `_keys` that newer
    /// versions look for.
    fn parameters(&mut self, dict: &Dict) -> Result<(), WriteError> {
        self.name("torch.nn.modules.container", "ParameterDict");
        self.code.extend([b')', 0x81, b'}', b'(']);
        self.entry("training", |program| program.code.push(0x88));
        self.text("_parameters");
        self.ordered();
        self.code.push(b'(');
        for (key, value) in &dict.0 {
            self.text(key);
            self.parameter(value)?;
        }
        self.code.push(b'u');
        self.entry("_keys", |program| {
            program.code.extend(b"}(");
            for (key, _) in &dict.0 {
                program.entry(key, |program| program.code.push(b'N'));
            }
            program.code.push(b'u');
        });
        self.entry("_non_persistent_buffers_set", |program| {
            program.name("__builtin__", "set");
            program.code.extend([b']', 0x85, b'R']);
        });
        self.entry("_is_full_backward_hook", |program| program.code.push(b'N'));
        for name in [
            "_buffers",
            "_backward_hooks",
            "_forward_hooks",
            "_forward_pre_hooks",
            "_state_dict_hooks",
            "_load_state_dict_pre_hooks",
            "_modules",
        ] {
            self.entry(name, Self::ordered);
        }
        self.code.extend(b"ub");
        Ok(())
    }

    fn parameter(&mut self, value: &Value) -> Result<(), WriteError> {
        self.name("torch._utils", "_rebuild_parameter");
        self.code.push(b'(');
        self.value(value)?;
        self.code.push(0x88); // it requires a gradient
        self.ordered();
        self.code.extend(b"tR");
        Ok(())
    }

    fn floats(&mut self, tensor: &Tensor) -> Result<(), WriteError> {
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor("FloatStorage", tensor.dims(), (data, values.len()));
        Ok(())
    }

    fn integers(&mut self, integers: &Integers) {
        let data = integers
            .values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.tensor("LongStorage", &integers.shape, (data, integers.values.len()));
    }

    fn tensor(&mut self, storage: &str, shape: &[usize], (data, elements): (Vec<u8>, usize)) {
        let key = self.storages.len().to_string();
        self.storages.push(data);
        self.name("torch._utils", "_rebuild_tensor_v2");
        self.code.extend(b"((");
        self.text("storage");
        self.name("torch", storage);
        self.text(&key);
        self.text("cpu");
        self.int(elements as i64);
        self.code.extend(b"tQ");
        self.int(0);
        self.sizes(shape);
        let mut strides: Vec<usize> = Vec::with_capacity(shape.len());
        let mut stride = 1;
        for size in shape.iter().rev() {
            strides.push(stride);
            stride *= size;
        }
        strides.reverse();
        self.sizes(&strides);
        self.code.push(0x89); // it requires no gradient
        self.ordered();
        self.code.extend(b"tR");
    }

    fn sizes(&mut self, sizes: &[usize]) {
        self.code.push(b'(');
        for size in sizes {
            self.int(*size as i64);
        }
        self.code.push(b't');
    }

    fn entry(&mut self, key: &str, value: impl FnOnce(&mut Self)) {
        self.text(key);
        value(self);
    }

    fn ordered(&mut self) {
        self.name("collections", "OrderedDict");
        self.code.extend(b")R");
    }

    fn name(&mut self, module: &str, name: &str) {
        self.code.push(b'c');
        self.code.extend(module.as_bytes());
        self.code.push(b'\n');
        self.code.extend(name.as_bytes());
        self.code.push(b'\n');
    }

    fn text(&mut self, text: &str) {
        self.code.push(b'X');
        self.code.extend((text.len() as u32).to_le_bytes());
        self.code.extend(text.as_bytes());
    }

    /// The shortest form, as Python's own pickler chooses it.
    fn int(&mut self, value: i64) {
        if let Ok(byte) = u8::try_from(value) {
            self.code.extend([b'K', byte]);
        } else if let Ok(word) = u16::try_from(value) {
            self.code.push(b'M');
            self.code.extend(word.to_le_bytes());
        } else if let Ok(long) = i32::try_from(value) {
            self.code.push(b'J');
            self.code.extend(long.to_le_bytes());
        } else {
            self.code.extend([0x8a, 8]);
            self.code.extend(value.to_le_bytes());
        }
    }
}
