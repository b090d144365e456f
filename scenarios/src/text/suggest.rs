//! "Did you mean": the nearest known word.

/// Help for an unknown word: the nearest known one, or the known ones when they are few. `None` when none is known.
pub fn suggestion<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    // Longer words cannot be near anything, and comparing them would cost their product.
    let near = if word.len() > 80 { None } else { nearest(word, &known) };
    match near {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None if known.len() <= 12 => Some(format!("known: `{}`", known.join("`, `"))),
        None => Some(format!("known, among {}: `{}`, ...", known.len(), known[..8].join("`, `"))),
    }
}

fn nearest<'n>(word: &str, known: &[&'n str]) -> Option<&'n str> {
    let bare = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let word = bare(word);
    let allowed = (word.chars().count() / 3).clamp(1, 4);
    known
        .iter()
        .take(10_000)
        .map(|&candidate| (strsim::damerau_levenshtein(&word, &bare(candidate)), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn the_nearest_word_is_suggested_and_nothing_far_away() {
        let known = ["kill", "saturate", "node_selector"];
        assert_eq!(suggestion("kil", known).as_deref(), Some("did you mean `kill`?"));
        assert_eq!(suggestion("nodeSelector", known).as_deref(), Some("did you mean `node_selector`?"));
        assert_eq!(suggestion("explode", known).as_deref(), Some("known: `kill`, `node_selector`, `saturate`"));
    }
}
