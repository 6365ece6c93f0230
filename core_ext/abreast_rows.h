/* Is included once a set of instructions, behind its names of them; see abreast.h. */

/* What lanes hold, and what the round before booked and moved. */
typedef struct {
    ABREAST_INTS held[HELD], balance, was[8];
} ABREAST_NAME(abreast_group);

/* Settles a round of a group: ``row`` is what its rows say, and afterwards what they book; returns what of the results
   went too far. ``usual``: whether all of its plans are. */
static inline __attribute__((always_inline)) ABREAST_INTS ABREAST_NAME(abreast_round)(
    ABREAST_NAME(abreast_group) *group, const ABREAST_INTS said[TERMS], ABREAST_INTS edge, ABREAST_INTS ratio,
    ABREAST_INTS row[ROW], const int usual
) {
    const ABREAST_INTS none = ABREAST_ALL(0);
    ABREAST_INTS *held = group->held, *was = group->was, *placed = held + H_PLACED;
    ABREAST_INTS claimed = row[R_INSCP], says = said[T_SAYS], less = ABREAST_SHIFTED(said[T_UPPER], RATIO_BITS);
    ABREAST_MASK refund = ABREAST_ABOVE(none, row[R_PRESELF]);
    ABREAST_MASK annual = ABREAST_SAYS(says, SAYS_ANNUAL), inside = ABREAST_SAYS(says, SAYS_INSIDE);
    ABREAST_INTS base = claimed - ABREAST_NAME(abreast_share)(claimed, ABREAST_SHIFTED(says, SAYS_FIRST_AT));
    ABREAST_INTS room = ABREAST_MOST(none, said[T_CEILING] - held[H_HIFP]);
    ABREAST_INTS counted = usual ? none : ABREAST_WHERE(annual, held[H_COUNTED]);
    ABREAST_INTS owed = ABREAST_MOST(said[T_FLOOR], said[T_AMOUNT] - less * held[H_STAYS] - counted);
    ABREAST_MASK owes = usual ? ABREAST_ABOVE(room, none)
                              : ABREAST_ABOVE(room, none) | ABREAST_NOT(ABREAST_SAYS(says, SAYS_WAIVED));
    ABREAST_INTS dedc = ABREAST_WHERE(owes, ABREAST_LEAST(owed, base));
    ABREAST_INTS of_kind = placed[0], of_all = placed[0] + placed[1] + placed[2] + placed[3], start, stop, paid, may;
    if (!usual) {
        of_kind = none;
        for (int at = 0; at < 4; at++) of_kind |= ABREAST_WHERE(ABREAST_SAYS(says, SAYS_PLACED << at), placed[at]);
    }
    start = ABREAST_WHERE(ABREAST_SAYS(says, SAYS_BEGINS), of_kind);
    if (!usual) start += ABREAST_WHERE(ABREAST_SAYS(says, SAYS_BEGINS_ALL), of_all) + ABREAST_WHERE(inside, dedc);
    stop = start + base - dedc;
    ABREAST_INTS to_0 = ABREAST_LEAST(stop, said[T_EDGE]) - ABREAST_LEAST(start, said[T_EDGE]);
    ABREAST_INTS to_1 = ABREAST_LEAST(stop, said[T_EDGE + 1]) - ABREAST_LEAST(start, said[T_EDGE + 1]);
    ABREAST_INTS to_2 = usual ? stop - start : ABREAST_LEAST(stop, edge) - ABREAST_LEAST(start, edge);
    paid = ABREAST_NAME(abreast_shares)(to_0, to_1 - to_0, to_2 - to_1, said[T_LOWER], said[T_UPPER]);
    if (!usual) paid += ABREAST_NAME(abreast_share)(stop - start - to_2, ratio);
    ABREAST_INTS pays = ABREAST_LEAST(paid, room), part = row[R_DUE] - pays, fault = part;
    ABREAST_INTS preself = ABREAST_WHERE(ABREAST_NOT(refund), row[R_PRESELF]);
    if (usual) {
        may = ABREAST_WHERE(ABREAST_SAYS(says, SAYS_IN_SCOPE), claimed - pays + preself);
    } else {
        may = ABREAST_WHERE(ABREAST_SAYS(says, SAYS_IN_SCOPE), claimed - pays)
            + ABREAST_WHERE(ABREAST_SAYS(says, SAYS_PRESELF), preself)
            - ABREAST_WHERE(ABREAST_SAYS(says, SAYS_NOT_DEDUCTIBLE), dedc);
    }
    ABREAST_INTS acct = ABREAST_MOST(none, ABREAST_LEAST(ABREAST_LEAST(group->balance, may), part));
    ABREAST_MASK stays = ABREAST_SAYS(says, SAYS_STAY) & ABREAST_NOT(refund);
    if (!usual) stays = stays & (ABREAST_SAYS(says, SAYS_BELOW_COUNTS) | ABREAST_ABOVE(base, dedc));
    /* Of a refund, whose amounts are 0, all of these are 0: it takes back what the round before it did. */
    row[B_DEDC] = was[0] = ABREAST_LESS_WHERE(refund, dedc, was[0]);
    row[B_HIFP] = was[1] = ABREAST_LESS_WHERE(refund, pays, was[1]);
    row[B_PART] = was[2] = ABREAST_LESS_WHERE(refund, part, was[2]);
    row[B_ACCT] = was[3] = ABREAST_LESS_WHERE(refund, acct, was[3]);
    was[4] = ABREAST_LESS_WHERE(refund, base - (usual ? dedc : ABREAST_WHERE(ABREAST_NOT(inside), dedc)), was[4]);
    was[5] = usual ? none : ABREAST_LESS_WHERE(refund, ABREAST_WHERE(annual, dedc), was[5]);
    was[6] = ABREAST_LESS_WHERE(refund, ABREAST_WHERE(stays, ABREAST_ALL(1)), was[6]);
    was[7] = ABREAST_LESS_WHERE(refund, claimed, was[7]);
    if (usual) {
        placed[0] += was[4];
    } else {
        for (int at = 0; at < 4; at++) placed[at] += ABREAST_WHERE(ABREAST_SAYS(says, SAYS_PLACED << at), was[4]);
        held[H_COUNTED] += was[5];
    }
    held[H_STAYS] += was[6];
    held[H_HIFP] += was[1];
    held[H_INSCP] += was[7];
    group->balance -= was[3];
    fault |= held[H_STAYS] << (AMOUNT_BITS - STAYS_BITS) | held[H_COUNTED] | held[H_HIFP] | held[H_INSCP];
    return fault | (of_all + was[4]);
}

