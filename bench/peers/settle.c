/*
 * The whole settlement of core_ext.reference.settle as a plain C loop: one claim after the other, every table read and
 * written in place, nothing packed, asked for ahead or streamed. The yardstick of settle.sorted.vs_c.
 * Same tables, same refusals, same amounts as core_ext._settle; compiled by bench.peers.plain_c when the bench runs.
 */
#include <stdint.h>
#include <string.h>

typedef int64_t i64;

enum { FACTS = 18, AMOUNTS = 14, YEAR = 22, HOW = 11, HOW_HOSP = 9, PLAN = 193, SEGMENTS = 8, FUND = 21 };
enum { TOKEN = 0, INSU = 1, TREAT = 2, INSURED = 3, TREATED = 4, LEVEL = 5, MED_TYPE = 8, BEGIN = 9, END = 10,
       MEDFEE = 12, FULAMT = 13, OVERLMT = 14, PRESELF = 15, INSCP = 16, HOSP = 17 };
enum { DEDC = 0, HIFP = 1, FUND_SUM = 9, PART = 10, ACCT = 11, MULAID = 12, CASH = 13 };
enum { Y_STAYS = 0, Y_DEDUCTIBLE = 1, Y_HIFP = 6, Y_INSCP = 12, Y_FUND_SUM = 13, Y_DEDUCTIBLE_STAYS = 19,
       Y_LAST = 20, Y_STAY_DEDUCTIBLE = 21 };
enum { P_RELATION, P_FILING, P_FIRST, P_KIND, P_AMOUNT, P_LESS, P_FLOOR, P_FACTOR, P_CAP, P_EXEMPT, P_WAIVED, P_INSIDE,
       P_READMISSION, P_TRANSFER, P_TO_DATE, P_ON_PAYMENT, P_PLACED, P_STAY, P_BELOW, P_CEILING, P_CEILING_COST,
       P_UNCOVERED, P_ACCOUNT, P_MULAID, P_SEGMENTS, P_EDGES, P_FUNDS = P_EDGES + 2 * SEGMENTS, P_FUND,
       P_LIMIT = P_FUND + 7 * FUND, P_HOSPITAL, P_HOSPITAL_RATIO };
enum { U_CODE, U_PERSONAL, U_TO_DATE, U_FIRST, U_OVER, U_LESS, U_THRESHOLD, U_CAP, U_TIERS, U_EDGES };
enum { SKIP, COMPUTE, SOURCE, REFUND, UNCHECKED };
enum { NO_POLICY = 13, NEGATIVE = 17, UNKNOWN = 18, TWICE = 19, MISMATCH = 20, I1 = 21, I2 = 22, I3 = 23, I5 = 24,
       OVERFLOW = 25 };

static const i64 ONE = 100000000, RANGE = (i64) 1 << 56, NO_LIMIT = 1000000000000000000, ABSENT = INT64_MIN;
static const int PAYS[8] = {0, 5, 4, 7, 3, 2, 6, 8}, PAID[8] = {0, 7, 8, 11, 15, 14, 16, 17},
                 BASE[8] = {0, 18, 9, 10, 18, 18, 18, 18};

struct tables {
    const i64 *plans, *plan, *facts, *given, *kind, *ref;
    i64 *refunded;
    const i64 *lenient, *slot;
    i64 *state;
    const i64 *account;
    i64 *accounts, *code, *booked, *computed, *before, *delta, *balc, *how;
    i64 n;
};

struct gives { i64 base, first, over, hospital; int continues; };

static i64 least(i64 a, i64 b) { return a < b ? a : b; }
static i64 most(i64 a, i64 b) { return a > b ? a : b; }
static i64 within(i64 start, i64 stop, i64 above, i64 up_to) { return most(0, least(stop, up_to) - most(start, above)); }
static int out(i64 fen) { return fen < -RANGE || fen >= RANGE; }

static i64 share(i64 fen, i64 ratio) {
    if (fen <= INT64_C(92000000000) && ratio <= ONE)
        return (fen * ratio + ONE / 2) / ONE;
    return fen / ONE * ratio + (fen % ONE * ratio + ONE / 2) / ONE;
}

static i64 cost_of(i64 payment, i64 ratio) {
    return payment / ratio * ONE + (2 * (payment % ratio) * ONE + ratio) / (2 * ratio);
}

static i64 day_number(i64 day) {
    i64 year = day / 10000, month = day / 100 % 100;
    if (day < 10101 || day > 99991231)
        return 0;
    if (month > 2) {
        month -= 3;
    } else {
        year -= 1;
        month += 9;
    }
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day % 100 - 1;
}

