/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of hipRTC that grkan calls, as they are since ROCm 5: see hip_functions.h. */
FUNCTION(hiprtcResult, hiprtcVersion, (int *major, int *minor))
FUNCTION(const char *, hiprtcGetErrorString, (hiprtcResult code))
FUNCTION(hiprtcResult, hiprtcCreateProgram,
         (hiprtcProgram * program, const char *source, const char *name, int header_count, const char **headers,
          const char **header_names))
FUNCTION(hiprtcResult, hiprtcCompileProgram, (hiprtcProgram program, int count, const char **options))
FUNCTION(hiprtcResult, hiprtcDestroyProgram, (hiprtcProgram * program))
FUNCTION(hiprtcResult, hiprtcGetProgramLogSize, (hiprtcProgram program, size_t *bytes))
FUNCTION(hiprtcResult, hiprtcGetProgramLog, (hiprtcProgram program, char *log))
FUNCTION(hiprtcResult, hiprtcGetCodeSize, (hiprtcProgram program, size_t *bytes))
FUNCTION(hiprtcResult, hiprtcGetCode, (hiprtcProgram program, char *code))

#undef FUNCTION
