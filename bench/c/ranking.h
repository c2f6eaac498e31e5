/* Serial draws under a ranking, as envs/mechanisms/ranking.py. A tree's level is the score, its mass how many have it,
   and its upto which leaf, where it is one. */

#pragma once

#include "market.h"
#include "numbers.h"

/* A node from its eight children but `own` (-1: from all); children are leaves, or nodes. */
static void sum_children(const Tree *tree, int leaves, int64_t start, int64_t own, double *top, double *tied,
                         double *leader)
{
    const double *restrict level = tree->level + start, *restrict mass = tree->mass + start;
    double score[FAN], count = 0.0;
    int64_t child = 0;
    for (int64_t each = 0; each < FAN; each++)
        score[each] = each == own ? -INFINITY : level[each];
    *top = most(most(most(score[0], score[1]), most(score[2], score[3])),
                most(most(score[4], score[5]), most(score[6], score[7])));
    for (int64_t each = 0; each < FAN; each++) {
        child += score[each] == *top ? each : 0;
        count += score[each] == *top ? (leaves ? 1.0 : mass[each]) : 0.0;
    }
    child = child < FAN - 1 ? child : FAN - 1;
    *tied = *top > -INFINITY ? count : 0.0;
    *leader = leaves ? (double)(start + child) : tree->upto[start + child];
}

static void plant_ranking(const Kernel *kernel, Tree *tree, const double *scores)
{
    int64_t n = kernel->n, count = n;
    const int64_t *starts = kernel->starts;
    for (int64_t i = 0; i < n; i++)
        tree->level[i] = kernel->capacities[i] > 0 ? scores[i] : -INFINITY;
    for (int64_t height = 0; height < kernel->depth; height++) {
        for (int64_t pad = starts[height] + count; pad < starts[height + 1]; pad++)
            tree->level[pad] = -INFINITY, tree->mass[pad] = 0.0, tree->upto[pad] = -1.0;
        count = (starts[height + 1] - starts[height]) / FAN;
        for (int64_t group = 0; group < count; group++) {
            int64_t parent = starts[height + 1] + group;
            sum_children(tree, height == 0, starts[height] + group * FAN, -1, &tree->level[parent],
                         &tree->mass[parent], &tree->upto[parent]);
        }
    }
    tree->level[starts[kernel->depth] + 1] = scores[n];
    tree->planted = 1;
}

static void remove_ranked(const Kernel *kernel, Tree *tree, int64_t leaf)
{
    const int64_t *starts = kernel->starts;
    double top, tied, leader, beside, tied_beside, rival;
    tree->level[leaf] = -INFINITY;
    sum_children(tree, 1, leaf - leaf % FAN, leaf % FAN, &top, &tied, &leader);
    int64_t node = starts[1] + leaf / FAN;
    for (int64_t height = 1;; height++) {
        tree->level[node] = top, tree->mass[node] = tied, tree->upto[node] = leader;
        if (height == kernel->depth)
            return;
        sum_children(tree, 0, node - node % FAN, node % FAN, &beside, &tied_beside, &rival);
        leader = top > beside ? leader : rival;
        tied = (top >= beside ? tied : 0.0) + (beside >= top ? tied_beside : 0.0);
        top = most(top, beside);
        node = starts[height + 1] + (node - starts[height]) / FAN;
    }
}

/* One of those who tie. */
static int64_t draw_ranked(const Kernel *kernel, const Tree *tree, double goal)
{
    const int64_t *starts = kernel->starts;
    int64_t node = starts[kernel->depth];
    double top = tree->level[node];
    for (int64_t height = kernel->depth - 1; height >= 0; height--) {
        double upto = 0.0;
        goal = least(goal, tree->mass[node] * (1.0 - 0x1p-53));
        node = starts[height] + (node - starts[height + 1]) * FAN;
        for (;; node++) {
            double tied = tree->level[node] == top ? (height > 0 ? tree->mass[node] : 1.0) : 0.0;
            if (goal < upto + tied)
                break;
            upto += tied;
        }
        goal -= upto;
    }
    return node;
}

static void serial_ranked(Kernel *kernel, Market *m, int64_t trees)
{
    int64_t root = kernel->starts[kernel->depth], outside = root + 1;
    for (int64_t j = 0; j < kernel->j; j++) {
        int64_t kind = trees > 1 ? m->kinds[j] : 0;
        Tree *tree = &kernel->trees[kind];
        if (!tree->planted)
            plant_ranking(kernel, tree, kernel->log_odds + kind * (kernel->n + 1));
        double best = tree->level[root], other = tree->level[outside];
        double inside = best >= other ? tree->mass[root] : 0.0;
        double beside = other >= best && other > -INFINITY ? 1.0 : 0.0;
        double goal = kernel->draws[j] * (inside + beside);
        if (inside == 0.0 || (goal >= inside && beside > 0.0))
            continue;
        int64_t i = inside == 1.0 ? (int64_t)tree->upto[root] : draw_ranked(kernel, tree, goal);
        m->winner[j] = i;
        if (--kernel->capacities[i] == 0)
            for (int64_t each = 0; each < trees; each++)
                if (kernel->trees[each].planted)
                    remove_ranked(kernel, &kernel->trees[each], i);
    }
}
