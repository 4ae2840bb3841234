/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stage.h
 * @brief Rows of a tensor to arithmetic and back: read and written as they lie in memory, so that the processor
 * prefetches them; computed on as [row][element of a vector][column], so that lanes are neighbours.
 */

enum {
    most_vector = 8,
    most_rows = 32, /* of a stage */
    line = 64       /* bytes of a cache line */
};

static int least(int a, int b)
{
    return a < b ? a : b;
}

/** Memory that is cut into a block's arrays, each from a cache line on. */
typedef struct memory {
    char *next;
    char *end;
} memory;

static void *take(memory *m, size_t bytes)
{
    void *const taken = m->next;
    m->next += (bytes + line - 1) / line * line;
    return taken;
}

static int bytes_left(const memory *m)
{
    return (int)(m->end - m->next);
}

/**
 * Neighbouring columns of a block, which are computed from the first row to the last before the next ones are. A block
 * with several rows side by side has whole ones, and they lie one behind the other: they are one row here.
 */
typedef struct strip {
    int first;   /* column: thread of the block */
    int columns; /* with work */
    int width;   /* columns, rounded up to whole SIMD vectors; the rest reads as 0 */
    int vector;  /* elements of a column's vector */
    int rows;    /* that are staged at once */
} strip;

/** Whether the rows that a block has side by side lie one behind the other in memory, too. */
DEVICE int rows_adjoin(const tile *b)
{
    const grkan_columns *const c = &b->g->columns;
    return c->block_rows == 1 || (c->tiles == 1 && b->vectors == c->tile_vectors);
}

/** The columns of a block with work, its threads; with what lies between those of its rows where these do not adjoin. */
DEVICE int columns_of_block(const tile *b)
{
    const grkan_columns *const c = &b->g->columns;
    const int of_row = (int)smaller(b->vectors, c->tile_vectors);
    return c->tile_vectors * (c->block_rows - 1) + of_row;
}

/** Columns of a block from one on that may be a strip, at most: where its rows do not adjoin, they are of one. */
DEVICE int columns_from(const tile *b, int first, int end)
{
    const int to_end = end - first;
    return rows_adjoin(b) ? to_end : least(to_end, (int)b->vectors - first % b->g->columns.tile_vectors);
}

/** The column after such: of the next row, if it would be none of this one. */
DEVICE int column_after(const tile *b, int column)
{
    const int pitch = b->g->columns.tile_vectors;
    return rows_adjoin(b) || column % pitch < (int)b->vectors ? column : (column / pitch + 1) * pitch;
}

/** Whose rows a strip has: a thread of its own row of the block, or of all that adjoin. */
DEVICE worker worker_of_strip(const tile *b, int first)
{
    return worker_of_thread(b, rows_adjoin(b) ? 0 : first);
}

DEVICE int whole_vectors(int columns)
{
    return (columns + CPU_LANES - 1) / CPU_LANES * CPU_LANES;
}

/** Whether a tensor has the type of arithmetic. */
DEVICE int is_scalar(const cpu_tensor *t)
{
    return t->dtype == SCALAR_DTYPE;
}

DEVICE char *element_of(const cpu_tensor *t, grkan_int64 element)
{
    return t->first + element * t->bytes;
}

#if !CPU_DOUBLE
static void halves_in(const uint16_t *from, int count, scalar *to)
{
    int i = 0;
#ifdef CONVERTS_HALVES
    for (; i + CPU_LANES <= count; i += CPU_LANES)
        store_lanes(to + i, load_halves(from + i));
#endif
    for (; i < count; ++i)
        to[i] = half_to_float(from[i]);
}

static void halves_out(const scalar *from, int count, uint16_t *to)
{
    int i = 0;
#ifdef CONVERTS_HALVES
    for (; i + CPU_LANES <= count; i += CPU_LANES)
        store_halves(to + i, load_lanes(from + i));
#endif
    for (; i < count; ++i)
        to[i] = (uint16_t)float_to_half(from[i]);
}

static void bf16s_in(const uint16_t *from, int count, scalar *to)
{
    for (int i = 0; i < count; ++i)
        to[i] = bf16_to_float(from[i]);
}

static void bf16s_out(const scalar *from, int count, uint16_t *to)
{
    for (int i = 0; i < count; ++i)
        to[i] = (uint16_t)float_to_bf16(from[i]);
}
#endif

/** Elements of a tensor, from one on, to arithmetic. */
static void convert_in(const cpu_tensor *t, grkan_int64 element, int count, scalar *to)
{
    const void *const from = element_of(t, element);
#if !CPU_DOUBLE
    if (t->dtype == GRKAN_F16)
        halves_in(from, count, to);
    else if (t->dtype == GRKAN_BF16)
        bf16s_in(from, count, to);
    else
#endif
        memcpy(to, from, (size_t)count * sizeof(scalar));
}

/** Elements of a tensor in the type of arithmetic: where they lie, or converted. */
static const scalar *elements_at(const cpu_tensor *t, grkan_int64 element, int count, scalar *converted)
{
    if (is_scalar(t))
        return (const scalar *)(const void *)element_of(t, element);
    convert_in(t, element, count, converted);
    return converted;
}

