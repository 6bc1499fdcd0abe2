"""In which order the files of tests go to the workers, and which of them never run at the same time."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

# Whole systems, and crowds of clients, take the processors and the disk of a small machine for themselves.
# With three or four of them at once it stands still for seconds, and what runs beside them fails by a time
# limit and not by a fault. So there are two queues of them, and one file of each runs at a time.
QUEUES: Final = (
    (
        "tests/chaos/test_chaos_short.py",
        "tests/attack/test_attack_fuzz.py",
        "tests/attack/test_attack_leaks.py",
        "tests/e2e/system/test_system_restore_drill.py",
        "tests/fault/alerts/test_alerts_services_fault.py",
        "tests/fault/alerts/test_alerts_reconnect_fault.py",
    ),
    (
        "tests/e2e/system/",
        "tests/attack/",
        "tests/fault/dev/test_dev_supervisor.py",
        "tests/fault/dev/test_dev_console_process.py",
        "tests/store/deploy/test_deploy_jobs.py",
    ),
)


def queue_of(nodeid: str) -> int:
    """The queue that the test's file stands in; the number of queues for a file that may run beside any."""
    return next((n for n, files in enumerate(QUEUES) if nodeid.startswith(files)), len(QUEUES))


class InTurn(LoadFileScheduling):
    """A file's tests stay together, as they do with `--dist loadfile`, and so do those of a queue.

    What was collected first is given out first. By itself loadfile would put files of few tests last, and
    those are the long ones: they would all run at the same time, with nothing left to run beside them.
    """

    def schedule(self) -> None:
        """Gives out what was collected, in that order."""
        self.config.option.loadscopereorder = False
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        queue = queue_of(nodeid)
        return f"queue {queue}" if queue < len(QUEUES) else super()._split_scope(nodeid)
