/* The market round in plain C, to measure the compiled kernel of envs/ against.

   The same equations, float64 in the same order of operations, the same exp, log and random words, so that both give
   the same bits. It knows what sealed_tender, dispatch_lottery and clearing_house need: the mechanisms serial and
   deferred acceptance (organizations proposing), the pricings as_asked and posted, promotion charged if matched, a flat
   commission, disclosure up to scores, an economy without drifts. Sizes are known at run time. Everything of an
   organization lies [field][organization]; memory is allocated once. */

#include "deferred_acceptance.h"
#include "disclose.h"
#include "market.h"
#include "memory.h"
#include "numbers.h"
#include "serial.h"

/* Act: actions in the box become economic units. */

static inline double in_box(float action) { return least(most((double)action, -1.0), 1.0); }

static void act(Kernel *kernel, Market *m, const float *actions)
{
    int64_t n = kernel->n, k = kernel->k, size = 3 + k;
    double *total = kernel->common;
    for (int64_t i = 0; i < n; i++) {
        const float *action = actions + i * size;
        int64_t clipped = 0;
        for (int64_t a = 0; a < size; a++)
            clipped += fabsf(action[a]) > 1.0f;
        m->clipped[i] = clipped;
        m->ask[i] = (in_box(action[0]) + 1.0) * 0.5 * 1.25;
        if (m->ask[i] > m->rule.reserve && m->ask[i] <= m->rule.reserve + 1.25 / (1 << 23)) m->ask[i] = m->rule.reserve;
        m->effort[i] = (in_box(action[1]) + 1.0) * 0.5;
        m->promotion[i] = (in_box(action[2]) + 1.0) * 0.5;
        total[i] = 0.0;
    }
    for (int64_t kind = 0; kind < k; kind++) {
        double *restrict focus = m->focus + kind * n;
        for (int64_t i = 0; i < n; i++) {
            focus[i] = exponential(3.0 * in_box(actions[i * size + 3 + kind]));
            total[i] += focus[i];
        }
    }
    for (int64_t kind = 0; kind < k; kind++)
        for (int64_t i = 0; i < n; i++)
            m->focus[kind * n + i] /= total[i];
}

/* Score: the rule's signals become log odds. */

static double score_outside(const Kernel *kernel, const Market *m)
{
    const Rule *rule = &m->rule;
    const Economy *economy = &kernel->economy;
    int ranked = rule->amplification == INFINITY;
    if (economy->log_outside_odds == -INFINITY)
        return -INFINITY;
    double total = -rule->price * logarithm(most(economy->outside_ask, 0.02));
    total += (rule->capability + rule->reputation) * logarithm(0.5);
    total += rule->promotion * logarithm(0.25 + rule->floor);
    total += rule->focus * logarithm(1.0 / kernel->k);
    if (rule->popularity > 0.0) {
        double popularity = 0.0;
        for (int64_t i = 0; i < kernel->n; i++)
            popularity += m->popularity[i];
        total += rule->popularity * log_signal(popularity / kernel->n);
    }
    return ranked ? total : rule->amplification * total + economy->log_outside_odds;
}

static void sum_common(const Kernel *kernel, const Market *m)
{
    double price = m->rule.price, reputation = m->rule.reputation, floor = m->rule.floor;
    double promotion = m->rule.promotion, popularity = m->rule.popularity;
    double *restrict common = kernel->common;
    int64_t n = kernel->n;
    for (int64_t i = 0; i < n; i++)
        common[i] = 0.0;
    if (price > 0.0)
        for (int64_t i = 0; i < n; i++)
            common[i] -= price * logarithm(most(m->ask[i], 0.02));
    if (reputation > 0.0)
        for (int64_t i = 0; i < n; i++)
            common[i] += reputation * log_signal(m->reputation[i]);
    if (promotion > 0.0)
        for (int64_t i = 0; i < n; i++)
            common[i] += promotion * log_signal(m->promotion[i] + floor);
    if (popularity > 0.0)
        for (int64_t i = 0; i < n; i++)
            common[i] += popularity * log_signal(m->popularity[i]);
}

