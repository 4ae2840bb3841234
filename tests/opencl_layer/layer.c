/* SPDX-License-Identifier: Apache-2.0 */
/** @file layer.c @brief How the loader finds the layer. */
#include <string.h>

#include "layer.h"

cl_icd_dispatch layer_next;

LAYER_API CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *value, size_t *bytes)
{
    static const char name[] = "grkan's tests";
    static const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    if (what != CL_LAYER_API_VERSION && what != CL_LAYER_NAME)
        return CL_INVALID_VALUE;
    const size_t needed = what == CL_LAYER_NAME ? sizeof name : sizeof version;
    if (value != NULL && size < needed)
        return CL_INVALID_VALUE;
    if (value != NULL)
        memcpy(value, what == CL_LAYER_NAME ? (const void *)name : (const void *)&version, needed);
    if (bytes != NULL)
        *bytes = needed;
    return CL_SUCCESS;
}

LAYER_API CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint count, const cl_icd_dispatch *target, cl_uint *own_count,
                                                      const cl_icd_dispatch **own)
{
    static cl_icd_dispatch table;
    enum { entries = sizeof table / sizeof(void *) };
    if (target == NULL || own_count == NULL || own == NULL)
        return CL_INVALID_VALUE;
    memcpy(&layer_next, target, (count < entries ? count : entries) * sizeof(void *));
    table = layer_next;
    layer_fill_queries(&table);
    layer_fill_objects(&table);
    layer_fill_programs(&table);
    layer_fill_commands(&table);
    *own = &table;
    *own_count = count < entries ? count : entries;
    return CL_SUCCESS;
}