/* Takes the k-th rows of a group, and where they are, and their plans; lanes whose runs are shorter have the row that is
   none. */
static inline void ABREAST_NAME(abreast_next_row)(
    const abreast_window *window, ABREAST_INTS begins, ABREAST_INTS length, int32_t round, int32_t *at, int32_t *plan,
    ABREAST_INTS row[ROW]
) {
    ABREAST_STORE(at, ABREAST_CHOSEN(ABREAST_ABOVE(length, ABREAST_ALL(round)), begins + round, ABREAST_ALL(WINDOW)));
    ABREAST_FROM_MEMORY(at);
    ABREAST_NAME(abreast_four)(window->row[0], at, row);
    ABREAST_STORE(plan, row[R_SAID]);
    ABREAST_FROM_MEMORY(plan);
}

/* Settles the k-th rows of a group, for every k; returns what of the results went too far. Rows are taken a round ahead:
   where they are and which their plans are goes through memory, which takes its time. */
static inline __attribute__((always_inline)) ABREAST_INTS ABREAST_NAME(abreast_rounds)(
    ABREAST_NAME(abreast_group) *group, abreast_window *window, const abreast_rows *rows, ABREAST_INTS runs,
    int32_t rounds, abreast_next *next, abreast_left *left
) {
    const ABREAST_INTS begins = ABREAST_AT(window->begins, 1, runs), length = ABREAST_AT(window->length, 1, runs);
    ABREAST_INTS said[TERMS], row[ROW], ahead[ROW], fault = ABREAST_ALL(0);
    int32_t at[2][ABREAST_WIDE], plan[2][ABREAST_WIDE];
    ABREAST_NAME(abreast_next_row)(window, begins, length, 0, at[0], plan[0], ahead);
    for (int32_t round = 0; round < rounds; round++) {
        const int turn = round & 1;
        for (int number = 0; number < ROW; number++) row[number] = ahead[number];
        ABREAST_NAME(abreast_eight)((const int32_t *)rows->terms, plan[turn], said);
        ABREAST_NAME(abreast_next_row)(window, begins, length, round + 1, at[!turn], plan[!turn], ahead);
        abreast_ask(next);
        ABREAST_NAME(abreast_leave_some)(left);
        if (!ABREAST_ANY(~said[T_SAYS] & SAYS_USUAL)) {
            fault |= ABREAST_NAME(abreast_round)(group, said, said[0], said[0], row, 1);
        } else {
            ABREAST_INTS edge = ABREAST_AT(&rows->more->edge, sizeof(abreast_more) / 4, row[R_SAID]);
            ABREAST_INTS ratio = ABREAST_AT(&rows->more->ratio, sizeof(abreast_more) / 4, row[R_SAID]);
            fault |= ABREAST_NAME(abreast_round)(group, said, edge, ratio, row, 0);
        }
        ABREAST_NAME(abreast_book)(window->row[0], at[turn], row);
    }
    return fault;
}

