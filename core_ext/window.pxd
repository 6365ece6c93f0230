# A window of rows: who of them go abreast, see abreast.h, and who one by one. Each person's rows go in their order; as
# persons of a window have nothing in common, neither a year nor an account, it does not matter who goes first.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memset

from core_ext.abreast cimport *
from core_ext.columns cimport *
from core_ext.formula cimport *

# SAMPLE: how many rows tell that others are not sorted by person either.
cdef enum:
    SAMPLE = 8


cdef struct Window:
    const abreast_way* way
    abreast_rows rows
    abreast_lanes lanes
    abreast_runs found
    Py_ssize_t lanes_used, rounds
    int64_t person[WINDOW]  # of lanes, the person-year
    uint8_t apart[WINDOW]  # whether a run goes one by one
    int32_t width[RUN_MOST + 1]  # how many runs are longer than so many rows


cdef inline void open_window(const Columns* columns, const abreast_way* way, Window* window) noexcept nogil:
    memset(&window.lanes, 0, sizeof(abreast_lanes))
    window.way = way
    window.rows.plan, window.rows.kind = columns.plan, columns.kind
    window.rows.medfee, window.rows.fulamt = columns.medfee, columns.fulamt
    window.rows.overlmt, window.rows.preself = columns.overlmt, columns.preself
    window.rows.inscp, window.rows.hosp = columns.inscp, columns.hosp
    window.rows.plans, window.rows.compute = columns.plans, COMPUTE


# Whether a row takes back the claim right before it, which is of the same run and fit to go abreast.
cdef inline bint takes_back(
    const Columns* columns, const Window* window, Py_ssize_t at, Py_ssize_t begins
) noexcept nogil:
    cdef Py_ssize_t row = columns.first + at
    return (
        at > begins and columns.kind[row] == REFUND and columns.ref[row] == row - 1
        and columns.abreast[window.lanes.said[at - 1]].known and window.lanes.preself[at - 1] >= 0
        and undoes(columns, row, row - 1)
    )


# Finds which odd rows are refunds that may go abreast; the runs of all others go one by one. Returns whether every row
# can be settled or refused.
cdef inline bint told_apart(const Columns* columns, Window* window) noexcept nogil:
    cdef Py_ssize_t odd, at, run = 0
    for odd in range(window.found.odds):
        at = window.found.odd[odd]
        while window.found.begins[run + 1] <= at:
            run += 1
        if takes_back(columns, window, at, window.found.begins[run]):
            window.lanes.said[at] = window.lanes.said[at - 1]
            window.lanes.preself[at] = -1
        else:
            if columns.kind[columns.first + at] != SKIP and unfit(columns, columns.first + at):
                return False
            window.apart[run] = True
    return True


# Whether every person-year has an account of its own; neighbours that share one go one by one.
cdef inline bint own_accounts(const Columns* columns, Window* window) noexcept nogil:
    cdef const int64_t* slot = columns.slot + columns.first
    cdef int64_t holder, before = -1
    cdef Py_ssize_t run
    for run in range(window.found.runs):
        holder = columns.holder[slot[window.found.begins[run]]]
        if holder <= before:
            if holder < before:
                return False
            window.apart[run - 1] = window.apart[run] = True
        before = holder
    return True


