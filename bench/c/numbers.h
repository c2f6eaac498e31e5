/* Exponential, logarithm, random numbers and sorting: the same bits as envs/numerics.py and envs/order.py. */

#pragma once

#include "market.h"

static inline double least(double a, double b) { return a < b ? a : b; }
static inline double most(double a, double b) { return a > b ? a : b; }
static inline double clip(double x) { return least(most(x, -10.0), 10.0); }

static inline double exponential(double x)
{
    x = least(most(x, -708.0), 709.0);
    double n = x * 1.44269504088896338700 + 6755399441055744.0 - 6755399441055744.0;
    double r = x - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10;
    double r2 = r * r, r4 = r2 * r2;
    double low = (0.5 + 0.16666666666666666 * r) + r2 * (0.041666666666666664 + 0.008333333333333333 * r);
    double middle = 0.001388888888888889 + 0.0001984126984126984 * r;
    middle += r2 * (2.48015873015873e-05 + 2.7557319223985893e-06 * r);
    double high = 2.755731922398589e-07 + 2.505210838544172e-08 * r;
    high += r2 * (2.08767569878681e-09 + 1.6059043836821613e-10 * r);
    double p = ((low + r4 * middle) + (r4 * r4) * high) * r2 + r + 1.0;
    int64_t bits = ((int64_t)n + 1023) << 52;
    double power;
    memcpy(&power, &bits, 8);
    double value = p * power;
    return x > -708.0 ? value : 0.0;
}

static inline double logarithm(double x)
{
    int64_t bits, rest;
    memcpy(&bits, &x, 8);
    int64_t exponent = (bits - 0x3FE6A09E667F3BCD) >> 52;
    rest = bits - (int64_t)((uint64_t)exponent << 52);
    double n = (double)exponent, m;
    memcpy(&m, &rest, 8);
    double f = m - 1.0, s = f / (2.0 + f), z = s * s, z2 = z * z, z4 = z2 * z2;
    double low = (0.6666666666666666 + 0.4 * z) + z2 * (0.2857142857142857 + 0.2222222222222222 * z);
    double middle = (0.18181818181818182 + 0.15384615384615385 * z)
                    + z2 * (0.13333333333333333 + 0.11764705882352941 * z);
    double p = (low + z4 * middle) + (z4 * z4) * (0.10526315789473684 + 0.09523809523809523 * z);
    double half = 0.5 * f * f;
    return n * 6.93147180369123816490e-01 - ((half - (s * (half + z * p) + n * 1.90821492927058770002e-10)) - f);
}

static inline double log_signal(double signal) { return logarithm(most(signal, 1e-12)); }

/* Random numbers: Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011) */

#define PHILOX_ROUND(a, b, c, d, k0, k1)                                                  \
    do {                                                                                  \
        uint64_t low = a * 0xD2511F53u, high = c * 0xCD9E8D57u;                           \
        a = (high >> 32) ^ b ^ k0, b = high & 0xFFFFFFFFu;                                \
        c = (low >> 32) ^ d ^ k1, d = low & 0xFFFFFFFFu;                                  \
        k0 = (k0 + 0x9E3779B9u) & 0xFFFFFFFFu, k1 = (k1 + 0xBB67AE85u) & 0xFFFFFFFFu;     \
    } while (0)

static inline void words(const uint64_t key[2], uint64_t index, uint64_t round, uint64_t episode, uint64_t purpose,
                         uint64_t out[4])
{
    uint64_t a = index, b = round, c = episode, d = purpose, k0 = key[0], k1 = key[1];
    PHILOX_ROUND(a, b, c, d, k0, k1);
    PHILOX_ROUND(a, b, c, d, k0, k1);
    PHILOX_ROUND(a, b, c, d, k0, k1);
    PHILOX_ROUND(a, b, c, d, k0, k1);
    PHILOX_ROUND(a, b, c, d, k0, k1);
    PHILOX_ROUND(a, b, c, d, k0, k1);
    PHILOX_ROUND(a, b, c, d, k0, k1);
    PHILOX_ROUND(a, b, c, d, k0, k1);
    PHILOX_ROUND(a, b, c, d, k0, k1);
    PHILOX_ROUND(a, b, c, d, k0, k1);
    out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

static inline double uniform(uint64_t word) { return ((double)(int64_t)word + 0.5) * 2.3283064365386963e-10; }

/* Whole vectors of calls, which a compiler vectorizes without a remainder. */
static int64_t padded(int64_t calls) { return (calls + 7) / 8 * 8; }

/* Uniform numbers of calls 0 .. calls - 1, one row a word: kernel->draws. */
static void draw(Kernel *kernel, const Market *m, int64_t round, int64_t episode, int64_t purpose, int64_t calls)
{
    double *restrict a = kernel->draws, *restrict b = a + kernel->columns;
    double *restrict c = b + kernel->columns, *restrict d = c + kernel->columns;
    for (int64_t index = 0; index < padded(calls); index++) {
        uint64_t word[4];
        words(m->key, index, round, episode, purpose, word);
        a[index] = uniform(word[0]), b[index] = uniform(word[1]);
        c[index] = uniform(word[2]), d[index] = uniform(word[3]);
    }
}

/* One number of 52 random bits a call, in the first row. */
static void draw_fine(Kernel *kernel, const Market *m, int64_t round, int64_t episode, int64_t purpose, int64_t calls)
{
    double *restrict out = kernel->draws;
    for (int64_t index = 0; index < padded(calls); index++) {
        uint64_t word[4];
        words(m->key, index, round, episode, purpose, word);
        out[index] = uniform(word[0]) + (uniform(word[1]) - 0.5) * 2.3283064365386963e-10;
    }
}

/* The first `length` numbers drawn, word after word. */
static void spread(const Kernel *kernel, double *restrict out, int64_t length)
{
    int64_t calls = (length + 3) / 4;
    for (int64_t start = 0, word = 0; start < length; start += calls, word++) {
        const double *restrict row = kernel->draws + word * kernel->columns;
        int64_t count = calls < length - start ? calls : length - start;
        for (int64_t call = 0; call < count; call++)
            out[start + call] = row[call];
    }
}

/* Stable sorting of the indices in `order`, the largest first: runs of eight by insertion, then merged. */

static inline int before(const double *first, const double *second, int64_t a, int64_t b)
{
    return first[a] > first[b] || (first[a] == first[b] && second[a] > second[b]);
}

static void merge(const double *first, const double *second, const int64_t *order, int64_t *out, int64_t low,
                  int64_t middle, int64_t high)
{
    int64_t left = low, right = middle;
    for (int64_t target = low; target < high; target++) {
        int from_left = right >= high || (left < middle && !before(first, second, order[right], order[left]));
        out[target] = from_left ? order[left++] : order[right++];
    }
}

static void sort_descending(const double *first, const double *second, int64_t *order, int64_t *spare, int64_t n)
{
    for (int64_t start = 0; start < n; start += 8) {
        int64_t end = start + 8 < n ? start + 8 : n;
        for (int64_t at = start + 1; at < end; at++) {
            int64_t item = order[at], hole = at;
            for (; hole > start && before(first, second, item, order[hole - 1]); hole--)
                order[hole] = order[hole - 1];
            order[hole] = item;
        }
    }
    for (int64_t width = 8; width < n; width *= 2) {
        for (int64_t low = 0; low < n; low += 2 * width) {
            int64_t middle = low + width < n ? low + width : n, high = low + 2 * width < n ? low + 2 * width : n;
            merge(first, second, order, spare, low, middle, high);
        }
        memcpy(order, spare, n * sizeof *order);
    }
}
