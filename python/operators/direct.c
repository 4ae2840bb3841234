/* SPDX-License-Identifier: Apache-2.0 */
/** @file direct.c @brief Python's and DLPack's few types and functions, and a function of Python's around a kernel. */
#include "direct.h"

#include <stdlib.h>
#include <string.h>

#include "../../core/platform/platform.h"

/* ---------------------------------------------------------------------------------------------------------- Python */

typedef python_object *(*fast_call)(python_object *self, python_object *const *arguments, ptrdiff_t count);

/** As PyMethodDef. */
typedef struct python_method {
    const char *name;
    fast_call function;
    int flags;
    const char *documentation;
} python_method;

enum { takes_fast_call = 0x80 /* METH_FASTCALL */ };

static struct {
#define FUNCTION(result, name, arguments) result(*name) arguments;
#include "python_functions.h"
} python;

static bool find_python(void)
{
    static const struct {
        const char *name;
        size_t offset; /* of its pointer in `python` */
    } functions[] = {
#define FUNCTION(result, name, arguments) {#name, (size_t)((char *)&python.name - (char *)&python)},
#include "python_functions.h"
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; ++i) {
        void *const address = grkan_library_symbol(NULL, functions[i].name);
        if (address == NULL)
            return false;
        memcpy((char *)&python + functions[i].offset, &address, sizeof address);
    }
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- DLPack */

enum { dlpack_major = 1 };
enum { dlpack_cpu = 1, dlpack_cuda = 2, dlpack_rocm = 10 };
enum { dlpack_float = 2, dlpack_bfloat = 4 };

/** As DLTensor. */
typedef struct dlpack_tensor {
    void *data;
    int32_t device_type;
    int32_t device_index;
    int32_t dim;
    uint8_t kind; /**< of numbers */
    uint8_t bits;
    uint16_t lanes;
    int64_t *sizes;
    int64_t *strides;
    uint64_t byte_offset;
} dlpack_tensor;

/** As DLPackExchangeAPI. */
typedef struct dlpack_exchange {
    uint32_t major;
    uint32_t minor;
    const void *previous;
    void (*others[3])(void);
    int (*read)(python_object *tensor, dlpack_tensor *out); /**< may be NULL; 0: it went well */
} dlpack_exchange;

static int32_t number_of(const dlpack_tensor *t)
{
    if (t->lanes == 1 && t->kind == dlpack_bfloat && t->bits == 16)
        return torch_number.bfloat16;
    if (t->lanes != 1 || t->kind != dlpack_float)
        return -1;
    return t->bits == 32   ? torch_number.float32
           : t->bits == 16 ? torch_number.float16
           : t->bits == 64 ? torch_number.float64
                           : -1;
}

/** Read a tensor. @return whether it is one that kernels may take */
static bool read_tensor(const dlpack_exchange *exchange, python_object *object, tensor *t, bool *is_gpu)
{
    dlpack_tensor found;
    if (exchange->read(object, &found) != 0 || found.dim > most_dimensions)
        return false;
    const bool is_on_gpu = found.device_type == dlpack_cuda || found.device_type == dlpack_rocm;
    *t = (tensor){.handle = (torch_tensor *)object,
                  .dim = found.dim,
                  .sizes = found.sizes,
                  .strides = found.strides,
                  .dtype = number_of(&found),
                  .device_index = is_on_gpu ? found.device_index : -1,
                  .data = (char *)found.data + found.byte_offset};
    *is_gpu = *is_gpu || is_on_gpu;
    return is_on_gpu || found.device_type == dlpack_cpu;
}

/** A function of C++ in one of PyTorch's libraries; NULL: it is not there. The library stays loaded, as PyTorch's others do. */
static void *find_function(const char *stem, const char *name)
{
    char path[GRKAN_PATH_BYTES];
    grkan_library *const library = grkan_library_loaded(stem, 0, path, sizeof path) ? grkan_library_open(path) : NULL;
    return library != NULL ? grkan_library_symbol(library, name) : NULL;
}

/** PyTorch's function that makes an object of Python's of a tensor: takes it by reference, or by value, which passes alike;
    what it may move from is deleted next. */
static python_object *(*wrap)(torch_tensor *tensor);

static bool find_wrap(void)
{
    static const char *const names[] = {"_Z16THPVariable_WrapRKN2at10TensorBaseE",
                                        "_Z16THPVariable_WrapN2at10TensorBaseE",
                                        "_Z16THPVariable_WrapON2at10TensorBaseE"};
    void *address = NULL;
    for (size_t i = 0; address == NULL && i < sizeof names / sizeof names[0]; ++i)
        address = find_function("libtorch_python", names[i]);
    memcpy(&wrap, &address, sizeof address);
    return address != NULL;
}

/** PyTorch's functions that count the modes of __torch_dispatch__, and those of __torch_function__, of this thread. */
static int64_t (*count_modes)(void);
static int64_t (*count_function_modes)(void);

/** That for where this thread's trace of torch.jit is: NULL if there is none. It gives a std::shared_ptr by reference, whose first
    word that is. */
static void *const *(*find_trace)(void);

/** By Python, these three take an eighth of a call. */
static bool find_watchers(void)
{
    void *const function_modes = find_function("libtorch_cpu", "_ZN2at4impl22PythonTorchFunctionTLS9stack_lenEv");
    void *const modes = find_function("libc10", "_ZN3c104impl20TorchDispatchModeTLS9stack_lenEv");
    void *const trace = find_function("libtorch_cpu", "_ZN5torch3jit6tracer15getTracingStateEv");
    memcpy(&count_modes, &modes, sizeof modes);
    memcpy(&count_function_modes, &function_modes, sizeof function_modes);
    memcpy(&find_trace, &trace, sizeof trace);
    return modes != NULL && function_modes != NULL && trace != NULL;
}

/* -------------------------------------------------------------------------------------------------------- the call */

enum { most_arguments = 16, most_results = 8, most_flags = 4 };

typedef struct flag {
    python_object *dict, *name, *value;
} flag;

/** A function, which lives as long as the process. */
typedef struct direct {
    python_method method;
    void (*compute)(call *c, uint64_t *values);
    direct_rules rules;
    const dlpack_exchange *exchange;
    int tensors, arguments, results;
    bool is_float[most_arguments]; /**< of the numbers */
    int flag_count;
    flag flags[most_flags];
} direct;

/** Whether an answer is false. It is given back. */
static bool is_no(python_object *answer)
{
    const bool is_false = answer != NULL && python.PyObject_IsTrue(answer) == 0;
    if (answer != NULL)
        python.Py_DecRef(answer);
    return is_false;
}

/**
 * Whether what lies at a tensor's address is the tensor: no subclass, and no lazy sign, if that is asked for. A parameter is not asked for that, which
 * takes a twentieth of the call: as the imaginary part of a conjugate it would have gaps, and kernels take no such table.
 */
static bool is_plain(const direct *d, python_object *object, bool may_have_sign)
{
    python_object *const type = python.PyObject_Type(object);
    const bool is_parameter = type == d->rules.parameter, is_tensor = type == d->rules.tensor;
    python.Py_DecRef(type);
    return is_parameter || (is_tensor && !may_have_sign) ||
           (is_tensor && is_no(python.PyObject_CallFunctionObjArgs(d->rules.is_neg, object, NULL)));
}

/** Whether nothing is active that wants to see operations. */
static bool is_unwatched(const direct *d)
{
    for (int i = 0; i < d->flag_count; ++i)
        if (python.PyDict_GetItemWithError(d->flags[i].dict, d->flags[i].name) != d->flags[i].value)
            return false;
    return count_modes() == 0 && count_function_modes() == 0 && *find_trace() == NULL;
}

/** The arguments of a call. */
typedef struct call_arguments {
    tensor tensors[most_arguments];
    uint64_t values[most_arguments]; /**< places in it, and numbers; takes the results */
    bool is_gpu;
} call_arguments;

/** Read them, if all tensors are plain ones. */
static bool read_arguments(const direct *d, python_object *const *objects, call_arguments *a)
{
    for (int i = 0; i < d->tensors; ++i) {
        if (!is_plain(d, objects[i], i > 0 || d->results > 0) ||
            !read_tensor(d->exchange, objects[i], &a->tensors[i], &a->is_gpu))
            return false;
        a->values[i] = (uint64_t)i;
    }
    for (int i = d->tensors; i < d->arguments; ++i) {
        if (d->is_float[i]) {
            const double number = python.PyFloat_AsDouble(objects[i]);
            memcpy(&a->values[i], &number, sizeof number);
        } else {
            a->values[i] = (uint64_t)python.PyLong_AsLongLong(objects[i]);
        }
        if (python.PyErr_Occurred() != NULL)
            return false;
    }
    return true;
}

static python_object *tuple_of(python_object *const *items, ptrdiff_t count)
{
    python_object *const tuple = python.PyTuple_New(count);
    for (ptrdiff_t i = 0; tuple != NULL && i < count; ++i) {
        python.Py_IncRef(items[i]);
        (void)python.PyTuple_SetItem(tuple, i, items[i]);
    }
    return tuple;
}

static python_object *call_otherwise(const direct *d, python_object *const *arguments, ptrdiff_t count)
{
    python.PyErr_Clear();
    python_object *const tuple = tuple_of(arguments, count);
    python_object *const result = tuple != NULL ? python.PyObject_Call(d->rules.otherwise, tuple, NULL) : NULL;
    if (tuple != NULL)
        python.Py_DecRef(tuple);
    return result;
}

/** One result as it is, several as a tuple; NULL: it has failed. */
static python_object *result_of(const direct *d, const uint64_t *values)
{
    python_object *results[most_results] = {NULL};
    bool is_good = true;
    for (int i = 0; i < d->results; ++i) {
        torch_tensor *const made = (torch_tensor *)(uintptr_t)values[i];
        if (made == NULL)
            python.Py_IncRef(results[i] = d->rules.none);
        else {
            results[i] = is_good ? wrap(made) : NULL;
            is_good = is_good && results[i] != NULL;
            (void)torch.aoti_torch_delete_tensor_object(made);
        }
    }
    if (d->results == 1)
        return results[0];
    python_object *const tuple = is_good ? tuple_of(results, d->results) : NULL;
    for (int i = 0; i < d->results; ++i)
        if (results[i] != NULL)
            python.Py_DecRef(results[i]);
    return tuple;
}

/** Enqueue or run it, while other threads may have Python: PyTorch's allocator and the driver may wait. */
static bool compute_call(const direct *d, call_arguments *a)
{
    call c = {.read = a->tensors, .is_gpu = a->is_gpu};
    void *const thread = python.PyEval_SaveThread();
    d->compute(&c, a->values);
    python.PyEval_RestoreThread(thread);
    return c.status == GRKAN_SUCCESS;
}

static python_object *run(python_object *self, python_object *const *objects, ptrdiff_t count)
{
    const direct *const d = python.PyCapsule_GetPointer(self, NULL);
    call_arguments a;
    a.is_gpu = false;
    python_object *result = NULL;
    if (count == d->arguments && is_unwatched(d) && read_arguments(d, objects, &a) && compute_call(d, &a))
        result = result_of(d, a.values);
    return result != NULL ? result : call_otherwise(d, objects, count);
}

/* --------------------------------------------------------------------------------------------------- a new function */

static int count_of(const char *text, const char *end, const char *word)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL && (end == NULL || at < end); ++at)
        count += 1;
    return count;
}

