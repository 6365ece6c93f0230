/* Is included once a set of instructions; see abreast.h. Loops of the same few operations over arrays, which compilers
   turn into instructions for as many lanes as there are. */

/* Looks a window's rows over: which claim is fit to go abreast, and its amounts, 32 bits each. */
static void ABREAST_NAME(abreast_look)(const abreast_rows *rows, size_t first, size_t count, abreast_lanes *lanes) {
    const int64_t *plan = rows->plan + first, *kind = rows->kind + first;
    const int64_t *medfee = rows->medfee + first, *fulamt = rows->fulamt + first, *overlmt = rows->overlmt + first;
    const int64_t *preself = rows->preself + first, *inscp = rows->inscp + first, *hosp = rows->hosp + first;
    const int64_t last_plan = rows->plans - 1, compute = rows->compute;
    ABREAST_EACH
    for (size_t at = 0; at < count; at++) {
        uint64_t amounts = (uint64_t)(medfee[at] | fulamt[at] | overlmt[at] | preself[at] | inscp[at] | hosp[at]);
        uint64_t apart = (uint64_t)medfee[at] - (uint64_t)fulamt[at] - (uint64_t)overlmt[at] - (uint64_t)preself[at]
                       - (uint64_t)inscp[at];
        uint64_t outside = ((uint64_t)plan[at] | ((uint64_t)last_plan - (uint64_t)plan[at])) >> 63;
        uint64_t unfit = amounts >> AMOUNT_BITS | apart | outside | (uint64_t)(kind[at] ^ compute);
        int32_t fit = -(int32_t)(unfit == 0);
        lanes->said[at] = ((int32_t)plan[at] + 1) & fit;
        lanes->inscp[at] = (int32_t)inscp[at] & fit;
        lanes->preself[at] = (int32_t)preself[at] & fit;
        lanes->due[at] = (int32_t)((uint64_t)medfee[at] - (uint64_t)hosp[at]) & fit;
    }
}

/* Finds where each run of one person-year's rows begins, and which rows are not fit; returns whether rows are sorted. */
static int ABREAST_NAME(abreast_find)(const int64_t *slot, size_t count, const abreast_lanes *lanes, abreast_runs *runs) {
    size_t begins = 1, odds = 0, at = 1;
    uint32_t down = 0;
    runs->begins[0] = 0;
    runs->odd[0] = 0;
    odds += lanes->said[0] == 0;
    for (; at + 16 <= count; at += 16) {
        uint32_t apart = 0, none = 0;
        for (size_t part = 0; part < 16; part += ABREAST_WIDE / 2) {
            ABREAST_INTS here = ABREAST_LOAD(slot + at + part), before = ABREAST_LOAD(slot + at + part - 1);
            apart |= (uint32_t)ABREAST_DIFFER64(here, before) << part;
            down |= (uint32_t)ABREAST_LESS64(here, before);
        }
        for (size_t part = 0; part < 16; part += ABREAST_WIDE)
            none |= (uint32_t)ABREAST_NONE(ABREAST_LOAD(lanes->said + at + part)) << part;
        begins += ABREAST_APPEND(runs->begins + begins, apart, (int32_t)at);
        odds += ABREAST_APPEND(runs->odd + odds, none, (int32_t)at);
    }
    for (; at < count; at++) {
        runs->begins[begins] = (int32_t)at;
        begins += slot[at] != slot[at - 1];
        down |= slot[at] < slot[at - 1];
        runs->odd[odds] = (int32_t)at;
        odds += lanes->said[at] == 0;
    }
    runs->begins[begins] = (int32_t)count;
    runs->runs = begins;
    runs->odds = odds;
    return down == 0;
}

/* Takes what ``count`` lanes' years and accounts hold; returns what of it is not within what goes abreast. */
static uint64_t ABREAST_NAME(abreast_take)(const int64_t *years, const int64_t *holder, const int64_t *accounts,
                                           const int64_t *person, size_t count, abreast_lanes *lanes) {
    uint64_t fault = 0;
    for (size_t lane = 0; lane < count; lane++) {
        const int64_t *year = years + person[lane] * H_BALANCE;
        for (int at = 0; at < H_BALANCE; at++) {
            fault |= (uint64_t)year[at];
            lanes->held[at][lane] = (int32_t)year[at];
        }
        int64_t balance = accounts[holder[person[lane]]];
        fault |= (uint64_t)balance;
        fault |= (uint64_t)year[H_STAYS] << (AMOUNT_BITS - STAYS_BITS);
        fault |= (uint64_t)(year[H_PLACED] + year[H_PLACED + 1] + year[H_PLACED + 2] + year[H_PLACED + 3]);
        lanes->held[H_BALANCE][lane] = (int32_t)balance;
    }
    for (int at = 0; at < HELD; at++) memset(&lanes->held[at][count], 0, STEP * sizeof(int32_t));
    return fault >> AMOUNT_BITS;
}

