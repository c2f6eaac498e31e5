/* Deferred acceptance with organizations proposing (Gale & Shapley 1962): each kind holds
   as many units of capacity as it has jobs, those that it ranks best. */

#pragma once

#include "market.h"
#include "numbers.h"

static void draw_priorities(Kernel *kernel, const Market *m, int64_t round, int64_t episode)
{
    int64_t n = kernel->n;
    int ranked = m->rule.amplification == INFINITY;
    double *restrict noise = kernel->noise;
    for (int64_t kind = 0; kind < kernel->k; kind++) {
        const double *log_odds = kernel->log_odds + kind * (n + 1);
        double *restrict perturbed = kernel->perturbed + kind * n;
        int64_t *restrict list = kernel->list + kind * n;
        draw_fine(kernel, m, round, episode, RACE + PURPOSES * kind, n);
        for (int64_t i = 0; i < n; i++) {
            noise[i] = -logarithm(-logarithm(kernel->draws[i]));
            perturbed[i] = ranked ? log_odds[i] : log_odds[i] + noise[i];
            list[i] = i;
        }
        sort_descending(perturbed, noise, list, kernel->spare, n);
    }
}

static void rank_kinds(Kernel *kernel, const Market *m)
{
    int64_t n = kernel->n, k = kernel->k;
    for (int64_t i = 0; i < n; i++) {
        int64_t *order = kernel->preferences + i * k;
        for (int64_t kind = 0; kind < k; kind++) {
            kernel->value[kind] = m->focus[kind * n + i];
            order[kind] = kind;
        }
        sort_descending(kernel->value, kernel->value, order, kernel->spare, k);
    }
}

/* Jobs of each kind, the dearest first: by_kind[first[kind]] to by_kind[first[kind + 1] - 1]. */
static void jobs_by_kind(Kernel *kernel, const Market *m)
{
    int64_t *first = kernel->first, k = kernel->k, jobs = kernel->j;
    memset(first, 0, (k + 1) * sizeof *first);
    for (int64_t j = 0; j < jobs; j++) {
        first[m->kinds[j] + 1]++;
        kernel->order[j] = j;
    }
    for (int64_t kind = 0; kind < k; kind++)
        first[kind + 1] += first[kind];
    sort_descending(m->values, m->values, kernel->order, kernel->spare, jobs);
    for (int64_t position = 0; position < jobs; position++) {
        int64_t j = kernel->order[position];
        kernel->by_kind[first[m->kinds[j]]++] = j;
    }
    memmove(first + 1, first, k * sizeof *first);
    first[0] = 0;
}

static void sift_down(int64_t *heap, int64_t size)
{
    for (int64_t node = 0, child = 1; child < size; child = 2 * node + 1) {
        if (child + 1 < size && heap[child + 1] > heap[child])
            child++;
        if (heap[child] <= heap[node])
            return;
        int64_t held = heap[node];
        heap[node] = heap[child], heap[child] = held;
        node = child;
    }
}

static void push(int64_t *heap, int64_t size, int64_t item)
{
    int64_t node = size;
    for (; node > 0 && heap[(node - 1) / 2] < item; node = (node - 1) / 2)
        heap[node] = heap[(node - 1) / 2];
    heap[node] = item;
}

/* Organization `start` proposes, and whoever is put out in turn. */
static void propose(Kernel *kernel, int64_t start)
{
    int64_t n = kernel->n, *waiting = kernel->waiting, count = 1;
    waiting[0] = start;
    while (count > 0) {
        int64_t i = waiting[count - 1];
        if (kernel->free[i] == 0 || kernel->pointer[i] == kernel->k) {
            count--;
            continue;
        }
        int64_t kind = kernel->preferences[i * kernel->k + kernel->pointer[i]], mine = kernel->place[kind * n + i];
        int64_t *heap = kernel->heaps + kernel->first[kind], room = kernel->first[kind + 1] - kernel->first[kind];
        if (kernel->held[kind] < room) {
            push(heap, kernel->held[kind]++, mine);
            kernel->free[i]--;
        } else if (room > 0 && mine < heap[0]) {
            int64_t out = kernel->list[kind * n + heap[0]];
            heap[0] = mine;
            sift_down(heap, room);
            if (--kernel->free[i] == 0)
                count--;
            if (++kernel->free[out] == 1)
                waiting[count++] = out;
        } else {
            kernel->pointer[i]++;
        }
    }
}

static void sort_up(int64_t *heap, int64_t size)
{
    for (int64_t last = size - 1; last > 0; last--) {
        int64_t top = heap[0];
        heap[0] = heap[last], heap[last] = top;
        sift_down(heap, last);
    }
}

static void deferred_acceptance(Kernel *kernel, Market *m, int64_t round, int64_t episode)
{
    int64_t n = kernel->n, k = kernel->k;
    draw_priorities(kernel, m, round, episode);
    rank_kinds(kernel, m);
    jobs_by_kind(kernel, m);
    for (int64_t kind = 0; kind < k; kind++) {
        kernel->held[kind] = 0;
        for (int64_t position = 0; position < n; position++)
            kernel->place[kind * n + kernel->list[kind * n + position]] = position;
    }
    for (int64_t i = 0; i < n; i++)
        kernel->free[i] = kernel->capacities[i], kernel->pointer[i] = 0;
    for (int64_t start = 0; start < n; start++)
        propose(kernel, start);
    for (int64_t kind = 0; kind < k; kind++) {
        int64_t start = kernel->first[kind], *units = kernel->heaps + start;
        sort_up(units, kernel->held[kind]);
        for (int64_t rank = 0; rank < kernel->held[kind]; rank++)
            m->winner[kernel->by_kind[start + rank]] = kernel->list[kind * n + units[rank]];
    }
}
