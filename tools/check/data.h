/* SPDX-License-Identifier: Apache-2.0 */
/** @file data.h @brief The tensors of a case on the host: its inputs, from its seed, and what a device gave. */
#ifndef GRKAN_CHECK_DATA_H
#define GRKAN_CHECK_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "cases.h"
#include "prologue_oracle.h"

/** The tensors of a call: CHECK_TABLE + k is table k of grkan_operation_tables, and CHECK_GRADIENT + k its gradient. Backward
    reads the mean and rstd that forward wrote. */
typedef enum check_tensor {
    CHECK_X = 0,
    CHECK_DY,
    CHECK_TABLE,
    CHECK_NUMERATOR = CHECK_TABLE + GRKAN_NUMERATOR,
    CHECK_DENOMINATOR = CHECK_TABLE + GRKAN_DENOMINATOR,
    CHECK_FIRST_OUTPUT = CHECK_TABLE + GRKAN_MOST_TABLES, /**< inputs of both passes are before it */
    CHECK_Y = CHECK_FIRST_OUTPUT,
    CHECK_MEAN,
    CHECK_RSTD,
    CHECK_DX,
    CHECK_Y_AGAIN, /**< backward's y */
    CHECK_GRADIENT,
    CHECK_DNUMERATOR = CHECK_GRADIENT + GRKAN_NUMERATOR,
    CHECK_DDENOMINATOR = CHECK_GRADIENT + GRKAN_DENOMINATOR,
    CHECK_TENSORS = CHECK_GRADIENT + GRKAN_MOST_TABLES
} check_tensor;

/** Table k of an operation; without rows where it has no such table. */
grkan_table check_table_of(const grkan_operation *operation, int k);

/** Where the row of a group begins in a table. */
int64_t check_row_start(const grkan_table *table, int64_t group);

/** Host arrays. For a case's inputs, gradients hold what is added to, and the other outputs are NULL. */
typedef struct check_data {
    void *tensor[CHECK_TENSORS];
} check_data;

/** Whether calls of a case have this tensor: not a table that its operation has not, nor a gradient that is frozen. */
bool check_has_tensor(const check_case *one, check_tensor tensor);

/** @return "x", "dy", ... of a tensor that the operation has */
const char *check_tensor_name(const grkan_operation *operation, check_tensor tensor);

/** Elements of a tensor of a case; may be 0, and is where it has no such tensor. */
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

/** The norm of a case, without its tables: there is none where the prologue is no norm. */
oracle_norm check_norm(const check_case *one);

/** The function of a group, with the coefficients of data. */
oracle_function check_function(const check_case *one, const check_data *data, int64_t group);

#endif
