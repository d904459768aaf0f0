"""The suite notices when a guard is gone: each is taken out of a copy, and its case turns red."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Guard:
    """Text of one file that guards a promise, what stands there without it, and who must notice."""

    name: str
    file: str
    text: str
    without: str
    case: str


GUARDS = (
    Guard(
        "the lease is checked by the boot clock before the call",
        "worker/delivery/submit.py",
        "if began - prepared.written_ahead_at > settings.top.lease:",
        "if began < 0:",
        "test_matrix.py::test_fault_02_stopped_before_the_call[postgresql-call.before-otp]",
    ),
    Guard(
        "a lease that ends in flight makes its messages unknown, not queued",
        "worker/store/delivery/outcomes.py",
        "                state=SubmissionState.UNKNOWN.value,\n"
        "                outcome=Outcome.UNKNOWN.value,\n"
        '                code="lease",\n',
        "                state=SubmissionState.PLANNED.value,\n                next_at=now(),\n",
        "test_matrix.py::test_fault_01_killed[call.after-marketing]",
    ),
    Guard(
        "the write-ahead asks for the state and the fence",
        "worker/store/delivery/claims.py",
        "            submission.c.state == SubmissionState.PLANNED.value,\n"
        "            submission.c.fence == planned.fence,\n",
        "",
        "test_laws.py::test_i4_the_write_ahead_is_guarded",
    ),
    Guard(
        "what the wire does not know is unknown, never not sent",
        "worker/gateways/transport/client.py",
        "return OutcomeUnknown(words) if write_began else NotSent(words)",
        "return NotSent(words)",
        "test_gateways.py::test_fault_04_accept_then_close[own-jzyyun]",
    ),
    Guard(
        "a page is committed before it is read",
        "worker/store/feedback/inbox.py",
        "            inbox.c.kind != PUSH_KIND,\n",
        "            inbox.c.id < 0,\n",
        "test_reports.py::test_fault_28_a_page_that_a_crash_left_unread",
    ),
    Guard(
        "an outcome is recorded only on what is in flight under its fence",
        "worker/store/delivery/outcomes.py",
        "if fence_and_state == (call.lease.fence, SubmissionState.IN_FLIGHT.value):",
        "if fence_and_state is not None:",
        "test_matrix.py::test_fault_03_stopped_after_the_call[call.after]",
    ),
    Guard(
        "a pause stops what was not handed out",
        "worker/intake/campaigns.py",
        "        campaigns.stop(connection, campaign_id)\n",
        "",
        "test_control.py::test_fault_26_a_pause_holds_within_two_seconds_and_nothing_is_doubled_or_lost"
        "[sqlite-batches]",
    ),
    Guard(
        "one key is one request",
        "worker/store/intake/singles.py",
        "    if not stored.existed:\n",
        "    if True:\n",
        "test_callers.py::test_i10_a_caller_that_dies_repeats_with_its_key[commit.after]",
    ),
    Guard(
        "an enqueue whose commit was cut off is written again under its id",
        "worker/intake/enqueue.py",
        "write(connection, unconfirmed.request_id if unconfirmed else None)",
        "write(connection, None)",
        "test_databases.py::test_fault_16_committed_and_nobody_told_the_caller[postgresql-no_key]",
    ),
)


def _there(root: Path, guard: Guard) -> str:
    """Return the source that holds a guard, once."""
    source = (root / guard.file).read_text("utf-8")
    assert source.count(guard.text) == 1, f"{guard.file} does not hold this guard any more"
    return source


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name.replace(" ", "_"))
def test_a_guard_is_where_it_is_said(guard: Guard) -> None:
    """Else the long test below could not take it out."""
    _there(ROOT, guard)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name.replace(" ", "_"))
def test_without_a_guard_its_case_is_red(guard: Guard, tmp_path: Path) -> None:
    for part in ("worker", "producer", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    source = _there(tmp_path, guard)
    (tmp_path / guard.file).write_text(source.replace(guard.text, guard.without), "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for name in [name for name in environment if name.startswith("PYTEST")]:
        del environment[name]
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-x")
    run = subprocess.run(
        [sys.executable, *words, f"tests/faults/{guard.case}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "1 skipped" in run.stdout:
        pytest.skip("this machine lacks the server that the case needs")
    assert run.returncode == 1, f"nobody noticed:\n{run.stdout[-2000:]}{run.stderr[-1000:]}"
    assert "1 failed" in run.stdout