static void score(Kernel *kernel, const Market *m)
{
    const Rule *rule = &m->rule;
    int64_t n = kernel->n, k = kernel->k;
    double scale = rule->amplification == INFINITY ? 1.0 : rule->amplification;
    double capability = scale * rule->capability, focus = scale * rule->focus;
    sum_common(kernel, m);
    double outside = score_outside(kernel, m);
    for (int64_t kind = 0; kind < k; kind++) {
        double *restrict row = kernel->log_odds + kind * (n + 1);
        for (int64_t i = 0; i < n; i++)
            row[i] = scale * kernel->common[i];
        if (capability > 0.0)
            for (int64_t i = 0; i < n; i++)
                row[i] += capability * log_signal(m->capability[kind * n + i]);
        if (focus > 0.0)
            for (int64_t i = 0; i < n; i++)
                row[i] += focus * log_signal(m->focus[kind * n + i]);
        for (int64_t i = 0; i < n; i++)
            row[i] = m->ask[i] <= rule->reserve ? row[i] : -INFINITY;
        row[n] = outside;
    }
}

/* Who serves whom. Wrong assignments are counted and undone. */
static void match(Kernel *kernel, Market *m, int64_t round, int64_t episode)
{
    int64_t capacity = kernel->economy.capacity;
    for (int64_t i = 0; i < kernel->n; i++) {
        kernel->capacities[i] = m->ask[i] <= m->rule.reserve ? capacity : 0;
        kernel->load[i] = 0;
    }
    for (int64_t j = 0; j < kernel->j; j++)
        m->winner[j] = -1;
    if (m->rule.mechanism == SERIAL)
        serial(kernel, m, round, episode);
    else
        deferred_acceptance(kernel, m, round, episode);
    m->faults = 0;
    for (int64_t j = 0; j < kernel->j; j++) {
        int64_t i = m->winner[j];
        if (i != -1)
            m->faults += i < 0 || i >= kernel->n || ++kernel->load[i] > capacity || m->ask[i] > m->rule.reserve;
    }
    if (m->faults > 0)
        for (int64_t j = 0; j < kernel->j; j++)
            m->winner[j] = -1;
}

/* Pay, deliver, feed back, learn. */

static void pay(const Kernel *kernel, Market *m)
{
    const Rule *rule = &m->rule;
    double price = kernel->economy.promotion_price;
    for (int64_t i = 0; i < kernel->n; i++)
        m->paid[i] = 0.0, m->charge[i] = 0.0;
    for (int64_t j = 0; j < kernel->j; j++) {
        int64_t i = m->winner[j];
        m->payments[j] = 0.0;
        if (i < 0)
            continue;
        m->payments[j] = (rule->pricing == AS_ASKED ? m->ask[i] : rule->reserve) * m->values[j];
        m->paid[i] += m->payments[j];
        m->charge[i] += price * m->promotion[i] * m->values[j];
        m->billed[m->kinds[j] * kernel->n + i] += m->payments[j];
    }
    for (int64_t i = 0; i < kernel->n; i++)
        m->commission[i] = rule->commission * m->paid[i];
}

static void deliver(Kernel *kernel, Market *m, int64_t round, int64_t episode)
{
    const Economy *economy = &kernel->economy;
    int64_t n = kernel->n;
    for (int64_t i = 0; i < n; i++)
        m->cost[i] = 0.0, m->served[i] = 0.0, m->quality[i] = 0.0;
    for (int64_t each = 0; each < kernel->k * n; each++)
        m->won[each] = 0.0;
    if (economy->quality_noise > 0.0)
        draw(kernel, m, round, episode, QUALITY, kernel->j);
    for (int64_t j = 0; j < kernel->j; j++) {
        int64_t i = m->winner[j], at = m->kinds[j] * n + i;
        double noise = economy->quality_noise > 0.0 ? economy->quality_noise * (2.0 * kernel->draws[j] - 1.0) : 0.0;
        m->qualities[j] = 0.0;
        if (i < 0)
            continue;
        double base = economy->base_cost * (1.0 - m->capability[at]) * m->relief[i];
        m->cost[i] += m->values[j] * (base + economy->effort_cost * m->effort[i] + m->shock[at]);
        double weight = economy->quality_capability;
        double quality = weight * m->capability[at] + (1.0 - weight) * m->effort[i];
        m->qualities[j] = least(most(quality + noise, 0.0), 1.0);
        m->quality[i] += m->qualities[j];
        m->won[at] += 1.0;
        m->served[i] += 1.0;
    }
    for (int64_t i = 0; i < n; i++) {
        m->quality[i] /= most(m->served[i], 1.0);
        m->profit[i] = m->paid[i] - m->commission[i] - m->cost[i] - m->charge[i];
        m->cash[i] += m->profit[i];
    }
}

