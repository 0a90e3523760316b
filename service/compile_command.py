"""``hepagraph compile``: reconcile all evidence and keep the result, so that answers need no fitting."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from hepagraph.service.options import json_option, ontology_option, reports_errors


@click.command("compile")
@click.option("-o", "--output", default=None, metavar="FILE", help="Write here instead of the user's cache folder.")
@click.option("--packaged", is_flag=True, help="Write where the package keeps its own, for a release.")
@json_option
@ontology_option
@reports_errors
def compile_command(output: str | None, packaged: bool, as_json: bool, ontology: str | None) -> None:
    """Fit the network to all admissible statements at once and store the fitted parameters.

    They are found again by the key of the evidence. In the cache folder the compiled model is stored beside them, so
    that an answer reads nothing else; both are renewed where an ontology that has changed is used.
    """
    from hepagraph.inference.artifact import PACKAGED, artifact_of, cached_path, write_artifact
    from hepagraph.inference.compiling import compile_skeleton, read_skeleton, skeleton_key
    from hepagraph.inference.model import compile_model
    from hepagraph.inference.model_cache import keep_model
    from hepagraph.inference.residuals import residuals, within
    from hepagraph.kg import build_graph
    from hepagraph.ontology.files import content_hash, find_ontology
    from hepagraph.ontology.store import load_ontology
    from hepagraph.service.progress import progress_bar

    started = time.perf_counter()
    files = find_ontology(ontology)
    sha256 = content_hash(files)
    graph = build_graph(load_ontology(files))
    skeleton = read_skeleton(graph, fresh=True, progress=progress_bar("reconciling"))
    network = compile_skeleton(skeleton)
    key = skeleton_key(skeleton)
    path = Path(output) if output else PACKAGED if packaged else cached_path(key)
    write_artifact(artifact_of(skeleton.reconciliation, key), path)
    model = None
    if not output and not packaged:  # from the parameters that are found first, which may be the packaged ones
        model = keep_model(files.directory, compile_model(read_skeleton(graph), ontology_sha256=sha256), graph)
    found = residuals(skeleton.reconciliation)
    summary = {
        "file": str(path),
        "model_file": None if model is None else str(model),
        "key": key,
        "variables": len(skeleton.reconciliation.estimates),
        "observations": sum(len(e.observations) for e in skeleton.reconciliation.estimates.values()),
        "parameters_fitted": sum(e.parameters.size for e in skeleton.reconciliation.estimates.values()),
        "network_parameters": sum(t.values.size for t in network.tables.values()),
        "between_study_sd_of_log_odds": skeleton.reconciliation.tau,
        "counted_statements_within_interval": within([r for r in found if r.statement.grade in ("A", "B")]),
        "seconds": round(time.perf_counter() - started, 1),
    }
    if as_json:
        click.echo(json.dumps(summary))
        return
    lines = [f"{name.replace('_', ' ')}: {value}\n" for name, value in summary.items() if value is not None]
    click.echo("".join(lines), nl=False)
