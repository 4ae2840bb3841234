#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The arrows between the layers (docs/architecture.md), as greps over the sources:
#
#   core/ and include/          include no vendor's header
#   core/, backends/, tools/,   include no header of an operating system, but in core/platform/
#   python/operators/           and ask the preprocessor for none
#   backends/opencl, cuda, hip  and gpu, which they share, have no word of a family
#   backends/kernels            name no vendor (comments aside)
#   tools/, python/operators/   include the users' headers (include/grkan), platform.h and their own, nothing else of core/
#                               or backends/
#
# Before the sources are searched, each rule is tried on a small tree in which something is planted against it.

set -euo pipefail

source_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

vendor_include='^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]*/)?(cuda|nvrtc|hip|CL/|cl(_|\.h)|opencl)'
# grkan_coefficient_bytes, of the public API, tells what a number of any table takes, whatever the family.
word_of_families='numerator|denominator|rational|pad[eé]([^[:alpha:]]|$)|coefficient([^_]|_[^b]|$)|degree|polynomial'
word_of_families+='|chebyshev|legendre|jacobi|hermite|spline|gaussian'
word_of_families+='|abs_terms|abs_sum|GRKAN_(FORM|PLAIN|SQUARE)'
# Files that still have some. One that is clean must go from here, too.
system_header='(dirent|dlfcn|fcntl|grp|link|poll|pthread|pwd|sched|semaphore|signal|spawn|sys/[^>]*|termios|unistd|windows)'
system_include="^[[:space:]]*#[[:space:]]*include[[:space:]]*<$system_header\\.h>"
system_question='^[[:space:]]*#[[:space:]]*(el)?if.*(_WIN|_MSC_VER|__MINGW|__CYGWIN|__linux|__gnu_linux|__unix|__APPLE|__ANDROID|BSD__)'
vendor_name='cuda|nvidia|nvrtc|rocm|opencl|intel|(^|[^[:alnum:]])(__)?(hip|amd)|(^|[^[:alnum:]_])(cl|CL)_|cl_khr'

# The files of a folder that people wrote; nothing when there is no such folder.
files_of() {
    [ ! -d "$1" ] || find "$1" -type f \( -name '*.[ch]' -o -name '*.cl' -o -name '*.cu' -o -name '*.hip' -o -name '*.inc' -o -name 'meson.build' \)
}

# Print the lines of a folder that match a pattern.
lines_with() {
    files_of "$2" | LC_ALL=C.UTF-8 xargs -r grep -HniE -e "$1" || true
}

# The same, comments not counted: the preprocessor takes them out and does nothing else.
code_with() {
    local pattern=$1 folder=$2 file
    files_of "$folder" | grep -v 'meson.build$' | while read -r file; do
        gcc -fpreprocessed -dD -E -P -x c "$file" 2>/dev/null | grep -iE --label="$file" -H -- "$pattern" || true
    done
}