/** And back. */
static void convert_out(const scalar *from, int count, const cpu_tensor *t, grkan_int64 element)
{
    void *const to = element_of(t, element);
#if !CPU_DOUBLE
    if (t->dtype == GRKAN_F16)
        halves_out(from, count, to);
    else if (t->dtype == GRKAN_BF16)
        bf16s_out(from, count, to);
    else
#endif
        memcpy(to, from, (size_t)count * sizeof(scalar));
}

/* Vectors of a stored type to columns of arithmetic, and back. The strides are constants where the compiler can make
   permutations of them. Converted first, 16-bit vectors take an eighth more time. */
#define VECTORS_OF(stored, to_scalar, from_scalar)                                                                     \
    DEVICE void unpack_##stored(const stored *from, int count, int vector, int width, scalar *to)                      \
    {                                                                                                                  \
        for (int column = 0; column < count; ++column)                                                                 \
            for (int v = 0; v < vector; ++v)                                                                           \
                to[v * width + column] = to_scalar(from[column * vector + v]);                                         \
    }                                                                                                                  \
    DEVICE void pack_##stored(const scalar *from, int count, int vector, int width, stored *to)                        \
    {                                                                                                                  \
        for (int column = 0; column < count; ++column)                                                                 \
            for (int v = 0; v < vector; ++v)                                                                           \
                to[column * vector + v] = (stored)from_scalar(from[v * width + column]);                               \
    }                                                                                                                  \
    static void unpack_some_##stored(const stored *from, int count, const strip *s, scalar *to)                        \
    {                                                                                                                  \
        if (s->vector == 2)                                                                                            \
            unpack_##stored(from, count, 2, s->width, to);                                                             \
        else if (s->vector == 4)                                                                                       \
            unpack_##stored(from, count, 4, s->width, to);                                                             \
        else                                                                                                           \
            unpack_##stored(from, count, 8, s->width, to);                                                             \
    }                                                                                                                  \
    static void pack_some_##stored(const scalar *from, int count, const strip *s, stored *to)                          \
    {                                                                                                                  \
        if (s->vector == 2)                                                                                            \
            pack_##stored(from, count, 2, s->width, to);                                                               \
        else if (s->vector == 4)                                                                                       \
            pack_##stored(from, count, 4, s->width, to);                                                               \
        else                                                                                                           \
            pack_##stored(from, count, 8, s->width, to);                                                               \
    }

VECTORS_OF(scalar, , )
#if !CPU_DOUBLE
typedef uint16_t bf16;
VECTORS_OF(bf16, bf16_to_float, float_to_bf16)
#endif

#if CPU_DOUBLE
static void unpack_wide_row(const cpu_tensor *t, grkan_int64 element, int count, const strip *s, scalar *to)
{
    unpack_some_scalar((const void *)element_of(t, element), count, s, to);
}

static void pack_wide_row(const scalar *from, int count, const strip *s, const cpu_tensor *t, grkan_int64 element)
{
    pack_some_scalar(from, count, s, (void *)element_of(t, element));
}
#else
enum { converted_at_once = 32 }; /* vectors */

static void unpack_halves(const uint16_t *from, int count, const strip *s, scalar *to)
{
    scalar some[converted_at_once * most_vector];
    for (; count > 0; count -= converted_at_once, to += converted_at_once, from += converted_at_once * s->vector) {
        const int now = least(count, converted_at_once);
        halves_in(from, now * s->vector, some);
        unpack_some_scalar(some, now, s, to);
    }
}

static void pack_halves(const scalar *from, int count, const strip *s, uint16_t *to)
{
    scalar some[converted_at_once * most_vector];
    for (; count > 0; count -= converted_at_once, from += converted_at_once, to += converted_at_once * s->vector) {
        const int now = least(count, converted_at_once);
        pack_some_scalar(from, now, s, some);
        halves_out(some, now * s->vector, to);
    }
}

static void unpack_wide_row(const cpu_tensor *t, grkan_int64 element, int count, const strip *s, scalar *to)
{
    const void *const from = element_of(t, element);
    if (is_scalar(t))
        unpack_some_scalar(from, count, s, to);
    else if (t->dtype == GRKAN_BF16)
        unpack_some_bf16(from, count, s, to);
    else
        unpack_halves(from, count, s, to);
}

static void pack_wide_row(const scalar *from, int count, const strip *s, const cpu_tensor *t, grkan_int64 element)
{
    void *const to = element_of(t, element);
    if (is_scalar(t))
        pack_some_scalar(from, count, s, to);
    else if (t->dtype == GRKAN_BF16)
        pack_some_bf16(from, count, s, to);
    else
        pack_halves(from, count, s, to);
}
#endif

/** Vectors of one row. */
static void unpack_row(const cpu_tensor *t, grkan_int64 element, int count, const strip *s, scalar *to)
{
    if (s->vector == 1)
        convert_in(t, element, count, to);
    else
        unpack_wide_row(t, element, count, s, to);
    for (int v = 0; v < s->vector; ++v)
        for (int column = count; column < s->width; ++column)
            to[v * s->width + column] = 0;
}

