/* Disclose: what each organization is shown before it acts, as envs/disclose.py. */

#pragma once

#include "market.h"
#include "numbers.h"

static void sum_board(Kernel *kernel, const Market *m)
{
    double even = (double)kernel->j / kernel->k, *count = kernel->count, *value = kernel->value;
    for (int64_t kind = 0; kind < kernel->k; kind++)
        count[kind] = 0.0, value[kind] = 0.0;
    for (int64_t j = 0; j < kernel->j; j++) {
        count[m->kinds[j]] += 1.0;
        value[m->kinds[j]] += m->values[j];
    }
    for (int64_t kind = 0; kind < kernel->k; kind++) {
        value[kind] = count[kind] > 0.0 ? value[kind] / count[kind] : 0.0;
        count[kind] = clip(count[kind] / even);
    }
}

static double lead_of_winners(const double *signal, const double *served, double total, int64_t n)
{
    double won = 0.0, everyone = 0.0;
    for (int64_t i = 0; i < n; i++) {
        won += served[i] * signal[i];
        everyone += signal[i];
    }
    return total > 0.0 ? won / total - everyone / n : 0.0;
}

static void sum_public(Kernel *kernel, const Market *m)
{
    int64_t n = kernel->n;
    double total = 0.0, popularity = 0.0, *restrict mean = kernel->mean;
    for (int64_t i = 0; i < n; i++) {
        total += m->served[i];
        popularity += m->popularity[i];
        mean[i] = 0.0;
    }
    for (int64_t kind = 0; kind < kernel->k; kind++)
        for (int64_t i = 0; i < n; i++)
            mean[i] += m->capability[kind * n + i] / kernel->k;
    kernel->public[0] = lead_of_winners(m->ask, m->served, total, n);
    kernel->public[1] = lead_of_winners(m->effort, m->served, total, n);
    kernel->public[2] = lead_of_winners(m->promotion, m->served, total, n);
    kernel->public[3] = lead_of_winners(m->reputation, m->served, total, n);
    double relative = lead_of_winners(m->popularity, m->served, total, n) * n;
    kernel->public[4] = popularity > 0.0 ? clip(relative / popularity) : 0.0;
    kernel->public[5] = lead_of_winners(mean, m->served, total, n);
}

/* Priority (share of the odds, over kinds) and rank (0 the best, 1 the last). */
static void place(Kernel *kernel, const Market *m)
{
    int64_t n = kernel->n, k = kernel->k, *order = kernel->order;
    int ranked = m->rule.amplification == INFINITY;
    double best = -INFINITY, total = 0.0, *mean = kernel->mean, *priority = kernel->priority, *rank = kernel->rank;
    for (int64_t i = 0; i < n; i++) {
        mean[i] = 0.0;
        for (int64_t kind = 0; kind < k; kind++)
            mean[i] += kernel->log_odds[kind * (n + 1) + i] / k;
        best = most(best, mean[i]);
        order[i] = i;
    }
    for (int64_t i = 0; i < n; i++) {
        priority[i] = mean[i] == -INFINITY ? 0.0 : ranked ? mean[i] == best : exponential(mean[i] - best);
        total += priority[i];
    }
    sort_descending(mean, mean, order, kernel->spare, n);
    for (int64_t position = 0; position < n; position++) {
        int64_t i = order[position];
        int tied = position > 0 && mean[i] == mean[order[position - 1]];
        rank[i] = tied ? rank[order[position - 1]] : (double)position / (n > 1 ? n - 1 : 1);
    }
    for (int64_t i = 0; i < n; i++)
        priority[i] = total > 0.0 ? priority[i] / total : 1.0 / n;
}

/* What all organizations see alike: the board, the public statistics and the masks, and 0 elsewhere. */
static void write_common(const Kernel *kernel, int shows_public, int shows_scores, float *seen)
{
    int64_t k = kernel->k, f = 2 * k + 5;
    memset(seen, 0, kernel->size * sizeof *seen);
    for (int64_t kind = 0; kind < k; kind++) {
        seen[f + kind] = kernel->count[kind];
        seen[f + k + kind] = kernel->value[kind];
    }
    f = 6 * k + 12;
    if (shows_public) {
        for (int64_t each = 0; each < PUBLIC; each++)
            seen[f + each] = kernel->public[each];
        seen[f + PUBLIC] = 1.0f;
    }
    if (shows_scores)
        seen[f + PUBLIC + 3] = 1.0f;
}

static void write_own(const Kernel *kernel, const Market *m, int first, int shows_scores, float *observations)
{
    int64_t n = kernel->n, k = kernel->k;
    double popularity = 0.0, per_unit = 1.0 / kernel->economy.capacity;
    for (int64_t i = 0; i < n; i++)
        popularity += m->popularity[i];
    popularity = popularity > 0.0 ? n / popularity : 0.0;
    for (int64_t i = 0; i < n; i++) {
        float *seen = observations + i * kernel->size, *own = seen + 2 * k, *last = seen + 4 * k + 6;
        for (int64_t kind = 0; kind < k; kind++) {
            seen[kind] = m->capability[kind * n + i];
            seen[k + kind] = clip(m->shock[kind * n + i]);
        }
        own[0] = m->reputation[i];
        own[1] = clip(m->popularity[i] * popularity);
        own[2] = clip(m->cash[i] * 0.1);
        own[3] = clip(m->infrastructure[i]);
        if (first)
            continue;
        last[0] = m->ask[i], last[1] = m->effort[i], last[2] = m->promotion[i];
        for (int64_t kind = 0; kind < k; kind++) {
            last[3 + kind] = m->focus[kind * n + i];
            last[3 + k + kind] = m->won[kind * n + i] * per_unit;
        }
        last[3 + 2 * k] = clip(m->paid[i] * per_unit);
        last[4 + 2 * k] = clip(m->profit[i]);
        last[5 + 2 * k] = m->quality[i];
        if (shows_scores) {
            last[13 + 2 * k] = clip(kernel->priority[i] * n);
            last[14 + 2 * k] = kernel->rank[i];
        }
    }
}

static void disclose(Kernel *kernel, const Market *m, int first, float *observations)
{
    int shows_public = !first && m->rule.level >= OUTCOMES, shows_scores = !first && m->rule.level >= SCORES;
    sum_board(kernel, m);
    if (shows_public)
        sum_public(kernel, m);
    if (shows_scores)
        place(kernel, m);
    write_common(kernel, shows_public, shows_scores, observations);
    for (int64_t i = 1; i < kernel->n; i++)
        memcpy(observations + i * kernel->size, observations, kernel->size * sizeof *observations);
    write_own(kernel, m, first, shows_scores, observations);
}
