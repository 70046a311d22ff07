"""Find a Python 3.12 and install the project's environments; standard library only, since nothing is there yet.

Environments: `.venv` (Airflow, models, tests), `.local/venvs/aws` (local AWS, PostgreSQL), `.local/venvs/spark`,
`.local/venvs/lint`. Each is installed from hashed requirements and left alone while those stay the same.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".local"
REQUIREMENTS = ROOT / "local" / "requirements"
WANTED = (3, 12)
ENVIRONMENTS = {"airflow": ROOT / ".venv"}
for _name in ("aws", "spark", "lint"):
    ENVIRONMENTS[_name] = STATE / "venvs" / _name
RUNTIME = ("airflow", "aws", "spark")


class SetupError(RuntimeError):
    """Something that a user must provide is missing; the message is one line."""


def is_installed() -> bool:
    return (ENVIRONMENTS["airflow"] / "bin" / "python").exists()


def install(*, verbose: bool = False, names: tuple[str, ...] = RUNTIME) -> Path:
    """Install what is missing or out of date; returns the Python of `.venv`.

    :raises SetupError: when there is no Python 3.12, no network, or the state folder cannot be written
    """
    started = time.monotonic()
    _check_writable(STATE)
    stale = [name for name in names if _stamp(name) != _read(ENVIRONMENTS[name] / ".stamp")]
    if stale:
        uv = _install_uv()
        python = find_python(uv)
        for name in stale:
            begun = time.monotonic()
            _say(f"installing {ENVIRONMENTS[name].relative_to(ROOT)} from local/requirements/{name}.txt")
            _install_environment(uv, python, name)
            _say(f"installed {ENVIRONMENTS[name].relative_to(ROOT)} in {time.monotonic() - begun:.0f} s")
        (STATE / "setup_seconds").write_text(f"{time.monotonic() - started:.1f}")
    elif verbose:
        _say("everything is installed")
    if "airflow" in names:
        check_versions(ENVIRONMENTS["airflow"])
    return ENVIRONMENTS["airflow"] / "bin" / "python"


def remove_everything() -> None:
    for path in (ROOT / "dist", STATE):
        shutil.rmtree(path, ignore_errors=True)


def _say(text: str) -> None:
    sys.stdout.write(f"setup: {text}\n")
    sys.stdout.flush()


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.write_bytes(b"0" * 4096)
        probe.unlink()
    except OSError as error:
        raise SetupError(
            f"{folder} cannot be written ({error.strerror}): free some space or make the folder writable"
        ) from None


# ---------------------------------------------------------------- which Python


def find_python(uv: Path | None) -> str:
    """First interpreter that really runs and says 3.12: $PYTHON, python3.12, pyenv's versions, what uv finds.

    :raises SetupError: when there is none; nothing is downloaded
    """
    for candidate in _candidates(uv):
        if _says_wanted(candidate):
            return candidate
    raise SetupError(
        "no Python 3.12 found ($PYTHON, python3.12, pyenv's versions folder, uv): install one (pyenv install 3.12, or "
        "your distribution's python3.12 with its venv package), or name it in $PYTHON, then run the command again"
    )


def _candidates(uv: Path | None) -> list[str]:
    version = ".".join(map(str, WANTED))
    found = [os.environ.get("PYTHON", ""), sys.executable]
    # Each one on the PATH: the first may be a shim that runs nothing.
    found += [str(Path(folder) / f"python{version}") for folder in os.get_exec_path() if folder]
    for versions in _pyenv_versions():
        found += [str(path / "bin" / "python") for path in sorted(versions.glob(f"{version}*"), reverse=True)]
    if uv is not None:
        answer = subprocess.run(
            [str(uv), "python", "find", "--no-python-downloads", "--no-project", version],
            capture_output=True,
            text=True,
            cwd=STATE,
            check=False,
        )
        found.append(answer.stdout.strip())
    return [candidate for candidate in found if candidate]


def _pyenv_versions() -> list[Path]:
    """pyenv's versions folder: where it is by its own rules, and beside a shims folder on the PATH."""
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")]
    roots += [Path(folder).parent for folder in os.get_exec_path() if Path(folder).name == "shims"]
    return [root / "versions" for root in roots]