/* Settles a group of lanes, the first of them the longest run; returns whether something went too far: then nothing of
   it is written. */
static int ABREAST_NAME(abreast_group_settled)(
    abreast_window *window, const abreast_rows *rows, const int32_t *order, size_t lanes, abreast_next *next,
    abreast_left *left
) {
    ABREAST_NAME(abreast_group) group;
    const ABREAST_INTS runs = ABREAST_LOAD(order);
    int64_t *year[ABREAST_WIDE];
    ABREAST_INTS fault;
    for (size_t lane = 0; lane < lanes; lane++) year[lane] = rows->years + window->person[order[lane]] * HELD;
    for (size_t lane = lanes; lane < ABREAST_WIDE; lane++) year[lane] = window->nobody;
    if (ABREAST_NAME(abreast_take)(year, group.held)) return 1;
    group.balance = ABREAST_AT(window->balance, 1, runs);
    /* Of no refund, as none is the first of its lane; what stands there does not matter. */
    memcpy(group.was, group.held, sizeof(group.was));
    fault = group.held[H_PLACED] + group.held[H_PLACED + 1] + group.held[H_PLACED + 2] + group.held[H_PLACED + 3];
    fault |= ABREAST_NAME(abreast_rounds)(&group, window, rows, runs, window->length[order[0]], next, left);
    if (ABREAST_ANY(ABREAST_SHIFTED(fault, AMOUNT_BITS))) return 1;
    ABREAST_NAME(abreast_give)(year, group.held);
    for (size_t lane = 0; lane < lanes; lane++) rows->accounts[window->account[order[lane]]] = group.balance[lane];
    return 0;
}

static void ABREAST_NAME(abreast_settle)(
    abreast_window *window, const abreast_rows *rows, uint8_t *apart, abreast_next *next, abreast_left *left
) {
    memset(window->row[WINDOW], 0, sizeof(window->row[WINDOW]));
    memset(window->nobody, 0, sizeof(window->nobody));
    window->begins[NOBODY] = WINDOW;
    window->length[NOBODY] = window->balance[NOBODY] = 0;
    for (size_t lane = window->lanes; lane < window->lanes + ABREAST_WIDE; lane++) window->order[lane] = NOBODY;
    for (size_t first = 0; first < window->lanes; first += ABREAST_WIDE) {
        size_t lanes = window->lanes - first < ABREAST_WIDE ? window->lanes - first : ABREAST_WIDE;
        if (ABREAST_NAME(abreast_group_settled)(window, rows, window->order + first, lanes, next, left))
            for (size_t lane = 0; lane < lanes; lane++) apart[window->order[first + lane]] = 1;
    }
}

#undef ABREAST_NAME
#undef ABREAST_WIDE
#undef ABREAST_INTS
#undef ABREAST_MASK
#undef ABREAST_ALL
#undef ABREAST_LOAD
#undef ABREAST_STORE
#undef ABREAST_MOST
#undef ABREAST_LEAST
#undef ABREAST_ABOVE
#undef ABREAST_SAYS
#undef ABREAST_NOT
#undef ABREAST_WHERE
#undef ABREAST_CHOSEN
#undef ABREAST_SHIFTED
#undef ABREAST_ANY
#undef ABREAST_AT
#undef ABREAST_LESS_WHERE