static i64 discharge(const i64 *facts) {
    return day_number(facts[END]) * 100 + (facts[LEVEL] >= 0 && facts[LEVEL] < 100 ? facts[LEVEL] : 0);
}

static int continues(const i64 *plan, const i64 *facts, const i64 *year) {
    i64 last = year[Y_LAST], days;
    if (last <= 0 || !plan[P_STAY] || !(plan[P_READMISSION] || plan[P_TRANSFER]))
        return 0;
    days = day_number(facts[BEGIN]) - last / 100;
    return days >= 0 && days < (last % 100 == discharge(facts) % 100 ? plan[P_READMISSION] : plan[P_TRANSFER]);
}

static i64 deductible(const i64 *plan, const i64 *year, i64 base, i64 room, int joined) {
    i64 due = 0, earlier, less = plan[P_LESS];
    if (plan[P_EXEMPT] || (plan[P_WAIVED] && (room == 0 || year[Y_INSCP] >= plan[P_CEILING_COST])))
        return 0;
    if (plan[P_KIND] == 1) {
        earlier = most(0, year[Y_STAYS] - joined);
        if (less == 0 || earlier <= plan[P_AMOUNT] / less)
            due = plan[P_AMOUNT] - less * earlier;
        due = share(most(plan[P_FLOOR], due), plan[P_FACTOR]);
        if (joined)
            due = most(0, due - year[Y_STAY_DEDUCTIBLE]);
        due = least(due, most(0, plan[P_CAP] - year[Y_DEDUCTIBLE_STAYS]));
    } else if (plan[P_KIND] == 2) {
        due = share(most(0, plan[P_AMOUNT] - year[Y_DEDUCTIBLE]), plan[P_FACTOR]);
    }
    return least(due, base);
}

static i64 segments(const i64 *plan, i64 start, i64 cost, i64 *parts, i64 *payments) {
    i64 above = 0, paid = 0, stop = start + cost;
    for (int at = 0; at < plan[P_SEGMENTS]; at++) {
        i64 edge = plan[P_EDGES + 2 * at], ratio = plan[P_EDGES + 2 * at + 1];
        if (plan[P_ON_PAYMENT]) {
            i64 room = edge - most(above, start);
            parts[at] = payments[at] = 0;
            if (room > 0 && cost > 0) {
                parts[at] = cost;
                payments[at] = share(cost, ratio);
                if (payments[at] > room) {
                    payments[at] = room;
                    parts[at] = cost_of(room, ratio);
                }
                cost -= parts[at];
            }
        } else {
            parts[at] = within(start, stop, above, edge);
            payments[at] = parts[at] ? share(parts[at], ratio) : 0;
        }
        paid += payments[at];
        above = edge;
    }
    return paid;
}

static i64 uncovered(const i64 *plan, const i64 *parts, const i64 *payments, i64 left) {
    i64 cost = 0;
    for (int at = 0; at < plan[P_SEGMENTS]; at++) {
        i64 spent = least(payments[at], left);
        left -= spent;
        if (spent < payments[at])
            cost += parts[at] - (spent ? cost_of(spent, plan[P_EDGES + 2 * at + 1]) : 0);
    }
    return cost;
}

static i64 fund_base(const i64 *fund, const i64 *facts, const i64 *amounts, const struct gives *gives) {
    i64 amount = facts[INSCP] - amounts[HIFP];
    if (!fund[U_PERSONAL])
        return gives->over;
    for (int at = HIFP; at < FUND_SUM; at++)
        if (fund[U_LESS] >> at & 1)
            amount -= amounts[at];
    if (!fund[U_FIRST])
        amount -= gives->first;
    if (!fund[U_OVER])
        amount -= gives->over;
    return most(0, amount);
}

static i64 fund_pay(const i64 *fund, const i64 *year, i64 amount, i64 left) {
    i64 before = fund[U_TO_DATE] ? year[BASE[fund[U_CODE]]] : 0, above = 0, paid = 0;
    i64 start = most(0, before - fund[U_THRESHOLD]), stop = most(0, before + amount - fund[U_THRESHOLD]);
    for (int at = 0; at < fund[U_TIERS] && stop > above; at++) {
        paid += share(within(start, stop, above, fund[U_EDGES + 2 * at]), fund[U_EDGES + 2 * at + 1]);
        above = fund[U_EDGES + 2 * at];
    }
    return least(least(paid, most(0, fund[U_CAP] - year[PAID[fund[U_CODE]]])), most(0, left));
}

