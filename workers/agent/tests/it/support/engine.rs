//! An engine that follows a script. It trains by counting, and keeps count of what it did.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use vico::digest::Digest;
use vico::job::{Failure, FailureClass, output_names};
use vico_worker::engine::thread::MakeEngine;
use vico_worker::engine::{Checkpoint, Ended, Engine, Interrupt, StageWork, TrainWork, Watch, Work};

/// What happened on the engine threads.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Engines made.
    pub made: usize,
    /// Train steps done, in order.
    pub steps: Vec<u64>,
    /// How each job ended.
    pub ended: Vec<Ended>,
    /// Memory halvings of each job.
    pub memory_halvings: Vec<u32>,
    /// Bytes of the models' files as they lay there.
    pub models: Vec<Vec<u8>>,
}

/// What the engine does besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Script {
    /// Time of a train step.
    pub pace: Duration,
    /// The train step at which it panics, once.
    pub panic_at: Option<u64>,
    /// The train step at which it does nothing for some seconds, once.
    pub hang_at: Option<u64>,
    /// The train step at which it runs out of memory, while nothing is halved.
    pub out_of_memory_at: Option<u64>,
    /// So many engines, from the first, fail at their first train step, whatever the job, and blame their GPU.
    pub broken: usize,
    /// How long it takes to store a checkpoint.
    pub storing: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct ScriptedEngine {
    script: Script,
    seen: Arc<Mutex<Seen>>,
}

/// An engine whose train steps take so long.
pub fn paced(millis: u64) -> ScriptedEngine {
    ScriptedEngine::new(Script {
        pace: Duration::from_millis(millis),
        ..Script::default()
    })
}

impl ScriptedEngine {
    pub fn new(script: Script) -> Self {
        Self {
            script,
            seen: Arc::default(),
        }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    pub fn maker(&self) -> MakeEngine {
        let engine = self.clone();
        Arc::new(move || {
            engine.seen.lock().unwrap().made += 1;
            Ok(Box::new(engine.clone()))
        })
    }

    fn train(&self, work: &Work, train: &TrainWork, watch: &mut Watch) -> Result<Ended, Failure> {
        let model = std::fs::read(train.base.path.join("weights")).unwrap();
        self.seen.lock().unwrap().models.push(model);
        let of = u64::from(train.inputs.method.steps());
        // It starts over if it cannot read the state.
        let resumed = train.resume.as_ref().and_then(|file| {
            let state = file.bytes.as_slice().try_into().ok()?;
            Some(u64::from_le_bytes(state))
        });
        for step in resumed.unwrap_or(0) + 1..=of {
            self.step(step, work)?;
            watch.progress(step, of, format!("loss {step}"));
            watch.log(format!("train step {step}"));
            let due = train.checkpoint_every > 0 && step.is_multiple_of(u64::from(train.checkpoint_every));
            let interrupt = watch.interrupt();
            if interrupt == Some(Interrupt::Leave) || (due && watch.takes_checkpoint()) {
                let storing = self.script.storing;
                let encode = Box::new(move || {
                    std::thread::sleep(storing);
                    Ok(step.to_le_bytes().to_vec())
                });
                watch.checkpoint(Checkpoint {
                    steps_done: step,
                    encode,
                });
            }
            if interrupt.is_some() {
                return Ok(Ended::Stopped);
            }
        }
        watch.output(output_names::ADAPTER.to_owned(), adapter(of));
        Ok(Ended::Finished)
    }

    fn step(&self, step: u64, work: &Work) -> Result<(), Failure> {
        std::thread::sleep(self.script.pace);
        let made = {
            let mut seen = self.seen.lock().unwrap();
            seen.steps.push(step);
            seen.made
        };
        let first_time = made == 1;
        assert!(
            !(first_time && self.script.panic_at == Some(step)),
            "scripted panic"
        );
        if first_time && self.script.hang_at == Some(step) {
            std::thread::sleep(Duration::from_secs(3));
        }
        if made <= self.script.broken {
            let message = "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"scripted\")".to_owned();
            let class = FailureClass::Internal;
            return Err(Failure { class, message });
        }
        if work.memory_halvings == 0 && self.script.out_of_memory_at == Some(step) {
            let (class, message) = (FailureClass::OutOfMemory, "scripted".to_owned());
            return Err(Failure { class, message });
        }
        Ok(())
    }
}

/// What the scripted engine learns in `steps` train steps.
pub fn adapter(steps: u64) -> Vec<u8> {
    format!("adapter after {steps} train steps").into_bytes()
}

impl Engine for ScriptedEngine {
    fn execute(&mut self, work: Work, watch: &mut Watch) -> Result<Ended, Failure> {
        self.seen
            .lock()
            .unwrap()
            .memory_halvings
            .push(work.memory_halvings);
        let ended = match &work.stage {
            StageWork::Train(train) => self.train(&work, train, watch)?,
            StageWork::ClassImages(_) | StageWork::Sample(_) | StageWork::Score(_) => {
                panic!("not in the script")
            }
        };
        self.seen.lock().unwrap().ended.push(ended);
        Ok(ended)
    }

    fn loaded(&self) -> Vec<Digest> {
        vec![Digest::of(b"loaded model")]
    }
}
