"""Chooses the plan of every claim of a batch: the policies in force, in log order, and the plans compiled so far."""

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import FACT, HOW
from core_ext.plan import PLAN
from ledger.compilation import Case, compile_plan, filing_class
from ledger.events import PolicyEnacted
from ledger.plan_rows import resolved
from ledger.policy import Policy, PolicyInvalidError, read_policy
from ledger.policy_terms import INSUTYPES, MATERNITY, MATERNITY_INSUTYPE, MED_TYPES, STAYS, age_edges
from ledger.refusals import Refusal, Refused
from ledger.regions import RELATIONS, Regions, relation
from ledger.registers import FILING_CLASSES

Ints = NDArray[np.int64]

# The parts of a packed case. A filing is a mask of types (0…15) or, behind _PINNED, the class itself.
_DAYS = 100_000_000
_VERSIONS = 512
_NO_LEVEL = 100
_PINNED = 16
_PSN_CLASSES = 100
_FILINGS = _PINNED + len(FILING_CLASSES)
# 1 + an age in whole years, 0 where none is known; a case has the youngest age of its band.
_AGES = 152
_TREATMENT = np.full(100, len(MED_TYPES), np.int64)
for _at, _med_type in enumerate(MED_TYPES.values()):
    _TREATMENT[_med_type] = _at


_MATERNITY = [tuple(MED_TYPES).index(name) for name in MATERNITY]