static i64 begins(const i64 *plan, const i64 *year) {
    if (!plan[P_TO_DATE])
        return 0;
    if (plan[P_ON_PAYMENT])
        return year[Y_HIFP];
    return plan[P_TO_DATE] == 1 ? year[plan[P_PLACED]] : plan[P_TO_DATE] == 2 ? year[2] + year[3] + year[4] + year[5] : 0;
}

static i64 personal(i64 parts, const i64 *facts, const i64 *amounts) {
    i64 sum = 0;
    if (parts & 1)
        sum += facts[INSCP] - amounts[FUND_SUM];
    if (parts & 16)
        sum -= amounts[DEDC];
    if (parts & 2)
        sum += facts[PRESELF];
    if (parts & 4)
        sum += facts[OVERLMT];
    if (parts & 8)
        sum += facts[FULAMT];
    return sum;
}

static void benefit(const i64 *plan, const i64 *facts, const i64 *year, i64 balance, i64 *amounts, struct gives *gives) {
    i64 parts[SEGMENTS], payments[SEGMENTS], room = most(0, plan[P_CEILING] - year[Y_HIFP]), above, dedc, start, paid;
    i64 left;
    memset(amounts, 0, AMOUNTS * sizeof *amounts);
    gives->first = plan[P_FIRST] ? share(facts[INSCP], plan[P_FIRST]) : 0;
    gives->base = facts[INSCP] - gives->first;
    above = least(gives->base, most(0, facts[INSCP] - most(0, plan[P_CEILING_COST] - year[Y_INSCP])));
    gives->base -= above;
    gives->continues = continues(plan, facts, year);
    dedc = deductible(plan, year, gives->base, room, gives->continues);
    start = begins(plan, year) + (plan[P_INSIDE] ? dedc : 0);
    paid = segments(plan, start, gives->base - dedc, parts, payments);
    amounts[DEDC] = dedc;
    amounts[HIFP] = least(paid, room);
    gives->over = above + (plan[P_UNCOVERED] ? uncovered(plan, parts, payments, amounts[HIFP]) : paid - amounts[HIFP]);
    if (plan[P_LIMIT])
        amounts[HIFP] = least(amounts[HIFP], plan[P_LIMIT] - 1);
    left = facts[INSCP] - amounts[HIFP];
    for (int at = 0; at < plan[P_FUNDS]; at++) {
        const i64 *fund = plan + P_FUND + at * FUND;
        i64 pays = fund_pay(fund, year, fund_base(fund, facts, amounts, gives), left);
        amounts[PAYS[fund[U_CODE]]] += pays;
        left -= pays;
    }
    amounts[FUND_SUM] = facts[INSCP] - left;
    gives->hospital = plan[P_HOSPITAL] && !facts[HOSP]
        ? share(most(0, personal(plan[P_HOSPITAL], facts, amounts)), plan[P_HOSPITAL_RATIO]) : 0;
    amounts[PART] = facts[MEDFEE] - amounts[FUND_SUM] - facts[HOSP] - gives->hospital;
    amounts[ACCT] = most(0, least(least(balance, personal(plan[P_ACCOUNT], facts, amounts)), amounts[PART]));
    amounts[CASH] = amounts[PART] - amounts[ACCT];
}

static void paid_contribution(const i64 *facts, const i64 *booked, i64 *added) {
    memset(added, 0, YEAR * sizeof *added);
    added[Y_HIFP] = booked[HIFP];
    for (int code = 1; code < 8; code++)
        added[PAID[code]] = booked[PAYS[code]];
    added[Y_FUND_SUM] = booked[FUND_SUM];
    added[Y_INSCP] = facts[INSCP];
}

static void contribution(const i64 *plan, const i64 *facts, const i64 *year, const i64 *booked,
                         const struct gives *gives, i64 *added) {
    i64 dedc = booked[DEDC], placed = gives->base - dedc;
    paid_contribution(facts, booked, added);
    if (plan[P_STAY] && (placed > 0 || plan[P_BELOW]) && !gives->continues)
        added[Y_STAYS] = 1;
    if (plan[P_KIND] == 2)
        added[Y_DEDUCTIBLE] = dedc;
    else if (plan[P_KIND] == 1 && plan[P_CAP] < NO_LIMIT)
        added[Y_DEDUCTIBLE_STAYS] = dedc;
    if (plan[P_STAY] && (plan[P_READMISSION] || plan[P_TRANSFER]) && discharge(facts) >= year[Y_LAST]) {
        added[Y_LAST] = discharge(facts) - year[Y_LAST];
        added[Y_STAY_DEDUCTIBLE] = gives->continues ? dedc : dedc - year[Y_STAY_DEDUCTIBLE];
    }
    added[plan[P_PLACED]] = plan[P_INSIDE] ? gives->base : placed;
    for (int at = 0; at < plan[P_FUNDS]; at++) {
        const i64 *fund = plan + P_FUND + at * FUND;
        if (fund[U_TO_DATE])
            added[BASE[fund[U_CODE]]] = fund_base(fund, facts, booked, gives);
    }
}

