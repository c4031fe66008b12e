//! What a module remembers between its ticks and commands.

use std::any::Any;
use std::time::Duration;

/// One value of the module's own type. It lives as long as the manager is active and the module enabled and well: a module
/// that failed begins anew.
#[derive(Default)]
pub struct Memory {
    value: Option<Box<dyn Any + Send>>,
    measure: bool,
    measured: Duration,
}

impl Memory {
    /// The value, made at its first use.
    pub(crate) fn of<T: Default + Send + 'static>(&mut self) -> &mut T {
        if !self.value.as_ref().is_some_and(|value| value.is::<T>()) {
            self.value = Some(Box::<T>::default());
        }
        match self.value.as_mut().and_then(|value| value.downcast_mut()) {
            Some(value) => value,
            None => unreachable!("it has just been made"),
        }
    }

    /// Asks how long this tick or command takes, as modules see no clock.
    pub(crate) fn measure(&mut self) {
        self.measure = true;
    }

    /// How long the last one that asked took.
    pub(crate) fn measured(&self) -> Duration {
        self.measured
    }

    /// A tick or command has ended.
    pub fn took(&mut self, elapsed: Duration) {
        if std::mem::take(&mut self.measure) {
            self.measured = elapsed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_kept() {
        let mut memory = Memory::default();
        *memory.of::<u32>() += 7;
        assert_eq!(*memory.of::<u32>(), 7);
        assert_eq!(*memory.of::<String>(), "");
    }

    #[test]
    fn only_what_asked_is_measured() {
        let mut memory = Memory::default();
        memory.measure();
        memory.took(Duration::from_secs(3));
        memory.took(Duration::from_secs(5));
        assert_eq!(memory.measured().as_secs(), 3);
    }
}
