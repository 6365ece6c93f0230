/* Is included once a set of instructions, behind its names of them; see abreast.h. */

/* What lanes hold, and what the round before booked and moved. */
typedef struct {
    ABREAST_INTS held[HELD], balance, was[8];
} ABREAST_NAME(abreast_group);

/* Settles a round of a group: ``row`` is what its rows say, and afterwards what they book; returns what of the results
   went too far. */
static inline __attribute__((always_inline)) ABREAST_INTS ABREAST_NAME(abreast_round)(
    ABREAST_NAME(abreast_group) *group, const ABREAST_INTS said[12], ABREAST_INTS row[ROW]
) {
    const ABREAST_INTS none = ABREAST_ALL(0);
    ABREAST_INTS *held = group->held, *was = group->was;
    ABREAST_INTS claimed = row[R_INSCP], says = said[T_SAYS];
    ABREAST_MASK refund = ABREAST_ABOVE(none, row[R_PRESELF]);
    ABREAST_MASK annual = ABREAST_SAYS(says, SAYS_ANNUAL), inside = ABREAST_SAYS(says, SAYS_INSIDE);
    ABREAST_MASK in_0 = ABREAST_SAYS(says, SAYS_PLACED), in_1 = ABREAST_SAYS(says, SAYS_PLACED << 1);
    ABREAST_MASK in_2 = ABREAST_SAYS(says, SAYS_PLACED << 2), in_3 = ABREAST_SAYS(says, SAYS_PLACED << 3);
    ABREAST_INTS *placed = held + H_PLACED;
    ABREAST_INTS base = claimed - ABREAST_NAME(abreast_share)(claimed, ABREAST_SHIFTED(says, SAYS_FIRST_AT));
    ABREAST_INTS room = ABREAST_MOST(none, said[T_CEILING] - held[H_HIFP]);
    ABREAST_INTS owed = ABREAST_MOST(
        said[T_FLOOR],
        said[T_AMOUNT] - said[T_LESS] * held[H_STAYS] - ABREAST_WHERE(annual, held[H_COUNTED])
    );
    ABREAST_MASK owes = ABREAST_ABOVE(room, none) | ABREAST_NOT(ABREAST_SAYS(says, SAYS_WAIVED));
    ABREAST_INTS dedc = ABREAST_WHERE(owes, ABREAST_LEAST(owed, base));
    ABREAST_INTS of_kind = ABREAST_WHERE(in_0, placed[0]) | ABREAST_WHERE(in_1, placed[1])
                         | ABREAST_WHERE(in_2, placed[2]) | ABREAST_WHERE(in_3, placed[3]);
    ABREAST_INTS of_all = placed[0] + placed[1] + placed[2] + placed[3];
    ABREAST_INTS start = ABREAST_WHERE(ABREAST_SAYS(says, SAYS_BEGINS), of_kind)
                       + ABREAST_WHERE(ABREAST_SAYS(says, SAYS_BEGINS_ALL), of_all) + ABREAST_WHERE(inside, dedc);
    ABREAST_INTS stop = start + base - dedc;
    ABREAST_INTS to_0 = ABREAST_LEAST(stop, said[T_EDGE]) - ABREAST_LEAST(start, said[T_EDGE]);
    ABREAST_INTS to_1 = ABREAST_LEAST(stop, said[T_EDGE + 1]) - ABREAST_LEAST(start, said[T_EDGE + 1]);
    ABREAST_INTS to_2 = ABREAST_LEAST(stop, said[T_EDGE + 2]) - ABREAST_LEAST(start, said[T_EDGE + 2]);
    ABREAST_INTS paid = ABREAST_NAME(abreast_shares)(
        to_0, to_1 - to_0, to_2 - to_1, stop - start - to_2, said[T_LOWER], said[T_UPPER]
    );
    ABREAST_INTS pays = ABREAST_LEAST(paid, room), part = row[R_DUE] - pays;
    ABREAST_INTS may = ABREAST_WHERE(ABREAST_SAYS(says, SAYS_IN_SCOPE), claimed - pays)
                     + ABREAST_WHERE(ABREAST_SAYS(says, SAYS_PRESELF) & ABREAST_NOT(refund), row[R_PRESELF])
                     - ABREAST_WHERE(ABREAST_SAYS(says, SAYS_NOT_DEDUCTIBLE), dedc);
    ABREAST_INTS acct = ABREAST_MOST(none, ABREAST_LEAST(ABREAST_LEAST(group->balance, may), part));
    ABREAST_MASK stays = ABREAST_SAYS(says, SAYS_STAY) & ABREAST_NOT(refund)
                       & (ABREAST_SAYS(says, SAYS_BELOW_COUNTS) | ABREAST_ABOVE(base, dedc));
    ABREAST_INTS fault = part;
    /* Of a refund, whose amounts are 0, all of these are 0: it takes back what the round before it did. */
    row[B_DEDC] = was[0] = dedc - ABREAST_WHERE(refund, was[0]);
    row[B_HIFP] = was[1] = pays - ABREAST_WHERE(refund, was[1]);
    row[B_PART] = was[2] = part - ABREAST_WHERE(refund, was[2]);
    row[B_ACCT] = was[3] = acct - ABREAST_WHERE(refund, was[3]);
    was[4] = base - ABREAST_WHERE(ABREAST_NOT(inside), dedc) - ABREAST_WHERE(refund, was[4]);
    was[5] = ABREAST_WHERE(annual, dedc) - ABREAST_WHERE(refund, was[5]);
    was[6] = ABREAST_WHERE(stays, ABREAST_ALL(1)) - ABREAST_WHERE(refund, was[6]);
    was[7] = claimed - ABREAST_WHERE(refund, was[7]);
    placed[0] += ABREAST_WHERE(in_0, was[4]);
    placed[1] += ABREAST_WHERE(in_1, was[4]);
    placed[2] += ABREAST_WHERE(in_2, was[4]);
    placed[3] += ABREAST_WHERE(in_3, was[4]);
    held[H_STAYS] += was[6];
    held[H_COUNTED] += was[5];
    held[H_HIFP] += was[1];
    held[H_INSCP] += was[7];
    group->balance -= was[3];
    fault |= held[H_STAYS] << (AMOUNT_BITS - STAYS_BITS) | held[H_COUNTED] | held[H_HIFP] | held[H_INSCP];
    return fault | (placed[0] + placed[1] + placed[2] + placed[3]);
}

