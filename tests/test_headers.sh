#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The public headers under each standard that users may have, C and C++, with all that is pedantic an error: every
# macro is used, and initializers put each value where its name says.

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

cat >"$scratch/use.cpp" <<'CODE'
#include <grkan/compile.h>
#include <grkan/fit.h>
#include <grkan/grkan.h>
#include <grkan/predict.h>
#include <grkan/tune.h>

constexpr grkan_operation operation = GRKAN_OPERATION_INIT;
static_assert(operation.outer == 0 && operation.channels == 8 && operation.inner == 1, "the tensor");
static_assert(operation.groups == 8 && operation.dtype == GRKAN_F32, "groups and type");
static_assert(operation.output_dtype == GRKAN_OUTPUT_AS_INPUT, "one type");
static_assert(operation.family == GRKAN_FAMILY_RATIONAL && operation.rational.form == GRKAN_ABS_TERMS, "the function");
static_assert(operation.rational.numerator_degree == 5 && operation.rational.denominator_degree == 4, "degrees");
static_assert(operation.rational.numerator_scope == GRKAN_SCOPE_SHARED, "one numerator");
static_assert(operation.rational.denominator_scope == GRKAN_SCOPE_GROUP, "a denominator for each group");
constexpr grkan_fit_problem problem = GRKAN_FIT_PROBLEM_INIT;
static_assert(problem.function == nullptr && problem.x == nullptr && problem.y == nullptr && problem.points == 0, "");
static_assert(problem.low == -3 && problem.high == 3, "the range");
static_assert(problem.numerator_degree == 5 && problem.denominator_degree == 4, "degrees");
static_assert(problem.form == GRKAN_ABS_TERMS && problem.dtype == GRKAN_F32, "form and type");
static_assert(problem.growth == GRKAN_GROWTH_AUTO, "growth");

grkan_status use(grkan_device *device, grkan_plan **plan)
{
    grkan_operation changed = GRKAN_OPERATION_INIT;
    changed.outer = 2;
    return grkan_plan_create(device, &changed, nullptr, plan);
}
CODE
cat >"$scratch/use.c" <<'CODE'
#include <grkan/compile.h>
#include <grkan/fit.h>
#include <grkan/grkan.h>
#include <grkan/predict.h>
#include <grkan/tune.h>

static const grkan_operation operation = GRKAN_OPERATION_INIT;
static const grkan_fit_problem problem = GRKAN_FIT_PROBLEM_INIT;

const grkan_operation *use(const grkan_fit_problem **fit)
{
    *fit = &problem;
    return &operation;
}
CODE

count=0
# try COMPILER LANGUAGE STANDARD: skipped where the compiler is not there or does not know the standard.
try() {
    local source=$scratch/use.c
    [ "$2" = c ] || source=$scratch/use.cpp
    command -v "$1" >/dev/null && "$1" -x "$2" -std="$3" -fsyntax-only /dev/null 2>/dev/null || return 0
    if ! "$1" -x "$2" -std="$3" -pedantic-errors -Wall -Wextra -Wmissing-field-initializers -Werror -fsyntax-only \
        -I"$root/include" "$source"; then
        echo "$1 -std=$3 refuses the headers"
        exit 1
    fi
    echo "$1 -std=$3: good"
    count=$((count + 1))
}

for compiler in gcc clang; do
    for standard in c99 c11 c17 c2x; do
        try "$compiler" c "$standard"
    done
done
for compiler in g++ clang++; do
    for standard in c++11 c++14 c++17 c++20 c++23; do
        try "$compiler" c++ "$standard"
    done
done
[ "$count" -gt 0 ] || { echo 'no compiler is here'; exit 77; }
