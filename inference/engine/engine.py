"""The engine: exact posteriors of one case, of many, and of every what-if of one finding.

What the compiled program cannot do (a network of another shape, a step too wide, evidence so contradictory that a
lane is lost in double precision) goes to general elimination, which is exact for any network that fits memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference import elimination
from hepagraph.inference.batch import BatchMarginals, batch_marginals, batch_size, refuse_impossible
from hepagraph.inference.elimination import Marginals, extreme_evidence, impossible_evidence
from hepagraph.inference.engine.evidence import coded_contexts, evidence_rows, single_evidence
from hepagraph.inference.engine.native import NativeKernel, library
from hepagraph.inference.engine.numpy_kernel import NumpyKernel
from hepagraph.inference.engine.program import Program, TooWideError, compile_program, fold_private
from hepagraph.inference.engine.rows import Answers, Joints, Rows, Stack, Wanted, stack_of
from hepagraph.inference.engine.whatifs import Survey
from hepagraph.inference.model import FOLDED, FULL
from hepagraph.inference.network import ENTITY, SUBTYPE, Table
from hepagraph.inference.stopping import stop_if_over
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Array = NDArray[np.float64]
Kernel = NativeKernel | NumpyKernel
CHUNK_ROWS = 2**14
TOO_WIDE = 2  # the flag of a row of which a step would need too much room; 1: of one that double precision cannot hold


class Engine:
    """Exact inference on one network. Immutable as far as anyone can see; share it between threads.

    Parameters
    ----------
    tables
        The network's tables by child, in topological order.
    latent
        The variables that are hardly ever observed, such as mechanisms.
    native
        Whether to use the native kernel; None: if it was built.
    programs
        The compiled programs, if they are known (``CompiledModel.programs``); what is missing is compiled.
    """

    def __init__(
        self,
        tables: Mapping[str, Table],
        latent: Collection[str] = (),
        *,
        native: bool | None = None,
        programs: Mapping[str, Program] | None = None,
    ) -> None:
        self.tables, self._latent, self._programs = tables, tuple(latent), programs or {}
        self.native = library() is not None if native is None else native
        self._kernels: dict[tuple[int, type], Kernel] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Kernels hold addresses in this process, and whether there is a native one is for the other to say.
        return {"tables": self.tables, "_latent": self._latent, "_programs": {**self._programs}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, native=library() is not None, _kernels={})

    @cached_property
    def program(self) -> Program | None:
        """The compiled network, or None where its shape is not one for lanes and bits."""
        try:
            return self._programs.get(FULL) or compile_program(self.tables, self._latent)
        except TooWideError:
            return None

    @cached_property
    def _folded(self) -> Program | None:
        """The same without latent variables that have one child: what the entity's posterior needs."""
        if self.program is None:
            return None
        known = self._programs.get(FOLDED)
        return known or compile_program(fold_private(self.tables, self._latent), self._latent)

    def _program_for(self, names: Iterable[str]) -> Program | None:
        """Return the smallest program that has all the variables, or None."""
        names = tuple(names)
        for program in (self._folded, self.program):
            if program is not None and all(name in program.position or name in program.above for name in names):
                return program
        return None

    def _kernel(self, program: Program, dtype: type[np.floating[Any]]) -> Kernel:
        key = (id(program), dtype)
        if key not in self._kernels:
            self._kernels[key] = (NativeKernel if self.native else NumpyKernel)(program, dtype)
        return self._kernels[key]

    # -- one case ------------------------------------------------------------------------------------------------

    def marginals(self, likelihood: Mapping[str, Array], targets: Iterable[str]) -> Marginals:
        """Return the exact posterior of every target; parameters and errors as in ``elimination.marginals``."""
        stop_if_over()
        wanted = tuple(dict.fromkeys(targets))
        lanes = set(wanted) <= {ENTITY, SUBTYPE}
        program = self._program_for(likelihood) if lanes else self.program
        if program is None or not self.native or not self._answerable(program, likelihood, wanted):
            return elimination.marginals(self.tables, likelihood, wanted)
        if lanes:
            found = self._lanes(program, likelihood)
            if found is not None:
                return Marginals({name: found[0][name] for name in wanted}, found[1])
        else:
            survey, _ = self._survey(program, likelihood, Wanted.only(program, wanted))
            if survey is not None:
                return Marginals({name: survey.posterior(name) for name in wanted}, survey.evidence_log)
        return elimination.marginals(self.tables, likelihood, wanted)

    def _answerable(self, program: Program, likelihood: Mapping[str, Array], targets: Collection[str]) -> bool:
        """Return whether every name is known, and no target has evidence of its own that a survey leaves out."""
        known = all(name in program.position or name in program.above for name in likelihood)
        free = all(
            name in (ENTITY, SUBTYPE) or (name in program.position and name not in likelihood) for name in targets
        )
        return known and free

    def _lanes(self, program: Program, likelihood: Mapping[str, Array]) -> tuple[dict[str, Array], float] | None:
        kernel = self._kernel(program, np.float64)
        assert isinstance(kernel, NativeKernel)  # noqa: S101
        evidence = single_evidence(kernel, likelihood)
        entity, lanes, log, flag = kernel.run_one(evidence.entries, evidence.context, evidence.weights)
        if flag or not np.isfinite(log):
            return None
        return {ENTITY: entity, SUBTYPE: lanes @ program.members[1]}, log + evidence.scale_log

    def survey(self, likelihood: Mapping[str, Array], changes: Collection[str] | None = None) -> Survey:
        """Return all marginals, all what-ifs of one finding, and every finding's information, in one backward pass.

        Parameters
        ----------
        likelihood
            The evidence, one vector P(what was seen | state) a variable.
        changes
            The variables with children of which it is to be told what other evidence would have meant; None: all.
            Those of leaves come for nothing; every other makes the survey dearer.

        Raises
        ------
        ImpossibleEvidenceError
            The evidence has probability zero.
        ExtremeEvidenceError
            The likelihoods are too far apart for double precision.
        TooWideError
            The network's shape, or the steps, are beyond the engine.
        """
        program = self.program
        found, flag = None, TOO_WIDE
        if program is not None:
            found, flag = self._survey(program, likelihood, Wanted.everything(program, changes))
        if found is None:
            if not flag & TOO_WIDE:
                raise extreme_evidence()
            raise TooWideError("the network is too wide to answer every what-if at once; ask for marginals")
        if not np.isfinite(found.evidence_log):
            raise impossible_evidence()
        return found

    def lanes(self, likelihood: Mapping[str, Array]) -> Survey | None:
        """Return a survey of the lanes and the contexts that act below them only; None where the engine cannot."""
        program = self.program
        if program is None or any(n not in program.position and n not in program.above for n in likelihood):
            return None
        return self._survey(program, likelihood, Wanted.only(program, ()))[0]

    def _survey(self, program: Program, likelihood: Mapping[str, Array], wanted: Wanted) -> tuple[Survey | None, int]:
        """Return the survey, if there is one, and the row's flag."""
        stop_if_over()
        kernel = self._kernel(program, np.float64)
        joints: Joints | None
        if isinstance(kernel, NativeKernel):
            evidence = single_evidence(kernel, likelihood)
            joints, flag = kernel.survey_one(evidence.entries, evidence.context, evidence.weights, wanted)
            scale_log, seen = evidence.scale_log, [entry.column for entry in evidence.entries]
            context, weights = evidence.context, evidence.weights
        else:
            rows = evidence_rows(program, likelihood, 1)
            joints, flag = kernel.survey(rows.rows)
            scale_log, seen = float(rows.scale_log[0]), np.flatnonzero(rows.rows.codes[0] >= 0).tolist()
            context = int(rows.rows.context[0])
            weights = None if rows.rows.weights is None else rows.rows.weights[context]
        if joints is None or flag:
            return None, flag
        observed = frozenset(program.columns[column].name for column in seen)
        if weights is None:
            weights = program.weights.reshape(-1, *program.weights.shape[-2:])[context]
        fixed = frozenset(
            program.columns[column].name
            for column in seen
            if program.columns[column].inner >= 0 and not joints.values[joints.parts.columns[column]].any()
        )
        return Survey(program, joints, observed, joints.evidence_log + scale_log, np.asarray(weights), fixed), flag

    def full_program(self) -> Program:
        """Return the program with every variable in it.

        Raises
        ------
        TooWideError
            The network's shape is not one for lanes and bits.
        """
        if self.program is None:
            raise TooWideError("the network's shape is not one that the engine can draw; it has no lanes and bits")
        return self.program

    def answer_rows(self, program: Program, rows: Rows) -> Answers:
        """Return the posteriors of rows made for a program of this engine.

        Raises
        ------
        ImpossibleEvidenceError
            A row has probability zero.
        TooWideError
            A step of a row would need too much room.
        """
        stop_if_over()
        answers = self._kernel(program, np.float64).run(rows)
        if (answers.flags & TOO_WIDE).any():
            raise TooWideError("a step of the elimination would need too much room")
        refuse_impossible(answers.evidence_log)
        return answers

    # -- many cases ----------------------------------------------------------------------------------------------

    def batch_marginals(
        self, likelihood: Mapping[str, Array], targets: Iterable[str], *, allow_impossible: bool = False
    ) -> BatchMarginals:
        """Return the exact posteriors of every evidence set; parameters and errors as in ``batch.batch_marginals``."""
        wanted = tuple(dict.fromkeys(targets))
        program = self._program_for(likelihood)
        if program is None or not set(wanted) <= {ENTITY, SUBTYPE}:
            return batch_marginals(self.tables, likelihood, wanted, allow_impossible=allow_impossible)
        count = batch_size(likelihood)
        entity, subtype = np.empty((count, program.entities)), np.empty((count, program.subtypes))
        evidence_log = np.empty(count)
        for start in range(0, count, CHUNK_ROWS):
            stop_if_over()
            part = slice(start, start + CHUNK_ROWS)
            vectors = {n: v if np.ndim(v) == 1 or len(v) == 1 else v[part] for n, v in likelihood.items()}
            evidence = evidence_rows(program, vectors, min(CHUNK_ROWS, count - start))
            answers = self._kernel(program, np.float64).run(evidence.rows, lanes=True)
            entity[part], subtype[part] = answers.entity, _of_lanes(answers) @ program.members[1]
            evidence_log[part] = answers.evidence_log + evidence.scale_log
            doubtful = np.flatnonzero((answers.flags > 0) | ~np.isfinite(evidence_log[part]))
            if len(doubtful):
                again = {n: v if np.ndim(v) == 1 or len(v) == 1 else v[doubtful] for n, v in vectors.items()}
                again[ENTITY] = np.broadcast_to(again.get(ENTITY, 1.0), (len(doubtful), program.entities))
                found = batch_marginals(self.tables, again, [ENTITY, SUBTYPE], allow_impossible=True)
                entity[start + doubtful], subtype[start + doubtful] = found.posterior[ENTITY], found.posterior[SUBTYPE]
                evidence_log[start + doubtful] = found.evidence_log
        if not allow_impossible:
            refuse_impossible(evidence_log)
        posterior = {ENTITY: entity, SUBTYPE: subtype}
        return BatchMarginals({name: posterior[name] for name in wanted}, evidence_log)

    def score(
        self,
        codes: Mapping[str, NDArray[np.integer[Any]]],
        *,
        meanings: Mapping[str, Array] | None = None,
        given: Mapping[str, Array] | None = None,
        dtype: type[np.floating[Any]] = np.float32,
        threads: int = 1,
    ) -> tuple[Array, Array]:
        """Return the entity's posterior of many rows of codes, and log P(evidence).

        Parameters
        ----------
        codes
            For each variable with evidence an integer array, shape (rows,): the position of the state seen (or of a
            row of ``meanings``), negative for not seen.
        meanings
            For variables whose codes are not states, what they mean: likelihood vectors, shape (codes, states).
        given
            Likelihood vectors, shape (states,), of evidence that all rows share.
        dtype
            ``numpy.float32`` agrees with ``numpy.float64`` to about 1e-6; rows that want more are done in double.
        threads
            How many threads share the rows.

        Returns
        -------
        tuple
            Posteriors, shape (rows, entities), and logarithms, shape (rows,). A row of probability zero has the
            logarithm -inf and posteriors of zero.

        Raises
        ------
        OntologyError
            A name is not known, a code is out of range, or the arrays differ in length.
        """
        return next(self.score_chunks([codes], meanings=meanings, given=given, dtype=dtype, threads=threads))

    def score_chunks(
        self,
        chunks: Iterable[Mapping[str, NDArray[np.integer[Any]]]],
        *,
        meanings: Mapping[str, Array] | None = None,
        given: Mapping[str, Array] | None = None,
        dtype: type[np.floating[Any]] = np.float32,
        threads: int = 1,
    ) -> Iterator[tuple[Array, Array]]:
        """Yield what ``score`` returns for each chunk of rows, so that memory stays that of one chunk."""
        from concurrent.futures import ThreadPoolExecutor  # it brings logging and takes as long as all of the engine

        iterator = iter(chunks)
        first = next(iterator, None)
        if first is None:
            return
        program = self._program_for([*first, *(given or {})])
        if program is None:
            for chunk in itertools.chain([first], iterator):
                yield self._in_general(
                    chunk, meanings or {}, given or {}, np.arange(self._rows_of(chunk, meanings or {}))
                )
            return
        stacks = {
            program.position[name]: stack_of(program, program.position[name], np.asarray(vectors, dtype=np.float64))
            for name, vectors in (meanings or {}).items()
            if name in program.position
        }
        shared = evidence_rows(program, given or {}, 1)
        with ThreadPoolExecutor(max_workers=threads) as pool:
            for chunk in itertools.chain([first], iterator):
                stop_if_over()
                rows = self._code_rows(program, chunk, stacks, shared.rows, meanings or {})
                entity, log, doubtful = self._score_rows(program, rows, dtype, pool, threads)
                log += float(shared.scale_log[0])
                if len(doubtful):
                    entity[doubtful], log[doubtful] = self._in_general(chunk, meanings or {}, given or {}, doubtful)
                yield entity, log

    def evidence_logs(
        self, codes: Mapping[str, NDArray[np.integer[Any]]], meanings: Mapping[str, Array], given: Mapping[str, Array]
    ) -> Array:
        """Return log P(evidence) of many rows of codes, shape (rows,), in double precision; see ``score``.

        Any network can be asked; what ``given`` says of a variable with codes is left out.
        """
        shared = {name: vector for name, vector in given.items() if name not in codes}
        program = self._program_for([*codes, *shared])
        if program is None or any(name in program.above for name in codes):
            vectors = {name: meanings[name][code] for name, code in codes.items()}
            return self.batch_marginals({**shared, **vectors}, [], allow_impossible=True).evidence_log
        return self.score(codes, meanings=meanings, given=shared, dtype=np.float64)[1]

    def _score_rows(
        self,
        program: Program,
        rows: Rows,
        dtype: type[np.floating[Any]],
        pool: ThreadPoolExecutor,
        threads: int,
    ) -> tuple[Array, Array, NDArray[np.int64]]:
        """Return posteriors, logarithms, and the rows that even double precision cannot answer."""
        kernel, count = self._kernel(program, dtype), len(rows.codes)
        if not count:
            return np.zeros((0, program.entities)), np.zeros(0), np.zeros(0, dtype=np.int64)
        size = max(1, min(CHUNK_ROWS, -(-count // threads)))
        parts = [rows.part(slice(start, start + size)) for start in range(0, count, size)]
        run: Callable[[Rows], Answers] = kernel.run
        found = list(pool.map(run, parts) if threads > 1 else map(run, parts))
        entity = np.concatenate([answers.entity for answers in found])
        evidence_log = np.concatenate([answers.evidence_log for answers in found])
        doubtful = np.flatnonzero(np.concatenate([answers.flags for answers in found]))
        if len(doubtful) and dtype is not np.float64:
            again = self._score_rows(program, rows.part(doubtful), np.float64, pool, 1)
            entity[doubtful], evidence_log[doubtful] = again[:2]
            doubtful = doubtful[again[2]]
        return entity, evidence_log, doubtful

    def _in_general(
        self,
        codes: Mapping[str, NDArray[np.integer[Any]]],
        meanings: Mapping[str, Array],
        given: Mapping[str, Array],
        rows: NDArray[np.int64],
    ) -> tuple[Array, Array]:
        """Return posteriors and logarithms of some rows by general elimination."""
        likelihood = dict(given)
        for name, values in codes.items():
            code, states = np.asarray(values)[rows], self.tables[name].values.shape[-1]
            meant = meanings.get(name, np.eye(states))[np.maximum(code, 0)]
            likelihood[name] = np.where((code < 0)[:, None], likelihood.get(name, np.ones(states)), meant)
        found = batch_marginals(self.tables, likelihood, [ENTITY], allow_impossible=True)
        return found.posterior[ENTITY], found.evidence_log

    def _rows_of(self, codes: Mapping[str, NDArray[np.integer[Any]]], meanings: Mapping[str, Array]) -> int:
        """Return the number of rows, or refuse codes that are not good."""
        lengths = {len(values) for values in codes.values()}
        if len(lengths) != 1:
            raise OntologyError(f"the arrays of codes hold {sorted(lengths)} rows; give each variable one code a row")
        for name, values in codes.items():
            if name not in self.tables:
                raise OntologyError(f"the network has no variable {name!r}")
            limit = len(meanings[name]) if name in meanings else self.tables[name].values.shape[-1]
            array = np.asarray(values)
            if not np.issubdtype(array.dtype, np.integer) or (array >= limit).any():
                raise OntologyError(f"the codes of {name} must be integers below {limit}, negative where not seen")
        return lengths.pop()

    def _code_rows(
        self,
        program: Program,
        codes: Mapping[str, NDArray[np.integer[Any]]],
        stacks: Mapping[int, Stack],
        shared: Rows,
        meanings: Mapping[str, Array],
    ) -> Rows:
        count = self._rows_of(codes, meanings)
        found = np.repeat(shared.codes, count, axis=0)
        above = [np.full(count, -1, dtype=np.int64) for _ in program.above]
        for name, values in codes.items():
            array = np.asarray(values)
            if name in program.position:
                found[:, program.position[name]] = np.maximum(array, -1)
            else:
                above[program.above.index(name)] = np.maximum(array, -1)
        if shared.weights is not None:
            if any((code >= 0).any() for code in above):
                raise OntologyError("give each context either for all rows alike or as codes")
            return Rows(found, np.zeros(count, dtype=np.int64), {**shared.stacks, **stacks}, shared.weights)
        context, weights = coded_contexts(program, above, meanings, shared.context, count)
        return Rows(found, context, {**shared.stacks, **stacks}, weights)


def _of_lanes(answers: Answers) -> Array:
    if answers.lanes is None:
        raise ValueError("the kernel was not asked for lanes")
    return answers.lanes
