# A window of rows: who of them go abreast, see abreast.h, and who one by one. Each person's rows go in their order; as
# persons of a window have nothing in common, neither a year nor an account, it does not matter who goes first.

from libc.stdint cimport int32_t, int64_t, uint8_t
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
    Py_ssize_t runs, odds, lanes_used, rounds
    int32_t begins[WINDOW + 1]  # of runs, and where the last ends
    int32_t odd[WINDOW + 1]  # rows that are no claim fit to go abreast
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


# Finds each run of one person-year's rows and what is odd; returns whether rows are sorted and no slot is outside.
cdef inline bint found_runs(const Columns* columns, Window* window, Py_ssize_t count) noexcept nogil:
    cdef const int64_t* slot = columns.slot + columns.first
    cdef const int32_t* said = window.lanes.said
    cdef Py_ssize_t at, runs = 1, odds = 0
    cdef bint down = slot[0] < 0 or slot[count - 1] >= columns.slots
    window.begins[0] = 0
    window.odd[0] = 0
    odds += not columns.abreast[said[0]].known
    for at in range(1, count):
        window.begins[runs] = <int32_t> at
        window.odd[odds] = <int32_t> at
        runs += slot[at] != slot[at - 1]
        down |= slot[at] < slot[at - 1]
        odds += not columns.abreast[said[at]].known
    window.begins[runs] = <int32_t> count
    window.runs, window.odds = runs, odds
    return not down


# Whether a row takes back the claim right before it, which is of the same run and fit to go abreast.
cdef inline bint takes_back(const Columns* columns, const Window* window, Py_ssize_t at, Py_ssize_t begins) noexcept nogil:
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
    for odd in range(window.odds):
        at = window.odd[odd]
        while window.begins[run + 1] <= at:
            run += 1
        if takes_back(columns, window, at, window.begins[run]):
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
    for run in range(window.runs):
        holder = columns.holder[slot[window.begins[run]]]
        if holder <= before:
            if holder < before:
                return False
            window.apart[run - 1] = window.apart[run] = True
        before = holder
    return True


# Whether what a person-year and its account hold is within what goes abreast.
cdef inline bint held_abreast(const int64_t* year, int64_t balance) noexcept nogil:
    cdef int64_t all_of = balance | (
        year[Y_PLACED_INPATIENT] + year[Y_PLACED_OUTPATIENT] + year[Y_PLACED_CHRONIC] + year[Y_PLACED_PHARMACY]
    )
    cdef Py_ssize_t at
    for at in range(BASIC_YEAR_WIDTH):
        all_of |= year[at]
    return (all_of >> AMOUNT_BITS | year[Y_STAYS] >> STAYS_BITS) == 0


# Counts runs by their length, longest first, and returns whether going abreast is worth it.
cdef inline bint worth_it(const Columns* columns, Window* window, Py_ssize_t count) noexcept nogil:
    cdef const int64_t* slot = columns.slot + columns.first
    cdef Py_ssize_t run, length, places = 0
    cdef int64_t person
    memset(window.width, 0, sizeof(window.width))
    for run in range(window.runs):
        length = window.begins[run + 1] - window.begins[run]
        person = slot[window.begins[run]]
        if length > RUN_MOST or not held_abreast(
            columns.years + person * BASIC_YEAR_WIDTH, columns.accounts[columns.holder[person]]
        ):
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


# Gives each run a lane, longer ones first, and takes along what its year and account hold.
cdef inline void line_up(const Columns* columns, Window* window) noexcept nogil:
    cdef const int64_t* slot = columns.slot + columns.first
    cdef const int64_t* year
    cdef int32_t next_lane[RUN_MOST + 1]
    cdef Py_ssize_t run, lane, length, at
    for length in range(RUN_MOST):
        next_lane[length] = window.width[length + 1]
    for run in range(window.runs):
        if window.apart[run]:
            continue
        length = window.begins[run + 1] - window.begins[run] - 1
        lane = next_lane[length]
        next_lane[length] += 1
        window.lanes.begins[lane] = window.begins[run]
        window.person[lane] = slot[window.begins[run]]
        year = columns.years + window.person[lane] * BASIC_YEAR_WIDTH
        for at in range(BASIC_YEAR_WIDTH):
            window.lanes.held[at][lane] = <int32_t> year[at]
        window.lanes.held[H_BALANCE][lane] = <int32_t> columns.accounts[columns.holder[window.person[lane]]]
    for at in range(HELD):
        memset(&window.lanes.held[at][window.lanes_used], 0, STEP * sizeof(int32_t))


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
    for run in range(window.runs):
        if window.apart[run]:
            for at in range(window.begins[run], window.begins[run + 1]):
                closely(columns, columns.first + at)
    for at in range(window.odds):
        if window.lanes.preself[window.odd[at]] < 0:
            columns.refunded[columns.first + window.odd[at] - 1] = True


# Asks for what the next window needs: its columns, a line of eight rows each, the years and what the plans say.
cdef inline void ask_for_next(const Columns* columns, const Window* window, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t first = columns.first + count, at
    cdef const int64_t* plan = columns.plan + first
    cdef const int64_t* slot = columns.slot + first
    cdef Py_ssize_t ahead = least(WINDOW, columns.n - first)
    for at in range(0, ahead, 8):
        prefetch(columns.medfee + first + at, 1)
        prefetch(columns.fulamt + first + at, 1)
        prefetch(columns.overlmt + first + at, 1)
        prefetch(columns.preself + first + at, 1)
        prefetch(columns.inscp + first + at, 1)
        prefetch(columns.hosp + first + at, 1)
        prefetch(columns.kind + first + at, 1)
        prefetch(plan + at, 1)
        prefetch(slot + at, 1)


# Settles a window's rows, or does nothing and returns false where they go one by one.
cdef inline bint settled_abreast(const Columns* columns, Window* window, Py_ssize_t count) noexcept nogil:
    cdef const int64_t* slot = columns.slot + columns.first
    cdef Py_ssize_t at
    if window.way == NULL:
        return False
    for at in range(1, least(SAMPLE, count)):
        if slot[at] < slot[at - 1]:
            return False
    window.way.look(&window.rows, columns.first, count, &window.lanes)
    if not found_runs(columns, window, count):
        return False
    memset(window.apart, 0, window.runs)
    if not (told_apart(columns, window) and own_accounts(columns, window) and worth_it(columns, window, count)):
        return False
    line_up(columns, window)
    ask_for_next(columns, window, count)
    if window.way.settle(&window.lanes, columns.abreast, window.width, window.rounds):
        return False
    window.way.put(&window.lanes, count, columns.beside)
    give_back(columns, window)
    settle_apart(columns, window)
    return True
