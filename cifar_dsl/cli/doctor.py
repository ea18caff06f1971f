"""`cifar-dsl doctor`: does everything work here?"""

import json
from pathlib import Path

import click

from cifar_dsl.cli import options
from cifar_dsl.cli.output import counted, note, say


@click.command(name="doctor")
@options.runs
@options.data_dir
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(runs: Path, data_dir: Path | None, as_json: bool) -> int:
    """Say what is installed and whether it works: versions, device, extras, folders, disk space, data sets.

    The text is made to be pasted into a report: the user's own folder is called ~ in it. Ends with 1 if something
    is broken.
    """
    from cifar_dsl.cli.examination import as_data, as_lines, examine_installation

    findings = examine_installation(runs, data_dir)
    if as_json:
        click.echo(json.dumps(as_data(findings), indent=2))
    else:
        say("\n".join(as_lines(findings)))
    broken = sum(finding.is_broken for finding in findings)
    if broken:
        note(f"{counted(broken, 'thing')} broken")
    return int(bool(broken))
