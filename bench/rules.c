/* What one would write in C for the rules of core_ext/reference/rules.py: plain loops over columns, one thread.
 *
 * Compiled when the bench runs (gcc -O3), handed the same sorted columns and the same index by item as the kernel.
 * Every operation and window is here, so nothing is cheaper for being left out. Returns the number of hits, -1 where
 * they do not fit into `room`; a hit is (rule, charge, fen).
 */
#include <stdint.h>
#include <stdlib.h>

enum { FORBIDDEN, BETWEEN, OUTSIDE, TOTAL, PRESENT, MISSING, PARTS, DEARER, OVERLAP, RETURN };
enum { VISIT, DAY, MONTH, QUARTER, YEAR };
enum { COUNT, AMOUNT, TIMES, DAYS };
typedef struct {
    int64_t item, op, outside, window, field, low, high, begin, until, others, count;
} rule_t;
typedef struct {
    const int64_t *person, *item, *day, *month, *visit, *scope, *cnt, *amount, *pric, *begin, *end, *institution;
    const int64_t *age, *late, *after_death;
} charges_t;

static int64_t share(int64_t amount, int64_t part, int64_t whole) {
    return (int64_t)((2 * (__int128)amount * part + whole) / (2 * (__int128)whole));
}

static int64_t window_of(const charges_t *c, int64_t window, int64_t i) {
    switch (window) {
    case VISIT: return c->visit[i];
    case DAY: return c->day[i];
    case MONTH: return c->month[i];
    case QUARTER: return c->month[i] / 3;
    default: return c->month[i] / 12;
    }
}

/* Says whether charges [from, to) of one person have the item in the window. */
static int has(const charges_t *c, int64_t from, int64_t to, int64_t item, int64_t window, int64_t w) {
    int64_t low = from, high = to;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (c->item[middle] < item) low = middle + 1; else high = middle;
    }
    for (; low < to && c->item[low] == item; low++)
        if (window_of(c, window, low) == w) return 1;
    return 0;
}

int64_t find(const int64_t *columns, int64_t n, const rule_t *rules, const int64_t *first, const int64_t *others,
             int64_t *hits, int64_t room) {
    const int64_t **column = NULL;
    charges_t c;
    int64_t found = 0;
    const int64_t nothing = INT64_MIN;
    int64_t capacity = 1024, *visits = malloc(3 * capacity * sizeof *visits);
    column = (const int64_t **)&c;
    for (int k = 0; k < 15; k++) column[k] = columns + k * n;
#define HIT(fen) do { if (found == room) { found = -1; goto out; } \
        hits[3 * found] = r; hits[3 * found + 1] = i; hits[3 * found + 2] = (fen); found++; } while (0)
    for (int64_t from = 0, to; from < n; from = to) {
        for (to = from; to < n && c.person[to] == c.person[from]; to++) {}
        for (int64_t start = from, stop; start < to; start = stop) {
            int64_t item = c.item[start];
            for (stop = start; stop < to && c.item[stop] == item; stop++) {}
            for (int64_t r = first[item]; r < first[item + 1]; r++) {
                const rule_t *rule = &rules[r];
                int64_t last = nothing, total = 0, price = 0, last_day = nothing, latest = 0, before = -1, known = 0;
                int answer = 0;
                for (int64_t i = start; i < stop; i++) {
                    if ((c.scope[i] & rule->outside) || c.day[i] < rule->begin || c.day[i] > rule->until) continue;
                    switch (rule->op) {
                    case FORBIDDEN:
                        if (c.scope[i] & rule->high) HIT(c.amount[i]);
                        break;
                    case BETWEEN: {
                        int64_t value = column[rule->field][i];
                        if (value == nothing || (value >= rule->low && value <= rule->high)) break;
                        int cut = value > rule->high && value > 0 && (rule->field == 6 || rule->field == 8);
                        HIT(cut ? share(c.amount[i], value - (rule->high > 0 ? rule->high : 0), value) : c.amount[i]);
                        break;
                    }
                    case OUTSIDE:
                        if (c.day[i] < c.begin[i] || c.day[i] > c.end[i]) HIT(c.amount[i]);
                        break;
                    case TOTAL:
                    case DEARER: {
                        int64_t w = window_of(&c, rule->window, i);
                        int64_t *sum = &total, *least = &price, *seen = &last_day;
                        if (rule->window == VISIT) {
                            /* Visits may interleave: each has its place in a small list, looked through from its end. */
                            int64_t at = known - 1;
                            while (at >= 0 && visits[3 * at] != w) at--;
                            if (at < 0) {
                                if (known == capacity) {
                                    capacity *= 2;
                                    visits = realloc(visits, 3 * capacity * sizeof *visits);
                                }
                                at = known++;
                                visits[3 * at] = w;
                                visits[3 * at + 1] = rule->op == TOTAL ? 0 : c.pric[i];
                                visits[3 * at + 2] = nothing;
                            }
                            sum = least = &visits[3 * at + 1];
                            seen = &visits[3 * at + 2];
                        } else if (w != last) {
                            total = 0;
                            price = c.pric[i];
                            last_day = nothing;
                            last = w;
                        }
                        if (rule->op == DEARER) {
                            if (c.pric[i] > *least) HIT(share(c.amount[i], c.pric[i] - *least, c.pric[i]));
                            else *least = c.pric[i];
                            break;
                        }
                        int64_t added = rule->field == COUNT ? c.cnt[i] : rule->field == AMOUNT ? c.amount[i]
                                        : rule->field == TIMES ? 1 : *seen != c.day[i];
                        *seen = c.day[i];
                        *sum += added;
                        int64_t over = *sum - rule->high;
                        if (over <= 0 || (added == 0 && rule->field != DAYS)) break;
                        if (over > added) over = added;
                        HIT(rule->field == AMOUNT ? over
                            : rule->field == COUNT ? share(c.amount[i], over, added) : c.amount[i]);
                        break;
                    }
                    case OVERLAP:
                    case RETURN: {
                        int64_t apart = before < 0 ? 0 : c.begin[i] - c.end[before];
                        if (before >= 0 && (rule->op == OVERLAP ? c.begin[i] < latest
                                            : c.institution[i] == c.institution[before] && apart >= 0 && apart <= rule->high))
                            HIT(c.amount[i]);
                        if (before < 0 || c.end[i] > latest) latest = c.end[i];
                        before = i;
                        break;
                    }
                    default: {
                        int64_t w = window_of(&c, rule->window, i);
                        if (!known || w != last) {
                            int64_t there = 0;
                            for (int64_t k = 0; k < rule->count; k++)
                                there += has(&c, from, to, others[rule->others + k], rule->window, w);
                            answer = rule->op == PRESENT ? there > 0 : rule->op == MISSING ? there == 0
                                     : there + 1 >= rule->high;
                            known = 1;
                            last = w;
                        }
                        if (answer) HIT(c.amount[i]);
                    }
                    }
                }
            }
        }
    }
out:
    free(visits);
    return found;
}
