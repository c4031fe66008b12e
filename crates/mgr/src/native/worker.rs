//! The threads that native modules' code runs on: one of its own for each module, with what the module remembers, and a few for
//! commands that need nothing of it.
//!
//! Invariants: code of a module never runs on a thread of the runtime, so that one which spins or blocks takes nothing from others
//! but its share of the processor; on a module's own thread one piece of work runs at a time; a panic ends that piece of work, and the
//! module begins anew; at most [`THREADS_MAX`] threads of a module live, its own, those of its commands, and those that were given up because they hang;
//! no thread keeps the process from ending.

use axon_modules::Memory;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Threads of one module that live at once.
pub const THREADS_MAX: usize = 4;

/// Pieces of work that may wait for a module's own thread.
const WAITING_MAX: usize = 64;

/// What is wrong when work cannot be given to a module.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("too much work waits for it")]
    Full,
    #[error("{THREADS_MAX} of its threads hang; only a restart of the manager ends them")]
    Hanging,
    #[error("no thread can be started for it: {0}")]
    NoThread(#[from] io::Error),
}

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// Work that was given to a thread.
pub struct Given<T> {
    /// It has begun.
    pub begun: oneshot::Receiver<()>,
    /// What came of it; nothing where it panicked. Work whose answer nobody waits for any more does not begin.
    pub answer: oneshot::Receiver<T>,
}

/// The threads of all modules.
#[derive(Default)]
pub struct Workers {
    own: Mutex<BTreeMap<&'static str, SyncSender<Job>>>,
    /// By module: its threads that live.
    living: Mutex<BTreeMap<&'static str, Arc<AtomicUsize>>>,
}

/// A thread that lives.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Workers {
    /// Runs on the module's own thread, after what was given to it before. The answer never comes where the work panics.
    pub fn remembering<T: Send + 'static>(
        &self,
        module: &'static str,
        run: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<Given<T>, Refused> {
        let own = self.own(module)?;
        let (job, given) = job(run);
        match own.try_send(job) {
            Ok(()) => Ok(given),
            Err(TrySendError::Full(_)) => Err(Refused::Full),
            Err(TrySendError::Disconnected(_)) => Err(io::Error::other("it has ended").into()),
        }
    }

    /// Runs on a thread for this work alone.
    pub fn apart<T: Send + 'static>(
        &self,
        module: &'static str,
        run: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<Given<T>, Refused> {
        let (job, given) = job(run);
        self.thread(module, move || job(&mut Memory::default()))?;
        Ok(given)
    }

    /// The module's next work runs on a new thread and remembers nothing. The old thread ends once its work has.
    pub fn give_up(&self, module: &str) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).remove(module);
    }

    /// The same for all modules.
    pub fn give_up_all(&self) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn own(&self, module: &'static str) -> Result<SyncSender<Job>, Refused> {
        let mut all = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get(module) {
            return Ok(own.clone());
        }
        let (jobs, waiting) = sync_channel::<Job>(WAITING_MAX);
        self.thread(module, move || {
            let mut memory = Memory::default();
            while let Ok(job) = waiting.recv() {
                job(&mut memory);
            }
        })?;
        all.insert(module, jobs.clone());
        Ok(jobs)
    }

    fn thread(&self, module: &'static str, run: impl FnOnce() + Send + 'static) -> Result<(), Refused> {
        let living = {
            let mut all = self.living.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(module).or_default().clone()
        };
        let room = |living| (living < THREADS_MAX).then_some(living + 1);
        if living.fetch_update(Ordering::SeqCst, Ordering::SeqCst, room).is_err() {
            return Err(Refused::Hanging);
        }
        let alive = Alive(living);
        // The name that `top -H` and crash reports show.
        let name = format!("mod-{module}");
        std::thread::Builder::new().name(name).spawn(move || {
            let _alive = alive;
            run();
        })?;
        Ok(())
    }
}

fn job<T: Send + 'static>(run: impl FnOnce(&mut Memory) -> T + Send + 'static) -> (Job, Given<T>) {
    let ((begin, begun), (tell, answer)) = (oneshot::channel(), oneshot::channel());
    let job: Job = Box::new(move |memory| {
        if tell.is_closed() {
            return;
        }
        let _ = begin.send(());
        if let Some(done) = guarded(memory, run) {
            let _ = tell.send(done);
        }
    });
    (job, Given { begun, answer })
}

/// Runs a module's code; nothing comes of it, and the module begins anew, where it panics.
fn guarded<T>(memory: &mut Memory, run: impl FnOnce(&mut Memory) -> T) -> Option<T> {
    let begun = std::time::Instant::now();
    let out = catch_unwind(AssertUnwindSafe(|| run(memory))).ok();
    memory.took(begun.elapsed());
    if out.is_none() {
        *memory = Memory::default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread::{ThreadId, current};

    async fn own(workers: &Workers, module: &'static str) -> ThreadId {
        workers.remembering(module, |_| current().id()).unwrap().answer.await.unwrap()
    }

    #[tokio::test]
    async fn work_of_a_module_runs_on_its_own_thread() {
        let workers = Workers::default();
        let a = own(&workers, "a").await;
        assert_eq!(a, own(&workers, "a").await);
        assert_ne!(a, own(&workers, "b").await);
        assert_ne!(a, workers.apart("a", |_| current().id()).unwrap().answer.await.unwrap());
    }

    #[tokio::test]
    async fn a_panic_leaves_the_thread() {
        let workers = Workers::default();
        let before = own(&workers, "a").await;
        let failed: Given<()> = workers.remembering("a", |_| panic!("of the test")).unwrap();
        assert!(failed.answer.await.is_err());
        assert_eq!(own(&workers, "a").await, before);
    }

    #[tokio::test]
    async fn threads_that_hang_are_given_up_and_counted() {
        let workers = Workers::default();
        let mut holds = Vec::new();
        for _ in 0..THREADS_MAX {
            let (hold, held) = channel::<()>();
            holds.push(hold);
            let given = workers.remembering("a", move |_| held.recv().is_ok()).unwrap();
            given.begun.await.unwrap();
            workers.give_up("a");
        }
        assert!(matches!(workers.remembering("a", |_| ()), Err(Refused::Hanging)));
        own(&workers, "b").await;
        drop(holds);
        while workers.remembering("a", |_| ()).is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        own(&workers, "a").await;
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_does_not_begin() {
        let workers = Workers::default();
        let (hold, held) = channel::<()>();
        let first = workers.remembering("a", move |_| held.recv().is_ok()).unwrap();
        let unwanted: Given<()> = workers.remembering("a", |_| panic!("nobody wants it")).unwrap();
        drop(unwanted);
        let third = workers.remembering("a", |memory| memory.took(Default::default())).unwrap();
        drop(hold);
        assert!(!first.answer.await.unwrap());
        third.answer.await.unwrap();
    }
}