static void feed_back(const Kernel *kernel, Market *m)
{
    const Rule *rule = &m->rule;
    for (int64_t j = 0; j < kernel->j; j++) {
        int64_t i = m->winner[j];
        if (i < 0)
            continue;
        double rating = m->qualities[j] + rule->inflation * (1.0 - m->qualities[j]);
        double moved = m->reputation[i] + rule->gain * (rating - m->reputation[i]);
        m->reputation[i] = least(most(moved, 0.01), 1.0);
    }
    double fresh = (1.0 - rule->persistence) * rule->prior;
    for (int64_t i = 0; i < kernel->n; i++)
        m->popularity[i] = rule->persistence * m->popularity[i] + fresh + m->served[i];
}

static void update_capability(const Kernel *kernel, Market *m)
{
    double exponent = kernel->economy.learning_exponent, *restrict capability = m->capability;
    for (int64_t each = 0; each < kernel->k * kernel->n; each++) {
        double experienced = exponential(-exponent * logarithm(1.0 + m->experience[each]));
        capability[each] = 1.0 - (1.0 - m->initial[each]) * experienced;
    }
}

static void learn(const Kernel *kernel, Market *m)
{
    double kept = 1.0 - kernel->economy.depreciation;
    for (int64_t each = 0; each < kernel->k * kernel->n; each++)
        m->experience[each] = kept * m->experience[each] + m->won[each];
    update_capability(kernel, m);
}

/* Measure: what the market as a whole did, in the order of MEASURES of envs/layout.py. */
static void measure(const Kernel *kernel, Market *m)
{
    int64_t n = kernel->n;
    double *x = m->measures, value = 0.0, capability = 0.0;
    for (int64_t each = 0; each < MEASURES; each++)
        x[each] = 0.0;
    for (int64_t j = 0; j < kernel->j; j++) {
        if (m->winner[j] < 0)
            continue;
        x[0] += 1.0;
        x[1] += m->values[j] * m->qualities[j] - m->payments[j];
        value += m->values[j];
        x[5] += m->payments[j];
        x[6] += m->qualities[j];
    }
    for (int64_t kind = 0; kind < kernel->k; kind++) {
        double of_kind = 0.0;
        for (int64_t i = 0; i < n; i++)
            of_kind += m->capability[kind * n + i];
        capability += of_kind;
    }
    for (int64_t i = 0; i < n; i++) {
        x[2] += m->profit[i];
        x[3] += m->commission[i] + m->charge[i];
        x[7] += m->ask[i];
        x[8] += m->effort[i];
        x[9] += m->promotion[i];
        x[11] += m->served[i] * m->served[i];
        x[12] += m->clipped[i];
    }
    double served = x[0] > 0.0 ? x[0] : 1.0;
    for (int each = 0; each < 4; each++)
        x[each] /= kernel->j;
    x[4] = x[1] + x[2] + x[3];
    x[5] = value > 0.0 ? x[5] / value : 0.0;
    x[6] /= served;
    x[7] /= n, x[8] /= n, x[9] /= n;
    x[10] = capability / (n * kernel->k);
    x[11] /= served * served;
    x[12] /= n;
    for (int64_t each = 0; each < MEASURES; each++)
        m->totals[each] += x[each];
}

/* Enter, and post the jobs and cost shocks of a round. */