class PolicyBook:
    """Is the policies in force, in log order, with every plan compiled so far.

    ``digests`` [D, 16] and ``assumed`` [D] have one row an enactment; ``plans`` [P, PLAN] grows, its rows stay.
    """

    def __init__(self) -> None:
        self.digests: NDArray[np.uint8] = np.zeros((0, 16), np.uint8)
        self.assumed: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.regions = Regions()
        self._documents: dict[bytes, int] = {}
        self._policies: list[Policy] = []
        self._in_force: dict[int, int] = {}
        self._document_of: Ints = np.zeros(0, np.int64)
        self._dates: list[tuple[int, int, int]] = []
        self._age_edges: list[Ints] = []
        self.limits_diseases = False
        self.divides_stays = False
        self._region_keys: Ints = np.zeros(0, np.int64)
        self._region_enactment: Ints = np.zeros(0, np.int64)
        self._version_keys: Ints = np.zeros(0, np.int64)
        self._version_first: Ints = np.zeros(0, np.int64)
        self._plans: Ints = np.zeros((64, len(PLAN)), np.int64)
        self._count = 0
        self._case_keys: Ints = np.zeros(0, np.int64)
        self._case_plans: Ints = np.zeros(0, np.int64)
        self._row_of: dict[bytes, int] = {}

    @property
    def plans(self) -> Ints:
        """Returns the plans compiled so far; ``resolve`` may add rows behind them."""
        return self._plans[: self._count]

    @property
    def asks_for_ages(self) -> bool:
        """Returns whether any document names an age."""
        return any(len(edges) for edges in self._age_edges)

    def enact(self, event: PolicyEnacted) -> None:
        """Puts a document in force for its regions; a later one wins, but never an assumed one over a real one."""
        if event.digest not in self._documents:
            self.know({event.digest: read_policy(event.document, event.name)})
        document = self._documents[event.digest]
        enactment = len(self.assumed)
        digest = np.frombuffer(event.digest, np.uint8).reshape(1, 16)
        self.digests = np.concatenate([self.digests, digest])
        self.assumed = np.append(self.assumed, event.assumed)
        self._document_of = np.append(self._document_of, document)
        for region in event.regions:
            if not (event.assumed and self.has_real(region)):
                self._in_force[region] = enactment
                self.regions.declare(self._policies[document].header.prefixes, region)
        self._region_keys = np.array(sorted(self._in_force), np.int64)
        self._region_enactment = np.array([self._in_force[key] for key in sorted(self._in_force)], np.int64)

    def know(self, policies: Mapping[bytes, Policy]) -> None:
        """Adds documents by digest without putting them in force: ``resolve_pinned`` finds plans under them."""
        for digest, policy in policies.items():
            self._documents[digest] = len(self._policies)
            self._policies.append(policy)
            header = policy.header
            starts = int(header.benefit_year_starts.replace("-", ""))
            self._dates.append((FACT[header.policy_date], FACT[header.benefit_year_date], starts))
            self._age_edges.append(
                np.array(age_edges(value for dated in policy.parameters.values() for value in dated.values), np.int64)
            )
            self.divides_stays |= header.stay_across_years == "split_by_days"
            self.limits_diseases |= any(path.endswith(".disease_limits") for path in policy.parameters)
        self._index_versions()

    def check(self, event: PolicyEnacted) -> None:
        """Raises Refused where a policy may not be enacted so: what a command asks before it writes the event."""
        policy = read_policy(event.document, event.name)
        if not event.regions:
            raise PolicyInvalidError(f"{event.name}: expected the regions it is enacted for, got none")
        wrong = [region for region in event.regions if not 0 < region <= 999_999]
        if wrong:
            raise PolicyInvalidError(f"{event.name}: expected regions of six digits, got {wrong[0]}")
        if policy.header.prefixes and len(event.regions) != 1:
            raise PolicyInvalidError(
                f"{event.name}: expected the one region that owns its prefixes, got {list(event.regions)}"
            )
        if len(policy.days) >= _VERSIONS:
            raise PolicyInvalidError(f"{event.name}: expected fewer than {_VERSIONS} days, got {len(policy.days)}")
        real = [region for region in event.regions if self.has_real(region)]
        if event.assumed and real:
            raise Refused(
                Refusal.POLICY_ASSUMED_OVER_REAL,
                f"{event.name}: expected regions without a policy, got {real[0]}, which has its own; enact it there"
                " without --assumed to replace it",
            )

    def in_force(self, region: int) -> tuple[bytes, bool] | None:
        """Returns (digest, assumed) of what is in force for a region, None where nothing is."""
        enactment = self._in_force.get(region)
        if enactment is None:
            return None
        return self.digests[enactment].tobytes(), bool(self.assumed[enactment])

    def regions_giving_up(self, event: PolicyEnacted) -> list[int]:
        """Returns the regions that own codes which an enactment's prefixes would give to its region."""
        prefixes = read_policy(event.document, event.name).header.prefixes
        return self.regions.owners(prefixes, besides=event.regions) if prefixes else []

    def policies_in_force(self) -> dict[int, Policy]:
        """Returns the document in force for each region that has one."""
        return {
            region: self._policies[self._document_of[enactment]] for region, enactment in sorted(self._in_force.items())
        }

    def has_real(self, region: int) -> bool:
        """Returns whether a policy that is not assumed is in force for a region."""
        enactment = self._in_force.get(region)
        return enactment is not None and not self.assumed[enactment]

    def digest_in_force(self, region: int) -> bytes | None:
        """Returns the digest of the document in force for a region, None where there is none."""
        enactment = self._in_force.get(region)
        return None if enactment is None else self.digests[enactment].tobytes()

    def policy_named(self, digest: bytes) -> Policy | None:
        """Returns the enacted document with a digest, in force or not."""
        document = self._documents.get(digest)
        return None if document is None else self._policies[document]

    def region_of(self, codes: Ints) -> Ints:
        """Returns the pooling area that owns each ``admdvs`` code; 0 where there is no such code."""
        return self.regions.region_of(codes)

    def _documents_of(self, facts: Ints) -> tuple[Ints, Ints]:
        """Returns (document, enactment row) in force for each claim, -1 where none is."""
        found, enactment = _find(self._region_keys, self._region_enactment, facts[:, FACT["insured_region"]])
        document = np.where(found, self._document_of[enactment], -1) if len(self._document_of) else enactment
        return document, enactment

    def ages(self, facts: Ints, born: Ints, stated: Ints) -> Ints:
        """Returns 1 + the age in whole years of each claim's person on its policy's day, 0 where no policy asks.

        ``born`` [n] is the day of birth (0 unknown); ``stated`` [n] is 1 + an age that a file states itself.
        """
        document, _ = self._documents_of(facts)
        asked = np.zeros(len(facts), np.bool_)
        for at, edges in enumerate(self._age_edges):
            asked |= (document == at) & bool(len(edges))
        if not asked.any():
            return np.zeros(len(facts), np.int64)
        day = self._policy_days(facts, document)
        years = day // 10_000 - born // 10_000 - (day % 10_000 < born % 10_000)
        age = np.where((born > 0) & (years >= 0), 1 + years, stated)
        return np.where(asked, np.clip(age, 0, _AGES - 1), 0)

    def resolve(self, facts: Ints, filing_mask: Ints, assist: Ints, ages: Ints | None = None) -> tuple[Ints, Ints]:
        """Returns (plan row, enactment row) per claim; -1 and -1 where no policy or no rule of it is in force.

        ``facts`` [n, FACTS] with regions filled, ``filing_mask`` [n] the filing types that count (bit 0 long_term,
        1 referral, 2 emergency, 3 temporary), ``assist`` [n] the assistance class, 0 none, ``ages`` [n] as ``ages``
        gives them.
        """
        document, enactment = self._documents_of(facts)
        related = relation(
            facts[:, FACT["insu_admdvs"]],
            facts[:, FACT["mdtrtarea_admvs"]],
            facts[:, FACT["insured_region"]],
            facts[:, FACT["treatment_region"]],
        )
        mask = np.where(related == 0, 0, filing_mask & 15)
        plan = self._plan_of(document, facts, related, mask, assist, np.zeros_like(mask) if ages is None else ages)
        return plan, np.where(plan >= 0, enactment, -1)

    def benefit_years(self, facts: Ints, policy: Ints) -> Ints:
        """Returns the benefit year of claims under their enactments (-1: the calendar year of setl_time).

        A year that starts on another day than 1 January is named by the calendar year in which it starts.
        """
        document = np.where(policy >= 0, self._document_of[policy], -1) if len(self._document_of) else policy
        return self._years(facts, document)

    def divided(self, facts: Ints) -> NDArray[np.bool_]:
        """Returns which claims are stays over a turn of the year that the policy in force divides."""
        return self._divided(facts, self._documents_of(facts)[0])

    def pinned_divided(self, facts: Ints, policies: tuple[Ints, Sequence[bytes]]) -> NDArray[np.bool_]:
        """Returns which claims are stays over a turn of the year that the documents named divide."""
        return self._divided(facts, self._pinned(policies))

    def _divided(self, facts: Ints, document: Ints) -> NDArray[np.bool_]:
        found = np.zeros(len(facts), np.bool_)
        stays = np.isin(facts[:, FACT["med_type"]], [MED_TYPES[name] for name in STAYS])
        for at, (_, _, starts) in enumerate(self._dates):
            if self._policies[at].header.stay_across_years == "split_by_days":
                begin, end = facts[:, FACT["begndate"]], facts[:, FACT["enddate"]]
                first, last = (day // 10_000 - (day % 10_000 < starts) for day in (begin, end))
                found |= (document == at) & stays & (first < last)
        return found

    def pinned_years(self, facts: Ints, policies: tuple[Ints, Sequence[bytes]]) -> Ints:
        """Returns the benefit year of claims under the documents they record; an unknown one: as without a policy."""
        return self._years(facts, self._pinned(policies))

    def pinned_days(self, facts: Ints, policies: tuple[Ints, Sequence[bytes]]) -> Ints:
        """Returns the day that picked the policy version of claims, by the documents they record."""
        return self._policy_days(facts, self._pinned(policies))

    def _pinned(self, policies: tuple[Ints, Sequence[bytes]]) -> Ints:
        """Returns the document of claims decided before, -1 for an unknown or empty digest."""
        index, digests = policies
        return np.array([self._documents.get(digest, -1) for digest in digests] or [-1], np.int64)[index]

    def _years(self, facts: Ints, document: Ints) -> Ints:
        year = facts[:, FACT["setl_time"]] // 10**10
        for at, (_, column, starts) in enumerate(self._dates):
            if (column, starts) != (FACT["setl_time"], 101):
                rows = np.flatnonzero(document == at)
                day = _day_in(facts, rows, column)
                year[rows] = day // 10_000 - (day % 10_000 < starts)
        return year

    def _policy_days(self, facts: Ints, document: Ints) -> Ints:
        """Returns the day that picks each claim's policy version: of the date its document names."""
        day = facts[:, FACT["setl_time"]] // 1_000_000
        for at, (column, _, _) in enumerate(self._dates):
            if column != FACT["setl_time"]:
                rows = np.flatnonzero(document == at)
                day[rows] = _day_in(facts, rows, column)
        return day

    def resolve_pinned(self, facts: Ints, policies: tuple[Ints, Sequence[bytes]], how: Ints) -> Ints:
        """Returns the plan row of claims decided before: under the policy and by the ``how`` they record; -1 if none.

        ``policies`` is (index per claim, digests); an unknown or empty digest has no plan.
        """
        pinned = how[:, HOW.index("filing")] + _PINNED
        related = how[:, HOW.index("relation")]
        known = resolved(facts, how[:, HOW.index("hosp_lv")], how[:, HOW.index("psn_type")])
        assist, ages = how[:, HOW.index("assist_class")], how[:, HOW.index("age")]
        return self._plan_of(self._pinned(policies), known, related, pinned, assist, ages)

    def resolve_filed(self, facts: Ints, policies: tuple[Ints, Sequence[bytes]], how: Ints, mask: Ints) -> Ints:
        """Returns the plan row of claims under other policies than they record, by the filing types that counted.

        As ``resolve_pinned``, but ``mask`` [n] (as in ``resolve``) stands in for the filing class of ``how``.
        """
        related = how[:, HOW.index("relation")]
        known = resolved(facts, how[:, HOW.index("hosp_lv")], how[:, HOW.index("psn_type")])
        assist, ages = how[:, HOW.index("assist_class")], how[:, HOW.index("age")]
        return self._plan_of(self._pinned(policies), known, related, mask, assist, ages)

    def day_column(self, digest: bytes) -> int:
        """Returns the column of FACTS whose day picks the version of a document; setl_time's for an unknown one."""
        document = self._documents.get(digest)
        return FACT["setl_time"] if document is None else self._dates[document][0]

    def days_of(self, digest: bytes) -> Sequence[int]:
        """Returns the days (yyyymmdd) on which a version of a document begins; none for an unknown one."""
        document = self._documents.get(digest)
        return () if document is None else self._policies[document].days

    def _index_versions(self) -> None:
        keys = [document * _DAYS + day for document, policy in enumerate(self._policies) for day in policy.days]
        self._version_keys = np.array(keys, np.int64)
        counts = [len(policy.days) for policy in self._policies]
        self._version_first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)

    def _plan_of(self, document: Ints, facts: Ints, related: Ints, filing: Ints, assist: Ints, ages: Ints) -> Ints:
        """Returns the plan row for each claim's document (-1: none), compiling cases not met before."""
        key = self._case_key(document, facts, related, filing, assist, ages)
        plan = np.full(len(key), -1, np.int64)
        asked = np.flatnonzero(key >= 0)
        found, plan[asked] = _find(self._case_keys, self._case_plans, key[asked])
        if not found.all():
            fresh = np.unique(key[asked][~found])
            rows = np.array([self._compiled(int(case)) for case in fresh.tolist()], np.int64)
            order = np.argsort(np.concatenate([self._case_keys, fresh]), kind="stable")
            self._case_plans = np.concatenate([self._case_plans, rows])[order]
            self._case_keys = np.concatenate([self._case_keys, fresh])[order]
            _, plan[asked] = _find(self._case_keys, self._case_plans, key[asked])
        return plan

    def _bands(self, document: Ints, ages: Ints) -> Ints:
        """Returns 1 + the youngest age of each claim's band, 0 where its document asks for no age or none is known."""
        band = np.zeros(len(document), np.int64)
        for at, edges in enumerate(self._age_edges):
            if len(edges):
                rows = np.flatnonzero((document == at) & (ages > 0))
                place = np.searchsorted(edges, ages[rows] - 1, "right")
                band[rows] = 1 + np.concatenate([[0], edges])[place]
        return band

    def _case_key(self, document: Ints, facts: Ints, related: Ints, filing: Ints, assist: Ints, ages: Ints) -> Ints:
        """Returns each claim's case packed into one integer, -1 where no policy version can have a rule for it."""
        known = np.maximum(document, 0)
        day = self._policy_days(facts, document)
        known_day = (day > 0) & (day < _DAYS)
        row = np.searchsorted(self._version_keys, known * _DAYS + np.where(known_day, day, 0), side="right")
        version = row - self._version_first[known] if len(self._version_first) else row
        insutype = facts[:, FACT["insutype"]]
        treatment = _TREATMENT[_bounded(facts[:, FACT["med_type"]], 99)]
        key = known
        for value, size in (
            (version, _VERSIONS),
            ((insutype == INSUTYPES["resident"]).astype(np.int64), 2),
            (treatment, len(MED_TYPES) + 1),
            (_bounded(facts[:, FACT["hosp_lv"]], _NO_LEVEL), _NO_LEVEL + 1),
            (_psn_class(facts[:, FACT["psn_type"]]), _PSN_CLASSES),
            (related, len(RELATIONS)),
            (filing, _FILINGS),
            (_bounded(assist, 9), 10),
            (self._bands(known, ages), _AGES),
        ):
            key = key * size + value
        insured = (insutype == INSUTYPES["employee"]) | (insutype == INSUTYPES["resident"])
        # A birth insured by the maternity fund of its time is an employee's.
        insured |= (insutype == MATERNITY_INSUTYPE) & np.isin(treatment, _MATERNITY)
        usable = (document >= 0) & known_day & (version > 0) & (version < _VERSIONS) & insured
        usable &= (related >= 0) & (related < len(RELATIONS)) & (filing >= 0) & (filing < _FILINGS)
        return np.where(usable & (treatment < len(MED_TYPES)), key, -1)

    def _compiled(self, key: int) -> int:
        """Compiles the case of a key; returns its plan's row, or -1 where the policy has no rule for it."""
        values = []
        for size in (
            _AGES,
            10,
            _FILINGS,
            len(RELATIONS),
            _PSN_CLASSES,
            _NO_LEVEL + 1,
            len(MED_TYPES) + 1,
            2,
            _VERSIONS,
        ):
            key, value = divmod(key, size)
            values.append(value)
        age, assist, filing, related, psn_class, level, treatment, resident, version = values
        policy = self._policies[key]
        day = policy.days[version - 1]
        insutype = "resident" if resident else "employee"
        if filing < _PINNED:
            rules = policy.rules_on(insutype, day)
            if rules is None:
                return -1
            filing = filing_class(rules.off_site, related, filing)
        else:
            filing -= _PINNED
        case = Case(
            day,
            insutype,
            tuple(MED_TYPES)[treatment],
            level,
            psn_class,
            related,
            filing,
            assist,
            age - 1 if age else None,
        )
        row = compile_plan(policy, case)
        if row is None:
            return -1
        known = self._row_of.setdefault(array("q", row).tobytes(), self._count)
        if known < self._count:
            return known
        if self._count == len(self._plans):
            self._plans = np.concatenate([self._plans, np.zeros_like(self._plans)])
        self._plans[self._count] = row
        self._count += 1
        return self._count - 1


def _day_in(facts: Ints, rows: Ints, column: int) -> Ints:
    """Returns the day (yyyymmdd) in a date column, or in the moment setl_time."""
    dates = facts[rows, column]
    return np.asarray(dates // 1_000_000 if column == FACT["setl_time"] else dates)


def _bounded(values: Ints, other: int) -> Ints:
    """Returns values from 0 to ``other``; any value outside becomes ``other``."""
    return np.where((values >= 0) & (values < other), values, other)


def _psn_class(psn_type: Ints) -> Ints:
    """Returns the national class that each class of person begins with, two digits; local codes are longer, 0 none."""
    found = np.where((psn_type >= 10) & (psn_type < 10**6), psn_type, 0)
    for width in (10_000, 1_000, 100, 10):
        found = np.where(found >= 10 * width, found // width, found)
    return found


def _find(keys: Ints, values: Ints, wanted: Ints) -> tuple[NDArray[np.bool_], Ints]:
    """Returns (found, value) of each wanted key in ascending ``keys``; the value is -1 where it is not there."""
    if not len(keys):
        return np.zeros(len(wanted), np.bool_), np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found = keys[at] == wanted
    return found, np.where(found, values[at], -1)
