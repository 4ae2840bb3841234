/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file pipeline.h
 * @brief How a GPU's thread brings in the rows that it works on: steps of several rows, the next ones under way while one is
 * computed. Forward and backward share it.
 *
 * Where the hardware copies to shared memory by itself, vectors on their way lie there, several stages deep, and take no
 * registers; the order of a thread's own copies and waits needs no barrier. Elsewhere, and where vectors are narrow, which
 * loads bring sooner, they are in registers, one stage deep.
 */
#ifndef GRKAN_PIPELINE_H
#define GRKAN_PIPELINE_H

#include "arguments.h"
#include "vector.h"

/** Whether vectors are so narrow that steps have many rows, where every instruction of a row counts. */
#define HAS_MANY_ROWS (GRKAN_VECTOR * NARROW_BYTES < 8)

#if defined(COPY_ASYNC) && !HAS_MANY_ROWS
#define STAGES(stages) (stages)
#define QUEUE SHARED char
#define QUEUE_SIZE(dtype) VECTOR_BYTES(dtype)
#define QUEUE_PLACES(dtype) (DTYPE_BYTES(dtype) / NARROW_BYTES)
#define QUEUE_AT(queue, place) FURTHER(SHARED, queue, GRKAN_VECTOR *NARROW_BYTES, place)
/** At a line of 128 bytes: copies are slower where a line of global memory comes to lie across two of shared memory. */
#define QUEUE_ARRAY(name, size, block) SHARED_ARRAY(char, name, (size) * (block)) __attribute__((aligned(128)))
#define QUEUE_START() THREAD_INDEX()
#define QUEUE_STRIDE(block) (block)
#define QUEUE_END() COPIES_END()
#define QUEUE_WAIT(steps) COPIES_WAIT(steps)
#define QUEUE_TAKE(dtype, from) load_shared(dtype, from)
/** What threads exchange when a block reduces its sums takes the queue's memory, which nobody needs by then. */
#define EXCHANGE_ARRAY(name, queue) SHARED scalar *const name = (SHARED scalar *)queue
#else
#define STAGES(stages) 1
#define QUEUE vector
#define QUEUE_SIZE(dtype) 1
#define QUEUE_PLACES(dtype) 1
#define QUEUE_AT(queue, place) ((queue) + (place))
#define QUEUE_ARRAY(name, size, block) vector name[size]
#define QUEUE_START() 0
#define QUEUE_STRIDE(block) 1
#define QUEUE_END()
#define QUEUE_WAIT(steps)
#define QUEUE_TAKE(dtype, from) (*(from))
#define EXCHANGE_ARRAY(name, queue)                                                                                    \
    SHARED_ARRAY(scalar, name, GRKAN_BACKWARD_BLOCK / MOST_OUTPUT_THREADS * (MOST_OUTPUT_THREADS + 1))
#endif

/** Rows of a step of so many elements, whose vectors are requested, waited for and computed together: narrow ones need many. */
#define STEP_ROWS(elements)                                                                                            \
    ((elements) * 4 / SCALAR_BYTES > GRKAN_VECTOR ? (elements) * 4 / SCALAR_BYTES / GRKAN_VECTOR : 1)

/**
 * A thread's way through its rows, in bytes from its first vector, which pointers to tensors begin at. Without segments, the
 * distance between the step at hand and the one that is requested stays, so that one iterator serves both: pointers to
 * results lag behind those to what is requested.
 */
typedef struct row_iterator {
    grkan_int64 bytes; /* of the narrower type; the other has twice as many */
    grkan_int64 segment;
    grkan_int64 step; /* to the next row, in bytes, where it is worth a register */
} row_iterator;

/** Where a tensor of a type is. */
#define AT(dtype, pointer, i) ((pointer) + (i)->bytes * (DTYPE_BYTES(dtype) / NARROW_BYTES))

DEVICE row_iterator first_row(const grkan_geometry *g, row_position first)
{
    row_iterator i;
    i.bytes = 0;
    i.segment = first.segment;
    i.step = HAS_MANY_ROWS ? HIDE(g->rows.step_elements * NARROW_BYTES) : 0;
    return i;
}

DEVICE void next_row(const grkan_geometry *g, row_iterator *i)
{
    i->bytes += HAS_MANY_ROWS ? i->step : g->rows.step_elements * NARROW_BYTES;
    if (GRKAN_SEGMENTED) {
        i->segment += g->rows.step_segments;
        if (i->segment >= SEGMENTS(g)) {
            i->segment -= SEGMENTS(g);
            i->bytes += g->rows.wrap_elements * NARROW_BYTES;
        }
    }
}

/** The constants of a kernel's pipeline. */
typedef struct pipeline_shape {
    int tensors;      /* that are brought in: x, and in backward dy */
    int result_dtype; /* of what goes out */
    int rows;         /* of a step */
    int stages;       /* steps under way */
    int stride;       /* in the queue, from a thread's vector to its next */
} pipeline_shape;

