//! What may be a name: of nodes, zones, workloads, services, containers and images.
//!
//! Looser than Kubernetes, because other orchestrators allow capitals and underscores; strict enough that no name can
//! command a terminal, break a table or grow without bound.

/// What a name looks like, for problems.
pub(crate) const NAME: &str =
    "expected at most 253 letters, digits, `-`, `_` and `.` that begin and end with a letter or digit";
/// What the name of an image looks like, for problems.
pub(crate) const IMAGE: &str = "expected a name such as `redis:7` or `ghcr.io/shop/cart:v1`, without spaces";

/// Longest name. Source: kubernetes/kubernetes:staging/src/k8s.io/apimachinery/pkg/util/validation/validation.go.
const MAX_NAME: usize = 253;
/// Longest name of an image: registry, path, tag and digest together stay far below.
const MAX_IMAGE: usize = 1024;

/// True for what may name an object.
pub(crate) fn is_name(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= MAX_NAME && ends(text.chars().next()) && ends(text.chars().next_back()) && text.chars().all(inside)
}

/// True for what may name an image.
pub(crate) fn is_image(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_IMAGE && text.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::{is_image, is_name};

    #[test]
    fn names_cannot_be_empty_endless_or_commands_to_a_terminal() {
        for good in ["a", "worker-1", "Shop_v2", "shop.example.com"] {
            assert!(is_name(good), "{good}");
        }
        let long = "x".repeat(254);
        for bad in ["", " ", "-a", "a-", "a b", "a\nb", "\u{1b}[31m", "</script>", "a/b", &long] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_image("ghcr.io/shop/cart:v1@sha256:00"));
        assert!(!is_image("") && !is_image("a b") && !is_image("a\u{1b}"));
    }
}
