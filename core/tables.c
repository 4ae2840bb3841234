/* SPDX-License-Identifier: Apache-2.0 */
/** @file tables.c @brief An operation checked whole, and the tables that it has. */
#include "prologues.h"

grkan_status grkan_check_operation(const grkan_operation *operation)
{
    const grkan_family_row *const family = grkan_family_of(operation);
    const grkan_prologue_row *const prologue = grkan_prologue_of(operation);
    grkan_status status = grkan_check_layout(operation);
    if (status != GRKAN_SUCCESS)
        return status;
    if (family == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation.family is %d; expected a grkan_family",
                          (int)operation->family);
    if (prologue == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation.prologue is %d; expected a grkan_prologue",
                          (int)operation->prologue);
    if ((status = family->check(operation)) == GRKAN_SUCCESS && prologue->check != NULL)
        status = prologue->check(operation);
    return status == GRKAN_SUCCESS ? grkan_check_size(operation) : status;
}

/** The rows of a table that groups, channels or nobody has for itself. */
static int64_t rows_of(const grkan_operation *operation, grkan_scope scope)
{
    return scope == GRKAN_SCOPE_SHARED ? 1 : scope == GRKAN_SCOPE_GROUP ? operation->groups : operation->channels;
}

int32_t grkan_list_tables(const grkan_operation *operation, grkan_table tables[GRKAN_MOST_TABLES])
{
    const grkan_family_row *const family = grkan_family_of(operation);
    const grkan_prologue_row *const prologue = grkan_prologue_of(operation);
    const int32_t count = family->table_count + prologue->table_count;
    for (int32_t k = 0; k < family->table_count; ++k)
        family->table(operation, k, &tables[k]);
    for (int32_t k = 0; k < prologue->table_count; ++k)
        prologue->table(operation, k, &tables[family->table_count + k]);
    for (int32_t k = 0; k < count; ++k)
        tables[k].rows = rows_of(operation, tables[k].scope);
    return count;
}

int grkan_tables_width(const grkan_table *tables, int32_t count)
{
    int width = 0;
    for (int32_t k = 0; k < count; ++k)
        width += tables[k].width;
    return width;
}

grkan_status grkan_operation_tables(const grkan_operation *operation, grkan_table *tables, int *count)
{
    grkan_table list[GRKAN_MOST_TABLES];
    if (count == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "count is NULL; expected where to put it");
    *count = 0;
    if (operation == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "operation is NULL; expected an operation");
    const grkan_status status = grkan_check_operation(operation);
    if (status != GRKAN_SUCCESS)
        return status;
    *count = grkan_list_tables(operation, list);
    for (int k = 0; tables != NULL && k < *count; ++k)
        tables[k] = list[k];
    return GRKAN_SUCCESS;
}