static i64 fund_parts(const i64 *amounts) {
    i64 sum = 0;
    for (int at = HIFP; at < FUND_SUM; at++)
        sum += amounts[at];
    return sum;
}

static i64 by_source(const i64 *facts, const i64 *given, i64 dedc, i64 *amounts) {
    for (int at = 0; at < AMOUNTS; at++)
        amounts[at] = given[at] == ABSENT ? 0 : given[at];
    if (given[DEDC] == ABSENT)
        amounts[DEDC] = dedc;
    if (given[FUND_SUM] == ABSENT)
        amounts[FUND_SUM] = fund_parts(amounts);
    else if (given[HIFP] == ABSENT)
        amounts[HIFP] = amounts[FUND_SUM] - fund_parts(amounts);
    if (given[PART] == ABSENT)
        amounts[PART] = facts[MEDFEE] - amounts[FUND_SUM] - facts[HOSP];
    if (given[ACCT] == ABSENT && given[CASH] != ABSENT)
        amounts[ACCT] = amounts[PART] - amounts[CASH];
    if (given[CASH] == ABSENT)
        amounts[CASH] = amounts[PART] - amounts[ACCT];
    if (amounts[PART] < 0 || facts[MEDFEE] != amounts[FUND_SUM] + amounts[PART] + facts[HOSP])
        return I2;
    if (amounts[ACCT] < 0 || amounts[CASH] < 0 || amounts[PART] != amounts[ACCT] + amounts[CASH]
        || amounts[MULAID] < 0 || amounts[MULAID] > amounts[ACCT])
        return I3;
    return amounts[HIFP] < 0 || amounts[FUND_SUM] != fund_parts(amounts) ? I5 : 0;
}

static i64 relation(const i64 *facts) {
    if (facts[INSURED] == facts[TREATED])
        return 0;
    return facts[INSU] / 10000 == facts[TREAT] / 10000 ? 1 : 2;
}

static i64 fault(const i64 *facts, const i64 *given, int source, const i64 *year, i64 balance) {
    int below = 0, far = out(balance);
    for (int at = MEDFEE; at <= HOSP; at++) {
        below |= facts[at] < 0;
        far |= out(facts[at]);
    }
    for (int at = 0; at < YEAR; at++)
        far |= out(year[at]);
    for (int at = 0; source && at < AMOUNTS; at++)
        if (given[at] != ABSENT) {
            below |= given[at] < 0;
            far |= out(given[at]);
        }
    if (below || far)
        return below ? NEGATIVE : OVERFLOW;
    return facts[MEDFEE] != facts[FULAMT] + facts[OVERLMT] + facts[PRESELF] + facts[INSCP] ? I1 : 0;
}

static i64 settlement(const struct tables *t, i64 row) {
    const i64 *facts = t->facts + row * FACTS, *given = t->given + row * AMOUNTS, kind = t->kind[row];
    const i64 *plan = t->plans + t->plan[row] * PLAN;
    i64 *year = t->state + t->slot[row] * YEAR, *balance = t->accounts + t->account[row], refusal, after[YEAR];
    i64 *booked = t->booked + row * AMOUNTS, *computed = t->computed + row * AMOUNTS, *added = t->delta + row * YEAR;
    i64 *how = t->how + row * HOW, balance_after;
    struct gives gives = {0, 0, 0, 0, 0};
    int far;
    if (kind != UNCHECKED && t->plan[row] < 0)
        return NO_POLICY;
    if ((refusal = fault(facts, given, kind != COMPUTE, year, *balance)))
        return refusal;
    if (kind == UNCHECKED) {
        refusal = by_source(facts, given, 0, booked);
        memcpy(computed, booked, AMOUNTS * sizeof *booked);
        paid_contribution(facts, booked, added);
        added[Y_STAYS] = facts[MED_TYPE] == 21;
    } else {
        benefit(plan, facts, year, *balance, computed, &gives);
        if (kind == COMPUTE) {
            memcpy(booked, computed, AMOUNTS * sizeof *booked);
            refusal = booked[PART] < 0 ? I2 : 0;
        } else {
            refusal = by_source(facts, given, computed[DEDC], booked);
            if (plan[P_MULAID])
                computed[MULAID] = least(booked[MULAID], computed[ACCT]);
        }
        contribution(plan, facts, year, booked, &gives, added);
    }
    if (refusal)
        return refusal;
    balance_after = *balance - booked[ACCT];
    far = out(balance_after);
    for (int at = 0; at < YEAR; at++) {
        after[at] = year[at] + added[at];
        far |= out(after[at]);
    }
    if (far)
        return OVERFLOW;
    memcpy(t->before + row * YEAR, year, sizeof after);
    memcpy(year, after, sizeof after);
    how[0] = kind == UNCHECKED ? relation(facts) : plan[P_RELATION];
    how[1] = kind == UNCHECKED ? 0 : plan[P_FILING];
    how[2] = gives.first;
    how[3] = gives.over;
    memset(how + 4, 0, (HOW - 4) * sizeof(i64));
    if (kind == COMPUTE)
        how[HOW_HOSP] = gives.hospital;
    *balance = t->balc[row] = balance_after;
    return 0;
}