# Print each include of a folder that is neither a header for users, nor platform.h, nor one below it, nor a standard one.
foreign_includes() {
    local root=$1 folder=$2 real file line name found
    real=$(realpath -- "$root")
    { files_of "$root/$folder" | xargs -r grep -HE '^[[:space:]]*#[[:space:]]*include' || true; } |
        while IFS=: read -r file line; do
            [[ $line =~ [\<\"]([^\>\"]*)[\>\"] ]] || continue
            name=${BASH_REMATCH[1]}
            if [[ $line == *'<'* ]]; then
                [[ $name != grkan/* ]] || continue
                for found in "$root"/{,include,core,backends/*}/"$name"; do
                    [ ! -e "$found" ] || printf '%s: %s\n' "$file" "$line"
                done
            elif [[ $name == *..* || ! -e ${file%/*}/$name ]]; then
                found=$(realpath -qe -- "${file%/*}/$name" "$root/$folder/$name" || true)
                grep -qE "^$real/($folder/|core/platform/platform\.h$)" <<<"$found" || printf '%s: %s\n' "$file" "$line"
            fi
        done
}

# Print what one rule finds in a tree.
violations() {
    local rule=$1 root=$2 vendor folder
    case $rule in
        includes)
            lines_with "$vendor_include" "$root/core"
            lines_with "$vendor_include" "$root/include"
            ;;
        words)
            for vendor in opencl cuda hip gpu; do
                lines_with "$word_of_families" "$root/backends/$vendor"
            done
            ;;
        system)
            for folder in core backends tools python/operators; do
                lines_with "$system_include|$system_question" "$root/$folder" | grep -v "^$root/core/platform/" || true
            done
            ;;
        kernels) code_with "$vendor_name" "$root/backends/kernels" ;;
        tools)
            foreign_includes "$root" tools
            foreign_includes "$root" python/operators
            ;;
    esac
}

# plant RULE FILE LINE: the rule must find LINE in FILE of an otherwise good tree.
plant() {
    local rule=$1 file=$scratch/$2 kept
    kept=$(cat "$file")
    printf '%s\n' "$3" >>"$file"
    if [ -z "$(violations "$rule" "$scratch")" ]; then
        echo "FAIL: rule '$rule' does not see '$3' in $2"
        exit 1
    fi
    printf '%s\n' "$kept" >"$file"
}

# A good tree, which no rule may complain about; then one planted line after another.
try_the_rules() {
    local rule word
    mkdir -p "$scratch"/{core/platform/posix,include/grkan,tools,python/operators,backends/{kernels,opencl,cuda,hip,gpu}}
    printf '#include <stdio.h>\n#include "../backends/backend.h"\n' >"$scratch/core/a.c"
    cp "$scratch/core/a.c" "$scratch/include/grkan/grkan.h"
    printf '#include "internal.h"\n' >>"$scratch/core/a.c"
    printf '#include <pthread.h>\n#include <unistd.h>\n#ifdef __linux__\n#endif\n' >"$scratch/core/platform/posix/files.c"
    touch "$scratch"/core/platform/{platform,posix/posix}.h "$scratch/core/internal.h" "$scratch/backends/backend.h" "$scratch/tools/table.h"
    printf '#include <grkan/%s.h>\n' grkan fit >"$scratch/tools/main.c"
    printf '#include <string.h>\n#include "table.h"\n#include "../core/platform/platform.h"\n' >>"$scratch/tools/main.c"
    printf '#include <grkan/grkan.h>\n#include "../../core/platform/platform.h"\n' >"$scratch/python/operators/call.c"
    printf '/* OpenCL C, CUDA and HIP */\nint shape(int chip); // padding\n' >"$scratch/backends/kernels/k.h"
    printf '#include <CL/cl.h>\n/* padded */\n' | tee "$scratch"/backends/{opencl,cuda,hip,gpu}/r.c >/dev/null

    for rule in includes system words kernels tools; do
        if [ -n "$(violations "$rule" "$scratch")" ]; then
            echo "FAIL: rule '$rule' complains about a good tree:"
            violations "$rule" "$scratch"
            exit 1
        fi
    done

    for word in '<CL/cl.h>' '<cuda.h>' '"cuda_runtime.h"' '<nvrtc.h>' '<hip/hip_runtime.h>' '<OpenCL/opencl.h>'; do
        plant includes core/a.c "#include $word"
        plant includes include/grkan/grkan.h "  #  include $word"
    done
    for word in dlfcn unistd pthread spawn sys/wait sys/stat fcntl signal windows; do
        plant system core/a.c "#include <$word.h>"
        plant system backends/hip/r.c "# include <$word.h>"
        plant system tools/main.c "#include <$word.h> /* here */"
        plant system python/operators/call.c "#include <$word.h>"
    done
    for word in 'ifdef _WIN32' 'elif defined(__APPLE__)'; do
        plant system core/a.c "#$word"
        plant system backends/cuda/r.c " # $word"
        plant system tools/main.c "#  $word"
        plant system python/operators/call.c "#$word"
    done
    for word in numerator Denominators rational padé pade_unit COEFFICIENT GRKAN_FORM GRKAN_PLAIN abs_terms degrees \
        b_spline; do
        plant words backends/opencl/r.c "int $word;"
        plant words backends/gpu/r.c "#if $word == 3"
        plant words backends/cuda/r.c "/* the $word */"
        plant words backends/hip/r.c "int my_$word;"
    done
    for word in __CUDACC__ __HIP_DEVICE_COMPILE__ cudaStream_t hipStream_t __OPENCL_VERSION__ cl_khr_fp64 cl_mem \
        amd; do
        plant kernels backends/kernels/k.h "int $word;"
    done
    for word in '"internal.h"' '"../core/internal.h"' '"../backends/backend.h"' '<core/internal.h>' \
        '"../core/platform/posix/posix.h"' \
        '"../include/grkan/grkan.h"'; do
        plant tools tools/main.c "#include $word"
    done
    for word in '"../../core/internal.h"' '"../../backends/backend.h"' '"../../tools/table.h"'; do
        plant tools python/operators/call.c "#include $word"
    done
}

try_the_rules
echo 'every rule sees what was planted against it'

for folder in core include backends/kernels backends/opencl tools python/operators; do
    if [ -z "$(files_of "$source_root/$folder")" ]; then
        echo "FAIL: no sources in $folder/"
        exit 1
    fi
done

status=0
for rule in includes system words kernels tools; do
    found=$(violations "$rule" "$source_root")
    if [ -n "$found" ]; then
        printf 'FAIL: rule %s is broken by\n%s\n' "'$rule'" "${found//$source_root\//}"
        status=1
    else
        echo "ok: rule '$rule'"
    fi
done
exit $status
