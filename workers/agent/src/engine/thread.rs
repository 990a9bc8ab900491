//! The OS thread that owns an engine. Computing blocks, so it never happens on the runtime; and an engine that panicked or
//! failed for reasons of its own is thrown away whole, because nothing is known of its state.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};
use vico::digest::Digest;
use vico::ids::JobKey;
use vico::job::{Failure, FailureClass};

use super::{Ended, Engine, Watch, Work};
use crate::failure::internal;

/// Makes an engine, on the thread that will own it.
pub type MakeEngine = Arc<dyn Fn() -> Result<Box<dyn Engine>, Failure> + Send + Sync>;

/// Feeds one engine. Dropping it ends the thread after the work in hand.
#[derive(Clone, Debug)]
pub struct EngineThread(mpsc::Sender<Order>);

/// What became of an order.
#[derive(Debug)]
pub struct Report {
    /// How the work ended.
    pub ended: Result<Ended, Failure>,
    /// Models that are loaded now.
    pub loaded: Vec<Digest>,
    /// Whether another engine of this process is likely to fail as well, whatever the job. A GPU's driver does not recover
    /// from some errors before the process has ended.
    pub past_help: bool,
}

#[derive(Debug)]
struct Order {
    work: Work,
    watch: Watch,
    reply: oneshot::Sender<Report>,
}

impl EngineThread {
    /// Starts a thread for the engine of slot number `slot`, which computes with `helpers` more.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(slot: u32, helpers: usize, make: MakeEngine) -> std::io::Result<Self> {
        // One order waits at most: the slot gives the next one only when this one is done.
        let (orders, received) = mpsc::channel(1);
        thread::Builder::new()
            .name(format!("engine-{slot}"))
            .spawn(move || {
                let _pool = join_pool(helpers);
                serve(received, &make);
            })?;
        Ok(Self(orders))
    }

    /// Has the work done. A dropped future does not stop it; `watch` does.
    pub async fn execute(&self, work: Work, watch: Watch) -> Report {
        let (reply, report) = oneshot::channel();
        let order = Order { work, watch, reply };
        let gone = || Report {
            ended: Err(internal("the engine thread is gone".to_owned())),
            loaded: Vec::new(),
            past_help: true,
        };
        if self.0.send(order).await.is_err() {
            return gone();
        }
        report.await.unwrap_or_else(|_| gone())
    }
}

/// Makes this thread one of a pool of its own. From outside of a pool, every parallel operation would wait for a thread
/// of it to wake up and to wake this one again, which takes longer than most operations of a small network.
fn join_pool(helpers: usize) -> Option<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1 + helpers)
        .use_current_thread();
    let pool = pool.build();
    if let Err(error) = &pool {
        tracing::warn!(%error, "the engine shares its threads with others and is slower for it");
    }
    pool.ok()
}

fn serve(mut orders: mpsc::Receiver<Order>, make: &MakeEngine) {
    let mut place = Place {
        make,
        engine: None,
        failed: None,
    };
    while let Some(Order {
        work,
        mut watch,
        reply,
    }) = orders.blocking_recv()
    {
        let job = work.job;
        let ended = place.execute(work, &mut watch);
        // The last sender of outputs and checkpoints goes before the reply, so that who awaits both sees the end of both.
        drop(watch);
        let past_help = place.judge(job, &ended);
        let loaded = place.engine.as_ref().map(|engine| engine.loaded());
        // Nobody waits for the report of an attempt that was given up.
        let _ = reply.send(Report {
            ended,
            loaded: loaded.unwrap_or_default(),
            past_help,
        });
    }
}

/// Whether a message is one of the GPU's driver or of a library on top of it.
fn blames_gpu(message: &str) -> bool {
    let message = message.to_lowercase();
    ["cuda", "cublas", "cudnn"]
        .iter()
        .any(|name| message.contains(name))
}

/// Where one engine after the other is used up.
struct Place<'a> {
    make: &'a MakeEngine,
    engine: Option<Box<dyn Engine>>,
    /// The job on which the last engine broke, if none has finished a job since.
    failed: Option<JobKey>,
}

impl Place<'_> {
    fn execute(&mut self, work: Work, watch: &mut Watch) -> Result<Ended, Failure> {
        let attempt = AssertUnwindSafe(|| execute(&mut self.engine, self.make, work, watch));
        catch_unwind(attempt).unwrap_or_else(|panic| {
            Err(internal(format!(
                "the engine panicked: {}",
                message(panic.as_ref())
            )))
        })
    }

    /// Throws an engine away that failed for reasons of its own, and says whether the next is likely to fail as well: if two
    /// in a row failed on different jobs and blamed the GPU, or the second could not even be made. A job, or what is common to
    /// the jobs of a sweep, may be to blame itself, and must not drive out every worker that tries it.
    fn judge(&mut self, job: JobKey, ended: &Result<Ended, Failure>) -> bool {
        match ended {
            Ok(Ended::Finished) => self.failed = None,
            Err(failure) if failure.class == FailureClass::Internal => {
                let was_made = self.discard();
                if was_made && !blames_gpu(&failure.message) {
                    return false;
                }
                let before = self.failed.replace(job);
                return before.is_some_and(|before| before != job || !was_made);
            }
            Ok(Ended::Stopped) | Err(_) => {}
        }
        false
    }

    /// Says whether there was an engine. Whatever is wrong with it may show once more while it goes.
    fn discard(&mut self) -> bool {
        let engine = self.engine.take();
        let was_made = engine.is_some();
        if catch_unwind(AssertUnwindSafe(|| drop(engine))).is_err() {
            tracing::warn!("an engine panicked while it was thrown away");
        }
        was_made
    }
}

fn execute(
    engine: &mut Option<Box<dyn Engine>>,
    make: &MakeEngine,
    work: Work,
    watch: &mut Watch,
) -> Result<Ended, Failure> {
    let engine = match engine {
        Some(engine) => engine,
        None => engine.insert(make()?),
    };
    engine.execute(work, watch)
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
