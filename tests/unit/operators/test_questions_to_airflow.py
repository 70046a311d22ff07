"""Triggers share the triggerer's one connection to Airflow: a cancel breaks off no question that is put through it."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from types import SimpleNamespace

import pytest
from airflow.jobs.triggerer_job_runner import TriggerCommsDecoder, messages
from airflow.sdk.execution_time import task_runner
from msgspec import msgpack

from concert_platform.triggers import waiting
from concert_platform.triggers.dag_run import DagRunTrigger
from concert_platform.triggers.waiting import WaitTrigger
from concert_platform.triggers.warehouse_load import WarehouseLoadTrigger
from tests.deadlines import until_in_loop


class Supervisor:
    """Airflow's end of a triggerer's connection: answers each request after it was told to."""

    def __init__(self) -> None:
        self.requests, self.may_answer = 0, asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = {
            "GetDagRunState": {"type": "DagRunStateResult", "state": "running"},
            "GetDRCount": {"type": "DRCount", "count": 1},
            "GetTaskStates": {"type": "TaskStatesResult", "task_states": {"r": {"t": "deferred"}}},
            "TriggerStateChanges": {"type": "TriggerStateSync", "to_create": [], "to_cancel": []},
        }
        with suppress(asyncio.IncompleteReadError):
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                number, body = msgpack.decode(await reader.readexactly(size))
                self.requests += 1
                await self.may_answer.wait()
                answer = msgpack.encode([number, answers[body["type"]], None])
                writer.write(len(answer).to_bytes(4, "big") + answer)
        writer.close()


QUESTIONS: dict[str, Callable[[], WaitTrigger]] = {
    "state of a run": lambda: DagRunTrigger(dag_id="d", run_id="r", states=["success"], poll_interval=60),
    "number of runs": lambda: WarehouseLoadTrigger(run_id="r", poll_interval=60),
}


@pytest.mark.parametrize("question", sorted(QUESTIONS))
@pytest.mark.parametrize("cancels", [1, 3])
def test_a_cancel_during_a_question_to_airflow_leaves_the_triggerers_connection_in_order(
    monkeypatch: pytest.MonkeyPatch, question: str, cancels: int
) -> None:
    async def last_answer() -> str:
        supervisor, (ours, theirs) = Supervisor(), socket.socketpair()
        served = asyncio.ensure_future(supervisor.serve(*await asyncio.open_connection(sock=theirs)))
        reader, writer = await asyncio.open_connection(sock=ours)
        comms = TriggerCommsDecoder(socket=ours, async_reader=reader, async_writer=writer)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
        trigger = QUESTIONS[question]()
        trigger.task_instance = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
        run = asyncio.ensure_future(anext(trigger.run()))
        await until_in_loop(lambda: supervisor.requests)
        for _ in range(cancels):
            run.cancel()
            await asyncio.sleep(0.01)
        supervisor.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await run
        answer = await comms.asend(messages.TriggerStateChanges(events=None))
        writer.close()
        await served
        return type(answer).__name__

    assert asyncio.run(last_answer()) == "TriggerStateSync"


@pytest.mark.parametrize("fails", [False, True])
def test_a_cancel_waits_for_the_answer_to_a_question(fails: bool) -> None:
    asked, may_answer, answered = Event(), Event(), []

    def question() -> None:
        asked.set()
        assert may_answer.wait(60)
        answered.append(True)
        if fails:
            raise ValueError("no such run")

    async def cancelled_thrice() -> None:
        task = asyncio.ensure_future(waiting.ask_airflow(question))
        assert await asyncio.to_thread(asked.wait, 60)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
            assert not task.done()
        may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled_thrice())
    assert answered == [True]