/** Places of a tensor's vectors of a step in the queue; a place has room for a vector of the narrower type. */
#define TENSOR_PLACES(s, dtype) ((s).rows * (s).stride * QUEUE_PLACES(dtype))
/** Of all vectors of a step: first those of x, then those of dy. Tensors apart cost bf16 backward 4 % (H200). */
#define STEP_PLACES(s) (TENSOR_PLACES(s, X_DTYPE) + ((s).tensors > 1 ? TENSOR_PLACES(s, Y_DTYPE) : 0))
/** Of a thread's first vector of x. */
#define FIRST_PLACE() (QUEUE_START() * QUEUE_PLACES(X_DTYPE))

/** A thread's pipeline. */
typedef struct pipeline {
    GLOBAL const char *x; /* of the thread's first vector; so is dy */
    GLOBAL const char *dy;
    GLOBAL char *result; /* behind by the steps under way, without segments */
#if GRKAN_WRITES_Y
    GLOBAL char *y; /* likewise */
#endif
    row_iterator here;  /* the step at hand, with segments */
    row_iterator next;  /* the step that is requested */
    int place;          /* in the queue, of the step at hand */
    int ends;           /* the first and the last place of a step in the queue, added */
    int requested_rows; /* rows whose vectors are requested beforehand: none where tensors are not aligned */
} pipeline;

/** Where a thread's results go in a tensor, behind by the steps under way. @param tensor its first element */
DEVICE GLOBAL char *lagging(pipeline_shape s, const worker *w, GLOBAL char *tensor, int dtype)
{
    const grkan_geometry *const g = w->block.g;
    const row_position first = position_of_row(w, 0);
    const grkan_int64 lag = GRKAN_SEGMENTED ? 0 : (s.stages + 1) * s.rows * g->rows.step_elements;
    return HIDE_POINTER(FURTHER(GLOBAL, tensor, DTYPE_BYTES(dtype), first.element - lag)); /* once */
}

/** @param x, dy, result the tensors' first elements; dy is any where the shape has one tensor */
DEVICE pipeline start_pipeline(pipeline_shape s, const worker *w, int aligned, GLOBAL const char *x,
                               GLOBAL const char *dy, GLOBAL char *result)
{
    const grkan_geometry *const g = w->block.g;
    const row_position first = position_of_row(w, 0);
    pipeline p;
    p.x = FURTHER(GLOBAL const, x, DTYPE_BYTES(X_DTYPE), first.element);
    p.dy = FURTHER(GLOBAL const, dy, DTYPE_BYTES(Y_DTYPE), first.element);
    p.result = lagging(s, w, result, s.result_dtype);
    p.here = first_row(g, first);
    p.next = p.here;
    p.place = FIRST_PLACE();
    p.ends = (int)HIDE(2 * FIRST_PLACE() + (s.stages - 1) * STEP_PLACES(s));
    p.requested_rows = aligned ? w->rows : 0;
    return p;
}

/** Whether row r of a step has a vector: without segments, all of the rows have that are left. */
DEVICE int has_vector(const worker *w, const row_iterator *i, int r, int left)
{
    return r < left && (!GRKAN_SEGMENTED || vectors_left(w, i->segment) > 0);
}

/** The same for a step that is there, so that it has a row 0. */
DEVICE int has_result(const worker *w, const row_iterator *i, int r, int left)
{
    return has_vector(w, i, r, r == 0 ? 1 : left);
}

/** A thread's vector of a tensor, of row r of a step. @param place of its first vector of x in that step */
DEVICE QUEUE *queued_vector(pipeline_shape s, QUEUE *queue, int place, int tensor, int r)
{
    const int of_x = QUEUE_PLACES(X_DTYPE), of_dy = QUEUE_PLACES(Y_DTYPE);
    QUEUE *const step = QUEUE_AT(queue, place);
    return tensor == 0
               ? QUEUE_AT(step, r * s.stride * of_x)
               : QUEUE_AT(step, TENSOR_PLACES(s, X_DTYPE) + r * s.stride * of_dy + QUEUE_START() * (of_dy - of_x));
}

/** Request a vector. Where none exists zeros come, or anything if nobody looks. */
DEVICE void request_vector(int dtype, QUEUE *to, GLOBAL const char *from, int exists, int is_looked_at)
{
#if defined(COPY_ASYNC) && !HAS_MANY_ROWS
#if VECTOR_WORDS > 4
    if (VECTOR_BYTES(dtype) == 32) {
        COPY_ASYNC(to, from, 16, exists);
        COPY_ASYNC(FURTHER(SHARED, to, 16, 1), FURTHER(GLOBAL const, from, 16, 1), 16, exists);
        return;
    }
#endif
    COPY_ASYNC(to, from, VECTOR_BYTES(dtype), exists);
    (void)is_looked_at;
#else
    if (exists)
        *to = load_global(dtype, from);
    else
        *to = is_looked_at ? zero_vector() : any_vector();
#endif
}

