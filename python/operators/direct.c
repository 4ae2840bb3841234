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

/* -------------------------------------------------------------------------------------------------------- the call */

enum { most_arguments = 16, most_results = 8, most_questions = 8, most_flags = 4 };

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
    int question_count, flag_count;
    python_object *questions[most_questions];
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
 * Whether what lies at a tensor's address is the tensor: no subclass, and no lazy sign. A parameter is not asked for that, which
 * takes a twentieth of the call: as the imaginary part of a conjugate it would have gaps, and kernels take no such table.
 */
static bool is_plain(const direct *d, python_object *object)
{
    python_object *const type = python.PyObject_Type(object);
    const bool is_parameter = type == d->rules.parameter, is_tensor = type == d->rules.tensor;
    python.Py_DecRef(type);
    return is_parameter || (is_tensor && is_no(python.PyObject_CallFunctionObjArgs(d->rules.is_neg, object, NULL)));
}

/** Whether nothing is active that wants to see operations. */
static bool is_unwatched(const direct *d)
{
    for (int i = 0; i < d->flag_count; ++i)
        if (python.PyDict_GetItemWithError(d->flags[i].dict, d->flags[i].name) != d->flags[i].value)
            return false;
    for (int i = 0; i < d->question_count; ++i)
        if (!is_no(python.PyObject_CallNoArgs(d->questions[i])))
            return false;
    return true;
}

/** Whether all tensors are plain ones; `values` takes them, and the numbers. */
static bool take_arguments(const direct *d, python_object *const *arguments, uint64_t *values)
{
    for (int i = 0; i < d->tensors; ++i)
        if (!is_plain(d, arguments[i]))
            return false;
    for (int i = 0; i < d->tensors; ++i)
        values[i] = (uint64_t)(uintptr_t)arguments[i];
    for (int i = d->tensors; i < d->arguments; ++i) {
        if (d->is_float[i]) {
            const double number = python.PyFloat_AsDouble(arguments[i]);
            memcpy(&values[i], &number, sizeof number);
        } else {
            values[i] = (uint64_t)python.PyLong_AsLongLong(arguments[i]);
        }
        if (values[i] == (uint64_t)-1 && python.PyErr_Occurred() != NULL)
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

/** One result as it is, several as a tuple. */
static python_object *result_of(const direct *d, const uint64_t *values)
{
    python_object *results[most_results];
    for (int i = 0; i < d->results; ++i)
        results[i] = (python_object *)(uintptr_t)values[i];
    if (d->results == 1)
        return results[0];
    python_object *const tuple = tuple_of(results, d->results);
    for (int i = 0; i < d->results; ++i)
        python.Py_DecRef(results[i]);
    return tuple;
}

static python_object *run(python_object *self, python_object *const *arguments, ptrdiff_t count)
{
    const direct *const d = python.PyCapsule_GetPointer(self, NULL);
    uint64_t values[most_arguments];
    call c = {.direct = d};
    if (count != d->arguments || !is_unwatched(d) || !take_arguments(d, arguments, values))
        return call_otherwise(d, arguments, count);
    d->compute(&c, values);
    return c.status == GRKAN_SUCCESS ? result_of(d, values) : call_otherwise(d, arguments, count);
}

/* ------------------------------------------------------------------------------------------------------ for call.c */

bool direct_read(call *c, tensor *t)
{
    dlpack_tensor found;
    if (c->direct->exchange->read((python_object *)t->handle, &found) != 0)
        return false;
    const bool is_gpu = found.device_type == dlpack_cuda || found.device_type == dlpack_rocm;
    if (!is_gpu && found.device_type != dlpack_cpu)
        return false;
    t->dim = found.dim;
    t->sizes = found.sizes;
    t->strides = found.strides;
    t->dtype = number_of(&found);
    t->device_index = is_gpu ? found.device_index : -1;
    t->data = (char *)found.data + found.byte_offset;
    c->is_gpu = c->is_gpu || is_gpu;
    return true;
}

bool direct_make_like(call *c, const tensor *t, int32_t dtype, tensor *made)
{
    tensor found;
    if (dtype != t->dtype)
        return false;
    found.handle = (torch_tensor *)python.PyObject_CallFunctionObjArgs(c->direct->rules.empty_like,
                                                                       (python_object *)t->handle, NULL);
    if (found.handle == NULL)
        return false;
    c->owned[c->count++] = found.handle;
    *made = *t;
    made->handle = found.handle;
    if (!direct_read(c, &found))
        return false;
    made->data = found.data;
    for (int64_t i = 0; i < t->dim; ++i)
        if (t->sizes[i] != 1 && found.strides[i] != t->strides[i])
            return false;
    return true;
}

void direct_delete(torch_tensor *handle)
{
    python.Py_DecRef((python_object *)handle);
}

void *direct_leave(const call *c)
{
    return c->direct != NULL ? python.PyEval_SaveThread() : NULL;
}

void direct_enter(const call *c, void *thread)
{
    if (c->direct != NULL)
        python.PyEval_RestoreThread(thread);
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
    d->question_count = read_tuple(d->rules.questions, most_questions, d->questions);
    d->flag_count = read_tuple(d->rules.flags, most_flags, flags);
    for (int i = 0; i < d->flag_count; ++i)
        if (read_tuple(flags[i], 3, (python_object *[3]){NULL}) != 3)
            return false;
    for (int i = 0; i < d->flag_count; ++i)
        d->flags[i] = (flag){python.PyTuple_GetItem(flags[i], 0), python.PyTuple_GetItem(flags[i], 1),
                             python.PyTuple_GetItem(flags[i], 2)};
    return d->exchange != NULL && d->exchange->major == dlpack_major && d->exchange->read != NULL &&
           d->question_count >= 0 && d->flag_count >= 0;
}

/** Objects are never given back, as the function is not. */
static void keep_rules(const direct_rules *rules)
{
    python_object *const kept[] = {rules->otherwise, rules->tensor, rules->parameter,  rules->questions,
                                   rules->flags,     rules->is_neg, rules->empty_like, rules->exchange};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; ++i)
        python.Py_IncRef(kept[i]);
}

python_object *direct_function(const char *name, const char *schema, void (*compute)(call *c, uint64_t *values),
                               const direct_rules *rules)
{
    direct *const d = find_python() ? calloc(1, sizeof *d) : NULL;
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
