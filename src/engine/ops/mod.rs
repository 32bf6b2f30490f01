//! One file per operation, and the one match that routes to them.

mod bulk;
mod doctor;
mod images;
pub(super) mod remove;
mod rename;
mod tag;

use super::context::JobContext;
use super::job::Output;
use super::{Error, ErrorKind, Request, Result};

/// Routes only: every arm is a call.
pub(super) async fn dispatch(cx: &mut JobContext, request: Request) -> Result<Output> {
    match request {
        Request::Tag(a) => tag::tag(cx, a).await,
        Request::RemoveImages(a) => images::remove(cx, a).await,
        Request::Remove(a) => remove::remove(cx, a).await,
        Request::Rename { container, name } => rename::rename(cx, &container, &name).await,
        Request::Doctor => doctor::doctor(cx).await,
        other => Err(Error::new(ErrorKind::Unsupported, format!("{} is not built yet", other.name()))),
    }
}
