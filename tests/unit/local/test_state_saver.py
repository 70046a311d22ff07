"""The emulator's state is saved by a child; run in the emulator's own environment."""

import subprocess
import textwrap
from pathlib import Path

from local.bootstrap import ENVIRONMENTS, ROOT

BEGIN = """
import asyncio, json, os, signal, sys
from pathlib import Path
from ministack import app as emulator
from ministack.core import persistence
from local.extensions import state_files

folder = Path(sys.argv[1])
persistence.PERSIST_STATE, persistence.STATE_DIR = True, str(folder)
persistence.save_state = state_files.save_state
state = {"value": "before"}

def saved():
    path = folder / "probe.json"
    return json.loads(path.read_text())["payload"]["value"] if path.exists() else None

def services(get_state):
    emulator._build_persistence_save_dict = lambda: {"probe": get_state}

def with_saver(steps):
    async def begin():
        saver = state_files.StateSaver()
        saver.changes = 1
        await steps(saver)
    asyncio.run(begin())
"""


def run(folder: Path, body: str) -> str:
    script = BEGIN + textwrap.dedent(body)
    command = [ENVIRONMENTS["aws"] / "bin" / "python", "-c", script, folder]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout.strip()


def test_the_emulator_goes_on_while_its_state_of_one_moment_is_written(tmp_path: Path) -> None:
    body = """
        gate = folder / "gate"
        os.mkfifo(gate)
        def get_state():
            gate.read_text()  # blocks until somebody writes
            return dict(state)
        async def steps(saver):
            services(get_state)
            saving = asyncio.create_task(saver.save(1))
            await asyncio.sleep(0)  # the child is there
            state["value"] = "after"
            assert saved() is None and not saving.done()
            await asyncio.to_thread(gate.write_text, "")
            await saving
            print(saved())
        with_saver(steps)
    """
    assert run(tmp_path, body) == "before"


def test_a_save_that_died_is_said_and_made_again(tmp_path: Path) -> None:
    body = """
        async def steps(saver):
            once = folder / "died"
            def dies_once():
                if not once.exists():
                    once.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return state
            services(dies_once)
            await saver.save(1)
            print(saved())
        with_saver(steps)
    """
    assert run(tmp_path, body) == "before"


def test_an_orphaned_save_writes_nothing(tmp_path: Path) -> None:
    body = """
        services(lambda: state)
        nobody = 2**22 + 1  # no process has this number
        if (child := os.fork()) == 0:
            state_files._write_and_end(nobody)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), saved())
    """
    assert run(tmp_path, body) == "1 None"


def test_after_the_end_no_older_state_replaces_the_last_one(tmp_path: Path) -> None:
    body = """
        async def steps(saver):
            services(lambda: state)
            await saver.end()
            await saver.save(1)
            print(saved())
        with_saver(steps)
    """
    assert run(tmp_path, body) == "None"
