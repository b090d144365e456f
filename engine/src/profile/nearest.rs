//! "Did you mean": the names closest to one that does not exist.
//!
//! It compares letters and digits only, so that `minSyncPeriod` finds `min-sync-period`. Start at [`names`].

/// How many names are offered.
const OFFERED: usize = 3;

/// The names of `known` that `name` may have meant, closest first.
pub(super) fn names(name: &str, known: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    // Longer names are never meant, and comparing costs the product of both lengths.
    let wanted: Vec<char> = plain(name).take(100).collect();
    let mut close: Vec<_> = known
        .filter_map(|candidate| rank(&wanted, &plain(candidate).collect::<Vec<_>>()).map(|rank| (rank, candidate)))
        .collect();
    close.sort_unstable();
    close.into_iter().take(OFFERED).map(|(_, candidate)| candidate).collect()
}

fn plain(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// Names of which a part was left out come first (a component, say), then those that are a few edits away.
fn rank(wanted: &[char], candidate: &[char]) -> Option<(bool, usize)> {
    let contained = wanted.len() >= 4 && candidate.windows(wanted.len()).any(|part| part == wanted);
    let edits = distance(wanted, candidate);
    (contained || edits <= candidate.len() / 3).then_some((!contained, edits))
}

/// Levenshtein distance, one row at a time.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["update-delay", "update-order", "kubelet.kube-api-qps", "iptables.minSyncPeriod"];

    fn check(name: &str, want: &[&str]) {
        assert_eq!(names(name, KNOWN.into_iter()), want, "{name}");
    }

    #[test]
    fn a_slip_finds_the_name() {
        check("update-dely", &["update-delay"]);
        check("--update-delay", &["update-delay"]);
        check("updateorder", &["update-order"]);
    }

    #[test]
    fn other_spellings_and_parts_find_the_name() {
        check("iptables-min-sync-period", &["iptables.minSyncPeriod"]);
        check("kube-api-qps", &["kubelet.kube-api-qps"]);
    }

    #[test]
    fn what_resembles_nothing_finds_nothing() {
        check("", &[]);
        check("banana", &[]);
        check(&"x".repeat(100_000), &[]);
    }

    #[test]
    fn distance_counts_single_edits() {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
    }
}
