/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of NVRTC that grkan calls, as they are since CUDA 12.0: see driver_functions.h. */
FUNCTION(nvrtcResult, nvrtcVersion, (int *major, int *minor))
FUNCTION(const char *, nvrtcGetErrorString, (nvrtcResult code))
FUNCTION(nvrtcResult, nvrtcGetNumSupportedArchs, (int *count))
FUNCTION(nvrtcResult, nvrtcGetSupportedArchs, (int *architectures))
FUNCTION(nvrtcResult, nvrtcCreateProgram,
         (nvrtcProgram * program, const char *source, const char *name, int header_count, const char *const *headers,
          const char *const *header_names))
FUNCTION(nvrtcResult, nvrtcCompileProgram, (nvrtcProgram program, int count, const char *const *options))
FUNCTION(nvrtcResult, nvrtcDestroyProgram, (nvrtcProgram * program))
FUNCTION(nvrtcResult, nvrtcGetProgramLogSize, (nvrtcProgram program, size_t *bytes))
FUNCTION(nvrtcResult, nvrtcGetProgramLog, (nvrtcProgram program, char *log))
FUNCTION(nvrtcResult, nvrtcGetCUBINSize, (nvrtcProgram program, size_t *bytes))
FUNCTION(nvrtcResult, nvrtcGetCUBIN, (nvrtcProgram program, char *code))
FUNCTION(nvrtcResult, nvrtcGetPTXSize, (nvrtcProgram program, size_t *bytes))
FUNCTION(nvrtcResult, nvrtcGetPTX, (nvrtcProgram program, char *code))

#undef FUNCTION
