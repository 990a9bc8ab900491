//! A train job on the engine: settings in, checkpoints on the way, an adapter out.

use std::time::Duration;

use vico::job::{Failure, output_names};
use vico::spec::ModelInputs;
use vico_engine::Error;
use vico_engine::adapter::{Adapter, BASE, VARIANT};
use vico_engine::base_model::BaseModel;
use vico_engine::methods::training::{self, TrainReport, TrainingState};
use vico_engine::methods::{self, Next};

use super::lesson::Lesson;
use super::{Memory, failure, photos, pictures};
use crate::engine::{Checkpoint, Ended, Interrupt, NamedBytes, TrainWork, Watch};

pub(super) fn train(
    base: &BaseModel,
    work: TrainWork,
    memory: Memory,
    watch: &mut Watch,
) -> Result<Ended, Failure> {
    let references = photos(&work.references, watch)?;
    let class_images = pictures(&work.class_images)?;
    let lesson = Lesson {
        inputs: &work.inputs,
        memory,
        references: &references,
        class_images: &class_images,
    };
    let mut looker_on = LookerOn {
        watch,
        checkpoint_every: work.checkpoint_every as usize,
        stopped: false,
        failed: None,
    };
    let adapter = learn(&lesson, base, work.resume, &mut looker_on);
    let adapter = adapter.map_err(|error| failure("training", error))?;
    if let Some(failed) = looker_on.failed {
        return Err(failed);
    }
    if looker_on.stopped {
        return Ok(Ended::Stopped);
    }
    let bytes = trained_on(&work.inputs.base, adapter)
        .to_bytes()
        .map_err(|error| failure("writing the adapter", error.into()))?;
    looker_on.watch.output(output_names::ADAPTER.to_owned(), bytes);
    Ok(Ended::Finished)
}

/// The adapter, saying which base model it belongs to.
fn trained_on(base: &ModelInputs, adapter: Adapter) -> Adapter {
    let adapter = adapter.with(BASE, &base.identity.to_string());
    match &base.variant {
        Some(variant) => adapter.with(VARIANT, variant),
        None => adapter,
    }
}

/// Trains on from the state in `file`. One that cannot be read, or that belongs to another training, costs the train steps
/// behind it, not the job: every later attempt would meet it again.
fn learn(
    lesson: &Lesson<'_>,
    base: &BaseModel,
    file: Option<NamedBytes>,
    looker_on: &mut LookerOn<'_>,
) -> vico_engine::Result<Adapter> {
    let Some(NamedBytes { name, bytes }) = file else {
        return lesson.learn(base, None, looker_on);
    };
    let state = TrainingState::from_bytes(&bytes).and_then(|state| Ok((state.steps_done()?, state)));
    // As soon as they are read: a whole model's are gigabytes, and a training takes hours.
    drop(bytes);
    let why = match state {
        Ok((done, state)) => {
            looker_on.log(format!("continuing after train step {done} from {name}"));
            match lesson.learn(base, Some(state), looker_on) {
                Err(Error::Method(misfit @ methods::Error::ForeignState { .. })) => misfit.to_string(),
                learned => return learned,
            }
        }
        Err(unreadable) => unreadable.to_string(),
    };
    looker_on.log(format!("starting over without the checkpoint {name}: {why}"));
    lesson.learn(base, None, looker_on)
}

/// Reports, saves and stops on the worker's behalf.
struct LookerOn<'a> {
    watch: &'a mut Watch,
    checkpoint_every: usize,
    stopped: bool,
    failed: Option<Failure>,
}

impl training::Watch for LookerOn<'_> {
    fn after_step(
        &mut self,
        report: &TrainReport,
        state: &dyn Fn() -> vico_engine::Result<TrainingState>,
    ) -> Next {
        self.report(report);
        if report.step == report.of {
            return Next::Continue;
        }
        let interrupt = self.watch.interrupt();
        let leaving = interrupt == Some(Interrupt::Leave);
        if leaving || (interrupt.is_none() && self.is_due(report.step)) {
            self.save(report.step, state);
        }
        self.stopped = interrupt.is_some();
        if self.stopped || self.failed.is_some() {
            Next::Stop
        } else {
            Next::Continue
        }
    }
}

impl LookerOn<'_> {
    fn log(&self, line: String) {
        self.watch.log(line);
    }

    fn report(&self, report: &TrainReport) {
        let (step, of, loss) = (report.step, report.of, report.loss);
        self.watch
            .progress(step as u64, of as u64, format!("loss {loss:.4}"));
        // A clock that is out of order must not end a training.
        self.watch
            .step(Duration::try_from_secs_f32(report.seconds).unwrap_or_default());
        let twentieth = (of / 20).max(1);
        if step == 1 || step.is_multiple_of(twentieth) {
            let (mse, regulariser, seconds) = (report.mse, report.regulariser, report.seconds);
            self.watch.log(format!(
                "train step {step}/{of}: loss {loss:.4}, mse {mse:.4}, regulariser {regulariser:.4}, {seconds:.2} s"
            ));
        }
    }

    /// A store slower than the training gets fewer checkpoints, not a slower training.
    fn is_due(&self, step: usize) -> bool {
        self.checkpoint_every > 0
            && step.is_multiple_of(self.checkpoint_every)
            && self.watch.takes_checkpoint()
    }

    fn save(&mut self, step: usize, state: &dyn Fn() -> vico_engine::Result<TrainingState>) {
        match state() {
            Ok(state) => self.watch.checkpoint(Checkpoint {
                steps_done: step as u64,
                encode: Box::new(move || {
                    state
                        .to_bytes()
                        .map_err(|error| failure("writing a checkpoint", error.into()))
                }),
            }),
            Err(error) => self.failed = Some(failure("taking a checkpoint", error)),
        }
    }
}