/* Settles a group of lanes, the first of them the longest run; returns whether something went too far: then nothing of
   it is written. */
static int ABREAST_NAME(abreast_group_settled)(
    abreast_window *window, const abreast_rows *rows, const int32_t *order, size_t lanes, abreast_next *next
) {
    ABREAST_NAME(abreast_group) group;
    int64_t *year[ABREAST_WIDE], *account[ABREAST_WIDE];
    int32_t begins[ABREAST_WIDE], length[ABREAST_WIDE], at[ABREAST_WIDE], plan[ABREAST_WIDE];
    ABREAST_INTS said[12], row[ROW], fault, first, many;
    for (size_t lane = 0; lane < ABREAST_WIDE; lane++) {
        int64_t person = window->person[order[lane < lanes ? lane : 0]];
        year[lane] = lane < lanes ? rows->years + person * HELD : window->nobody;
        account[lane] = lane < lanes ? rows->accounts + rows->holder[person] : &window->nothing;
        begins[lane] = window->begins[order[lane < lanes ? lane : 0]];
        length[lane] = lane < lanes ? window->length[order[lane]] : 0;
    }
    if (ABREAST_NAME(abreast_take)(year, account, group.held, &group.balance)) return 1;
    fault = group.held[H_PLACED] + group.held[H_PLACED + 1] + group.held[H_PLACED + 2] + group.held[H_PLACED + 3];
    for (int number = 0; number < 8; number++) group.was[number] = ABREAST_ALL(0);
    first = ABREAST_LOAD(begins), many = ABREAST_LOAD(length);
    for (int32_t round = 0; round < length[0]; round++) {
        ABREAST_STORE(at, ABREAST_CHOSEN(ABREAST_ABOVE(many, ABREAST_ALL(round)), first + round, ABREAST_ALL(WINDOW)));
        ABREAST_NAME(abreast_words)(window->row[0], at, ROW, row);
        ABREAST_STORE(plan, row[R_SAID]);
        abreast_ask(next);
        abreast_ask(next);
        for (int words = 0; words < 12; words += 4)
            ABREAST_NAME(abreast_words)(
                (const int32_t *)rows->terms + words, plan, sizeof(abreast_terms) / sizeof(int32_t), said + words
            );
        fault |= ABREAST_NAME(abreast_round)(&group, said, row);
        ABREAST_NAME(abreast_book)(window->row[0], at, row);
    }
    if (ABREAST_ANY(ABREAST_SHIFTED(fault, AMOUNT_BITS))) return 1;
    ABREAST_NAME(abreast_give)(year, account, group.held, group.balance);
    return 0;
}

static void ABREAST_NAME(abreast_settle)(
    abreast_window *window, const abreast_rows *rows, uint8_t *apart, abreast_next *next
) {
    memset(window->row[WINDOW], 0, sizeof(window->row[WINDOW]));
    memset(window->nobody, 0, sizeof(window->nobody));
    window->nothing = 0;
    for (size_t first = 0; first < window->lanes; first += ABREAST_WIDE) {
        size_t lanes = window->lanes - first < ABREAST_WIDE ? window->lanes - first : ABREAST_WIDE;
        if (ABREAST_NAME(abreast_group_settled)(window, rows, window->order + first, lanes, next))
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
