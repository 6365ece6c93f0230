/* Is included once a set of instructions, behind its names of them; see abreast.h. */

/* Lets a line of each column leave, of what the window before booked: a few at a time, as memory takes them. */
static inline void ABREAST_NAME(abreast_leave_some)(abreast_left *left) {
    if (left->at == left->lines) return;
    for (size_t column = 0; column < BOOKED; column++)
        ABREAST_NAME(abreast_past)(left->to[column] + 8 * left->at, left->from[column] + 8 * left->at);
    left->at++;
}

static void ABREAST_NAME(abreast_leave)(abreast_left *left) {
    while (left->at < left->lines) ABREAST_NAME(abreast_leave_some)(left);
}

/* What lanes hold, and what the round before booked and moved; what went too far is kept in ``fault``. */
typedef struct {
    ABREAST_INTS held[HELD], balance, fault, was[8];
} ABREAST_NAME(abreast_group);

/* The same, as far as usual plans ask for it or move it: few enough to stay in registers. */
typedef struct {
    ABREAST_INTS stays, placed, elsewhere, hifp, inscp, balance, fault, dedc, pays, part, acct, places, claimed;
} ABREAST_NAME(abreast_usual);

static inline __attribute__((always_inline)) void ABREAST_NAME(abreast_usual_of)(
    ABREAST_NAME(abreast_usual) *now, const ABREAST_NAME(abreast_group) *group
) {
    const ABREAST_INTS *held = group->held, *was = group->was, *placed = held + H_PLACED;
    now->stays = held[H_STAYS], now->placed = placed[0], now->elsewhere = placed[1] + placed[2] + placed[3];
    now->hifp = held[H_HIFP], now->inscp = held[H_INSCP], now->balance = group->balance, now->fault = group->fault;
    now->dedc = was[0], now->pays = was[1], now->part = was[2], now->acct = was[3];
    now->places = was[4], now->claimed = was[7];
}

static inline __attribute__((always_inline)) void ABREAST_NAME(abreast_usual_into)(
    const ABREAST_NAME(abreast_usual) *now, ABREAST_NAME(abreast_group) *group
) {
    ABREAST_INTS *held = group->held, *was = group->was;
    held[H_STAYS] = now->stays, held[H_PLACED] = now->placed;
    held[H_HIFP] = now->hifp, held[H_INSCP] = now->inscp, group->balance = now->balance, group->fault = now->fault;
    was[0] = now->dedc, was[1] = now->pays, was[2] = now->part, was[3] = now->acct;
    was[4] = now->places, was[7] = now->claimed;
}