/* Brings together a round's rows and what their plans say; lanes from ``width`` on have none. */
static void ABREAST_NAME(abreast_gather)(abreast_lanes *lanes, const abreast_terms *terms, int32_t round, int32_t width,
                                         int32_t whole, abreast_next *next) {
    int32_t *row = lanes->row;
    for (int32_t lane = 0; lane < width; lane++) row[lane] = lanes->begins[lane] + round;
    for (int32_t lane = width; lane < whole; lane++) row[lane] = WINDOW;
    for (int32_t lane = 0; lane < whole; lane += ABREAST_WIDE) {
        ABREAST_INTS rows = ABREAST_LOAD(row + lane);
        ABREAST_STORE(lanes->plan + lane, ABREAST_AT(lanes->said, rows));
        ABREAST_STORE(lanes->of_inscp + lane, ABREAST_AT(lanes->inscp, rows));
        ABREAST_STORE(lanes->of_preself + lane, ABREAST_AT(lanes->preself, rows));
        ABREAST_STORE(lanes->of_due + lane, ABREAST_AT(lanes->due, rows));
    }
    for (int32_t lane = 0; lane < whole; lane += ABREAST_WIDE) {
        const int32_t *plan = lanes->plan + lane;
        abreast_ask(next);
        abreast_ask(next);
        for (int part = 0; part < 3; part++) {
            ABREAST_INTS a = ABREAST_FOUR(terms, plan, part), b = ABREAST_FOUR(terms, plan + 1, part);
            ABREAST_INTS c = ABREAST_FOUR(terms, plan + 2, part), d = ABREAST_FOUR(terms, plan + 3, part);
            ABREAST_INTS ab = ABREAST_LOW(a, b), cd = ABREAST_LOW(c, d), ef = ABREAST_HIGH(a, b), gh = ABREAST_HIGH(c, d);
            ABREAST_STORE(lanes->says[4 * part] + lane, ABREAST_LOW2(ab, cd));
            ABREAST_STORE(lanes->says[4 * part + 1] + lane, ABREAST_HIGH2(ab, cd));
            ABREAST_STORE(lanes->says[4 * part + 2] + lane, ABREAST_LOW2(ef, gh));
            ABREAST_STORE(lanes->says[4 * part + 3] + lane, ABREAST_HIGH2(ef, gh));
        }
    }
}

