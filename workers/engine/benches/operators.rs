//! Time of the operators at the sizes they have in Stable Diffusion v1 at 512² pixels.
//!
//! ```text
//! cargo bench -p vico-engine --bench operators
//! cargo bench -p vico-engine --bench operators -- attention
//! ```
//!
//! An argument keeps only the operators with that word in their name. "backward" is a second forward pass with
//! everything recorded, and the backward pass to all inputs. Times are processor time, so that they hold on a busy
//! machine; rates are per core.

use candle_core::{DType, Device, Result, Tensor, Var};
use processor::processor_seconds;
use vico_engine::kernels::{
    Conv2dGeometry, GroupNormSpec, Mask, attention, attention_bf16, conv2d, geglu, group_norm, layer_norm,
    linear,
};

#[path = "full_size/processor.rs"]
mod processor;

/// Processor time over which a figure is averaged, seconds; the clock ticks in hundredths.
const LONG_ENOUGH: f64 = 2.0;

/// A 3x3 kernel keeps the size of the map.
const SAME: Conv2dGeometry = Conv2dGeometry {
    stride: 1,
    padding: 1,
};

/// An operator on its inputs.
type Operator = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// An operator on inputs of these shapes.
struct Case {
    name: &'static str,
    shapes: Vec<Vec<usize>>,
    /// Multiplications and additions of the forward pass, 0 where they do not matter.
    flops: f64,
    run: Operator,
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn main() -> anyhow::Result<()> {
    vico_engine::memory::keep_freed();
    let (options, words): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    if !options.iter().any(|option| option == "--bench") {
        println!("a benchmark, not a test: run it with `cargo bench`");
        return Ok(());
    }
    println!(
        "{:<54} {:>10} {:>10} {:>10}",
        "", "forward", "GFLOP/s", "backward"
    );
    for case in cases()?.into_iter().chain(trained()) {
        if words.iter().all(|word| case.name.contains(word)) {
            println!("{}", case.measure()?);
        }
    }
    Ok(())
}

fn cases() -> Result<Vec<Case>> {
    Ok(vec![
        attend("attention, 4096 pixels to themselves, 8 x 40", (4096, 4096), 320),
        attend_in_bf16(
            "attention in bf16, 4096 pixels to themselves, 8 x 40",
            (4096, 4096),
            320,
        ),
        attend("attention, 1024 pixels to themselves, 8 x 80", (1024, 1024), 640),
        attend("attention, 4096 pixels to 77 words, 8 x 40", (4096, 77), 320),
        project("linear, 4096 x 320 to 2560", 4096, (320, 2560))?,
        project("linear, 256 x 1280 to 10240", 256, (1280, 10240))?,
        in_bf16("linear in bf16, 4096 x 320 to 2560", 4096, (320, 2560))?,
        in_bf16("linear in bf16, 256 x 1280 to 10240", 256, (1280, 10240))?,
        convolve("conv 3x3, 320 channels of 64x64", 320, 64)?,
        convolve("conv 3x3, 640 channels of 32x32", 640, 32)?,
        convolve("conv 3x3, 1280 channels of 16x16", 1280, 16)?,
        convolve("conv 3x3, 128 channels of 512x512 (VAE)", 128, 512)?,
        normalise_groups("group norm and silu, 320 channels of 64x64", 320, 64)?,
        normalise_rows("layer norm, 4096 x 320", 4096, 320)?,
        Case {
            name: "geglu, 4096 x 2560 to 1280",
            shapes: vec![vec![1, 4096, 2560]],
            flops: 0.0,
            run: Box::new(|x| geglu(&x[0])),
        },
    ])
}

/// Operators whose parameters are inputs: the backward pass computes their gradients too.
fn trained() -> Vec<Case> {
    let spec = GroupNormSpec {
        groups: 32,
        eps: 1e-5,
        silu: true,
    };
    vec![
        Case {
            name: "linear, 4096 x 320 to 2560, trained",
            shapes: vec![vec![1, 4096, 320], vec![2560, 320], vec![2560]],
            flops: 2.0 * 4096.0 * 320.0 * 2560.0,
            run: Box::new(|x| linear(&x[0], &x[1], Some(&x[2]))),
        },
        convolve_trained("conv 3x3, 320 channels of 64x64, trained", 320, 64),
        convolve_trained("conv 3x3, 1280 channels of 16x16, trained", 1280, 16),
        Case {
            name: "group norm and silu, 320 channels of 64x64, trained",
            shapes: vec![vec![1, 320, 64, 64], vec![320], vec![320]],
            flops: 0.0,
            run: Box::new(move |x| group_norm(&x[0], &x[1], &x[2], spec)),
        },
        Case {
            name: "layer norm, 4096 x 320, trained",
            shapes: vec![vec![1, 4096, 320], vec![320], vec![320]],
            flops: 0.0,
            run: Box::new(|x| layer_norm(&x[0], &x[1], &x[2], 1e-5)),
        },
    ]
}

fn convolve_trained(name: &'static str, channels: usize, edge: usize) -> Case {
    Case {
        name,
        shapes: vec![
            vec![1, channels, edge, edge],
            vec![channels, channels, 3, 3],
            vec![channels],
        ],
        flops: 2.0 * (channels * channels * 9 * edge * edge) as f64,
        run: Box::new(|x| conv2d(&x[0], &x[1], Some(&x[2]), SAME)),
    }
}

fn attend(name: &'static str, (queries, keys): (usize, usize), width: usize) -> Case {
    let rows = |n| vec![1, n, width];
    Case {
        name,
        shapes: vec![rows(queries), rows(keys), rows(keys)],
        flops: 4.0 * (queries * keys * width) as f64,
        run: Box::new(|x| attention(&x[0], &x[1], &x[2], 8, Mask::None)),
    }
}

fn attend_in_bf16(name: &'static str, size: (usize, usize), width: usize) -> Case {
    Case {
        run: Box::new(|x| attention_bf16(&x[0], &x[1], &x[2], 8, Mask::None)),
        ..attend(name, size, width)
    }
}

fn project(name: &'static str, rows: usize, size: (usize, usize)) -> Result<Case> {
    project_by(name, rows, random(&[size.1, size.0])?)
}

fn in_bf16(name: &'static str, rows: usize, size: (usize, usize)) -> Result<Case> {
    project_by(name, rows, random(&[size.1, size.0])?.to_dtype(DType::BF16)?)
}

fn project_by(name: &'static str, rows: usize, weight: Tensor) -> Result<Case> {
    let (outputs, inputs) = weight.dims2()?;
    let bias = random(&[outputs])?;
    Ok(Case {
        name,
        shapes: vec![vec![rows, inputs]],
        flops: 2.0 * (rows * inputs * outputs) as f64,
        run: Box::new(move |x| linear(&x[0], &weight, Some(&bias))),
    })
}

fn convolve(name: &'static str, channels: usize, edge: usize) -> Result<Case> {
    let (weight, bias) = (random(&[channels, channels, 3, 3])?, random(&[channels])?);
    Ok(Case {
        name,
        shapes: vec![vec![1, channels, edge, edge]],
        flops: 2.0 * (channels * channels * 9 * edge * edge) as f64,
        run: Box::new(move |x| conv2d(&x[0], &weight, Some(&bias), SAME)),
    })
}

fn normalise_groups(name: &'static str, channels: usize, edge: usize) -> Result<Case> {
    let (weight, bias) = (random(&[channels])?, random(&[channels])?);
    let spec = GroupNormSpec {
        groups: 32,
        eps: 1e-5,
        silu: true,
    };
    Ok(Case {
        name,
        shapes: vec![vec![1, channels, edge, edge]],
        flops: 0.0,
        run: Box::new(move |x| group_norm(&x[0], &weight, &bias, spec)),
    })
}

fn normalise_rows(name: &'static str, rows: usize, width: usize) -> Result<Case> {
    let (weight, bias) = (random(&[width])?, random(&[width])?);
    Ok(Case {
        name,
        shapes: vec![vec![1, rows, width]],
        flops: 0.0,
        run: Box::new(move |x| layer_norm(&x[0], &weight, &bias, 1e-5)),
    })
}

fn random(shape: &[usize]) -> Result<Tensor> {
    Tensor::randn(0f32, 1.0, shape, &Device::Cpu)
}

impl Case {
    /// The line of the table.
    fn measure(&self) -> anyhow::Result<String> {
        let inputs = self
            .shapes
            .iter()
            .map(|shape| random(shape))
            .collect::<Result<Vec<_>>>()?;
        let forward = average(|| (self.run)(&inputs))?;
        let tracked = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
        let tracked: Vec<Tensor> = tracked.into_iter().map(Var::into_inner).collect();
        let backward = average(|| (self.run)(&tracked)?.sum_all()?.backward())?;
        let rate = if self.flops > 0.0 {
            format!("{:.0}", self.flops / forward / 1e9)
        } else {
            String::new()
        };
        let (name, forward, backward) = (self.name, 1e3 * forward, 1e3 * backward);
        Ok(format!(
            "{name:<54} {forward:>7.1} ms {rate:>10} {backward:>7.1} ms"
        ))
    }
}

/// Processor seconds of one run, on average.
fn average<T>(work: impl Fn() -> Result<T>) -> anyhow::Result<f64> {
    work()?; // the first run pays for fresh memory
    let start = processor_seconds()?;
    for runs in 1.. {
        work()?;
        let spent = processor_seconds()? - start;
        if spent > LONG_ENOUGH {
            return Ok(spent / f64::from(runs));
        }
    }
    anyhow::bail!("the processor time stands still")
}