/* Settles a round of a group. */
static __attribute__((noinline)) void ABREAST_NAME(abreast_round)(
    ABREAST_NAME(abreast_group) *group, const abreast_more *more, const ABREAST_INTS said[TERMS],
    const ABREAST_INTS row[ROW]
) {
    const ABREAST_INTS none = ABREAST_ALL(0), one = ABREAST_ALL(1);
    const ABREAST_INTS edge = ABREAST_AT(&more->edge, sizeof(abreast_more) / 4, row[R_SAID]);
    const ABREAST_INTS ratio = ABREAST_AT(&more->ratio, sizeof(abreast_more) / 4, row[R_SAID]);
    ABREAST_INTS *held = group->held, *was = group->was, *placed = held + H_PLACED;
    ABREAST_INTS claimed = row[R_INSCP], says = said[T_SAYS], less = ABREAST_SHIFTED(said[T_UPPER], RATIO_BITS);
    ABREAST_MASK refund = ABREAST_ABOVE(none, row[R_PRESELF]);
    ABREAST_MASK annual = ABREAST_SAYS(says, SAYS_ANNUAL), inside = ABREAST_SAYS(says, SAYS_INSIDE);
    ABREAST_INTS base = claimed - ABREAST_NAME(abreast_share)(claimed, ABREAST_SHIFTED(says, SAYS_FIRST_AT));
    ABREAST_INTS room = ABREAST_MOST(none, said[T_CEILING] - held[H_HIFP]);
    ABREAST_INTS counted = ABREAST_WHERE(annual, held[H_COUNTED]);
    ABREAST_INTS owed = ABREAST_MOST(said[T_FLOOR], said[T_AMOUNT] - less * held[H_STAYS] - counted);
    ABREAST_MASK owes = ABREAST_ABOVE(room, none) | ABREAST_NOT(ABREAST_SAYS(says, SAYS_WAIVED));
    ABREAST_INTS dedc = ABREAST_WHERE(owes, ABREAST_LEAST(owed, base));
    ABREAST_INTS of_kind = none, of_all = placed[0] + placed[1] + placed[2] + placed[3], start, stop, paid, may;
    for (int at = 0; at < 4; at++) of_kind |= ABREAST_WHERE(ABREAST_SAYS(says, SAYS_PLACED << at), placed[at]);
    start = ABREAST_WHERE(ABREAST_SAYS(says, SAYS_BEGINS), of_kind)
          + ABREAST_WHERE(ABREAST_SAYS(says, SAYS_BEGINS_ALL), of_all) + ABREAST_WHERE(inside, dedc);
    stop = start + base - dedc;
    ABREAST_INTS to_0 = ABREAST_LEAST(stop, said[T_EDGE]) - ABREAST_LEAST(start, said[T_EDGE]);
    ABREAST_INTS to_1 = ABREAST_LEAST(stop, said[T_EDGE + 1]) - ABREAST_LEAST(start, said[T_EDGE + 1]);
    ABREAST_INTS to_2 = ABREAST_LEAST(stop, edge) - ABREAST_LEAST(start, edge);
    paid = ABREAST_NAME(abreast_shares)(to_0, to_1 - to_0, to_2 - to_1, said[T_LOWER], said[T_UPPER])
         + ABREAST_NAME(abreast_share)(stop - start - to_2, ratio);
    ABREAST_INTS pays = ABREAST_LEAST(paid, room), part = row[R_DUE] - pays;
    may = ABREAST_WHERE(ABREAST_SAYS(says, SAYS_IN_SCOPE), claimed - pays)
        + ABREAST_WHERE(ABREAST_SAYS(says, SAYS_PRESELF), ABREAST_MOST(none, row[R_PRESELF]))
        - ABREAST_WHERE(ABREAST_SAYS(says, SAYS_NOT_DEDUCTIBLE), dedc);
    ABREAST_INTS acct = ABREAST_MOST(none, ABREAST_LEAST(ABREAST_LEAST(group->balance, may), part));
    ABREAST_MASK stays = ABREAST_SAYS(says, SAYS_STAY) & ABREAST_NOT(refund)
                       & (ABREAST_SAYS(says, SAYS_BELOW_COUNTS) | ABREAST_ABOVE(base, dedc));
    group->fault |= part;
    /* Of a refund, whose amounts are 0, all of these are 0: it takes back what the round before it did. A round of usual
       plans does not say what it counted and whether it was a stay: the one if a refund's plan, which is its claim's, says
       so, the other always. */
    was[0] = ABREAST_LESS_WHERE(refund, dedc, was[0]);
    was[1] = ABREAST_LESS_WHERE(refund, pays, was[1]);
    was[2] = ABREAST_LESS_WHERE(refund, part, was[2]);
    was[3] = ABREAST_LESS_WHERE(refund, acct, was[3]);
    was[4] = ABREAST_LESS_WHERE(refund, base - ABREAST_WHERE(ABREAST_NOT(inside), dedc), was[4]);
    was[5] = ABREAST_WHERE(annual, ABREAST_LESS_WHERE(refund, dedc, was[5]));
    was[6] = ABREAST_CHOSEN(ABREAST_SAYS(says, SAYS_USUAL), one, was[6]);
    was[6] = ABREAST_LESS_WHERE(refund, ABREAST_WHERE(stays, one), was[6]);
    was[7] = ABREAST_LESS_WHERE(refund, claimed, was[7]);
    for (int at = 0; at < 4; at++) placed[at] += ABREAST_WHERE(ABREAST_SAYS(says, SAYS_PLACED << at), was[4]);
    held[H_STAYS] += was[6];
    held[H_COUNTED] += was[5];
    held[H_HIFP] += was[1];
    held[H_INSCP] += was[7];
    group->balance -= was[3];
    group->fault |= held[H_COUNTED] | held[H_HIFP] | held[H_INSCP] | (of_all + was[4]);
}

/* The same where all plans are usual, without what they do not ask for. Each claim is a stay, 1, which its refund, whose plan
   says so too, takes back: 1 - 2. */
