/* SPDX-License-Identifier: Apache-2.0 */
/** @file cuda_program.h @brief CUDA's driver as a program calls it that has no toolkit. */
#ifndef CUDA_PROGRAM_H
#define CUDA_PROGRAM_H

#include "../backends/cuda/cuda_types.h"

typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef enum CUstreamCaptureMode { CU_STREAM_CAPTURE_MODE_GLOBAL = 0 } CUstreamCaptureMode;
enum { CU_STREAM_NON_BLOCKING = 1 };

typedef struct cuda_program {
#define FUNCTION(result, name, arguments) result(*name) arguments;
#include "cuda_program_functions.h"
} cuda_program;

#endif