static int mirrors(const struct tables *t, i64 row, i64 original) {
    const i64 *facts = t->facts + row * FACTS, *of = t->facts + original * FACTS;
    if (facts[TOKEN] != of[TOKEN])
        return 0;
    for (int at = MEDFEE; at <= HOSP; at++)
        if (facts[at] != -of[at])
            return 0;
    for (int at = 0; !t->lenient[original] && at < AMOUNTS; at++)
        if (t->given[row * AMOUNTS + at] != ABSENT
            && t->given[row * AMOUNTS + at] != -t->booked[original * AMOUNTS + at])
            return 0;
    return 1;
}

static i64 refund(const struct tables *t, i64 row) {
    i64 found = t->code[row], of = t->ref[row], after[YEAR], balance_after;
    i64 *year = t->state + t->slot[row] * YEAR, *balance = t->accounts + t->account[row];
    const i64 *facts = t->facts + row * FACTS, *booked = t->booked + row * AMOUNTS;
    const i64 *amounts = t->booked + of * AMOUNTS, *added = t->delta + of * YEAR;
    int far;
    if (found > 0 && found < UNKNOWN)
        return found;
    if (of < 0 || (of < t->n && (of >= row || t->code[of] || t->kind[of] == SKIP || t->kind[of] == REFUND)))
        return UNKNOWN;
    if (t->refunded[of])
        return TWICE;
    if (!mirrors(t, row, of))
        return MISMATCH;
    if (found)
        return found;
    balance_after = *balance + amounts[ACCT];
    far = out(*balance) || out(balance_after);
    for (int at = 0; at < AMOUNTS; at++)
        far |= out(amounts[at]);
    for (int at = 0; at < YEAR; at++) {
        after[at] = year[at] - added[at];
        far |= out(added[at]) || out(year[at]) || out(after[at]);
    }
    if (far)
        return OVERFLOW;
    for (int at = 0; at < AMOUNTS; at++)
        t->booked[row * AMOUNTS + at] = t->computed[row * AMOUNTS + at] = -amounts[at];
    for (int at = 0; at < YEAR; at++)
        t->delta[row * YEAR + at] = -added[at];
    memcpy(t->before + row * YEAR, year, sizeof after);
    memcpy(year, after, sizeof after);
    memset(t->how + row * HOW, 0, HOW * sizeof(i64));
    t->how[row * HOW] = relation(facts);
    t->how[row * HOW + HOW_HOSP] = facts[MEDFEE] - facts[HOSP] - booked[FUND_SUM] - booked[PART];
    *balance = t->balc[row] = balance_after;
    t->refunded[of] = 1;
    return 0;
}

void settle(const struct tables *t) {
    for (i64 row = 0; row < t->n; row++) {
        if (t->kind[row] == REFUND)
            t->code[row] = refund(t, row);
        else if (t->kind[row] != SKIP && t->code[row] == 0)
            t->code[row] = settlement(t, row);
        if (t->kind[row] == SKIP || t->code[row]) {
            memset(t->booked + row * AMOUNTS, 0, AMOUNTS * sizeof(i64));
            memset(t->computed + row * AMOUNTS, 0, AMOUNTS * sizeof(i64));
            memset(t->before + row * YEAR, 0, YEAR * sizeof(i64));
            memset(t->delta + row * YEAR, 0, YEAR * sizeof(i64));
            memset(t->how + row * HOW, 0, HOW * sizeof(i64));
            t->balc[row] = 0;
        }
    }
}
