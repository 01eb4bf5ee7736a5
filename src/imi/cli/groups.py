"""The verbs in groups, as the help page shows them, and the module that holds each."""

from __future__ import annotations

from imi.cli.verbs import VerbGroup

# One line a verb: its name and the module whose `register` adds it.
GROUPS = (
    VerbGroup(
        "find",
        {
            "search": "imi.cli.search",
            "ask": "imi.cli.ask",
            "recommend": "imi.cli.recommend",
            "browse": "imi.cli.browse",
            "map": "imi.cli.map",
        },
    ),
    VerbGroup(
        "collections",
        {
            "add": "imi.cli.add",
            "show": "imi.cli.collections",
            "ls": "imi.cli.collections",
            "rm": "imi.cli.collections",
            "forget": "imi.cli.forget",
            "export": "imi.cli.export",
            "backup": "imi.cli.maintenance",
            "verify": "imi.cli.maintenance",
            "repair": "imi.cli.maintenance",
            "copy": "imi.cli.copy",
            "migrate": "imi.cli.migrate",
            "deepen": "imi.cli.deepen",
            "doctor": "imi.cli.doctor",
            "plan": "imi.cli.plan",
            "graph": "imi.cli.graph",
        },
    ),
    VerbGroup(
        "understand",
        {
            "similar": "imi.cli.similar",
            "compare": "imi.cli.compare",
            "explain": "imi.cli.explain",
            "embed": "imi.cli.embed",
            "cost": "imi.cli.cost",
        },
    ),
    VerbGroup(
        "tasks",
        {
            "classify": "imi.cli.classify",
            "zero-shot": "imi.cli.zero_shot",
            "regress": "imi.cli.regress",
            "cluster": "imi.cli.cluster",
            "anomalies": "imi.cli.anomalies",
            "dedupe": "imi.cli.dedupe",
            "diversity": "imi.cli.diversity",
            "profiles": "imi.cli.profiles",
            "code": "imi.cli.code",
            "customize": "imi.cli.customize",
            "translate": "imi.cli.translate",
        },
    ),
    VerbGroup(
        "models",
        {
            "evaluate": "imi.cli.evaluate",
            "train": "imi.cli.train",
        },
    ),
    VerbGroup(
        "serve",
        {
            "serve": "imi.cli.serve",
            "keys": "imi.cli.keys",
            "conform": "imi.cli.conform",
            "mcp": "imi.cli.mcp",
            "install": "imi.cli.install",
            "demo": "imi.cli.demo",
            "seminar": "imi.cli.seminar",
        },
    ),
    # What was a verb in an earlier release and still answers.
    VerbGroup("hidden", {"lab": "imi.cli.lab"}, hidden=True),
)