static inline __attribute__((always_inline)) void ABREAST_NAME(abreast_usual_round)(
    ABREAST_NAME(abreast_usual) *now, const ABREAST_INTS said[TERMS], const ABREAST_INTS row[ROW]
) {
    const ABREAST_INTS none = ABREAST_ALL(0);
    ABREAST_INTS claimed = row[R_INSCP], says = said[T_SAYS], less = ABREAST_SHIFTED(said[T_UPPER], RATIO_BITS);
    ABREAST_MASK refund = ABREAST_ABOVE(none, row[R_PRESELF]);
    ABREAST_INTS base = claimed - ABREAST_NAME(abreast_share)(claimed, ABREAST_SHIFTED(says, SAYS_FIRST_AT));
    ABREAST_INTS room = ABREAST_MOST(none, said[T_CEILING] - now->hifp);
    ABREAST_INTS owed = ABREAST_MOST(said[T_FLOOR], said[T_AMOUNT] - less * now->stays);
    ABREAST_INTS dedc = ABREAST_WHERE(ABREAST_ABOVE(room, none), ABREAST_LEAST(owed, base)), places = base - dedc;
    ABREAST_INTS start = ABREAST_WHERE(ABREAST_SAYS(says, SAYS_BEGINS), now->placed), stop = start + places;
    ABREAST_INTS to_0 = ABREAST_LEAST(stop, said[T_EDGE]) - ABREAST_LEAST(start, said[T_EDGE]);
    ABREAST_INTS to_1 = ABREAST_LEAST(stop, said[T_EDGE + 1]) - ABREAST_LEAST(start, said[T_EDGE + 1]);
    ABREAST_INTS paid = ABREAST_NAME(abreast_shares)(to_0, to_1 - to_0, places - to_1, said[T_LOWER], said[T_UPPER]);
    ABREAST_INTS pays = ABREAST_LEAST(paid, room), part = row[R_DUE] - pays;
    ABREAST_INTS may = claimed - pays + ABREAST_MOST(none, row[R_PRESELF]);
    may = ABREAST_WHERE(ABREAST_SAYS(says, SAYS_IN_SCOPE), may);
    ABREAST_INTS acct = ABREAST_MOST(none, ABREAST_LEAST(ABREAST_LEAST(now->balance, may), part));
    now->fault |= part;
    now->dedc = ABREAST_LESS_WHERE(refund, dedc, now->dedc);
    now->pays = ABREAST_LESS_WHERE(refund, pays, now->pays);
    now->part = ABREAST_LESS_WHERE(refund, part, now->part);
    now->acct = ABREAST_LESS_WHERE(refund, acct, now->acct);
    now->places = ABREAST_LESS_WHERE(refund, places, now->places);
    now->claimed = ABREAST_LESS_WHERE(refund, claimed, now->claimed);
    now->placed += now->places;
    now->stays += ABREAST_LESS_WHERE(refund, says & SAYS_STAY, ABREAST_ALL(2 * SAYS_STAY));
    now->hifp += now->pays;
    now->inscp += now->claimed;
    now->balance -= now->acct;
    now->fault |= now->hifp | now->inscp | (now->placed + now->elsewhere);
}

/* A round of a group on its way: what its rows say, their plans in bytes from the first (of PLANS_BITS), and what these
   say. */
typedef struct {
    ABREAST_INTS row[ROW], said[TERMS];
    uint32_t plan[ABREAST_WIDE];
} ABREAST_NAME(abreast_step);

/* Lays out where the rows of each round of each group are, in bytes from the first; lanes whose runs are shorter have a
   row that is none, each round another one of them: so none is asked for that has just been written. Two rounds of none
   follow. */
static void ABREAST_NAME(abreast_lay_out)(abreast_window *window) {
    const int32_t bytes = sizeof(window->row[0]);
    uint32_t *place = window->place;
    int32_t none = WINDOW;
    for (size_t first = 0; first < window->lanes; first += ABREAST_WIDE) {
        const ABREAST_INTS runs = ABREAST_LOAD(window->order + first);
        const ABREAST_INTS length = ABREAST_AT(window->length, 1, runs);
        ABREAST_INTS here = ABREAST_AT(window->begins, 1, runs) * bytes;
        for (int32_t round = 0; round < window->length[window->order[first]]; round++) {
            ABREAST_STORE(place, ABREAST_CHOSEN(ABREAST_ABOVE(length, ABREAST_ALL(round)), here, ABREAST_ALL(none * bytes)));
            here += bytes;
            none = WINDOW + (none + 1) % STEP;
            place += ABREAST_WIDE;
        }
    }
    for (int lane = 0; lane < 2 * ABREAST_WIDE; lane++) place[lane] = WINDOW * bytes;
}

