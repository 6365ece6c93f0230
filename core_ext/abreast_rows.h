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
        lanes->overlmt[at] = (int32_t)overlmt[at] & fit;
        lanes->due[at] = (int32_t)(medfee[at] - hosp[at]) & fit;
    }
}

/* Brings the amounts and terms of a round's rows together, lane by lane. */
static inline void ABREAST_NAME(abreast_gather)(abreast_lanes *lanes, const abreast_terms *terms, size_t count) {
    for (size_t at = 0; at < count; at++) {
        int32_t row = lanes->row[at];
        lanes->of_refund[at] = lanes->refund[row];
        lanes->of_inscp[at] = lanes->inscp[row];
        lanes->of_preself[at] = lanes->preself[row];
        lanes->of_overlmt[at] = lanes->overlmt[row];
        lanes->of_due[at] = lanes->due[row];
    }
    for (size_t at = 0; at < count; at += 4) {
#if defined(__SSE2__)
        const __m128i *a = (const __m128i *)&terms[lanes->said[lanes->row[at]]];
        const __m128i *b = (const __m128i *)&terms[lanes->said[lanes->row[at + 1]]];
        const __m128i *c = (const __m128i *)&terms[lanes->said[lanes->row[at + 2]]];
        const __m128i *d = (const __m128i *)&terms[lanes->said[lanes->row[at + 3]]];
        for (size_t part = 0; part < TERMS_USED / 4; part++) {
            __m128i ab = _mm_unpacklo_epi32(_mm_loadu_si128(a + part), _mm_loadu_si128(b + part));
            __m128i cd = _mm_unpacklo_epi32(_mm_loadu_si128(c + part), _mm_loadu_si128(d + part));
            __m128i ef = _mm_unpackhi_epi32(_mm_loadu_si128(a + part), _mm_loadu_si128(b + part));
            __m128i gh = _mm_unpackhi_epi32(_mm_loadu_si128(c + part), _mm_loadu_si128(d + part));
            _mm_storeu_si128((__m128i *)&lanes->terms[4 * part][at], _mm_unpacklo_epi64(ab, cd));
            _mm_storeu_si128((__m128i *)&lanes->terms[4 * part + 1][at], _mm_unpackhi_epi64(ab, cd));
            _mm_storeu_si128((__m128i *)&lanes->terms[4 * part + 2][at], _mm_unpacklo_epi64(ef, gh));
            _mm_storeu_si128((__m128i *)&lanes->terms[4 * part + 3][at], _mm_unpackhi_epi64(ef, gh));
        }
#else
        for (size_t lane = at; lane < at + 4; lane++) {
            const int32_t *said = (const int32_t *)&terms[lanes->said[lanes->row[lane]]];
            for (size_t part = 0; part < TERMS_USED; part++) lanes->terms[part][lane] = said[part];
        }
#endif
    }
}

