"""The verdict on the stream, in one line and as metrics."""

from concert_platform.streams.health import Health


def test_a_stream_in_order_says_so_in_one_line() -> None:
    assert str(Health(1.5, 0, 42.0, 0)) == (
        "stream in order (lag 2 s, 0 dead letters, 0 spilled, newest event in core 42 s old)"
    )
    assert Health(0, 0, None, 0).metrics() == {
        "StreamIteratorAgeSeconds": 0, "StreamDeadLetters": 0, "StreamSpilledObjects": 0,
    }  # fmt: skip


def test_each_trouble_is_named_with_what_to_do() -> None:
    troubles = Health(900.0, 3, 10.0, 2).troubles
    assert [trouble.partition(":")[0] for trouble in troubles] == [
        "the function is 900 s behind", "3 dead letters", "2 objects wait in the spill",
    ]  # fmt: skip
    assert "\n" not in str(Health(900.0, 3, None, 2))
