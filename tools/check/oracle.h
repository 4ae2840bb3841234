/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file oracle.h
 * @brief What the operation should give, in long double and straight from the formulas, with a bound on the error
 *        that a device may make.
 *
 * The oracle shares nothing with the library but the enums. Its bounds count roundings: see oracle.c. Values of x must
 * keep x^15 within long double: |x| <= 1e320.
 */
#ifndef GRKAN_CHECK_ORACLE_H
#define GRKAN_CHECK_ORACLE_H

#include <grkan/grkan.h>

#define ORACLE_COEFFICIENTS (GRKAN_MAX_DEGREE + 1)

/**
 * A value and how far a correct device may be from it before it rounds to its storage type.
 *
 * | value    | error    | what a device may give                               |
 * |----------|----------|------------------------------------------------------|
 * | finite   | finite   | a number within the error                            |
 * | infinite | finite   | that infinity                                        |
 * | NaN      | 0        | NaN                                                  |
 * | infinite | infinite | any infinity or NaN                                  |
 * | else     | infinite | anything: the oracle cannot tell (beside a pole, ...) |
 */
typedef struct oracle_number {
    long double value;
    long double error;
} oracle_number;

/** The function of one group. */
typedef struct oracle_function {
    grkan_form form;
    int m, n;
    long double a[ORACLE_COEFFICIENTS]; /**< a[i] of x^i */
    long double b[ORACLE_COEFFICIENTS]; /**< b[j] of x^j; b[0] is 0 unless the form has it */
    long double unit;                   /**< unit roundoff of the device's arithmetic: 2^-24, 2^-53 */
    long double tiny;                   /**< what an underflow in it may lose */
} oracle_function;

/** What one element gives, and what it adds to the sums: da[i] of a_i, db[j] of b_j (b_0 only where the form has it). */
typedef struct oracle_element {
    oracle_number y, dx;
    oracle_number da[ORACLE_COEFFICIENTS];
    oracle_number db[ORACLE_COEFFICIENTS];
} oracle_element;

/** Values of what one element adds to the sums, as oracle_element has them. */
typedef struct oracle_shares {
    long double da[ORACLE_COEFFICIENTS];
    long double db[ORACLE_COEFFICIENTS];
} oracle_shares;

/** Index j of the first coefficient that a form stores: 0 for GRKAN_ABS_SUM_OFFSET, else 1. */
int oracle_first_denominator(grkan_form form);

/** What an element adds to a row of table k of its family, number by number, as the row holds them. */
const oracle_number *oracle_added(const oracle_function *function, const oracle_element *element, int k);

/** F, and with dy its derivatives. NaN and infinite x and dy are allowed. */
void oracle_evaluate(const oracle_function *function, long double x, long double dy, oracle_element *element);

/**
 * As oracle_evaluate, of an x that a device may have wrong by x.error, after a prologue. Where its error is infinite, nothing is said.
 * Bounds grow by how far the results at both ends of that are from those in the middle: over so short a way functions are
 * all but quadratic, and a quadratic one that is between its values at both ends, or beyond, is never farther off than at
 * one of them. A kink in between makes a jump that is between them.
 */
void oracle_evaluate_near(const oracle_function *function, oracle_number x, long double dy, oracle_element *element);

/** What an element whose x and dy are finite adds to the sums, without bounds, which take most of the time. */
void oracle_share(const oracle_function *function, long double x, long double dy, oracle_shares *shares);

#endif
