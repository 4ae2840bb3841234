/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file hip_types.h
 * @brief The types of HIP, hipRTC and comgr that grkan uses, so that no ROCm is needed to build.
 *
 * Sizes, layouts and numbers are those of the public headers of ROCm 5, 6 and 7; tests/test_vendor_headers.py compares
 * them, and the lists of functions, where there are such headers.
 */
#ifndef GRKAN_HIP_TYPES_H
#define GRKAN_HIP_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* Handles. */
typedef int hipDevice_t;
typedef void *hipDeviceptr_t;
typedef struct ihipStream_t *hipStream_t;
typedef struct ihipEvent_t *hipEvent_t;
typedef struct ihipModule_t *hipModule_t;
typedef struct ihipModuleSymbol_t *hipFunction_t;
typedef struct _hiprtcProgram *hiprtcProgram;

/* Enumerations, with the numbers of theirs that grkan knows. */
typedef enum hipError_t { hipSuccess = 0, hipErrorOutOfMemory = 2 } hipError_t;

typedef enum hipDeviceAttribute_t {
    hipDeviceAttributeL2CacheSize = 19,
    hipDeviceAttributeMaxThreadsPerBlock = 56,
    hipDeviceAttributeMultiprocessorCount = 63,
    hipDeviceAttributeMaxSharedMemoryPerBlock = 74,
    hipDeviceAttributeWarpSize = 87
} hipDeviceAttribute_t;

typedef enum hiprtcResult { HIPRTC_SUCCESS = 0 } hiprtcResult;

/**
 * The properties of a device. Their layout changed with ROCm 6, which has a function for each. Only one thing is read
 * of them, since nothing else tells it: the name of the architecture with its features, a text of up to 256 bytes.
 */
typedef struct hipDeviceProp_t hipDeviceProp_t;
enum {
    hip_properties_bytes = 4096, /* more than either has: 792 and 1472 */
    hip_architecture_offset = 396,
    hip_architecture_offset_6 = 1160
};

/* comgr's handles, which are passed by value. */
typedef struct amd_comgr_data_t {
    uint64_t handle;
} amd_comgr_data_t;
typedef struct amd_comgr_action_info_t {
    uint64_t handle;
} amd_comgr_action_info_t;
typedef struct amd_comgr_metadata_node_t {
    uint64_t handle;
} amd_comgr_metadata_node_t;

typedef enum amd_comgr_status_t { AMD_COMGR_STATUS_SUCCESS = 0 } amd_comgr_status_t;
typedef enum amd_comgr_data_kind_t { AMD_COMGR_DATA_KIND_EXECUTABLE = 8 } amd_comgr_data_kind_t;

#endif