# Counts runs by their length, longest first, and returns whether going abreast is worth it.
cdef inline bint worth_it(const Columns* columns, Window* window, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t run, length, places = 0
    memset(window.width, 0, sizeof(window.width))
    for run in range(window.found.runs):
        length = window.found.begins[run + 1] - window.found.begins[run]
        if length > RUN_MOST:
            window.apart[run] = True
        if not window.apart[run]:
            window.width[length - 1] += 1
    window.rounds = 0
    for length in range(RUN_MOST - 1, -1, -1):
        window.width[length] += window.width[length + 1]
        if window.width[length]:
            window.rounds += 1
            places += (window.width[length] + STEP - 1) & ~<Py_ssize_t> (STEP - 1)
    window.lanes_used = window.width[0]
    return window.rounds > 0 and places <= 2 * count + STEP


# Gives each run a lane, longer ones first.
cdef inline void line_up(const Columns* columns, Window* window) noexcept nogil:
    cdef const int64_t* slot = columns.slot + columns.first
    cdef int32_t next_lane[RUN_MOST + 1]
    cdef Py_ssize_t run, lane, length
    for length in range(RUN_MOST):
        next_lane[length] = window.width[length + 1]
    for run in range(window.found.runs):
        if window.apart[run]:
            continue
        length = window.found.begins[run + 1] - window.found.begins[run] - 1
        lane = next_lane[length]
        next_lane[length] += 1
        window.lanes.begins[lane] = window.found.begins[run]
        window.person[lane] = slot[window.found.begins[run]]


cdef inline void give_back(const Columns* columns, const Window* window) noexcept nogil:
    cdef int64_t* year
    cdef int64_t person
    cdef Py_ssize_t lane, at
    for lane in range(window.lanes_used):
        person = window.person[lane]
        year = columns.years + person * BASIC_YEAR_WIDTH
        for at in range(BASIC_YEAR_WIDTH):
            year[at] = window.lanes.held[at][lane]
        columns.accounts[columns.holder[person]] = window.lanes.held[H_BALANCE][lane]


# Settles the rows of those who go one by one and tells which claims refunds took back.
cdef inline void settle_apart(const Columns* columns, const Window* window) noexcept nogil:
    cdef Py_ssize_t run, at
    for run in range(window.found.runs):
        if window.apart[run]:
            for at in range(window.found.begins[run], window.found.begins[run + 1]):
                closely(columns, columns.first + at)
    for at in range(window.found.odds):
        if window.lanes.preself[window.found.odd[at]] < 0:
            columns.refunded[columns.first + window.found.odd[at] - 1] = True


# Fills in what the next window will ask for: a slot that is none asks for no year.
cdef inline void look_ahead(const Columns* columns, Py_ssize_t count, abreast_next* next) noexcept nogil:
    cdef Py_ssize_t first = columns.first + count
    cdef const int64_t* slot = columns.slot + first
    next.plan, next.at, next.year, next.persons = columns.plan + first, 0, 0, 0
    next.column[0], next.column[1] = columns.medfee + first, columns.fulamt + first
    next.column[2], next.column[3] = columns.overlmt + first, columns.preself + first
    next.column[4], next.column[5] = columns.inscp + first, columns.hosp + first
    next.column[6], next.column[7], next.column[8] = columns.kind + first, next.plan + WINDOW, slot + WINDOW
    next.rows = least(WINDOW, columns.n - first)
    next.terms = <const char*> columns.abreast
    if next.rows and 0 <= slot[0] <= slot[next.rows - 1] < columns.slots:
        next.years = <const char*> (columns.years + slot[0] * BASIC_YEAR_WIDTH)
        next.persons = least(WINDOW, slot[next.rows - 1] - slot[0] + 1)


# Settles a window's rows, or does nothing and returns false where they go one by one.
cdef inline bint settled_abreast(const Columns* columns, Window* window, Py_ssize_t count) noexcept nogil:
    cdef const int64_t* slot = columns.slot + columns.first
    cdef abreast_next next_window
    cdef Py_ssize_t at
    if window.way == NULL:
        return False
    for at in range(1, least(SAMPLE, count)):
        if slot[at] < slot[at - 1]:
            return False
    if slot[0] < 0 or slot[count - 1] >= columns.slots:
        return False
    window.way.look(&window.rows, columns.first, count, &window.lanes)
    if columns.abreast.mixed:
        for at in range(count):
            if not columns.abreast[window.lanes.said[at]].known:
                window.lanes.said[at] = window.lanes.inscp[at] = window.lanes.preself[at] = window.lanes.due[at] = 0
    if not window.way.find(slot, count, &window.lanes, &window.found):
        return False
    memset(window.apart, 0, window.found.runs)
    for at in range(<Py_ssize_t> window.found.odds):
        prefetch(columns.ref + columns.first + window.found.odd[at], 1)
    if not (own_accounts(columns, window) and told_apart(columns, window) and worth_it(columns, window, count)):
        return False
    line_up(columns, window)
    if window.way.take(
        columns.years, columns.holder, columns.accounts, window.person, window.lanes_used, &window.lanes
    ):
        return False
    look_ahead(columns, count, &next_window)
    if window.way.settle(&window.lanes, columns.abreast, window.width, window.rounds, &next_window):
        return False
    window.way.put(&window.lanes, count, columns.beside)
    give_back(columns, window)
    settle_apart(columns, window)
    return True