static void enter(Kernel *kernel, Market *m, int64_t episode)
{
    const Economy *economy = &kernel->economy;
    int64_t n = kernel->n, k = kernel->k;
    double width = economy->infrastructure_high - economy->infrastructure_low;
    draw(kernel, m, k, episode, INITIAL, n);
    for (int64_t i = 0; i < n; i++) {
        m->reputation[i] = economy->initial_reputation;
        m->popularity[i] = m->rule.prior;
        m->cash[i] = economy->initial_cash;
        m->infrastructure[i] = economy->infrastructure_low + width * kernel->draws[i];
        m->relief[i] = exponential(-economy->infrastructure_gain * logarithm(1.0 + m->infrastructure[i]));
    }
    width = economy->capability_high - economy->capability_low;
    for (int64_t kind = 0; kind < k; kind++) {
        draw(kernel, m, kind, episode, INITIAL, (n + 3) / 4);
        spread(kernel, m->initial + kind * n, n);
    }
    for (int64_t each = 0; each < k * n; each++) {
        m->initial[each] = economy->capability_low + width * m->initial[each];
        m->experience[each] = 0.0, m->billed[each] = 0.0;
    }
    update_capability(kernel, m);
}

static void post(Kernel *kernel, Market *m, int64_t round, int64_t episode)
{
    const Economy *economy = &kernel->economy;
    int64_t size = kernel->k * kernel->n;
    const double *first = kernel->draws, *second = first + kernel->columns;
    draw(kernel, m, round, episode, BOARD, kernel->j);
    for (int64_t j = 0; j < kernel->j; j++) {
        m->kinds[j] = (int64_t)(first[j] * kernel->k);
        m->values[j] = 1.0 + economy->value_spread * (2.0 * second[j] - 1.0);
    }
    double *restrict shock = m->shock;
    draw(kernel, m, round, episode, SHOCK, (size + 3) / 4);
    spread(kernel, shock, size);
    for (int64_t each = 0; each < size; each++)
        shock[each] = economy->shock_mean + economy->shock_sd * ((2.0 * shock[each] - 1.0) * 1.7320508075688772);
}

/* The round, in order. */

static void open_episode(Kernel *kernel, Market *m, int64_t episode, float *observations)
{
    enter(kernel, m, episode);
    post(kernel, m, 0, episode);
    disclose(kernel, m, 1, observations);
}

void begin(Kernel *kernel, int64_t episode, float *observations)
{
    for (int64_t b = 0; b < kernel->markets; b++) {
        memset(kernel->market[b].totals, 0, MEASURES * sizeof(double));
        open_episode(kernel, &kernel->market[b], episode, observations + b * kernel->n * kernel->size);
    }
}

void play(Kernel *kernel, int64_t round, int64_t episode, int64_t last, const float *actions, float *observations,
          float *rewards, float *last_observations)
{
    int64_t n = kernel->n;
    for (int64_t b = 0; b < kernel->markets; b++) {
        Market *m = &kernel->market[b];
        float *seen = observations + b * n * kernel->size, *ended = last_observations + b * n * kernel->size;
        act(kernel, m, actions + b * n * (3 + kernel->k));
        score(kernel, m);
        match(kernel, m, round, episode);
        pay(kernel, m);
        deliver(kernel, m, round, episode);
        feed_back(kernel, m);
        learn(kernel, m);
        measure(kernel, m);
        for (int64_t i = 0; i < n; i++)
            rewards[b * n + i] = m->profit[i];
        post(kernel, m, round + 1, episode);
        disclose(kernel, m, 0, last ? ended : seen);
        if (last)
            open_episode(kernel, m, episode + 1, seen);
    }
}

/* The winners of the last round (B, J), the state (B, 5 + 5K, N) and the episode's measures so far (B, MEASURES). */
void look(const Kernel *kernel, int64_t *winners, double *state, double *totals)
{
    int64_t size = (5 + 5 * kernel->k) * kernel->n;
    for (int64_t b = 0; b < kernel->markets; b++) {
        memcpy(winners + b * kernel->j, kernel->market[b].winner, kernel->j * sizeof *winners);
        memcpy(state + b * size, kernel->market[b].reputation, size * sizeof *state);
        memcpy(totals + b * MEASURES, kernel->market[b].totals, MEASURES * sizeof *totals);
    }
}
