//! What helps against damaged objects: whatever is deleted is gone for good, unless somebody writes it again.

use super::layout;

/// What to do about the object `key` if it is damaged, where there is something.
pub(super) fn remedy(key: &str) -> Option<&'static str> {
    if layout::is_document(key) {
        return Some(
            "delete the object named above and submit the sweep's manifest again: that writes it anew",
        );
    }
    let is_irreplaceable = layout::is_irreplaceable(key);
    is_irreplaceable.then_some("restore the object named above from a version or a backup of the bucket")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::ids::JobKey;
    use crate::store::Error;

    fn hint(key: &str) -> &'static str {
        Error::corrupt(key, "EOF while parsing").hint().unwrap_or("")
    }

    #[test]
    fn what_nobody_writes_again_is_to_be_restored() {
        let digest = Digest::of(b"adapter");
        for key in [
            layout::segment(7),
            format!("s3://bucket/team/{}", layout::snapshot(7)),
            layout::blob(digest),
            layout::receipt(JobKey(digest)),
        ] {
            assert!(hint(&key).starts_with("restore the object"), "{key}");
        }
    }

    #[test]
    fn what_a_submission_writes_is_to_be_deleted() {
        for key in ["sweeps/s-00000000/plan.json", "sweeps/s-00000000/jobs/07.zst"] {
            assert!(hint(key).starts_with("delete the object"), "{key}");
        }
    }

    #[test]
    fn a_file_of_a_model_that_has_changed_is_no_business_of_the_buckets() {
        assert_eq!(hint("file:///models/tiny/unet/model.safetensors"), "");
    }
}
