/* Serial draws, as envs/mechanisms/serial.py: each job draws among those with capacity left, by the odds for its kind,
   from a tree of which every node has FAN children. */

#pragma once

#include "market.h"
#include "numbers.h"
#include "ranking.h"

static void combine(const Tree *tree, int64_t start, int64_t parent)
{
    const double *restrict level = tree->level + start, *restrict mass = tree->mass + start;
    double *restrict upto = tree->upto + start, total = 0.0;
    double top = most(most(most(level[0], level[1]), most(level[2], level[3])),
                      most(most(level[4], level[5]), most(level[6], level[7])));
    for (int child = 0; child < FAN; child++)
        upto[child] = level[child] == top ? mass[child] : 0.0;
    for (int child = 0; child < FAN; child++) {
        total += upto[child];
        upto[child] = total;
    }
    tree->level[parent] = top, tree->mass[parent] = total;
}

/* Level and mass of one candidate: whole factors of e**512 behind the best. */
static void place_candidate(double log_odds, double best, double *level, double *mass)
{
    if (log_odds == -INFINITY) {
        *level = log_odds, *mass = 0.0;
        return;
    }
    double behind = most(log_odds - best, -1e15);
    *level = -(double)(int64_t)(-behind / 512.0);
    *mass = exponential(behind - *level * 512.0);
}

static void plant(const Kernel *kernel, Tree *tree, const double *log_odds)
{
    int64_t n = kernel->n, deep = 0;
    const int64_t *starts = kernel->starts;
    double *restrict level = tree->level, *restrict mass = tree->mass, best = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        best = most(best, log_odds[i]);
    for (int64_t i = 0; i < n; i++) {
        int there = (kernel->capacities[i] > 0) & (log_odds[i] > -INFINITY);
        double odds = exponential(log_odds[i] - best);
        deep |= there & (log_odds[i] < best - 512.0);
        level[i] = there ? 0.0 : -INFINITY;
        mass[i] = there ? odds : 0.0;
    }
    if (deep)
        for (int64_t i = 0; i < n; i++)
            if (level[i] > -INFINITY)
                place_candidate(log_odds[i], best, &level[i], &mass[i]);
    int64_t count = n;
    for (int64_t height = 0; height < kernel->depth; height++) {
        for (int64_t pad = starts[height] + count; pad < starts[height + 1]; pad++)
            level[pad] = -INFINITY, mass[pad] = 0.0;
        count = (starts[height + 1] - starts[height]) / FAN;
        for (int64_t group = 0; group < count; group++)
            combine(tree, starts[height] + group * FAN, starts[height + 1] + group);
    }
    int64_t outside = starts[kernel->depth] + 1;
    level[outside] = -INFINITY, mass[outside] = 0.0;
    if (best > -INFINITY)
        place_candidate(log_odds[n], best, &level[outside], &mass[outside]);
    tree->planted = 1;
}

static void remove_leaf(const Kernel *kernel, Tree *tree, int64_t node)
{
    tree->level[node] = -INFINITY, tree->mass[node] = 0.0;
    for (int64_t height = 0; height < kernel->depth; height++) {
        int64_t group = (node - kernel->starts[height]) / FAN;
        node = kernel->starts[height + 1] + group;
        combine(tree, kernel->starts[height] + group * FAN, node);
    }
}

static int64_t draw_leaf(const Kernel *kernel, const Tree *tree, double goal)
{
    int64_t node = kernel->starts[kernel->depth];
    for (int64_t height = kernel->depth - 1; height >= 0; height--) {
        goal = least(goal, tree->mass[node] * (1.0 - 0x1p-53));
        int64_t start = kernel->starts[height] + (node - kernel->starts[height + 1]) * FAN, child = 0;
        for (int64_t each = 0; each < FAN; each++)
            child += tree->upto[start + each] <= goal;
        goal -= child > 0 ? tree->upto[start + child - 1] : 0.0;
        node = start + child;
    }
    return node;
}

/* Whether all kinds have the same odds: one tree will do. */
static int alike(const Kernel *kernel)
{
    int64_t columns = kernel->n + 1;
    for (int64_t kind = 1; kind < kernel->k; kind++)
        for (int64_t i = 0; i < columns; i++)
            if (kernel->log_odds[kind * columns + i] != kernel->log_odds[i])
                return 0;
    return 1;
}

static void serial(Kernel *kernel, Market *m, int64_t round, int64_t episode)
{
    int64_t root = kernel->starts[kernel->depth], outside = root + 1;
    draw_fine(kernel, m, round, episode, DRAW, kernel->j);
    int64_t trees = alike(kernel) ? 1 : kernel->k;
    for (int64_t kind = 0; kind < trees; kind++)
        kernel->trees[kind].planted = 0;
    if (m->rule.amplification == INFINITY) {
        serial_ranked(kernel, m, trees);
        return;
    }
    for (int64_t j = 0; j < kernel->j; j++) {
        int64_t kind = trees > 1 ? m->kinds[j] : 0;
        Tree *tree = &kernel->trees[kind];
        if (!tree->planted)
            plant(kernel, tree, kernel->log_odds + kind * (kernel->n + 1));
        double inside = tree->level[root] >= tree->level[outside] ? tree->mass[root] : 0.0;
        double beside = tree->level[outside] >= tree->level[root] ? tree->mass[outside] : 0.0;
        double goal = kernel->draws[j] * (inside + beside);
        if (inside == 0.0 || (goal >= inside && beside > 0.0))
            continue;
        int64_t i = draw_leaf(kernel, tree, goal);
        m->winner[j] = i;
        if (--kernel->capacities[i] == 0)
            for (int64_t other = 0; other < trees; other++)
                if (kernel->trees[other].planted)
                    remove_leaf(kernel, &kernel->trees[other], i);
    }
}
