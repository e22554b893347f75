import threading
import time

import pytest

from palio.core.files.parallel import FEW, for_each_parallel


@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, 1000])
def test_several_at_once_keeps_the_order(count: int) -> None:
    assert for_each_parallel(lambda number: number * 2, range(count)) == [number * 2 for number in range(count)]


def test_several_at_once_is_several_at_once() -> None:
    meeting = threading.Barrier(2, timeout=10)
    assert len(for_each_parallel(lambda _: meeting.wait(), range(FEW * 2))) == FEW * 2


def test_several_at_once_ends_with_the_first_exception() -> None:
    called: list[int] = []

    def call(number: int) -> None:
        called.append(number)
        time.sleep(0.001)
        if number == 5:
            raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        for_each_parallel(call, range(1000))
    assert len(called) < 50
