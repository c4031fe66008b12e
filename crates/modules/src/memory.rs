//! What a module remembers between its ticks and commands.

use std::any::Any;

/// One value of the module's own type. It lives as long as the manager is active and the module enabled and well: a module
/// that failed begins anew.
#[derive(Default)]
pub struct Memory(Option<Box<dyn Any + Send>>);

impl Memory {
    /// The value, made at its first use.
    pub(crate) fn of<T: Default + Send + 'static>(&mut self) -> &mut T {
        if !self.0.as_ref().is_some_and(|value| value.is::<T>()) {
            self.0 = Some(Box::<T>::default());
        }
        match self.0.as_mut().and_then(|value| value.downcast_mut()) {
            Some(value) => value,
            None => unreachable!("it has just been made"),
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
}