/* Settles a round; returns what of the results went too far. */
static uint32_t ABREAST_NAME(abreast_round)(abreast_lanes *lanes, int32_t round, int32_t whole) {
    const int turn = round & 1;
    int32_t *stays = lanes->held[H_STAYS], *counted = lanes->held[H_COUNTED], *hifp = lanes->held[H_HIFP];
    int32_t *inscp = lanes->held[H_INSCP], *balance = lanes->held[H_BALANCE];
    int32_t *placed_0 = lanes->held[H_PLACED], *placed_1 = lanes->held[H_PLACED + 1];
    int32_t *placed_2 = lanes->held[H_PLACED + 2], *placed_3 = lanes->held[H_PLACED + 3];
    int32_t *out_dedc = lanes->dedc[turn], *out_hifp = lanes->hifp[turn], *out_part = lanes->part[turn];
    int32_t *out_acct = lanes->acct[turn], *out_placed = lanes->placed[turn], *out_counted = lanes->counted[turn];
    int32_t *out_stays = lanes->stays[turn], *out_scope = lanes->scope[turn];
    const int32_t *was_dedc = lanes->dedc[!turn], *was_hifp = lanes->hifp[!turn], *was_part = lanes->part[!turn];
    const int32_t *was_acct = lanes->acct[!turn], *was_placed = lanes->placed[!turn];
    const int32_t *was_counted = lanes->counted[!turn], *was_stays = lanes->stays[!turn];
    const int32_t *was_scope = lanes->scope[!turn];
    uint32_t fault = 0;
    ABREAST_EACH
    for (int32_t at = 0; at < whole; at++) {
        int32_t claimed = lanes->of_inscp[at], due = lanes->of_due[at];
        int32_t refund = lanes->of_preself[at] >> 31, preself = lanes->of_preself[at] & ~refund;
        int32_t says = lanes->says[T_SAYS][at], annual = abreast_mask(says, SAYS_ANNUAL);
        int32_t inside = abreast_mask(says, SAYS_INSIDE);
        int32_t in_0 = abreast_mask(says, SAYS_PLACED), in_1 = abreast_mask(says, SAYS_PLACED << 1);
        int32_t in_2 = abreast_mask(says, SAYS_PLACED << 2), in_3 = abreast_mask(says, SAYS_PLACED << 3);
        uint32_t lower = (uint32_t)lanes->says[T_LOWER][at], upper = (uint32_t)lanes->says[T_UPPER][at];
        int32_t edge_0 = lanes->says[T_EDGE][at], edge_1 = lanes->says[T_EDGE + 1][at], edge_2 = lanes->says[T_EDGE + 2][at];
        int32_t base = claimed - abreast_share(claimed, (uint32_t)says >> SAYS_FIRST_AT);
        int32_t room = abreast_most(0, lanes->says[T_CEILING][at] - hifp[at]);
        int32_t owed = abreast_most(lanes->says[T_FLOOR][at], lanes->says[T_AMOUNT][at] - lanes->says[T_LESS][at] * stays[at] - (counted[at] & annual));
        int32_t owes = -(int32_t)(room > 0) | ~abreast_mask(says, SAYS_WAIVED);
        int32_t dedc = abreast_least(owed, base) & owes;
        int32_t of_kind = (placed_0[at] & in_0) | (placed_1[at] & in_1) | (placed_2[at] & in_2) | (placed_3[at] & in_3);
        int32_t of_all = placed_0[at] + placed_1[at] + placed_2[at] + placed_3[at];
        int32_t start = (of_kind & abreast_mask(says, SAYS_BEGINS)) + (of_all & abreast_mask(says, SAYS_BEGINS_ALL))
                      + (dedc & inside);
        int32_t stop = start + base - dedc;
        int32_t to_0 = abreast_least(stop, edge_0) - abreast_least(start, edge_0);
        int32_t to_1 = abreast_least(stop, edge_1) - abreast_least(start, edge_1);
        int32_t to_2 = abreast_least(stop, edge_2) - abreast_least(start, edge_2);
        int32_t paid = abreast_share(to_0, lower & 65535u) + abreast_share(to_1 - to_0, lower >> 16)
                     + abreast_share(to_2 - to_1, upper & 65535u) + abreast_share(stop - start - to_2, upper >> 16);
        int32_t pays = abreast_least(paid, room), part = due - pays;
        int32_t may = ((claimed - pays) & abreast_mask(says, SAYS_IN_SCOPE)) + (preself & abreast_mask(says, SAYS_PRESELF))
                    - (dedc & abreast_mask(says, SAYS_NOT_DEDUCTIBLE));
        int32_t acct = abreast_most(0, abreast_least(abreast_least(balance[at], may), part));
        int32_t stay = abreast_mask(says, SAYS_STAY) & (abreast_mask(says, SAYS_BELOW_COUNTS) | -(int32_t)(base > dedc));
        int32_t moved, added;
        fault |= (uint32_t)part;
        /* Of a refund, whose amounts are 0, all of these are 0: it takes back what the round before it did. */
        out_dedc[at] = dedc - (was_dedc[at] & refund);
        out_hifp[at] = pays = pays - (was_hifp[at] & refund);
        out_part[at] = part - (was_part[at] & refund);
        out_acct[at] = acct = acct - (was_acct[at] & refund);
        out_placed[at] = moved = base - (dedc & ~inside) - (was_placed[at] & refund);
        out_counted[at] = added = (dedc & annual) - (was_counted[at] & refund);
        out_stays[at] = stay = (stay & ~refund & 1) - (was_stays[at] & refund);
        out_scope[at] = claimed = claimed - (was_scope[at] & refund);
        placed_0[at] += moved & in_0;
        placed_1[at] += moved & in_1;
        placed_2[at] += moved & in_2;
        placed_3[at] += moved & in_3;
        stays[at] += stay;
        counted[at] += added;
        hifp[at] += pays;
        inscp[at] += claimed;
        balance[at] -= acct;
        fault |= (uint32_t)(stays[at] << (AMOUNT_BITS - STAYS_BITS)) | (uint32_t)counted[at] | (uint32_t)hifp[at];
        fault |= (uint32_t)inscp[at] | (uint32_t)(placed_0[at] + placed_1[at] + placed_2[at] + placed_3[at]);
    }
    return fault >> AMOUNT_BITS;
}

