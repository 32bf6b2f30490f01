//! `tag`: one more name for an image.

use super::{Error, ErrorKind, JobContext, Output, Result};
use crate::engine::request::TagArgs;
use crate::store::records;

pub(super) async fn tag(cx: &mut JobContext, args: TagArgs) -> Result<Output> {
    if args.target.digest.is_some() {
        return Err(Error::new(ErrorKind::Invalid, format!("cannot tag as {}", args.target.familiar()))
            .because("a name with a digest is not a tag"));
    }
    let image = cx.core.image(&args.image)?;
    cx.core.db.write(|t| records::set_reference(t, &args.target, &image.id))?;
    cx.core.emit("image", "tag", &image.id.to_string(), [("name", args.target.familiar())]);
    cx.touch_images(&image.id);
    Ok(Output::Image(image.id))
}