/* Settles a round; ``turn`` is where it stands, beside the round before it. Returns what of the results went too far. */
static inline uint32_t ABREAST_NAME(abreast_round)(abreast_lanes *lanes, size_t count, int turn) {
    const int32_t *first = lanes->terms[0], *amount = lanes->terms[1], *less = lanes->terms[2];
    const int32_t *floor = lanes->terms[3], *ceiling = lanes->terms[4], *says = lanes->terms[5];
    const int32_t *lower = lanes->terms[6], *upper = lanes->terms[7];
    const int32_t *edge_0 = lanes->terms[8], *edge_1 = lanes->terms[9], *edge_2 = lanes->terms[10];
    const int32_t *edge_3 = lanes->terms[11];
    const int32_t *of_inscp = lanes->of_inscp, *of_preself = lanes->of_preself, *of_overlmt = lanes->of_overlmt;
    const int32_t *of_due = lanes->of_due, *of_refund = lanes->of_refund;
    int32_t *stays = lanes->held[H_STAYS], *counted = lanes->held[H_COUNTED], *hifp = lanes->held[H_HIFP];
    int32_t *inscp = lanes->held[H_INSCP], *balance = lanes->held[H_BALANCE];
    int32_t *placed_0 = lanes->held[H_PLACED], *placed_1 = lanes->held[H_PLACED + 1];
    int32_t *placed_2 = lanes->held[H_PLACED + 2], *placed_3 = lanes->held[H_PLACED + 3];
    int32_t *out_dedc = lanes->dedc[turn], *out_hifp = lanes->hifp[turn], *out_part = lanes->part[turn];
    int32_t *out_acct = lanes->acct[turn], *out_placed = lanes->placed[turn], *out_counted = lanes->counted[turn];
    int32_t *out_stays = lanes->stays[turn], *out_inscp = lanes->scope[turn], *cash = lanes->cash;
    const int32_t *was_dedc = lanes->dedc[!turn], *was_hifp = lanes->hifp[!turn], *was_part = lanes->part[!turn];
    const int32_t *was_acct = lanes->acct[!turn], *was_placed = lanes->placed[!turn];
    const int32_t *was_counted = lanes->counted[!turn], *was_stays = lanes->stays[!turn];
    const int32_t *was_inscp = lanes->scope[!turn];
    uint32_t fault = 0;
    ABREAST_EACH
    for (size_t at = 0; at < count; at++) {
        int32_t said = says[at], refund = of_refund[at], annual = abreast_mask(said, SAYS_ANNUAL);
        int32_t inside = abreast_mask(said, SAYS_INSIDE);
        int32_t in_0 = abreast_mask(said, SAYS_PLACED), in_1 = abreast_mask(said, SAYS_PLACED << 1);
        int32_t in_2 = abreast_mask(said, SAYS_PLACED << 2), in_3 = abreast_mask(said, SAYS_PLACED << 3);
        int32_t base = of_inscp[at] - abreast_share(of_inscp[at], (uint32_t)first[at]);
        int32_t room = abreast_most(0, ceiling[at] - hifp[at]);
        int32_t owed = abreast_most(floor[at], amount[at] - less[at] * stays[at] - (counted[at] & annual));
        int32_t owes = -(int32_t)(room > 0) | ~abreast_mask(said, SAYS_WAIVED);
        int32_t dedc = abreast_least(owed, base) & owes;
        int32_t of_kind = (placed_0[at] & in_0) | (placed_1[at] & in_1) | (placed_2[at] & in_2) | (placed_3[at] & in_3);
        int32_t of_all = placed_0[at] + placed_1[at] + placed_2[at] + placed_3[at];
        int32_t start = (of_kind & abreast_mask(said, SAYS_BEGINS)) + (of_all & abreast_mask(said, SAYS_BEGINS_ALL))
                      + (dedc & inside);
        int32_t stop = start + base - dedc;
        int32_t to_0 = abreast_least(stop, edge_0[at]) - abreast_least(start, edge_0[at]);
        int32_t to_1 = abreast_least(stop, edge_1[at]) - abreast_least(start, edge_1[at]);
        int32_t to_2 = abreast_least(stop, edge_2[at]) - abreast_least(start, edge_2[at]);
        int32_t to_3 = abreast_least(stop, edge_3[at]) - abreast_least(start, edge_3[at]);
        int32_t paid = abreast_share(to_0, (uint32_t)lower[at] & 65535u)
                     + abreast_share(to_1 - to_0, (uint32_t)lower[at] >> 16)
                     + abreast_share(to_2 - to_1, (uint32_t)upper[at] & 65535u)
                     + abreast_share(to_3 - to_2, (uint32_t)upper[at] >> 16);
        int32_t pays = abreast_least(paid, room), part = of_due[at] - pays;
        int32_t may = ((of_inscp[at] - pays) & abreast_mask(said, SAYS_ACCOUNT))
                    + (of_preself[at] & abreast_mask(said, SAYS_ACCOUNT << 1))
                    + (of_overlmt[at] & abreast_mask(said, SAYS_ACCOUNT << 2))
                    - (dedc & abreast_mask(said, SAYS_ACCOUNT << 4));
        int32_t acct = abreast_most(0, abreast_least(abreast_least(balance[at], may), part));
        int32_t stay = abreast_mask(said, SAYS_STAY) & (abreast_mask(said, SAYS_BELOW_COUNTS) | -(int32_t)(base > dedc));
        int32_t moved;
        fault |= (uint32_t)part;
        /* Of a refund, whose amounts are 0, all of these are 0: it takes back what the round before it did. */
        out_dedc[at] = dedc - (was_dedc[at] & refund);
        out_hifp[at] = pays = pays - (was_hifp[at] & refund);
        out_part[at] = part = part - (was_part[at] & refund);
        out_acct[at] = acct = acct - (was_acct[at] & refund);
        cash[at] = part - acct;
        out_placed[at] = moved = base - (dedc & ~inside) - (was_placed[at] & refund);
        out_counted[at] = dedc = (dedc & annual) - (was_counted[at] & refund);
        out_stays[at] = stay = (stay & ~refund & 1) - (was_stays[at] & refund);
        out_inscp[at] = base = of_inscp[at] - (was_inscp[at] & refund);
        placed_0[at] += moved & in_0;
        placed_1[at] += moved & in_1;
        placed_2[at] += moved & in_2;
        placed_3[at] += moved & in_3;
        stays[at] += stay;
        counted[at] += dedc;
        hifp[at] += pays;
        inscp[at] += base;
        balance[at] -= acct;
        fault |= (uint32_t)(stays[at] << (AMOUNT_BITS - STAYS_BITS)) | (uint32_t)counted[at] | (uint32_t)hifp[at];
        fault |= (uint32_t)inscp[at] | (uint32_t)(placed_0[at] + placed_1[at] + placed_2[at] + placed_3[at]);
    }
    return fault >> AMOUNT_BITS;
}

/* Puts what a round booked beside the columns, at its rows. */
static inline void ABREAST_NAME(abreast_put)(const abreast_lanes *lanes, size_t count, int turn, int64_t *beside) {
    const int32_t *dedc = lanes->dedc[turn], *hifp = lanes->hifp[turn], *part = lanes->part[turn];
    const int32_t *acct = lanes->acct[turn];
    ABREAST_EACH
    for (size_t at = 0; at < count; at++) {
        int64_t *to = beside + lanes->row[at];
        to[0] = dedc[at];
        to[BESIDE] = hifp[at];
        to[2 * BESIDE] = part[at];
        to[3 * BESIDE] = acct[at];
        to[4 * BESIDE] = lanes->cash[at];
    }
}

/* Settles a window's lanes, ``widths`` of them in each round, and puts what they book beside the columns; returns
   whether something went too far: then nothing counts. */
static int ABREAST_NAME(abreast_settle)(abreast_lanes *lanes, const abreast_terms *terms, const int32_t *widths,
                                        size_t rounds, int64_t *beside) {
    for (size_t round = 0; round < rounds; round++) {
        size_t width = (size_t)widths[round], whole = (width + STEP - 1) & ~(size_t)(STEP - 1);
        for (size_t at = 0; at < width; at++) lanes->row[at] = lanes->begins[at] + (int32_t)round;
        for (size_t at = width; at < whole; at++) lanes->row[at] = WINDOW;
        ABREAST_NAME(abreast_gather)(lanes, terms, whole);
        if (ABREAST_NAME(abreast_round)(lanes, whole, (int)(round & 1))) return 1;
        ABREAST_NAME(abreast_put)(lanes, width, (int)(round & 1), beside);
    }
    return 0;
}
