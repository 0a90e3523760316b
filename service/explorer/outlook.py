"""What stands beside the posterior and takes longer: warnings, reasons and what to look at next, of one lesion."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.inference.ledger import Ledger, explain
from hepagraph.inference.next_best import NextBest, next_best
from hepagraph.ontology.errors import HepagraphError
from hepagraph.service.explorer.html import warnings_html
from hepagraph.service.html_basics import fragment, text
from hepagraph.service.html_parts import ledger_html, next_best_html

if TYPE_CHECKING:
    from hepagraph.inference.case import Case
    from hepagraph.inference.reasoner import Reasoner


@dataclass(frozen=True, slots=True)
class Question:
    """A case that has an answer, and the lesion that is asked about, by its id."""

    reasoner: Reasoner
    case: Case
    lesion: str
    differential: str | None = None

    def ledger(self) -> Ledger:
        """Return what speaks for and against the entity on top."""
        return explain(self.reasoner, self.case, differential=self.differential, lesion=self.lesion)[0]

    def next_best(self) -> NextBest:
        """Return what to look at next."""
        return next_best(self.reasoner, self.case, differential=self.differential, lesion=self.lesion)[0]

    def warnings_part(self) -> str:
        """Return as HTML what a reader of the answer should know, surprising findings among it."""
        result = self.reasoner.posterior(self.case, differential=self.differential, reasons=False)
        return warnings_html(result.lesions[self.case.positions(self.lesion)[0]].warnings)

    def ledger_part(self) -> str:
        """Return the ledger as HTML."""
        return ledger_html(self.ledger(), self.reasoner.network.labels, statements=1)

    def next_part(self) -> str:
        """Return what to look at next as HTML."""
        return next_best_html(self.next_best(), self.reasoner.network.labels, top=4)


@dataclass(frozen=True, slots=True)
class Job:
    """HTML to make, and where it goes."""

    make: Callable[[], str]
    show: Callable[[str], None]

    def made(self) -> str:
        """Return the HTML, or what is wrong with the question."""
        try:
            return self.make()
        except HepagraphError as error:
            return fragment("trouble", f"<p>{text(error)}</p>")


class Worker:
    """Does the latest jobs on a thread, one after the other, so that no click waits for them.

    What is shown is shown on the event loop. Jobs that newer ones have overtaken are dropped. Without a running loop
    everything is done at once.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explorer")
        self._latest = 0
        self._task: asyncio.Task[None] | None = None

    def run(self, jobs: Sequence[Job]) -> None:
        """Do the jobs in place of those that were asked for before."""
        self._latest += 1
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            run_now(jobs)
        else:
            self._task = loop.create_task(self._in_turn(jobs, self._latest))

    async def _in_turn(self, jobs: Sequence[Job], number: int) -> None:
        loop = asyncio.get_running_loop()
        for job in jobs:
            if number != self._latest:
                return
            found = await loop.run_in_executor(self._thread, job.made)
            if number == self._latest:
                job.show(found)


def run_now(jobs: Sequence[Job]) -> None:
    """Do the jobs at once."""
    for job in jobs:
        job.show(job.made())