/* Turns four rows of four numbers into four columns of them, or back. */
#define ABREAST_TURN(a, b, c, d)                                                                \
    do {                                                                                        \
        __m128i ab = _mm_unpacklo_epi32(a, b), cd = _mm_unpacklo_epi32(c, d);                   \
        __m128i ef = _mm_unpackhi_epi32(a, b), gh = _mm_unpackhi_epi32(c, d);                   \
        a = _mm_unpacklo_epi64(ab, cd), b = _mm_unpackhi_epi64(ab, cd);                         \
        c = _mm_unpacklo_epi64(ef, gh), d = _mm_unpackhi_epi64(ef, gh);                         \
    } while (0)

/* Gives the lanes' amounts of a round to its rows. */
static inline void ABREAST_NAME(abreast_give)(abreast_lanes *lanes, int32_t round, int32_t whole) {
    const int turn = round & 1;
    for (int32_t at = 0; at < whole; at += 4) {
        __m128i a = _mm_loadu_si128((const __m128i *)&lanes->dedc[turn][at]);
        __m128i b = _mm_loadu_si128((const __m128i *)&lanes->hifp[turn][at]);
        __m128i c = _mm_loadu_si128((const __m128i *)&lanes->part[turn][at]);
        __m128i d = _mm_loadu_si128((const __m128i *)&lanes->acct[turn][at]);
        ABREAST_TURN(a, b, c, d);
        _mm_storeu_si128((__m128i *)lanes->booked[lanes->row[at]], a);
        _mm_storeu_si128((__m128i *)lanes->booked[lanes->row[at + 1]], b);
        _mm_storeu_si128((__m128i *)lanes->booked[lanes->row[at + 2]], c);
        _mm_storeu_si128((__m128i *)lanes->booked[lanes->row[at + 3]], d);
    }
}

/* Settles a window's lanes, ``widths`` of them in each round; returns whether something went too far: then nothing
   counts. */
static int ABREAST_NAME(abreast_settle)(abreast_lanes *lanes, const abreast_terms *terms, const int32_t *widths,
                                        size_t rounds, abreast_next *next) {
    for (int32_t round = 0; round < (int32_t)rounds; round++) {
        int32_t width = widths[round], whole = (width + STEP - 1) & ~(STEP - 1);
        ABREAST_NAME(abreast_gather)(lanes, terms, round, width, whole, next);
        if (ABREAST_NAME(abreast_round)(lanes, round, whole)) return 1;
        ABREAST_NAME(abreast_give)(lanes, round, whole);
    }
    return 0;
}

/* Puts what rows booked beside the columns, 64 bits each. */
static void ABREAST_NAME(abreast_put)(const abreast_lanes *lanes, size_t count, int64_t *beside) {
    for (size_t at = 0; at < count; at += 4) {
        __m128i a = _mm_loadu_si128((const __m128i *)lanes->booked[at]);
        __m128i b = _mm_loadu_si128((const __m128i *)lanes->booked[at + 1]);
        __m128i c = _mm_loadu_si128((const __m128i *)lanes->booked[at + 2]);
        __m128i d = _mm_loadu_si128((const __m128i *)lanes->booked[at + 3]);
        ABREAST_TURN(a, b, c, d);
        _mm256_storeu_si256((__m256i *)(beside + at), _mm256_cvtepi32_epi64(a));
        _mm256_storeu_si256((__m256i *)(beside + BESIDE + at), _mm256_cvtepi32_epi64(b));
        _mm256_storeu_si256((__m256i *)(beside + 2 * BESIDE + at), _mm256_cvtepi32_epi64(c));
        _mm256_storeu_si256((__m256i *)(beside + 3 * BESIDE + at), _mm256_cvtepi32_epi64(d));
        _mm256_storeu_si256((__m256i *)(beside + 4 * BESIDE + at), _mm256_cvtepi32_epi64(_mm_sub_epi32(c, d)));
    }
}
