/* SPDX-License-Identifier: Apache-2.0 */
/** @file pairs.c @brief Pairwise covering, greedy. */
#include "pairs.h"

#include <string.h>

#define CANDIDATES 200

static int count_new(const pairs *p, const int *row)
{
    int count = 0;
    for (int i = 0; i < p->factors; i++)
        for (int j = i + 1; j < p->factors; j++)
            count += !p->seen[i][j][row[i]][row[j]];
    return count;
}

bool pairs_next(pairs *p, check_random *random, int row[PAIRS_FACTORS], bool (*legal)(const int *row))
{
    int best[PAIRS_FACTORS], best_count = -1;
    for (int k = 0; k < CANDIDATES; k++) {
        int candidate[PAIRS_FACTORS];
        for (int i = 0; i < p->factors; i++)
            candidate[i] = row[i] >= 0 ? row[i] : check_random_below(random, p->levels[i]);
        const int count = legal(candidate) ? count_new(p, candidate) : -1;
        if (count > best_count) {
            best_count = count;
            memcpy(best, candidate, sizeof best);
        }
    }
    if (best_count < 0)
        return false;
    memcpy(row, best, sizeof best);
    for (int i = 0; i < p->factors; i++)
        for (int j = i + 1; j < p->factors; j++)
            p->seen[i][j][row[i]][row[j]] = true;
    return true;
}

int pairs_missing(const pairs *p)
{
    int count = 0;
    for (int i = 0; i < p->factors; i++)
        for (int j = i + 1; j < p->factors; j++)
            for (int a = 0; a < p->levels[i]; a++)
                for (int b = 0; b < p->levels[j]; b++)
                    count += !p->seen[i][j][a][b];
    return count;
}
