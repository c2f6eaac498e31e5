/* Memory, all of it: lives as long as the process. */

#pragma once

#include "market.h"
#include "numbers.h"

static double *doubles(int64_t count) { return calloc(count, sizeof(double)); }
static int64_t *integers(int64_t count) { return calloc(count, sizeof(int64_t)); }

static void hand_out(double **memory, double **fields[], int64_t count, int64_t size)
{
    for (int64_t each = 0; each < count; each++, *memory += size)
        *fields[each] = *memory;
}

/* The state comes first, (5 + 5K, N), so that it can be read as a whole. */
static void lay_out(Market *m, int64_t n, int64_t j, int64_t k)
{
    double *memory = doubles(16 * n + 7 * k * n + 3 * j + 2 * MEASURES);
    double **state[] = {&m->reputation, &m->popularity, &m->cash, &m->infrastructure, &m->relief};
    double **state_by_kind[] = {&m->experience, &m->initial, &m->capability, &m->shock, &m->billed};
    double **outcome[] = {&m->ask, &m->effort, &m->promotion, &m->clipped, &m->paid, &m->commission, &m->cost,
                          &m->charge, &m->profit, &m->quality, &m->served};
    double **outcome_by_kind[] = {&m->focus, &m->won}, **by_job[] = {&m->values, &m->payments, &m->qualities};
    hand_out(&memory, state, 5, n);
    hand_out(&memory, state_by_kind, 5, k * n);
    hand_out(&memory, outcome, 11, n);
    hand_out(&memory, outcome_by_kind, 2, k * n);
    hand_out(&memory, by_job, 3, j);
    m->measures = memory, m->totals = memory + MEASURES;
    m->kinds = integers(j), m->winner = integers(j);
}

static void lay_out_trees(Kernel *kernel)
{
    int64_t count = kernel->n;
    kernel->depth = 0;
    while (count > 1 || kernel->depth == 0) {
        count = (count + FAN - 1) / FAN;
        kernel->starts[kernel->depth + 1] = kernel->starts[kernel->depth] + count * FAN;
        kernel->depth++;
    }
    int64_t nodes = kernel->starts[kernel->depth] + 2;
    kernel->trees = calloc(kernel->k, sizeof *kernel->trees);
    for (int64_t kind = 0; kind < kernel->k; kind++)
        kernel->trees[kind] = (Tree){doubles(nodes), doubles(nodes), doubles(nodes), 0};
}

Kernel *open_kernel(int64_t n, int64_t j, int64_t k, int64_t size, int64_t markets, const Economy *economy,
                    const Rule *rules, const uint64_t *keys)
{
    Kernel *kernel = calloc(1, sizeof *kernel);
    int64_t longest = n > j ? n : j;
    *kernel = (Kernel){.n = n, .j = j, .k = k, .size = size, .markets = markets, .economy = *economy};
    kernel->columns = padded(longest > k * n ? longest : k * n);
    kernel->draws = doubles(4 * kernel->columns);
    kernel->log_odds = doubles(k * (n + 1)), kernel->perturbed = doubles(k * n);
    kernel->common = doubles(n), kernel->mean = doubles(n), kernel->noise = doubles(n);
    kernel->priority = doubles(n), kernel->rank = doubles(n);
    kernel->count = doubles(k), kernel->value = doubles(k);
    kernel->capacities = integers(n), kernel->load = integers(n);
    kernel->order = integers(longest + k), kernel->spare = integers(longest + k);
    kernel->list = integers(k * n), kernel->preferences = integers(k * n), kernel->place = integers(k * n);
    kernel->free = integers(n), kernel->pointer = integers(n), kernel->waiting = integers(n);
    kernel->first = integers(k + 1), kernel->held = integers(k);
    kernel->by_kind = integers(j), kernel->heaps = integers(j);
    lay_out_trees(kernel);
    kernel->market = calloc(markets, sizeof *kernel->market);
    for (int64_t b = 0; b < markets; b++) {
        kernel->market[b].rule = rules[b];
        memcpy(kernel->market[b].key, keys + 2 * b, 2 * sizeof *keys);
        lay_out(&kernel->market[b], n, j, k);
    }
    return kernel;
}
