"""The command line of the local platform: `python -m local COMMAND`, which the Makefile calls."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from local import bootstrap
from local.bootstrap import ENVIRONMENTS, ROOT, STATE
from local.platform import lifecycle, main_job, package, processes, report, services
from local.platform.state import ENDPOINTS, LOGS, RUN_REPORT, PlatformError, only_launcher, read_json

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
# Wide enough for every table also where the output is a pipe.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)
CHECKOV = ("--framework", "cloudformation", "--compact", "--quiet", "--skip-download")
_started = time.monotonic()
# Tests run three at a time on two cores, and a pool's thread that waits for one without a core spins meanwhile: a
# backtest of the sales model took 26 s of CPU with two threads and 3 s with one.
ONE_THREAD = {"OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"}
# What belongs together, and in which order: tests/conftest.py.
IN_TWO_PROCESSES = ("-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder")


def say(text: str) -> None:
    """One line of progress with the time since the command began."""
    minutes, seconds = divmod(int(time.monotonic() - _started), 60)
    console.print(f"[{minutes:02d}:{seconds:02d}] {text}", markup=False)
    sys.stdout.flush()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """A user's mistake or a broken machine ends the command with one line and exit code 1."""
    try:
        yield
    except PlatformError as error:
        console.print(f"error: {error}", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("interrupted: the platform stays up; `make run` goes on, `make stop` ends it")
        raise typer.Exit(130) from None
    except OSError as error:
        console.print(f"error: {error.filename or 'the system'}: {error.strerror or error}", markup=False)
        raise typer.Exit(1) from None


@app.command()
def setup() -> None:
    """Install everything without starting anything."""
    say(f"installed: {', '.join(str(path.relative_to(ROOT)) for path in ENVIRONMENTS.values() if path.exists())}")


@app.command()
def up() -> None:
    """Start the platform without the main job; what runs already is left alone."""
    with one_line_errors(), only_launcher():
        lifecycle.up(say)
        _print_urls()


@app.command()
def run() -> None:
    """Start the platform, run the main job on the sample input, and print what it did."""
    with one_line_errors(), only_launcher():
        ports = lifecycle.up(say)
        lifecycle.begin_call_log(ports)
        outcome = main_job.MainJob(main_job.airflow_api(ports), ports, say).run()
        written = report.write(outcome, ports)
        lifecycle.write_endpoints(ports)
        lifecycle.write_call_log(ports)
        _print_report(written)
        _print_urls()
        open_accounts = report.open_accounts(written)
        for line in [*outcome.reasons, *open_accounts]:
            console.print(f"error: {line}", markup=False)
        if not outcome.succeeded or open_accounts:
            raise typer.Exit(1)


@app.command()
def status() -> None:
    """Tell which services run, on which addresses, and how the last run ended."""
    alive = processes.running()
    table = Table("service", "process", "log")
    for name in lifecycle.START_ORDER:
        table.add_row(name, str(alive.get(name, "not running")), str(services.LOGS / f"{name}.log"))
    console.print(table)
    if alive:
        _print_urls()
    last = report.last()
    if last:
        console.print(f"last run: {last['state']} at {last['finished_at']} after {last['job_seconds']} s")
    if len(alive) < len(lifecycle.START_ORDER):
        raise typer.Exit(3)


@app.command()
def logs(name: Annotated[str, typer.Argument(help="part of a log's path; without it the list of logs")] = "") -> None:
    """Print the end of the logs whose path contains a name."""
    with one_line_errors():
        for path in services.log_files():
            if not name:
                console.print(str(path))
            elif name in str(path):
                console.print(f"--- {path}", markup=False)
                console.print("\n".join(path.read_text(errors="replace").splitlines()[-50:]), markup=False)


@app.command()
def stop() -> None:
    """Stop every service; state stays for the next run."""
    with one_line_errors(), only_launcher():
        lifecycle.down(say)
        say("nothing runs any more")


@app.command()
def clean() -> None:
    """Stop every service and delete all local state."""
    with one_line_errors(), only_launcher():
        lifecycle.down(say)
        lifecycle.clean()
        say("local state is deleted; installed environments stay")


@app.command(name="package")
def build_package() -> None:
    """Build dist/ as it is synced to the MWAA bucket."""
    with one_line_errors():
        say(f"built {package.build().relative_to(ROOT)}")


@app.command()
def test(arguments: Annotated[list[str] | None, typer.Argument(help="passed on to pytest")] = None) -> None:
    """Run the tests: those in Airflow's environment, and side by side with them the Spark tests in theirs."""
    package.build()
    if arguments:
        raise typer.Exit(_pytest("airflow", ["tests", *arguments]).wait())
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "tests-spark.log"
    with log.open("w") as output:
        spark = _pytest("spark", ["tests/spark", "-p", "no:randomly"], output)
    codes = [_pytest("airflow", ["tests", *IN_TWO_PROCESSES]).wait(), spark.wait()]
    console.print(log.read_text(), markup=False, end="")
    raise typer.Exit(max(codes))


@app.command()
def snapshot() -> None:
    """Renew the golden graphs of the DAGs (tests/dags/graphs)."""
    package.build()
    raise typer.Exit(_pytest("airflow", ["tests/dags", "--snapshot"]).wait())


@app.command()
def bench() -> None:
    """Print what the platform adds to its engines; needs a finished `run`, and the platform up."""
    with one_line_errors():
        lifecycle.api()
        command = [ENVIRONMENTS["airflow"] / "bin" / "python", ROOT / "tests" / "performance" / "bench.py"]
        raise typer.Exit(subprocess.run(command, cwd=ROOT, env=services.base_environment(), check=False).returncode)


@app.command()
def models(
    parts: Annotated[
        list[str] | None, typer.Argument(help="sales, recommender, venues, nightly, scale; else all")
    ] = None,
) -> None:
    """Measure the models on the samples: .local/models/report.html, figures.json, and the blocks of docs/models.md."""
    wanted = parts or ["sales", "recommender", "venues", "nightly", "scale"]
    output = STATE / "models"
    output.mkdir(parents=True, exist_ok=True)
    python, scale = ENVIRONMENTS["airflow"] / "bin" / "python", output / "scale.json"
    commands: list[list[Any]] = []
    if "scale" in wanted:
        commands.append([python, "-m", "tests.performance.measure_recommender_scale", "--output", scale])
    report = [python, "-m", "ml.report", "--output", output, "--document", ROOT / "docs" / "models.md", "--parts"]
    report += [part for part in wanted if part != "scale"]
    commands.append([*report, "--scale", scale] if "scale" in wanted or scale.exists() else report)
    for command in commands:
        code = subprocess.run([str(word) for word in command], cwd=ROOT, check=False).returncode
        if code:
            raise typer.Exit(code)


def _pytest(environment: str, selection: list[str], output: IO[str] | None = None) -> subprocess.Popen[bytes]:
    command: list[Any] = [ENVIRONMENTS[environment] / "bin" / "python", "-m", "pytest", *selection]
    return subprocess.Popen(command, cwd=ROOT, env=services.base_environment() | ONE_THREAD, stdout=output)


@app.command()
def lint(fix: Annotated[bool, typer.Option("--fix", help="format and mend what can be mended")] = False) -> None:
    """Check style, types, SQL, templates and the compose file."""
    bootstrap.install(names=("lint",))
    tools = ENVIRONMENTS["lint"] / "bin"
    commands: list[list[Any] | None]
    if fix:
        commands = [[tools / "ruff", "check", "--fix", "."], [tools / "ruff", "format", "."]]
    else:
        compose = _docker_compose()
        commands = [
            [tools / "ruff", "check", "."],
            [tools / "ruff", "format", "--check", "."],
            [tools / "mypy", "plugins", "ml", "local"],
            [tools / "python", "-m", "concert_platform.validate", "cloudformation-templates"],
            [tools / "python", "-m", "local.lint.redshift"],
            [tools / "sqlfluff", "lint", "include/sql", "--disable-progress-bar"],
            # Without the download it neither calls its maker's service nor waits for it.
            [tools / "checkov", "--directory", "include/cfn", *CHECKOV],
            [*compose, "-f", "docker-compose.yaml", "config", "--quiet"] if compose else None,
        ]
    if None in commands:
        console.print("docker-compose.yaml is NOT checked: neither `docker compose` nor docker-compose is installed")
    failed = [command for command in commands if command and _run(command) != 0]
    if failed:
        raise typer.Exit(1)


def _docker_compose() -> list[str] | None:
    """The Compose command of this machine: Docker's plugin, the stand-alone program, or none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        try:
            answer = subprocess.run([*command, "version"], capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if answer.returncode == 0:
            return command
    return None


def _run(command: list[Any]) -> int:
    console.print(f"$ {' '.join(os.path.basename(str(word)) for word in command[:4])}", markup=False)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true"}
    return subprocess.run([str(word) for word in command], cwd=ROOT, env=environment, check=False).returncode


def _print_report(written: dict[str, Any]) -> None:
    dags = Table("DAG", "state", "seconds", title=f"main job: {written['state']} in {written['job_seconds']} s")
    for row in written["dags"]:
        dags.add_row(row["dag_id"], row["state"], f"{row['seconds']:.1f}")
    console.print(dags)
    if written["sources"]:
        names = ("read", "loaded", "quarantined", "deduplicated")
        sources = Table(title="records over the whole history")
        for name in ("source", "entity", *names):
            sources.add_column(name, no_wrap=True, justify="right" if name in names else "left")
        for row in written["sources"]:
            sources.add_row(row["source"], row["entity"], *(f"{row[name]:,}" for name in names))
        console.print(sources)
    for model in written["models"]:
        role = "serves" if model["serves"] else "does not serve"
        trained = "trained now" if model["trained"] else "trained before"
        figures, naive = (_figures(model[owner]) for owner in ("metrics", "baseline"))
        console.print(f"model {model['name']} {model['version']} ({trained}, {role}): {figures}", markup=False)
        console.print(f"  baseline: {naive}; {model['status']}: {model['reason']}", markup=False)
    for line in report.published(written):
        console.print(line, markup=False)
    for line in report.shortfalls(written):
        console.print(f"warning: {line}", markup=False)
    console.print(f"whole report: {RUN_REPORT}", markup=False)


def _figures(section: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in section.items() if isinstance(value, float))


def _print_urls() -> None:
    known = read_json(ENDPOINTS)
    if known:
        login = f"{known['airflow_user']} / {known['airflow_password']}"
        console.print(f"Airflow    {known['airflow_url']}  (login {login})", markup=False)
        console.print(f"AWS        {known['aws_endpoint_url']}", markup=False)
        if "api_url" in known:
            console.print(f"API        {known['api_url']}", markup=False)
        console.print(f"warehouse  {known['warehouse_dsn']}", markup=False)


if __name__ == "__main__":
    app()