/** Find what an operator takes and gives. */
static bool read_schema(const char *schema, direct *d)
{
    const char *const results = strstr(schema, "->");
    const char *at = strchr(schema, '(');
    if (results == NULL || at == NULL)
        return false;
    d->tensors = count_of(at, results, "Tensor ");
    d->arguments = 1 + count_of(at, results, ",");
    d->results = count_of(results, NULL, "Tensor");
    if (d->arguments > most_arguments || d->results > most_results)
        return false;
    for (int i = 0; i < d->arguments; ++i, at = strchr(at + 1, ','))
        d->is_float[i] = strncmp(at + 1 + (at[1] == ' '), "float ", strlen("float ")) == 0;
    return true;
}

/** @return how many there are; -1: too many, or no tuple */
static int read_tuple(python_object *tuple, int most, python_object **items)
{
    const ptrdiff_t count = python.PyTuple_Size(tuple);
    if (count < 0 || count > most)
        return -1;
    for (ptrdiff_t i = 0; i < count; ++i)
        items[i] = python.PyTuple_GetItem(tuple, i);
    return (int)count;
}

static bool read_rules(direct *d)
{
    python_object *flags[most_flags];
    d->exchange = python.PyCapsule_GetPointer(d->rules.exchange, "dlpack_exchange_api");
    d->flag_count = read_tuple(d->rules.flags, most_flags, flags);
    for (int i = 0; i < d->flag_count; ++i)
        if (read_tuple(flags[i], 3, (python_object *[3]){NULL}) != 3)
            return false;
    for (int i = 0; i < d->flag_count; ++i)
        d->flags[i] = (flag){python.PyTuple_GetItem(flags[i], 0), python.PyTuple_GetItem(flags[i], 1),
                             python.PyTuple_GetItem(flags[i], 2)};
    return d->exchange != NULL && d->exchange->major == dlpack_major && d->exchange->read != NULL && d->flag_count >= 0;
}

/** Objects are never given back, as the function is not. */
static void keep_rules(const direct_rules *rules)
{
    python_object *const kept[] = {rules->otherwise, rules->tensor,   rules->parameter, rules->flags,
                                   rules->is_neg,    rules->exchange, rules->none};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; ++i)
        python.Py_IncRef(kept[i]);
}

python_object *direct_function(const char *name, const char *schema, void (*compute)(call *c, uint64_t *values),
                               const direct_rules *rules)
{
    direct *const d = find_python() && find_wrap() && find_watchers() ? calloc(1, sizeof *d) : NULL;
    if (d == NULL)
        return NULL;
    d->method = (python_method){name, run, takes_fast_call, NULL};
    d->compute = compute;
    d->rules = *rules;
    python_object *function = NULL;
    if (read_schema(schema, d) && read_rules(d)) {
        python_object *const self = python.PyCapsule_New(d, NULL, NULL);
        function = self != NULL ? python.PyCFunction_NewEx(&d->method, self, NULL) : NULL;
        if (self != NULL)
            python.Py_DecRef(self);
    }
    python.PyErr_Clear();
    if (function != NULL)
        keep_rules(rules);
    else
        free(d);
    return function;
}
