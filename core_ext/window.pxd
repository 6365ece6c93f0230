# A window of rows: who of them go abreast, see abreast.h, and who one by one. Each person's rows go in their order; as
# persons of a window have nothing in common, neither a year nor an account, it does not matter who goes first.

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memcpy

from core_ext.abreast cimport *
from core_ext.columns cimport *
from core_ext.formula cimport *

# SAMPLE: how many rows tell that others are not sorted by person either.
cdef enum:
    SAMPLE = 8


cdef struct Window:
    const abreast_way* way
    abreast_rows rows
    abreast_window found
    abreast_left left
    int32_t undone[WINDOW]  # of refunds that may go abreast, the run


cdef inline void open_window(const Columns* columns, const abreast_way* way, Window* window) noexcept nogil:
    window.way = way if columns.plans < 1 << PLANS_BITS else NULL
    window.rows.slot, window.rows.plan, window.rows.kind = columns.slot, columns.plan, columns.kind
    window.rows.medfee, window.rows.fulamt = columns.medfee, columns.fulamt
    window.rows.overlmt, window.rows.preself = columns.overlmt, columns.preself
    window.rows.inscp, window.rows.hosp, window.rows.holder = columns.inscp, columns.hosp, columns.holder
    window.rows.years, window.rows.accounts = columns.years, columns.accounts
    window.rows.plans, window.rows.compute, window.rows.terms = columns.plans, COMPUTE, columns.abreast
    window.rows.more = columns.more
    window.left.at = window.left.lines = 0


# Whether a row takes back the claim right before it, which is of the same run and fit to go abreast.
cdef inline bint takes_back(
    const Columns* columns, const Window* window, Py_ssize_t at, Py_ssize_t begins
) noexcept nogil:
    cdef Py_ssize_t row = columns.first + at
    return (
        at > begins and columns.kind[row] == REFUND and columns.ref[row] == row - 1
        and window.found.row[at - 1][R_SAID] and window.found.row[at - 1][R_PRESELF] >= 0
        and undoes(columns, row, row - 1)
    )


# Finds which odd rows are refunds that may go abreast; the runs of all others go one by one. Returns whether every row
# can be settled or refused.
cdef inline bint told_apart(const Columns* columns, Window* window) noexcept nogil:
    cdef Py_ssize_t odd, at, run = 0
    for odd in range(<Py_ssize_t> window.found.odds):
        at = window.found.odd[odd]
        while window.found.begins[run + 1] <= at:
            run += 1
        window.undone[odd] = <int32_t> run
        if takes_back(columns, window, at, window.found.begins[run]):
            window.found.row[at][R_SAID] = window.found.row[at - 1][R_SAID]
            window.found.row[at][R_PRESELF] = -1
        else:
            if columns.kind[columns.first + at] != SKIP and unfit(columns, columns.first + at):
                return False
            window.found.apart[run] = True
    return True


# Has the runs go one by one that have a plan which does not go abreast. Returns whether every row can be settled or
# refused.
cdef inline bint known(const Columns* columns, Window* window) noexcept nogil:
    cdef Py_ssize_t run, at, said
    for run in range(<Py_ssize_t> window.found.runs):
        for at in range(window.found.begins[run], window.found.begins[run + 1]):
            said = window.found.row[at][R_SAID]
            if said and not columns.more[said].known:
                if unfit(columns, columns.first + at):
                    return False
                window.found.apart[run] = True
    return True


# Settles the rows of those who go one by one and tells which claims refunds took back.
cdef inline void settle_apart(const Columns* columns, const Window* window) noexcept nogil:
    cdef Py_ssize_t run, at
    for run in range(<Py_ssize_t> window.found.runs):
        if window.found.apart[run]:
            for at in range(window.found.begins[run], window.found.begins[run + 1]):
                closely(columns, columns.first + at)
    for at in range(<Py_ssize_t> window.found.odds):
        if not window.found.apart[window.undone[at]]:
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
        next.years = <const char*> (columns.years + slot[0] * HELD)
        next.holder = columns.holder + slot[0]
        next.accounts = columns.accounts + next.holder[0]
        next.persons = least(WINDOW, slot[next.rows - 1] - slot[0] + 1)


# Waits no longer with what is left of a window before, and keeps of each column what is no whole line yet.
cdef inline void leave_now(const Columns* columns, Window* window) noexcept nogil:
    cdef Py_ssize_t column
    if window.left.lines:
        window.way.leave(&window.left)
        for column in range(BOOKED):
            memcpy(
                columns.beside + column * BESIDE - KEPT, columns.beside + column * BESIDE + WINDOW - KEPT,
                KEPT * sizeof(int64_t),
            )
        window.left.at = window.left.lines = 0


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
    look_ahead(columns, count, &next_window)
    if not window.way.look(&window.rows, columns.first, count, &window.found, &next_window, &window.left):
        return False
    for at in range(<Py_ssize_t> window.found.odds):
        prefetch(columns.ref + columns.first + window.found.odd[at], 1)
    if columns.more.mixed and not known(columns, window):
        return False
    if not (window.way.hold(&window.found, &window.rows) and told_apart(columns, window)):
        return False
    if <Py_ssize_t> window.way.line_up(&window.found) > 2 * count + STEP or not window.found.lanes:
        return False
    window.way.settle(&window.found, &window.rows, &next_window, &window.left)
    leave_now(columns, window)
    window.way.put(&window.found, count, columns.beside, &next_window)
    settle_apart(columns, window)
    return True
