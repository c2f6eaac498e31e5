/* What a rule, an economy, a market and the memory of all markets are. N organizations, J jobs, K kinds. */

#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BOARD, SHOCK, DRAW, RACE, QUALITY, INITIAL, PURPOSES = 16 };
enum { SERIAL, DEFERRED_ACCEPTANCE };
enum { AS_ASKED, POSTED };
enum { OPAQUE, OUTCOMES, SCORES };
enum { MEASURES = 14, PUBLIC = 6, FAN = 8, DEPTH = 16 };

typedef struct {
    double price, capability, reputation, promotion, popularity, focus; /* weights */
    double amplification, floor, reserve, commission, gain, inflation, persistence, prior;
    int64_t level, mechanism, pricing;
} Rule;

typedef struct {
    double base_cost, effort_cost, promotion_price, log_outside_odds, outside_ask, learning_exponent, depreciation;
    double capability_low, capability_high, infrastructure_low, infrastructure_high, infrastructure_gain;
    double shock_mean, shock_sd, value_spread, quality_capability, quality_noise, initial_reputation, initial_cash;
    int64_t capacity;
} Economy;

typedef struct {
    Rule rule;
    uint64_t key[2];
    int64_t faults;
    double *reputation, *popularity, *cash, *infrastructure, *relief;        /* (N) */
    double *experience, *initial, *capability, *shock, *billed;              /* (K, N) */
    double *ask, *effort, *promotion, *clipped;                              /* (N) */
    double *paid, *commission, *cost, *charge, *profit, *quality, *served;   /* (N) */
    double *focus, *won;                                                     /* (K, N) */
    double *values, *payments, *qualities;                                   /* (J) */
    int64_t *kinds, *winner;                                                 /* (J) */
    double *measures, *totals;                                               /* (MEASURES) */
} Market;

typedef struct {
    double *level, *mass, *upto;
    int64_t planted;
} Tree;

typedef struct {
    int64_t n, j, k, size, markets, columns; /* columns: of draws */
    Economy economy;
    Market *market;
    double *draws;                                   /* (4, columns) */
    double *log_odds;                                /* (K, N + 1) */
    double *common, *mean, *priority, *rank, *noise; /* (N) */
    double *perturbed;                               /* (K, N) */
    double *count, *value;                           /* (K) */
    double public[PUBLIC];
    Tree *trees;                    /* (K) */
    int64_t starts[DEPTH], depth;   /* where each level of a tree starts, leaves first */
    int64_t *capacities, *load;     /* (N) */
    int64_t *order, *spare;         /* (max(N, J, K)) */
    int64_t *list, *preferences;    /* (K, N), (N, K) */
    int64_t *place, *free, *pointer, *waiting; /* (K, N), (N), (N), (N) */
    int64_t *first, *held;          /* (K + 1), (K) */
    int64_t *by_kind, *heaps;       /* (J) */
} Kernel;