/** Request the vectors of a step: x's, then dy's. @param left rows from there, of those that are requested */
DEVICE void request_step(pipeline_shape s, const worker *w, pipeline *p, int left, QUEUE *queue, int place)
{
    /* A step of one row that does not exist is not computed. Of tensors that are not aligned no step is near zero. */
    const int is_looked_at = s.rows > 1 || GRKAN_SEGMENTED || HAS_NORM;
    UNROLL
    for (int r = 0; r < s.rows; ++r) {
        const int exists = has_vector(w, &p->next, r, left);
        request_vector(X_DTYPE, queued_vector(s, queue, place, 0, r), AT(X_DTYPE, p->x, &p->next), exists,
                       is_looked_at);
        if (s.tensors > 1)
            request_vector(Y_DTYPE, queued_vector(s, queue, place, 1, r), AT(Y_DTYPE, p->dy, &p->next), exists,
                           is_looked_at);
        next_row(w->block.g, &p->next);
    }
    QUEUE_END();
    p->next.bytes =
        HIDE(p->next.bytes); /* else they become an offset into each tensor, each with an addition of its own */
}

/** Request the first steps. */
DEVICE void fill_pipeline(pipeline_shape s, const worker *w, pipeline *p, QUEUE *queue)
{
    UNROLL
    for (int i = 0; i < s.stages; ++i)
        request_step(s, w, p, p->requested_rows - i * s.rows, queue, p->place + i * STEP_PLACES(s));
}

#ifdef GRKAN_PROLOGUE
/** Bring in a vector element by element. */
DEVICE void queue_elements(int dtype, QUEUE *to, GLOBAL const char *from)
{
#if defined(COPY_ASYNC) && !HAS_MANY_ROWS
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v) {
        if (DTYPE_BYTES(dtype) == 8)
            ((SHARED words2 *)to)[v] = ((GLOBAL const words2 *)from)[v];
        else if (DTYPE_BYTES(dtype) == 4)
            ((SHARED unsigned int *)to)[v] = ((GLOBAL const unsigned int *)from)[v];
        else
            ((SHARED unsigned short *)to)[v] = ((GLOBAL const unsigned short *)from)[v];
    }
#else
    real values[GRKAN_VECTOR];
    UNROLL
    for (int v = 0; v < GRKAN_VECTOR; ++v)
        values[v] = load_element(dtype, from, v);
    *to = pack_vector(dtype, values);
#endif
}

/** Bring in the step at hand where tensors are not aligned to vectors, so that zeros have been requested.
    @param x, dy first elements of the tensors @param row the step's first */
DEVICE void load_unaligned(pipeline_shape s, const worker *w, const pipeline *p, GLOBAL const char *x,
                           GLOBAL const char *dy, int row, QUEUE *queue)
{
    UNROLL
    for (int r = 0; r < s.rows; ++r) {
        if (row + r < w->rows) {
            const grkan_int64 first = position_of_row(w, row + r).element;
            queue_elements(X_DTYPE, queued_vector(s, queue, p->place, 0, r),
                           FURTHER(GLOBAL const, x, DTYPE_BYTES(X_DTYPE), first));
            if (s.tensors > 1)
                queue_elements(Y_DTYPE, queued_vector(s, queue, p->place, 1, r),
                               FURTHER(GLOBAL const, dy, DTYPE_BYTES(Y_DTYPE), first));
        }
    }
}
#endif

/** A tensor's vectors of the step at hand, which has come. */
DEVICE void take_vectors(pipeline_shape s, const pipeline *p, int tensor, QUEUE *queue, vector *now)
{
    UNROLL
    for (int r = 0; r < s.rows; ++r)
        now[r] = QUEUE_TAKE(tensor == 0 ? X_DTYPE : Y_DTYPE, queued_vector(s, queue, p->place, tensor, r));
}

/** Request a step in the place of the one that was taken. @param row the first of that one @return where its results go */
DEVICE row_iterator advance_pipeline(pipeline_shape s, const worker *w, pipeline *p, int row, QUEUE *queue)
{
    const int start = FIRST_PLACE();
    request_step(s, w, p, p->requested_rows - row - s.stages * s.rows, queue, p->place);
    if (s.stages == 2)
        p->place = p->ends - p->place;
    else if (s.stages > 2)
        p->place = p->place == p->ends - start ? start : p->place + STEP_PLACES(s);
    return GRKAN_SEGMENTED ? p->here : p->next;
}

/** Where a row's results go. Of many rows, each pointer is one addition from the last if the compiler has to make all. */
DEVICE GLOBAL char *result_at(pipeline_shape s, const pipeline *p, const row_iterator *i)
{
    return HAS_MANY_ROWS ? HIDE_POINTER(AT(s.result_dtype, p->result, i)) : AT(s.result_dtype, p->result, i);
}

#endif
