/* SPDX-License-Identifier: Apache-2.0 */
/** @file published.h @brief The initial coefficients that the authors of KAT publish, and what they stand for. */
#ifndef GRKAN_CHECK_PUBLISHED_H
#define GRKAN_CHECK_PUBLISHED_H

#include <grkan/grkan.h>

#define PUBLISHED_COUNT 9

/** A table of degrees (5, 4). */
typedef struct published_table {
    const char *name;
    grkan_denominator form; /**< the form that the table was fitted for */
    double numerator[6];
    double denominator[4];
    long double (*function)(long double x); /**< what it approximates */
    double error;                           /**< bound on |F - function| on [-3, 3]; measured, plus 10 % */
} published_table;

extern const published_table published_tables[PUBLISHED_COUNT];

/** @return the table of that name; NULL if there is none. */
const published_table *published_find(const char *name);

#endif