/* Takes the rows of a round. */
static inline __attribute__((always_inline)) void ABREAST_NAME(abreast_take_rows)(
    const abreast_window *window, const uint32_t *place, ABREAST_NAME(abreast_step) *step
) {
    ABREAST_NAME(abreast_four)(window->row, place, step->row);
    ABREAST_STORE(step->plan, step->row[R_SAID] * (int32_t)sizeof(abreast_terms));
    ABREAST_FROM_MEMORY(step->plan);
}

/* Settles the lanes, group by group and round by round. Rows are taken two rounds ahead of their use and what their plans
   say one, whichever group's they are: where they are goes through memory, which takes its time. */
static void ABREAST_NAME(abreast_settle)(
    abreast_window *window, const abreast_rows *rows, abreast_next *next, abreast_left *left
) {
    ABREAST_NAME(abreast_step) steps[4];
    const uint32_t *place = window->place;
    size_t turn = 0;
    memset(window->row[WINDOW], 0, STEP * sizeof(window->row[0]));
    memset(window->nobody, 0, sizeof(window->nobody));
    window->begins[NOBODY] = WINDOW;
    window->length[NOBODY] = window->balance[NOBODY] = 0;
    for (size_t lane = window->lanes; lane < window->lanes + ABREAST_WIDE; lane++) window->order[lane] = NOBODY;
    ABREAST_NAME(abreast_lay_out)(window);
    ABREAST_NAME(abreast_take_rows)(window, place, &steps[0]);
    ABREAST_NAME(abreast_take_rows)(window, place + ABREAST_WIDE, &steps[1]);
    ABREAST_NAME(abreast_eight)(rows->terms, steps[0].plan, steps[0].said);
    for (size_t first = 0; first < window->lanes; first += ABREAST_WIDE) {
        const int32_t *order = window->order + first;
        size_t lanes = window->lanes - first < ABREAST_WIDE ? window->lanes - first : ABREAST_WIDE;
        ABREAST_NAME(abreast_group) group;
        ABREAST_NAME(abreast_usual) now;
        int64_t *year[ABREAST_WIDE];
        for (size_t lane = 0; lane < lanes; lane++) year[lane] = rows->years + window->person[order[lane]] * HELD;
        for (size_t lane = lanes; lane < ABREAST_WIDE; lane++) year[lane] = window->nobody;
        int beyond = ABREAST_NAME(abreast_take)(year, group.held);
        /* Of no refund, as none is the first of its lane; what stands there does not matter. */
        memcpy(group.was, group.held, sizeof(group.was));
        group.balance = ABREAST_AT(window->balance, 1, ABREAST_LOAD(order));
        group.fault = group.held[H_PLACED] + group.held[H_PLACED + 1] + group.held[H_PLACED + 2] + group.held[H_PLACED + 3];
        ABREAST_NAME(abreast_usual_of)(&now, &group);
        for (int32_t round = 0; round < window->length[order[0]]; round++) {
            ABREAST_NAME(abreast_step) *step = &steps[turn % 4], *ahead = &steps[(turn + 1) % 4];
            ABREAST_NAME(abreast_eight)(rows->terms, ahead->plan, ahead->said);
            ABREAST_NAME(abreast_take_rows)(window, place + 2 * ABREAST_WIDE, &steps[(turn + 2) % 4]);
            abreast_ask(next);
            ABREAST_NAME(abreast_leave_some)(left);
            if (!ABREAST_ANY(~step->said[T_SAYS] & SAYS_USUAL)) {
                ABREAST_NAME(abreast_usual_round)(&now, step->said, step->row);
            } else {
                ABREAST_NAME(abreast_usual_into)(&now, &group);
                ABREAST_NAME(abreast_round)(&group, rows->more, step->said, step->row);
                ABREAST_NAME(abreast_usual_of)(&now, &group);
            }
            const ABREAST_INTS booked[ROW] = {now.dedc, now.pays, now.part, now.acct};
            ABREAST_NAME(abreast_book)(window->row, place, booked);
            place += ABREAST_WIDE;
            turn++;
        }
        ABREAST_NAME(abreast_usual_into)(&now, &group);
        group.fault |= group.held[H_STAYS] << (AMOUNT_BITS - STAYS_BITS);
        if (beyond || ABREAST_ANY(ABREAST_SHIFTED(group.fault, AMOUNT_BITS))) {
            for (size_t lane = 0; lane < lanes; lane++) window->apart[order[lane]] = 1;
        } else {
            ABREAST_NAME(abreast_give)(year, group.held);
            for (size_t lane = 0; lane < lanes; lane++) rows->accounts[window->account[order[lane]]] = group.balance[lane];
        }
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
