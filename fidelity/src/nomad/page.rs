//! `docs/fidelity-nomad.md`: what agrees, and what the recordings do not show.

use crate::agreement::Agreement;
use crate::docs::Part;

/// The top of the page.
pub(crate) const HEAD: &str = "\
# How faithful the Nomad profile is

<!-- Written by `shakedown conform nomad --write-docs docs/fidelity-nomad.md`; do not edit. -->

The Nomad profile is held to recordings of a real Nomad, v1.1.2: three servers and twelve clients that ran for real, and for
placement one server whose nodes were registered by a small program. The recordings ship in `fidelity/recordings/nomad`, and
their README explains every field. Newer releases are the same mechanisms with other values (`nomad@1.1` is the recorded one).
Anybody can repeat the comparison:

```console
$ shakedown conform nomad
```
";

const METHOD: &str = "\
Each recorded job was registered with a real server and placed by its real scheduler. The cluster before it is set up again,
and every recorded candidate of every placement is weighed by the engine's own scheduler, in the recorded order of placements;
the recorded outcome is applied before the next one. Since nodes are shuffled by chance, the identity of candidates cannot be
compared: their scores, their number, what was filtered and exhausted on the way, and that the highest mean was taken, can.
Scores are compared to twelve digits. The running cluster's allocations follow, for the means and for penalties.";

const LIMITS: &[&str] = &[
    "Which of equal candidates is first, and which of equal victims makes way, is chance in the original.",
    "At most the five best candidates are recorded; of eight there are three whose scores are not known.",
    "No ports, volumes, devices, cores or quotas were asked for, and disk was never short.",
    "A group with a second group in its job does not occur.",
];

/// The part of the page that concerns placement.
pub(super) fn part(agreement: &Agreement) -> Part<'_> {
    Part { title: "Placement", method: METHOD, agreement, limits: LIMITS }
}
