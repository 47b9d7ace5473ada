//! What a task owes the driver. One that panics sends what stands for that, so nobody waits for ever.

use tokio::sync::mpsc::UnboundedSender;

use super::send;
use crate::shell::driver::Input;

pub(super) struct Promise {
    inbox: UnboundedSender<Input>,
    input: Option<Input>,
}

impl Promise {
    /// Sends `broken` unless it is kept.
    pub(super) fn new(inbox: UnboundedSender<Input>, broken: Input) -> Self {
        Self { inbox, input: Some(broken) }
    }

    pub(super) fn keep(mut self, input: Input) {
        self.input = Some(input);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(input) = self.input.take() {
            send(&self.inbox, input);
        }
    }
}