static void pack_row(const scalar *from, int count, const strip *s, const cpu_tensor *t, grkan_int64 element)
{
    if (s->vector == 1)
        convert_out(from, count, t, element);
    else
        pack_wide_row(from, count, s, t, element);
}

/** Rows of a block that are at hand. */
typedef struct block_rows {
    int rows;
    grkan_int64 element[most_rows + 1]; /* first of each row; then of the one after them, or the last again */
    int count[most_rows];               /* vectors of each */
} block_rows;

/** @param w of worker_of_strip */
static void find_rows(const worker *w, const strip *s, int first, int end, block_rows *at)
{
    const grkan_geometry *const g = w->block.g;
    grkan_int64 left = rows_of_tile(&w->block) - first * g->rows.step;
    const int adjoin = rows_adjoin(&w->block);
    at->rows = end - first;
    for (int row = 0; row <= at->rows; ++row, left -= g->rows.step) {
        const row_position p = position_of_row(w, least(first + row, w->rows - 1));
        at->element[row] = p.element + (adjoin ? (grkan_int64)s->first * s->vector : 0);
        if (row == at->rows)
            break;
        if (!adjoin) {
            at->count[row] = s->columns;
            continue;
        }
        const grkan_int64 vectors = (g->columns.block_rows > 1 ? smaller(left, g->columns.block_rows) * w->block.vectors
                                                               : vectors_left(w, p.segment)) -
                                    s->first;
        at->count[row] = vectors > 0 ? (int)smaller(vectors, s->columns) : 0;
    }
}

/** Where the rows of a stage are: in memory of its own, by elements of a column's vector, or in the tensors. */
typedef struct staged_rows {
    grkan_dtype dtype;            /* of all three */
    int vector;                   /* elements of a column's vector that lie side by side */
    const char *x[most_rows + 1]; /* in tensors, where the row after them is, too; the last again if there is none */
    const char *dy[most_rows];
    char *result[most_rows];
} staged_rows;

/** Whether rows hold whole SIMD vectors of columns. */
DEVICE int are_whole(const strip *s, const block_rows *at)
{
    for (int i = 0; i < at->rows; ++i)
        if (at->count[i] != s->width)
            return 0;
    return 1;
}

/** Whether rows can be computed on where they lie. */
DEVICE int can_stay(const cpu_job *job, const strip *s, const block_rows *at)
{
    const grkan_dtype dtype = job->x.dtype;
    return dtype == job->dy.dtype && (s->vector == 1 || s->vector == wide_vector(dtype)) && are_whole(s, at);
}

/** @param unwanted where dx of a row goes that nobody wants @param result NULL if so */
static void stay(const cpu_job *job, const strip *s, const block_rows *at, const cpu_tensor *result, scalar *unwanted,
                 staged_rows *rows)
{
    rows->dtype = job->x.dtype;
    rows->vector = s->vector;
    for (int i = 0; i < at->rows; ++i) {
        rows->x[i] = element_of(&job->x, at->element[i]);
        rows->dy[i] = element_of(&job->dy, at->element[i]);
        rows->result[i] = result != NULL ? element_of(result, at->element[i]) : (char *)unwanted;
    }
    rows->x[at->rows] = element_of(&job->x, at->element[at->rows]);
}

/** Whether a tensor has what a stage would hold: whole vectors of the type of arithmetic. */
DEVICE int is_as_it_lies(const strip *s, const cpu_tensor *t, int count)
{
    return is_scalar(t) && s->vector == 1 && count == s->width;
}

/** @param row out: where each staged row of a tensor can be read @param is_own whether that shall be memory of its own */
static void stage_in(const strip *s, const block_rows *at, const cpu_tensor *from, int is_own, scalar *to,
                     const char **row)
{
    for (int i = 0; i < at->rows; ++i, row += s->vector, to += s->vector * s->width) {
        const int copied = is_own || !is_as_it_lies(s, from, at->count[i]);
        if (copied)
            unpack_row(from, at->element[i], at->count[i], s, to);
        for (int v = 0; v < s->vector; ++v)
            row[v] = copied ? (const char *)(to + v * s->width) : element_of(from, at->element[i]);
    }
}

/** @param to NULL: nowhere @param row out: where each row of the result is to be written; stage_out brings it to `to` if need
    be */
static void prepare_result(const strip *s, const block_rows *at, scalar *staged_result, const cpu_tensor *to,
                           char **row)
{
    for (int i = 0; i < at->rows; ++i, row += s->vector, staged_result += s->vector * s->width) {
        const int copied = to == NULL || !is_as_it_lies(s, to, at->count[i]);
        for (int v = 0; v < s->vector; ++v)
            row[v] = copied ? (char *)(staged_result + v * s->width) : element_of(to, at->element[i]);
    }
}

static void stage_out(const strip *s, const block_rows *at, const scalar *from, const cpu_tensor *to)
{
    for (int i = 0; i < at->rows; ++i, from += s->vector * s->width)
        if (!is_as_it_lies(s, to, at->count[i]))
            pack_row(from, at->count[i], s, to, at->element[i]);
}
