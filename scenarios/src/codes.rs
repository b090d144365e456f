//! Every diagnostic code has a page: what it means, an example, the cure.
//!
//! Codes that begin with E keep a file from being used, W warns, N remarks. They are never given to another meaning.

/// A page.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Code.
    pub code: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// All of it.
    pub text: &'static str,
}

/// The page of a code.
pub fn explain(code: &str) -> Option<&'static str> {
    CODES.iter().find(|page| page.code.eq_ignore_ascii_case(code)).map(|page| page.text)
}

macro_rules! pages {
    ($($code:literal, $title:literal, $meaning:literal, $example:literal, $cure:literal;)+) => {
        /// All pages, in order of their codes within errors, warnings and remarks.
        pub const CODES: &[Page] = &[$(Page {
            code: $code,
            title: $title,
            text: concat!($code, ": ", $title, "\n\n", $meaning, "\n\nExample:\n\n", $example, "\n\nCure: ", $cure, "\n"),
        }),+];
    };
}

pages! {
    "E0101", "a file cannot be read",
        "There is no file of that name, or the system refuses it. Paths inside a scenario are relative to the file that names them.",
        "    workloads: [{ manifest: no-such-file.yaml }]",
        "Check the path and its permissions.";
    "E0102", "a directory was named",
        "A file was expected, and a directory was found.",
        "    workloads: [{ manifest: manifests/ }]",
        "Name a file inside the directory, one entry for each.";
    "E0103", "a file is too large",
        "Files above 16 MiB are refused before they are read.",
        "    workloads: [{ manifest: 100-megabytes.yaml }]",
        "Split the file.";
    "E0104", "a file is not UTF-8",
        "The bytes of the file are no UTF-8 text.",
        "    (a file saved as UTF-16 or Latin-1, or an archive)",
        "Save the file as UTF-8.";
    "E0105", "a file is empty",
        "The file has no content besides comments.",
        "    # only a comment",
        "Start from a scenario that `shakedown list` names.";
    "E0106", "the YAML is malformed",
        "The text cannot be read as YAML from the marked place on.",
        "    cluster: { nodes: [",
        "Check indentation, colons, quotes and brackets on this line and the one before.";
    "E0107", "the nesting is too deep",
        "More than 64 levels of lists and mappings. No scenario and no Kubernetes object needs them.",
        "    [[[[[[...]]]]]]",
        "Flatten the file.";
    "E0108", "a file grows too large when aliases are expanded",
        "Aliases that repeat each other can make a small text huge; at most 100000 values may be repeated.",
        "    a: &a [x, x]\n    b: &b [*a, *a, *a]",
        "Write repeated nodes with `count`, or split the file.";
    "E0109", "files include each other",
        "An include leads back to a file that is being read, or the chain is longer than 16 files.",
        "    # a.yaml\n    include: [b.yaml]\n    # b.yaml\n    include: [a.yaml]",
        "Remove one of the includes.";
    "E0110", "a key appears twice",
        "A mapping has the same key twice, so one of the values would be lost.",
        "    duration: 10m\n    duration: 20m",
        "Remove one of the two, or join their values.";
    "E0111", "a scenario has several documents",
        "A scenario is one YAML document.",
        "    shakedown: 1\n    ---\n    shakedown: 1",
        "Remove the `---` lines, or put each scenario into a file of its own.";
    "E0112", "this is not a scenario",
        "The file is a Kubernetes manifest, or no mapping at all.",
        "    apiVersion: v1\n    kind: Pod",
        "Name manifests under `workloads`, or look at them with `shakedown check`.";
    "E0113", "no such scenario in the library",
        "The library has no scenario of that name.",
        "    shakedown run burning-sever",
        "`shakedown list` names them all.";
    "E0201", "an unknown field",
        "The mapping has a field that does not exist there; it would have no effect.",
        "    traffic: [{ to: shop, rate: 5/s, retrys: 1 }]",
        "Correct the spelling; the message lists the fields that exist.";
    "E0202", "a field is missing",
        "A field without a default is not there.",
        "    traffic: [{ to: shop }]",
        "Add the field.";
    "E0203", "the wrong kind of value",
        "A list stands where a text belongs, a text where a number belongs, and the like.",
        "    workloads: shop.yaml",
        "Write what the message says was expected.";
    "E0204", "an impossible value",
        "The value has the right kind, but not the right unit, form or range.",
        "    duration: 30",
        "Write amounts with units: `30m`, `512Mi`, `250m`, `3%`, `200/s`.";
    "E0205", "an unknown word",
        "Only a few words are possible here.",
        "    saturate: { nodes: [doe], class: turbo }",
        "Choose one of the words in the message.";
    "E0206", "an unknown version",
        "The scenario is written for another version of the format.",
        "    shakedown: 2",
        "This program reads `shakedown: 1`.";
    "E0207", "exactly one of several is needed",
        "Fields that exclude each other are given together, or none of them is given.",
        "    - { at: 5m, kill: one, drain: all }",
        "Write one of them; for several things at one time, write several entries.";
    "E0208", "an unknown kind of fault",
        "An entry of the timeline has a field that is neither `at`, `for`, `continuous`, `label` nor a kind of fault.",
        "    - { at: 5m, explode: { nodes: [doe] } }",
        "The message lists all kinds.";
    "E0301", "an unknown node",
        "No node of the cluster has this name, and no name fits the pattern.",
        "    kill: { nodes: [dough] }",
        "Compare with `cluster.nodes`; groups are numbered from 1.";
    "E0302", "an unknown zone",
        "No node is in this zone.",
        "    kill: { zone: z }",
        "Compare with `zone` and `zones` of `cluster.nodes`.";
    "E0303", "an unknown workload, container or fault",
        "Nothing of that name was declared.",
        "    scale: { workload: front, replicas: 3 }",
        "Use the name in the manifest, with `namespace/` in front when it is ambiguous.";
    "E0304", "an unknown service",
        "No manifest and no `services` entry declares it.",
        "    traffic: [{ to: shop, rate: 5/s }]",
        "Use the name of a service, not that of a deployment; `port` gives an inline deployment a service.";
    "E0305", "an unknown orchestrator",
        "There is no profile of that name.",
        "    orchestrators: [kubernets]",
        "Choose one of the names in the message.";
    "E0306", "an unknown flag or a bad value for it",
        "Flags have the names that the orchestrator itself gives them.",
        "    orchestrators: [{ kubernetes: { node-monitor-grace-period: soon } }]",
        "Correct name or value; `shakedown list` describes them.";
    "E0307", "an image that nothing uses",
        "The scenario says how an image behaves, but no container and no deploy has that image.",
        "    images: { \"redis:8\": { size: 40Mi } }",
        "Correct the name. A key without a slash matches the last part of an image's name.";
    "E0308", "a name is taken",
        "Two nodes, two objects of one kind in one namespace, or two seeds are the same.",
        "    nodes: [{ name: a, count: 2, cpu: 1, memory: 1Gi }]",
        "Rename one; groups of nodes need `{n}` in their name.";
    "E0309", "a cluster without nodes",
        "Nothing can run without a node.",
        "    cluster: { nodes: [] }",
        "Add nodes.";
    "E0310", "an unknown metric",
        "There is no metric of that name.",
        "    expect: [{ metric: uptime, above: 99% }]",
        "The message suggests or lists metrics.";
    "E0311", "an unknown role",
        "No node has this role.",
        "    kill: { role: manager }",
        "Give some node `roles: [manager]`.";
    "E0312", "an unknown plugin of the scheduler",
        "The scheduler's configuration names a plugin that kube-scheduler does not have.",
        "    plugins: { score: { disabled: [{ name: NodeResourceFit }] } }",
        "Correct the name. Plugins from outside the tree are not simulated.";
    "E0401", "a selector that matches nothing",
        "No node or pod can ever meet all of these conditions, so the fault would hit nobody.",
        "    kill: { nodes: [doe], zone: a }   # doe is in zone b",
        "All conditions must hold at once: remove one, or correct it.";
    "E0402", "a service that no workload backs",
        "No pods match the service's selector, so nobody answers.",
        "    services: [{ name: shop, selects: { app: shpo } }]",
        "Compare the selector with the labels of the pods.";
    "E0403", "the run ends before this happens",
        "An entry of the timeline, or traffic, starts at or after `duration`.",
        "    duration: 5m\n    timeline: [{ at: 10m, kill: one }]",
        "Make `duration` longer, with room to recover.";
    "E0404", "a fault that lasts beyond the run",
        "The end of the fault is after the end of the run, or at its own beginning.",
        "    duration: 10m\n    timeline: [{ at: 8m, for: 5m, kill: one }]",
        "Make `duration` longer, or leave `for` out.";
    "E0405", "a duration, or a detail, where none belongs",
        "The operation happens once, so it cannot last or choose targets again.",
        "    - { at: 5m, for: 2m, scale: { workload: shop, replicas: 3 } }",
        "Remove it; undo the operation with an entry of its own.";
    "E0408", "an expectation in the wrong unit",
        "Durations are compared with durations, shares with percentages, counts with whole numbers.",
        "    expect: [{ metric: availability, at_least: 60s }]",
        "Write the unit that the message names.";
    "E0410", "an operation that is not possible on this object",
        "A bare pod cannot be scaled; only deployments roll out.",
        "    scale: { workload: some-pod, replicas: 3 }",
        "Declare it as a Deployment.";
    "E0411", "entries that contradict each other",
        "Two entries at one time want different things, or an entry works on what an earlier one deleted.",
        "    - { at: 5m, scale: { workload: shop, replicas: 3 } }\n    - { at: 5m, scale: { workload: shop, replicas: 6 } }",
        "Remove one, or let them happen at different times.";
    "E0501", "an invalid Kubernetes object",
        "A field has another type than the Kubernetes API defines.",
        "    spec: { replicas: \"three\" }",
        "Compare with `kubectl explain`; quote texts that look like numbers.";
    "E0502", "an invalid quantity",
        "The quantity is malformed, negative or too large.",
        "    resources: { requests: { cpu: 100q } }",
        "Write `250m`, `0.5`, `64Mi`, `1Gi`, `500M`.";
    "E0503", "an object without a name",
        "`metadata.name` is missing.",
        "    kind: Pod\n    metadata: {}",
        "Add a name.";
    "E0504", "a selector that does not match its own pods",
        "The API server refuses such an object: it would create pods for ever.",
        "    selector: { matchLabels: { app: a } }   # template: { app: b }",
        "Copy the labels of the template into the selector.";
    "E0505", "an object that the API server would refuse",
        "A value is outside of what Kubernetes allows.",
        "    replicas: -1",
        "Correct the value.";
    "E0506", "a Compose file in the wrong place",
        "A Compose file says what runs; it is neither a scenario nor a Kubernetes manifest.",
        "    workloads: [{ manifest: docker-compose.yml }]",
        "Name it as `workloads: [{ compose: docker-compose.yml }]` of a scenario.";
    "E0507", "not a Kubernetes object",
        "A document has no `kind`.",
        "    name: shop",
        "Name files of plain manifests; render Helm charts first (`helm template`).";
    "E0508", "a variable without a value",
        "Runs must not depend on who starts them, so the environment is not read: variables of a Compose file need defaults.",
        "    image: shop:${TAG}",
        "Write `${TAG:-v1}`, or use what `docker compose config` prints. A plain dollar sign is `$$`.";
    "E0509", "a Compose file that does not stand for itself",
        "`extends`, `include` and `provider` refer to something that is not read here.",
        "    extends: { file: common.yml, service: base }",
        "Use what `docker compose config` prints: everything is resolved in it.";
    "E0510", "not a Compose file",
        "The file has no services, is a Kubernetes manifest, or has several documents.",
        "    workloads: [{ compose: deployment.yaml }]",
        "Name Kubernetes objects under `manifest`, and Compose files under `compose`.";
    "E0512", "a scheduler configuration that kube-scheduler refuses",
        "The file is no `KubeSchedulerConfiguration` of version v1, or has fields or values that kube-scheduler does not take.",
        "    percentageOfNodesToScore: 120",
        "Correct the field; kube-scheduler would not start with this file.";
    "E0513", "a job file of another system",
        "The file is a job of another system than the field of `workloads` says, or it is HCL.",
        "    workloads: [{ nomad: marathon-app.json }]",
        "Name it under the field of its own system: `manifest`, `compose`, `nomad`, `marathon` or `ecs`.";
    "W0305", "an expectation for another orchestrator",
        "The scenario does not run under the orchestrator that the expectation is for.",
        "    orchestrators: [swarm]\n    expect: [{ metric: pending, equals: 0, only: kubernetes }]",
        "Nothing needs to be done when it is run under that orchestrator from the command line.";
    "W0402", "services without pods",
        "Services of a manifest that no workload backs get no endpoints.",
        "    (a service for pods of a kind that is not simulated)",
        "Nothing, unless traffic is to go to them.";
    "W0407", "a selector wants more nodes than match",
        "All matching nodes are hit.",
        "    kill: { zone: a, count: 10 }",
        "Lower the number, or use `pick: all`.";
    "W0409", "a deploy without a change",
        "The workload already has this image, so there is no new revision.",
        "    deploy: { workload: shop, image: \"shop:v1\" }",
        "Name another image.";
    "W0601", "a kind that is not modelled",
        "Objects of this kind would change what happens, but are ignored.",
        "    kind: VerticalPodAutoscaler",
        "Read results with that in mind.";
    "N0602", "kinds that are not needed",
        "Objects of these kinds change nothing that is simulated.",
        "    kind: ServiceAccount",
        "Nothing.";
    "W0603", "a field that is not modelled",
        "The field would change what happens, but is ignored.",
        "    dnsPolicy: None",
        "Read results with that in mind.";
    "W0604", "an unknown field in a manifest",
        "The Kubernetes API has no such field; kubectl refuses it with strict validation.",
        "    spec: { replica: 3 }",
        "Correct the spelling.";
    "N0605", "a scenario without expectations",
        "It is a demo: its runs neither pass nor fail.",
        "    (no `expect`)",
        "Add an expectation.";
    "W0606", "nothing to undo or restore",
        "No earlier entry did what this one takes back.",
        "    - { at: 5m, restore: { nodes: [doe] } }   # nobody killed doe",
        "Add the earlier entry, or remove this one.";
    "N0608", "assumed image sizes",
        "Pull times follow sizes; images about which nothing is said count as 100Mi.",
        "    (no `size`)",
        "Say `images: { NAME: { size: 40Mi } }`.";
    "W0610", "a manifest without pods",
        "Nothing in the manifest runs pods that are simulated.",
        "    kind: ConfigMap",
        "Name a manifest with Deployments, StatefulSets, DaemonSets, Jobs or Pods.";
    "N0611", "keys of a Compose file that change nothing",
        "They are accepted, but nothing that is simulated depends on them: environment, commands, volumes, networks.",
        "    environment: { LOG_LEVEL: debug }",
        "Nothing.";
    "N0612", "an image that is only built",
        "The service has `build` and no `image`; its image is taken to have the service's name.",
        "    vote: { build: ./vote }",
        "Write `image` next to `build` to name it, and say its `size` under `images`.";
    "N0613", "variables without a value where it does not matter",
        "They have no default, but stand only where values have no effect: environment, commands, labels, volumes.",
        "    environment: { PASSWORD: \"${PASSWORD}\" }",
        "Nothing.";
    "W0614", "constraints that no node meets",
        "The placement constraints of a Compose service fit no node of the cluster, so its replicas stay pending.",
        "    constraints: [node.role == manager]   # no node has `roles: [manager]`",
        "Give nodes `roles` or `labels` under `cluster.nodes`.";
    "W0615", "a claim that does not exist",
        "Pods mount a claim that no manifest declares, so they stay pending, as they do in a real cluster.",
        "    volumes: [{ name: data, persistentVolumeClaim: { claimName: data } }]   # no such claim",
        "Name the manifest that declares the claim under `workloads`, too.";
    "W0616", "an object that refers to nothing",
        "An autoscaler, ingress or webhook names a workload or service that no manifest declares. What a real controller would report is what happens.",
        "    scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: no-such-deployment }",
        "Correct the name, or name the manifest that declares it under `workloads`, too.";
    "W0617", "pods outside the bounds of their namespace",
        "A `LimitRange` of the namespace refuses such pods; their controller tries again and again.",
        "    limits: [{ type: Container, max: { cpu: 1 } }]   # and a container with `limits: { cpu: 2 }`",
        "Lower the pod's requests and limits, or change the range.";
    "W0618", "a scheduler that does not exist",
        "Pods name a scheduler that nobody runs, so they stay pending, as they do in a real cluster.",
        "    schedulerName: my-scheduler",
        "Name a `scheduler_config` with a profile of that name, or remove the field.";
    "W0619", "a wish that the orchestrator does not know",
        "A workload asks for something that this orchestrator has no words for, so it is treated as the orchestrator's own defaults have it.",
        "    deploy: { update_config: { monitor: 30s } }   # run under kubernetes",
        "Set the orchestrator's own flags (`shakedown list flags`), or read results with that in mind.";
    "W0620", "an unknown field in a job file",
        "The system has no such field, so its own API would ignore it, too.",
        "    { \"id\": \"/web\", \"instnces\": 3 }",
        "Correct the spelling.";
    "N0621", "a data center that no zone is called after",
        "Data centers of Nomad are zones here. No node is in a zone of that name, so the job may run on all nodes.",
        "    \"Datacenters\": [\"dc1\"]   # zones: [a, b, c]",
        "Give nodes a `zone` of that name, if the job should choose among them.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_page_and_case_does_not_matter() {
        for (i, page) in CODES.iter().enumerate() {
            assert!(CODES[..i].iter().all(|other| other.code != page.code), "{} twice", page.code);
            assert_eq!(explain(&page.code.to_lowercase()), Some(page.text));
        }
        assert_eq!(explain("E9999"), None);
    }
}
