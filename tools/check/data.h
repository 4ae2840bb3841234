/* SPDX-License-Identifier: Apache-2.0 */
/** @file data.h @brief The tensors of a case on the host: its inputs, from its seed, and what a device gave. */
#ifndef GRKAN_CHECK_DATA_H
#define GRKAN_CHECK_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "cases.h"
#include "oracle.h"

/** The tensors of a call. */
typedef enum check_tensor {
    CHECK_X = 0,
    CHECK_DY,
    CHECK_NUMERATOR,
    CHECK_DENOMINATOR,
    CHECK_Y,
    CHECK_DX,
    CHECK_DNUMERATOR,
    CHECK_DDENOMINATOR,
    CHECK_TENSORS
} check_tensor;

/** Tables of coefficients: CHECK_NUMERATOR + k is table k, and CHECK_DNUMERATOR + k its gradient. */
enum { CHECK_TABLES = 2 };

/** The shape of a table: rows, and the coefficients of x^first, x^(first + 1), ... in each. */
typedef struct check_shape {
    int64_t rows;
    int width; /**< may be 0 */
    int first;
} check_shape;

check_shape check_table_shape(const grkan_operation *operation, int table);

/** Where the row of a group begins in a table of that shape. */
int64_t check_row_start(check_shape shape, int64_t group);

/** Host arrays. For a case's inputs, the last two hold what gradients are added to, and y and dx are NULL. */
typedef struct check_data {
    void *tensor[CHECK_TENSORS];
} check_data;

/** @return "x", "dy", ... */
const char *check_tensor_name(check_tensor tensor);

/** Elements of a tensor of a case; may be 0. */
int64_t check_tensor_count(const check_case *one, check_tensor tensor);

/** Type of a tensor of a case. */
grkan_dtype check_tensor_dtype(const check_case *one, check_tensor tensor);

/** Bytes of a tensor of a case; may be 0. */
size_t check_tensor_bytes(const check_case *one, check_tensor tensor);

/** Make the inputs of a case. false when memory ran out. */
bool check_data_create(const check_case *one, check_data *data);

void check_data_free(check_data *data);

/** First channel of group, 0 <= group <= groups, as numpy.array_split has it. */
int64_t check_group_start(const grkan_operation *operation, int64_t group);

/** The function of a group, with the coefficients of data. */
oracle_function check_function(const check_case *one, const check_data *data, int64_t group);

#endif