def _says_wanted(candidate: str) -> bool:
    try:
        answer = subprocess.run(
            [candidate, "-c", "import sys, ensurepip; print(*sys.version_info[:2])"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.split() == [str(part) for part in WANTED]


# ---------------------------------------------------------------- environments


def _install_uv() -> Path:
    """uv from its registry package, in an environment of its own."""
    folder = STATE / "bootstrap"
    uv = folder / "bin" / "uv"
    stamp = hashlib.sha256((REQUIREMENTS / "bootstrap.txt").read_bytes()).hexdigest()
    if _read(folder / ".stamp") == stamp and uv.exists():
        return uv
    shutil.rmtree(folder, ignore_errors=True)
    _run(
        [sys.executable, "-m", "venv", str(folder)],
        "creating the bootstrap environment (Debian: apt-get install python3-venv)",
    )
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(
        [*pip, "--require-hashes", "-r", str(REQUIREMENTS / "bootstrap.txt")], "installing uv from the package registry"
    )
    (folder / ".stamp").write_text(stamp)
    return uv


def _install_environment(uv: Path, python: str, name: str) -> None:
    folder = ENVIRONMENTS[name]
    # A new environment rather than an update in place: a half-installed one is never taken for whole.
    _run([str(uv), "venv", "--quiet", "--clear", "--no-project", "--python", python, str(folder)], f"creating {folder}")
    _run(
        [str(uv), "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "--require-hashes",
         "-r", str(REQUIREMENTS / f"{name}.txt")],
        f"installing {folder.name}",
    )  # fmt: skip
    if name == "airflow":
        # The repository root and plugins/ are importable, as they are for Airflow on MWAA.
        library = next((folder / "lib").glob("python3.*")) / "site-packages"
        (library / "concert_platform_paths.pth").write_text(f"{ROOT}\n{ROOT / 'plugins'}\n")
    (folder / ".stamp").write_text(_stamp(name))


def _run(command: list[str], purpose: str) -> None:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError as error:
        raise SetupError(f"{purpose} failed: {error}") from None
    if answer.returncode != 0:
        lines = [line.strip() for line in (answer.stderr or answer.stdout).splitlines() if line.strip()]
        # The last line but hints says what went wrong; the lines before it say where.
        reason = next((line for line in reversed(lines) if not line.startswith("hint")), "no message")
        log = STATE / "setup.log"
        log.write_text(answer.stdout + answer.stderr)
        raise SetupError(f"{purpose} failed: {reason} (whole message: {log})")


def _stamp(name: str) -> str:
    # With its place: the programs of an environment name it, so that one that was moved does not run.
    place = str(ENVIRONMENTS[name].resolve())
    return hashlib.sha256((REQUIREMENTS / f"{name}.txt").read_bytes() + place.encode()).hexdigest()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


# ---------------------------------------------------------------- versions


def pinned_versions(path: Path) -> dict[str, str]:
    """Package to version of a constraint file; names are normalised as PEP 503 says."""
    found = {}
    for line in path.read_text().splitlines():
        match = re.match(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", line.strip())
        if match:
            found[re.sub(r"[-_.]+", "-", match[1]).lower()] = match[2]
    return found


def installed_versions(environment: Path) -> dict[str, str]:
    library = next((environment / "lib").glob("python3.*")) / "site-packages"
    found = {}
    for folder in library.glob("*.dist-info"):
        name, version = folder.name[: -len(".dist-info")].rsplit("-", 1)
        found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return found


def check_versions(environment: Path) -> None:
    """Compare what is installed with MWAA's files.

    :raises SetupError: naming the packages that differ
    """
    wanted = pinned_versions(ROOT / "constraints" / "constraints-3.0.6.txt")
    wanted.update(pinned_versions(ROOT / "constraints" / "essential-3.0.6.txt"))
    installed = installed_versions(environment)
    wrong = [
        f"{name} {version} (MWAA: {wanted[name]})"
        for name, version in sorted(installed.items())
        if name in wanted and wanted[name] != version
    ]
    if wrong:
        raise SetupError(f"{environment} differs from MWAA's constraint files: {', '.join(wrong)}")
