/* SPDX-License-Identifier: Apache-2.0 */
/** @file functions.c @brief The functions that a fit may aim at. */
#include "model.h"

#include <math.h>
#include <string.h>

static long double identity(long double x)
{
    return x;
}

/* NaN is neither above nor below 0, and stays. */
static long double relu(long double x)
{
    return x <= 0 ? 0 : x;
}

static long double leaky_relu(long double x)
{
    return x > 0 ? x : 0.01L * x;
}

static long double leaky_relu_tenth(long double x)
{
    return x > 0 ? x : 0.1L * x;
}

static long double sigmoid(long double x)
{
    return 1 / (1 + expl(-x));
}

/** x times a gate that falls to 0 faster than x grows: at -infinity the limit, where the product would be NaN. */
static long double gated(long double x, long double gate)
{
    return x == -INFINITY ? -0.0L : x * gate;
}

static long double swish(long double x)
{
    return gated(x, sigmoid(x));
}

/* erfc keeps its digits where 1 + erf cancels. */
static long double gelu(long double x)
{
    return gated(x, 0.5L * erfcl(-x / sqrtl(2)));
}

/* log(1 + exp(x)), which does not overflow. */
static long double softplus(long double x)
{
    return fmaxl(x, 0) + log1pl(expl(-fabsl(x)));
}

static long double mish(long double x)
{
    return gated(x, tanhl(softplus(x)));
}

static const struct {
    const char *name;
    fit_function function;
} functions[] = {
    {"identity", identity},
    {"relu", relu},
    {"leaky_relu", leaky_relu},
    {"leaky_relu_0.1", leaky_relu_tenth},
    {"sigmoid", sigmoid},
    {"tanh", tanhl},
    {"swish", swish},
    {"gelu", gelu},
    {"mish", mish},
    {"softplus", softplus},
    {"sin", sinl},
};

enum { FUNCTION_COUNT = sizeof functions / sizeof *functions };

const char *grkan_function_name(int index)
{
    return index >= 0 && index < FUNCTION_COUNT ? functions[index].name : NULL;
}

grkan_status grkan_function_find(const char *argument, const char *name, fit_function *function)
{
    char names[256] = "";
    for (int i = 0; i < FUNCTION_COUNT; i++) {
        if (strcmp(functions[i].name, name) == 0) {
            *function = functions[i].function;
            return GRKAN_SUCCESS;
        }
        strcat(strcat(names, i ? ", " : ""), functions[i].name);
    }
    return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "%s is \"%s\"; expected one of %s", argument, name, names);
}

grkan_status grkan_function_value(const char *function, double x, double *y)
{
    fit_function f;
    if (function == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "function is NULL; expected the name of a function");
    if (y == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "y is NULL; expected where to put the value");
    const grkan_status status = grkan_function_find("function", function, &f);
    if (status == GRKAN_SUCCESS)
        *y = (double)f(x);
    return status;
}
