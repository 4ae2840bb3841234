/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file empty_operators.c
 * @brief The least that an operator in C costs: grkan_bench::empty and ::empty_backward make the results of grkan::rational
 * and its backward, and leave them as they are. For bench/host_overhead.py.
 */
#include "../python/operators/call.h"
#include "../python/operators/registration.h"

static void empty(bool is_gpu, uint64_t *values)
{
    call c = {.is_gpu = is_gpu};
    tensor taken[3], y;
    if (call_take(&c, values, 3, taken))
        (void)call_make_like(&c, &taken[0], taken[0].dtype, &y);
    call_end(&c, "grkan_bench::empty", &y, 1, values);
}

static void empty_backward(bool is_gpu, uint64_t *values)
{
    call c = {.is_gpu = is_gpu};
    tensor taken[4], gradients[3];
    if (call_take(&c, values, 4, taken))
        for (int i = 0; i < 3 && call_make_like(&c, &taken[1 + i], taken[1 + i].dtype, &gradients[i]); ++i)
            ;
    call_end(&c, "grkan_bench::empty_backward", gradients, 3, values);
}

#define KERNEL(name, function, is_gpu)                                                                                 \
    static void name(uint64_t *values, uint64_t arguments, uint64_t results)                                           \
    {                                                                                                                  \
        (void)arguments, (void)results;                                                                                \
        function(is_gpu, values);                                                                                      \
    }
KERNEL(empty_on_cpu, empty, false)
KERNEL(empty_on_gpu, empty, true)
KERNEL(empty_backward_on_cpu, empty_backward, false)
KERNEL(empty_backward_on_gpu, empty_backward, true)

static const torch_operator operators[] = {
    {"empty", "empty(Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> Tensor",
     empty_on_cpu, empty_on_gpu, NULL},
    {"empty_backward",
     "empty_backward(Tensor dy, Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim) -> (Tensor, "
     "Tensor, Tensor)",
     empty_backward_on_cpu, empty_backward_on_gpu, NULL},
};

__attribute__((constructor)) static void register_when_loaded(void)
{
    (void)torch_register("grkan_bench", operators, sizeof operators / sizeof operators[0]);
}
